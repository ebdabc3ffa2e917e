// The entries of one issuer's CRL, kept encoded between reads.
import { readCounter } from '@lockstep/contract/counter';
import { assert } from '@lockstep/contract/errors';
import type { ReadableState } from '@lockstep/contract/state';
import { encode, integerOfBytes, sequence, time } from './der.ts';
import { type Revocation, revocationOf, revocationsKey, revokedFrom, revokedOfIssuer } from './keys.ts';
import { scanPage } from './limits.ts';

/**
 * Grows with the issuer's revocations and never forgets one, so that a read after a revoke scans the new keys only. Revocations
 * are numbered without gaps: what was folded in is known by a count, and two readers at once can't fold one in twice.
 */
export class RevokedEntries {
  #bytes: Buffer = Buffer.alloc(4096);
  #length = 0;
  /** Where each entry ends in the bytes, and when its certificate does. */
  readonly #ends: number[] = [];
  readonly #notAfters: number[] = [];
  #firstNotAfter = Number.POSITIVE_INFINITY;
  #lastRevokedAtSeconds = 0;

  get count(): number {
    return this.#ends.length;
  }

  /** When the last of them was revoked, or 0. */
  get lastRevokedAtSeconds(): number {
    return this.#lastRevokedAtSeconds;
  }

  /** Folds in all that the state holds up to `count`. */
  async catchUp(state: ReadableState, issuerId: string, count: number): Promise<void> {
    while (this.count < count) {
      const from = revokedFrom(issuerId, this.count + 1);
      const limit = Math.min(scanPage, count - this.count);
      const keys = await state.keys({ prefix: revokedOfIssuer(issuerId), from, limit });
      assert(keys.length > 0, 'every counted revocation has its key');
      for (const key of keys) this.#fold(revocationOf(key));
    }
  }

  #fold(revocation: Revocation): void {
    if (revocation.ordinal <= this.count) return;
    assert(revocation.ordinal === this.count + 1, 'revocations are numbered without gaps');
    const serial = integerOfBytes(Buffer.from(revocation.serial, 'hex'));
    this.#append(encode(sequence(serial, time(revocation.revokedAtSeconds * 1000))));
    this.#notAfters.push(revocation.notAfterSeconds);
    this.#firstNotAfter = Math.min(this.#firstNotAfter, revocation.notAfterSeconds);
    this.#lastRevokedAtSeconds = Math.max(this.#lastRevokedAtSeconds, revocation.revokedAtSeconds);
  }

  #append(entry: Buffer): void {
    if (this.#length + entry.length > this.#bytes.length) {
      const larger = Buffer.alloc(this.#bytes.length * 2);
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    entry.copy(this.#bytes, this.#length);
    this.#length += entry.length;
    this.#ends.push(this.#length);
  }

  /** The entries of certificates that end at `seconds` or later, one after the other. */
  endingFrom(seconds: number): Buffer {
    if (this.#firstNotAfter >= seconds) return this.#bytes.subarray(0, this.#length);
    const kept: Buffer[] = [];
    let start = 0;
    this.#ends.forEach((end, at) => {
      if ((this.#notAfters[at] ?? 0) >= seconds) kept.push(this.#bytes.subarray(start, end));
      start = end;
    });
    return Buffer.concat(kept);
  }
}

/** How many certificates of an issuer were ever revoked. */
export function revocationCount(state: ReadableState, issuerId: string): number {
  return readCounter(state.get(revocationsKey(issuerId)));
}
