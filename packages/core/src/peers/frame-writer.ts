import { LockstepError } from '@lockstep/contract/errors';

/** Writes one frame from front to back; without a buffer it only counts, so that the same code gives the size. */
export class FrameWriter {
  readonly #buffer: Buffer | undefined;
  length = 0;

  constructor(buffer: Buffer | undefined) {
    this.#buffer = buffer;
  }

  u8(value: number): void {
    this.#buffer?.writeUInt8(value, this.length);
    this.length += 1;
  }

  u16(value: number): void {
    this.#buffer?.writeUInt16LE(value, this.length);
    this.length += 2;
  }

  u32(value: number): void {
    this.#buffer?.writeUInt32LE(value, this.length);
    this.length += 4;
  }

  u53(what: string, value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${what} must be a safe integer, is ${value}`);
    this.#buffer?.writeUInt32LE(value % 0x1_0000_0000, this.length);
    this.#buffer?.writeUInt32LE(Math.floor(value / 0x1_0000_0000), this.length + 4);
    this.length += 8;
  }

  flag(value: boolean): void {
    this.u8(value ? 1 : 0);
  }

  count(what: string, count: number, max: number): void {
    this.u32(checkCount(what, count, max));
  }

  shortCount(what: string, count: number, max: number): void {
    this.u16(checkCount(what, count, max));
  }

  blob(bytes: Uint8Array): void {
    this.u32(bytes.length);
    this.#buffer?.set(bytes, this.length);
    this.length += bytes.length;
  }

  text(what: string, value: string, bytesMax: number): void {
    const length = Buffer.byteLength(value, 'utf8');
    if (length > bytesMax) {
      throw new LockstepError('too-large', `${what} is ${length} bytes, at most ${bytesMax} are allowed`);
    }
    this.u16(length);
    this.#buffer?.write(value, this.length, 'utf8');
    this.length += length;
  }

  bytes(): Uint8Array {
    if (this.#buffer === undefined) throw new Error('invariant broken: a sizing writer has no bytes');
    return this.#buffer;
  }
}

function checkCount(what: string, count: number, max: number): number {
  if (count > max) throw new LockstepError('too-large', `peer frame has ${count} ${what}, at most ${max} are allowed`);
  return count;
}
