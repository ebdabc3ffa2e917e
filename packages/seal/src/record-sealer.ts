import { assert } from '@lockstep/contract/errors';
import { AdditionalData, BatchSealer, type Place, RecordOpener, saltBytes } from './aead.ts';
import type { Keyring, KeyUse } from './keyring.ts';
import type { Random } from './random.ts';

/** Seals and opens everything of one use (log, state, snapshot) with one keyring. Ask the barrier for it each time: a rotation replaces it. */
export class RecordSealer {
  readonly #keyring: Keyring;
  readonly #use: KeyUse;
  readonly #random: Random;
  readonly #context: AdditionalData;
  readonly #opener: RecordOpener;

  constructor(options: { readonly keyring: Keyring; readonly use: KeyUse; readonly random: Random }) {
    const { keyring, use, random } = options;
    this.#keyring = keyring;
    this.#use = use;
    this.#random = random;
    this.#context = new AdditionalData({ clusterId: keyring.clusterId, purpose: use });
    this.#opener = new RecordOpener({
      context: this.#context,
      keyOf: (version) => keyring.useKey(use, version)?.key,
    });
  }

  /** A sealer for the records of one batch, under the active key version. */
  startBatch(): BatchSealer {
    const useKey = this.#keyring.useKey(this.#use);
    assert(useKey !== undefined, 'a keyring has its active version');
    return new BatchSealer({ useKey, context: this.#context, salt: this.#random(saltBytes) });
  }

  /** As `RecordOpener.open`. */
  open(place: Place, record: Uint8Array): Buffer {
    return this.#opener.open(place, record);
  }

  forget(): void {
    this.#opener.forget();
  }
}
