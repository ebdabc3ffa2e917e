import { createHmac, type KeyObject } from 'node:crypto';
import { fingerprintsKept, fingerprintsSeenOnceKept, rememberedValueCharsMax } from './limits.ts';
import { Recent } from './recent.ts';

/**
 * Stands for a value in the audit: `hmac-sha256:` and the hex of an HMAC under the cluster's audit key. Equal values have equal
 * fingerprints, so that whoever may ask can look for one; nobody can read one back.
 */
export class Fingerprints {
  readonly #key: KeyObject;
  readonly #known = new Recent<string>(fingerprintsKept);
  readonly #seenOnce = new Recent<true>(fingerprintsSeenOnceKept);

  constructor(key: KeyObject) {
    this.#key = key;
  }

  /**
   * Values that repeat (an issuer's certificate, an accessor) are remembered with their fingerprint. The first time only the
   * fingerprint is, so that a secret that passes once, as private keys do, is not kept here.
   */
  ofText(value: string): string {
    const known = this.#known.get(value);
    if (known !== undefined) return known;
    const fingerprint = `hmac-sha256:${createHmac('sha256', this.#key).update(value, 'utf8').digest('hex')}`;
    if (value.length <= rememberedValueCharsMax) this.#remember(value, fingerprint);
    return fingerprint;
  }

  ofBytes(value: Uint8Array): string {
    return `hmac-sha256:${createHmac('sha256', this.#key).update(value).digest('hex')}`;
  }

  #remember(value: string, fingerprint: string): void {
    if (this.#seenOnce.delete(fingerprint)) this.#known.set(value, fingerprint);
    else this.#seenOnce.set(fingerprint, true);
  }
}
