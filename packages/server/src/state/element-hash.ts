import { hash, type KeyObject } from 'node:crypto';
import type { StoredCell } from './stored-value.ts';

export const digestBytes = 32;
const lengthsBytes = 16;

/**
 * Adds one key with its version and plaintext to the digest of a set, or takes it away: the same step (MSet-XOR-Hash; Clarke et al.
 * 2003). An element is SHA-256 over the contents between a key before and after (an envelope, RFC 1828), which is used for nothing
 * else: without it nothing can be told of the contents, and the same ones give unrelated elements in two clusters.
 */
export class ElementHash {
  readonly #key: KeyObject;
  /** The key, the lengths, the contents, and the key again. */
  #scratch: Buffer;
  readonly #keyBytes: number;

  constructor(key: KeyObject) {
    this.#key = key;
    const bytes = key.export();
    this.#keyBytes = bytes.length;
    this.#scratch = Buffer.allocUnsafeSlow(64 * 1024);
    this.#scratch.set(bytes);
    bytes.fill(0);
  }

  isOf(key: KeyObject): boolean {
    return this.#key === key;
  }

  toggle(digest: Uint8Array, fullKey: string, { version, value }: StoredCell): void {
    const keyBytes = this.#keyBytes;
    const room = 2 * keyBytes + lengthsBytes + fullKey.length * 3 + value.length;
    if (room > this.#scratch.length) this.#grow(2 * room);
    const scratch = this.#scratch;
    const nameLength = scratch.write(fullKey, keyBytes + lengthsBytes, 'utf8');
    scratch.writeUInt32LE(nameLength, keyBytes);
    scratch.writeUInt32LE(version % 2 ** 32, keyBytes + 4);
    scratch.writeUInt32LE(Math.floor(version / 2 ** 32), keyBytes + 8);
    scratch.writeUInt32LE(value.length, keyBytes + 12);
    const valueAt = keyBytes + lengthsBytes + nameLength;
    scratch.set(value, valueAt);
    const end = valueAt + value.length;
    scratch.copyWithin(end, 0, keyBytes);
    // As text: making a buffer of it would take longer than the hash itself.
    const element = hash('sha256', scratch.subarray(0, end + keyBytes), 'binary');
    for (let at = 0; at < digestBytes; at++) digest[at] = (digest[at] ?? 0) ^ element.charCodeAt(at);
  }

  /** Forgets the key and what was hashed last. */
  wipe(): void {
    this.#scratch.fill(0);
  }

  #grow(bytes: number): void {
    const grown = Buffer.allocUnsafeSlow(bytes);
    grown.set(this.#scratch.subarray(0, this.#keyBytes));
    this.#scratch.fill(0);
    this.#scratch = grown;
  }
}

/** Adds what one digest has to another, or takes it away. */
export function toggleAll(digest: Uint8Array, other: Uint8Array): void {
  for (let at = 0; at < digestBytes; at++) digest[at] = (digest[at] ?? 0) ^ (other[at] ?? 0);
}
