import { LockstepError } from '@lockstep/contract/errors';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** Writes big-endian numbers and short texts into a buffer that grows. For records that are written rarely. */
export class ByteWriter {
  #bytes = new Uint8Array(256);
  #length = 0;

  u8(value: number): void {
    this.#view(1).setUint8(0, value);
  }

  u16(value: number): void {
    this.#view(2).setUint16(0, value);
  }

  u53(value: number): void {
    this.#view(8).setBigUint64(0, BigInt(value));
  }

  text(what: string, value: string, bytesMax: number): void {
    const bytes = encoder.encode(value);
    if (bytes.length > bytesMax)
      throw new LockstepError('invalid-input', `${what} is ${bytes.length} bytes, at most ${bytesMax} are allowed`);
    this.u16(bytes.length);
    this.#view(bytes.length);
    this.#bytes.set(bytes, this.#length - bytes.length);
  }

  bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #view(length: number): DataView {
    const at = this.#length;
    this.#length += length;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#length);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    return new DataView(this.#bytes.buffer, at, length);
  }
}

/** Reads what a `ByteWriter` wrote, and refuses everything else with `invalid-input`. */
export class ByteReader {
  readonly #what: string;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  constructor(what: string, bytes: Uint8Array) {
    this.#what = what;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  u53(what: string): number {
    const value = this.#view.getBigUint64(this.#take(8));
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.refusal(`has ${what} ${value}, not a number of 53 bits`);
    return Number(value);
  }

  count(what: string, max: number): number {
    const count = this.u16();
    if (count > max) throw this.refusal(`has ${count} ${what}, at most ${max} are allowed`);
    return count;
  }

  text(what: string, bytesMax: number): string {
    const length = this.u16();
    if (length > bytesMax) throw this.refusal(`has ${what} of ${length} bytes, at most ${bytesMax} are allowed`);
    const at = this.#take(length);
    try {
      return decoder.decode(this.#bytes.subarray(at, at + length));
    } catch (cause) {
      throw new LockstepError('invalid-input', `${this.#what} has ${what} that is not UTF-8`, { cause });
    }
  }

  end(): void {
    const left = this.#bytes.length - this.#offset;
    if (left > 0) throw this.refusal(`has ${left} bytes after its end`);
  }

  refusal(rule: string): LockstepError {
    return new LockstepError('invalid-input', `${this.#what} ${rule}`);
  }

  #take(length: number): number {
    const at = this.#offset;
    if (length > this.#bytes.length - at) throw this.refusal('is cut short');
    this.#offset = at + length;
    return at;
  }
}
