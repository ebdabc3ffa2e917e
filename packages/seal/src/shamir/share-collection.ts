import { LockstepError } from '@lockstep/contract/errors';
import type { Secret } from '@lockstep/contract/secret';
import type { Random } from '../random.ts';
import type { SealConfiguration } from '../seal-configuration.ts';
import { combineShares } from './split-key.ts';
import { parseShare, type Share } from './share.ts';

export interface ShareProgress {
  readonly given: number;
  readonly needed: number;
  /** Names this attempt, as Vault's `nonce` does: it changes with every new one. Empty before the first share. */
  readonly nonce: string;
}

export type ShareOutcome =
  | ({ readonly kind: 'collecting' } & ShareProgress)
  /** This very share was given before in this attempt: nothing changed. */
  | ({ readonly kind: 'repeated' } & ShareProgress)
  /** Enough shares: the wrapping key, not yet proven to be the right one. The attempt is over and its shares are cleared. */
  | { readonly kind: 'complete'; readonly key: Secret };

/** Collects the shares of one attempt to unseal. One attempt at a time; `reset` gives it up. */
export class ShareCollection {
  readonly #configuration: Pick<SealConfiguration, 'threshold' | 'setId'>;
  readonly #random: Random;
  readonly #shares = new Map<number, Share>();
  #nonce = '';

  constructor(configuration: Pick<SealConfiguration, 'threshold' | 'setId'>, random: Random) {
    this.#configuration = configuration;
    this.#random = random;
  }

  get progress(): ShareProgress {
    return { given: this.#shares.size, needed: this.#configuration.threshold, nonce: this.#nonce };
  }

  /** Refuses with `invalid-input` text that is no share, a share of another set, and two different shares with one coordinate. */
  async give(text: string): Promise<ShareOutcome> {
    const share = parseShare(text, this.#configuration.setId);
    const known = this.#shares.get(share.coordinate);
    if (known !== undefined) {
      const isSame = known.point.equals(share.point);
      share.point.wipe();
      if (isSame) return { kind: 'repeated', ...this.progress };
      throw new LockstepError(
        'invalid-input',
        'unseal key contradicts another one given in this attempt: reset and begin again',
      );
    }
    if (this.#shares.size === 0) this.#nonce = nonceOf(this.#random(16));
    this.#shares.set(share.coordinate, share);
    if (this.#shares.size < this.#configuration.threshold) return { kind: 'collecting', ...this.progress };
    // Taken before the await, so that a share which comes meanwhile begins another attempt.
    const shares = [...this.#shares.values()];
    this.#shares.clear();
    this.#nonce = '';
    const key = await combineShares(shares);
    for (const one of shares) one.point.wipe();
    return { kind: 'complete', key };
  }

  /** Gives the attempt up and clears its shares. */
  reset(): void {
    for (const share of this.#shares.values()) share.point.wipe();
    this.#shares.clear();
    this.#nonce = '';
  }
}

/** In the shape of a UUID, as Vault's clients show it. */
function nonceOf(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
