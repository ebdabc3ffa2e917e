import { timingSafeEqual } from 'node:crypto';
import { inspect } from 'node:util';

const hidden = '[secret]';

/** Bytes that must not be printed. Holds the only copy it knows of; `wipe` overwrites it. */
export class Secret {
  readonly #bytes: Buffer;

  /** Takes the buffer over: the caller must not keep using it. */
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  static fromText(text: string): Secret {
    return new Secret(Buffer.from(text, 'utf8'));
  }

  /** A copy of its own: wiping either leaves the other. */
  copy(): Secret {
    return new Secret(Buffer.from(this.#bytes));
  }

  /** The bytes themselves, not a copy. Reveal at the last moment, in the narrowest scope. */
  reveal(): Buffer {
    return this.#bytes;
  }

  revealText(): string {
    return this.#bytes.toString('utf8');
  }

  /** Compares in time that depends on the lengths only. */
  equals(other: Secret): boolean {
    return this.#bytes.length === other.#bytes.length && timingSafeEqual(this.#bytes, other.#bytes);
  }

  wipe(): void {
    this.#bytes.fill(0);
  }

  toString(): string {
    return hidden;
  }

  toJSON(): string {
    return hidden;
  }

  static {
    Object.defineProperty(Secret.prototype, inspect.custom, { value: () => hidden });
  }
}
