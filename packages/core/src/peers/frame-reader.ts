import { LockstepError } from '@lockstep/contract/errors';
import { LogIndex, NodeId, Term } from '@lockstep/contract/ids';

const text = new TextDecoder('utf-8', { fatal: true });
const highest = Number.MAX_SAFE_INTEGER;

/** Reads one frame from front to back. Every read checks that the frame is long enough and the value is in its range. */
export class FrameReader {
  readonly frame: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  constructor(frame: Uint8Array) {
    // A plain view also where gRPC hands over a Buffer, so that a slice copies and equal bytes are equal values.
    this.frame = new Uint8Array(frame.buffer, frame.byteOffset, frame.byteLength);
    this.#view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  }

  get offset(): number {
    return this.#offset;
  }

  u8(what: string): number {
    return this.#view.getUint8(this.#take(1, what));
  }

  u16(what: string): number {
    return this.#view.getUint16(this.#take(2, what), true);
  }

  u32(what: string): number {
    return this.#view.getUint32(this.#take(4, what), true);
  }

  u53(what: string): number {
    const at = this.#take(8, what);
    const value = this.#view.getUint32(at + 4, true) * 0x1_0000_0000 + this.#view.getUint32(at, true);
    if (value > highest) throw this.refusal(`${what} is above ${highest}`);
    return value;
  }

  index(what: string): LogIndex {
    return LogIndex(this.u53(what));
  }

  indexAfter(index: LogIndex, steps: number): LogIndex {
    if (index > highest - steps) throw this.refusal(`an entry's index is above ${highest}`);
    return LogIndex(index + steps);
  }

  term(what: string): Term {
    return Term(this.u53(what));
  }

  node(what: string): NodeId {
    return NodeId(this.u53(what));
  }

  flag(what: string): boolean {
    const value = this.u8(what);
    if (value > 1) throw this.refusal(`${what} must be 0 or 1, is ${value}`);
    return value === 1;
  }

  oneOf<T>(what: string, known: readonly T[], first: number): T {
    const value = this.u8(what);
    const found = known[value - first];
    if (found === undefined) throw this.refusal(`${what} ${value} is unknown`);
    return found;
  }

  count(what: string, max: number): number {
    return this.#checkCount(what, this.u32(what), max);
  }

  shortCount(what: string, max: number): number {
    return this.#checkCount(what, this.u16(what), max);
  }

  nodes(what: string, max: number): readonly NodeId[] {
    const count = this.shortCount(what, max);
    const nodes: NodeId[] = [];
    for (let i = 0; i < count; i++) nodes.push(this.node(what));
    return nodes;
  }

  /** A view of the frame. */
  blob(what: string): Uint8Array {
    const length = this.u32(what);
    const at = this.#take(length, what);
    return this.frame.subarray(at, at + length);
  }

  text(what: string, bytesMax: number): string {
    const length = this.u16(what);
    if (length > bytesMax) throw this.refusal(`${what} is ${length} bytes, at most ${bytesMax} are allowed`);
    const at = this.#take(length, what);
    try {
      return text.decode(this.frame.subarray(at, at + length));
    } catch (cause) {
      throw new LockstepError('invalid-input', `peer frame: ${what} is not valid UTF-8`, { cause });
    }
  }

  end(): void {
    const left = this.frame.length - this.#offset;
    if (left > 0) throw this.refusal(`has ${left} bytes after its end`);
  }

  refusal(rule: string): LockstepError {
    return new LockstepError('invalid-input', `peer frame: ${rule}`);
  }

  #checkCount(what: string, count: number, max: number): number {
    if (count > max) throw this.refusal(`has ${count} ${what}, at most ${max} are allowed`);
    return count;
  }

  #take(length: number, what: string): number {
    const at = this.#offset;
    if (length > this.frame.length - at) throw this.refusal(`ends within ${what}`);
    this.#offset = at + length;
    return at;
  }
}
