import type { KeyObject } from 'node:crypto';
import type { StateCheckpoint } from '@lockstep/core/peers/node-report';
import { digestBytes, ElementHash, toggleAll } from './element-hash.ts';
import { digestsKept } from './limits.ts';
import type { StoredCell } from './stored-value.ts';

/**
 * The digest of the whole state, kept as the state changes: an element for each key, taken away and added with each write. Where it
 * isn't known (a state of an earlier version, or a restored one) the changes are kept until a scan has told where they began.
 */
export class StateHash {
  #element: ElementHash | undefined;
  /** Of the state as of the last entry; without the `#base` where that is not known. */
  readonly #digest: Buffer = Buffer.alloc(digestBytes);
  #isKnown: boolean;
  #applied: number;
  /** The digests after the last entries, by index. */
  readonly #recent: Buffer = Buffer.alloc(digestsKept * digestBytes);
  #recentFrom: number;
  /** Where the last two checkpoints were taken. */
  #checkpointed: readonly [number, number];

  constructor(stored: { readonly digest: Uint8Array | undefined; readonly applied: number }) {
    this.#isKnown = stored.digest !== undefined;
    if (stored.digest !== undefined) this.#digest.set(stored.digest);
    this.#applied = stored.applied;
    this.#recentFrom = stored.applied;
    this.#checkpointed = [stored.applied, stored.applied];
    this.#remember();
  }

  get isKnown(): boolean {
    return this.#isKnown;
  }

  /** Of the state as of the last entry; undefined where it is not known. */
  get digest(): Buffer | undefined {
    return this.#isKnown ? Buffer.from(this.#digest) : undefined;
  }

  /** One key's change. `key` is the cluster's for this. */
  change(key: KeyObject, fullKey: string, of: { before: StoredCell | undefined; after: StoredCell | undefined }): void {
    const element = this.elementUnder(key);
    if (of.before !== undefined) element.toggle(this.#digest, fullKey, of.before);
    if (of.after !== undefined) element.toggle(this.#digest, fullKey, of.after);
  }

  elementUnder(key: KeyObject): ElementHash {
    if (this.#element?.isOf(key) !== true) {
      this.#element?.wipe();
      this.#element = new ElementHash(key);
    }
    return this.#element ?? new ElementHash(key);
  }

  /** All changes of the entry at `index` were made. */
  entryEnds(index: number): void {
    this.#applied = index;
    if (index - this.#recentFrom >= digestsKept) this.#recentFrom = index - digestsKept + 1;
    this.#remember();
  }

  /** After the entry at `index`; undefined where that is too long ago, not yet, or not known. */
  digestAt(index: number): Uint8Array | undefined {
    return this.#isKnown ? this.changesAt(index) : undefined;
  }

  /** The same where the beginning is not known: what has changed since then. */
  changesAt(index: number): Buffer | undefined {
    if (index < this.#recentFrom || index > this.#applied) return undefined;
    const at = (index % digestsKept) * digestBytes;
    return Buffer.from(this.#recent.subarray(at, at + digestBytes));
  }

  /** A scan has found the digest of the state as of an entry, of which `changes` were told. */
  found(digest: Uint8Array, changes: Uint8Array): void {
    if (this.#isKnown) return;
    const base = Buffer.from(digest);
    toggleAll(base, changes);
    toggleAll(this.#digest, base);
    for (let index = this.#recentFrom; index <= this.#applied; index++) {
      const at = (index % digestsKept) * digestBytes;
      toggleAll(this.#recent.subarray(at, at + digestBytes), base);
    }
    this.#isKnown = true;
  }

  /**
   * One of the entries since the last checkpoint but one: the one whose index has the most factors of two, so that nodes that are
   * not at the same entry at the same moment tell of the same one often.
   */
  checkpoint(): StateCheckpoint | undefined {
    const [from] = this.#checkpointed;
    this.#checkpointed = [this.#checkpointed[1], this.#applied];
    if (!this.#isKnown) return undefined;
    const index = roundest(Math.max(from, this.#recentFrom - 1), this.#applied);
    const digest = this.digestAt(index);
    return digest === undefined ? undefined : { index, digest };
  }

  /** For a node that is being sealed. */
  forgetKey(): void {
    this.#element?.wipe();
    this.#element = undefined;
  }

  #remember(): void {
    this.#recent.set(this.#digest, (this.#applied % digestsKept) * digestBytes);
  }
}

/** The index in (from, through] that the largest power of two divides; `through` where there is none. */
export function roundest(from: number, through: number): number {
  if (from >= through) return through;
  let step = 1;
  while (Math.floor(through / (2 * step)) * (2 * step) > from) step *= 2;
  return Math.floor(through / step) * step;
}
