// A strict reader of DER: definite, minimal lengths, one-byte tags, no byte left over. It never recurses: callers follow a schema.
import { LockstepError } from '@lockstep/contract/errors';

export interface DerElement {
  readonly tag: number;
  readonly content: Uint8Array;
  /** Tag, length and content. */
  readonly whole: Uint8Array;
  /** Where the content begins in the outermost input. */
  readonly contentOffset: number;
}

export class DerReader {
  readonly #bytes: Uint8Array;
  /** What is read, for messages: `csr`, `certificate`. */
  readonly #what: string;
  readonly #offset: number;
  #at = 0;

  constructor(bytes: Uint8Array, what: string, offset = 0) {
    this.#bytes = bytes;
    this.#what = what;
    this.#offset = offset;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** The tag of what comes next, or undefined at the end. */
  get peek(): number | undefined {
    return this.#bytes[this.#at];
  }

  refuse(rule: string): never {
    throw new LockstepError(
      'invalid-input',
      `${this.#what}: malformed DER at offset ${this.#offset + this.#at}: ${rule}`,
    );
  }

  /** The next element, whatever its tag. */
  any(): DerElement {
    const start = this.#at;
    const tag = this.#bytes[start];
    if (tag === undefined) return this.refuse('ends too early');
    if ((tag & 0x1f) === 0x1f) return this.refuse('tags of more than one byte are not used here');
    const { length, headerLength } = this.#length(start);
    const contentStart = start + headerLength;
    if (length > this.#bytes.length - contentStart) return this.refuse('a length reaches past the end');
    this.#at = contentStart + length;
    return {
      tag,
      content: this.#bytes.subarray(contentStart, this.#at),
      whole: this.#bytes.subarray(start, this.#at),
      contentOffset: this.#offset + contentStart,
    };
  }

  #length(start: number): { length: number; headerLength: number } {
    const first = this.#bytes[start + 1];
    if (first === undefined) return this.refuse('ends too early');
    if (first < 0x80) return { length: first, headerLength: 2 };
    const count = first & 0x7f;
    if (count === 0) return this.refuse('indefinite lengths are not DER');
    if (count > 4) return this.refuse('a length has more than four bytes');
    let length = 0;
    for (let i = 0; i < count; i++) {
      const byte = this.#bytes[start + 2 + i];
      if (byte === undefined) return this.refuse('ends too early');
      length = length * 0x100 + byte;
    }
    if (length < 0x80 || length < 0x100 ** (count - 1)) return this.refuse('a length is not minimal');
    return { length, headerLength: 2 + count };
  }

  /** The next element, which must have this tag. */
  next(tag: number): DerElement {
    if (this.peek !== tag) return this.refuse(`expected tag 0x${tag.toString(16)}`);
    return this.any();
  }

  optional(tag: number): DerElement | undefined {
    return this.peek === tag ? this.any() : undefined;
  }

  /** A reader of the next element's content. */
  enter(tag: number): DerReader {
    return this.inside(this.next(tag));
  }

  inside(element: DerElement): DerReader {
    return new DerReader(element.content, this.#what, element.contentOffset);
  }

  /** The big-endian bytes of a positive INTEGER, without a sign byte. */
  positiveInteger(): Uint8Array {
    const { content } = this.next(0x02);
    const [first, second] = content;
    if (first === undefined) return this.refuse('an integer is empty');
    if (first >= 0x80) return this.refuse('an integer is negative');
    if (first === 0 && second !== undefined && second < 0x80) return this.refuse('an integer is not minimal');
    return first === 0 && content.length > 1 ? content.subarray(1) : content;
  }

  /** The bytes of a BIT STRING that has no unused bits. */
  bitString(): Uint8Array {
    return this.bitStringElement().content;
  }

  /** The same, so that what it wraps can be read. */
  bitStringElement(): DerElement {
    const element = this.next(0x03);
    if (element.content[0] !== 0) return this.refuse('a bit string has unused bits');
    return { ...element, content: element.content.subarray(1), contentOffset: element.contentOffset + 1 };
  }

  boolean(): boolean {
    const { content } = this.next(0x01);
    if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff)) return this.refuse('a boolean is not DER');
    return content[0] === 0xff;
  }

  /** Milliseconds of a UTCTime or GeneralizedTime in the forms of RFC 5280 §4.1.2.5. */
  time(): number {
    const element = this.any();
    const text = Buffer.from(element.content).toString('latin1');
    const digits =
      element.tag === 0x17
        ? /^\d{12}Z$/.exec(text)?.[0]
        : element.tag === 0x18
          ? /^\d{14}Z$/.exec(text)?.[0]
          : undefined;
    if (digits === undefined) return this.refuse('a time has another form than RFC 5280 gives');
    const full = element.tag === 0x18 ? digits : `${Number(digits.slice(0, 2)) < 50 ? '20' : '19'}${digits}`;
    const iso = `${full.slice(0, 4)}-${full.slice(4, 6)}-${full.slice(6, 8)}T${full.slice(8, 10)}:${full.slice(10, 12)}:${full.slice(12, 14)}Z`;
    const ms = Date.parse(iso);
    // Date.parse takes 30 February for 2 March.
    const isReal = !Number.isNaN(ms) && new Date(ms).toISOString().slice(0, 19) === iso.slice(0, 19);
    return isReal ? ms : this.refuse('a time does not exist');
  }

  finish(): void {
    if (!this.isAtEnd) this.refuse('bytes follow the value');
  }
}
