import type { KeyObject } from 'node:crypto';
import { LockstepError } from '@lockstep/contract/errors';
import type { LogIndex, Term } from '@lockstep/contract/ids';
import type { Secret } from '@lockstep/contract/secret';
import { freshKey, type Keyring, openKeyring, sealKeyring } from './keyring.ts';
import type { Random } from './random.ts';
import { RecordSealer } from './record-sealer.ts';
import type { SealConfiguration } from './seal-configuration.ts';
import { type EntryBody, type EntryPlace, openEntry, sealEntry } from './sealed-entry.ts';

export type BarrierState =
  | { readonly state: 'sealed' }
  | {
      readonly state: 'unsealed';
      readonly configuration: SealConfiguration;
      readonly keyring: Keyring;
      readonly log: RecordSealer;
      readonly values: RecordSealer;
      readonly snapshots: RecordSealer;
    };

/** What the consensus driver wants of a leader: seals one entry's transactions for its place. */
export interface BarrierEncoder {
  readonly encode: (
    place: { readonly index: LogIndex; readonly term: Term },
    timeMs: number,
    transactions: readonly Uint8Array[],
  ) => Uint8Array;
}

/** Between the keys and everything that is stored. Holds the root key and keyring while unsealed, and nothing while sealed. */
export class Barrier {
  readonly #clusterId: string;
  readonly #random: Random;
  #state: BarrierState = { state: 'sealed' };
  #rootKey: Secret | undefined;

  constructor(options: { readonly clusterId: string; readonly random: Random }) {
    this.#clusterId = options.clusterId;
    this.#random = options.random;
  }

  get state(): BarrierState {
    return this.#state;
  }

  readonly #encoder: BarrierEncoder = {
    encode: (place, timeMs, transactions) => sealEntry(this.#requireOpen().log, { ...place, timeMs, transactions }),
  };

  /**
   * Opens the keyring with the root key, which the barrier takes over. Refuses with `internal` what doesn't fit together, and
   * with `failed-precondition` when it is unsealed; then it stays as it was.
   */
  unseal(configuration: SealConfiguration, rootKey: Secret): void {
    if (this.#state.state === 'unsealed')
      throw new LockstepError('failed-precondition', 'this node is unsealed already');
    const opened = this.#open(configuration, rootKey);
    this.#rootKey = rootKey;
    this.#state = opened;
  }

  /** Takes a newer committed configuration into use. A sealed barrier, or one that has it already, ignores it. */
  adopt(configuration: SealConfiguration): void {
    if (this.#state.state === 'sealed' || this.#rootKey === undefined) return;
    if (configuration.version <= this.#state.configuration.version) return;
    const before = this.#state;
    this.#state = this.#open(configuration, this.#rootKey);
    before.keyring.wipe();
  }

  /** Forgets every key. Nothing opens until `unseal`. */
  seal(): void {
    const { state } = this;
    if (state.state === 'unsealed') {
      state.keyring.wipe();
      state.log.forget();
      state.values.forget();
      state.snapshots.forget();
    }
    this.#rootKey?.wipe();
    this.#rootKey = undefined;
    this.#state = { state: 'sealed' };
  }

  /** The configuration with a fresh key version on top, to be proposed; in force once it is committed and adopted. Refuses with `sealed`. */
  rotated({ nowMs }: { readonly nowMs: number }): SealConfiguration {
    const { configuration, keyring } = this.#requireOpen();
    const rootKey = this.#rootKey;
    if (rootKey === undefined) throw sealedError();
    const next = keyring.withVersion({ key: freshKey(this.#random), createdMs: nowMs });
    const sealedKeyring = sealKeyring({ keyring: next, rootKey, random: this.#random });
    next.wipe();
    return { ...configuration, version: configuration.version + 1, sealedKeyring };
  }

  /** Undefined while sealed. */
  entryEncoder(): BarrierEncoder | undefined {
    return this.#state.state === 'unsealed' ? this.#encoder : undefined;
  }

  /** Refuses with `sealed`, and as `openEntry` does. */
  openEntry(entry: EntryPlace & { readonly sealed: Uint8Array }): EntryBody {
    return openEntry(this.#requireOpen().log, entry);
  }

  /** What seals state values; undefined while sealed. */
  values(): RecordSealer | undefined {
    return this.#state.state === 'unsealed' ? this.#state.values : undefined;
  }

  /** What seals snapshots that leave the cluster; undefined while sealed. */
  snapshots(): RecordSealer | undefined {
    return this.#state.state === 'unsealed' ? this.#state.snapshots : undefined;
  }

  /** What the digest of the state is made with, the same for as long as the cluster lives; undefined while sealed. */
  stateHashKey(): KeyObject | undefined {
    return this.#state.state === 'unsealed' ? this.#state.keyring.lastingKey('state-hash') : undefined;
  }

  #open(configuration: SealConfiguration, rootKey: Secret): BarrierState {
    const own = this.#clusterId;
    // Records stay bound to the cluster that they were sealed in.
    const { clusterId } = configuration;
    if (clusterId !== own && configuration.restoredInto !== own)
      throw new LockstepError('invalid-input', `seal configuration belongs to cluster ${clusterId}, not ${own}`);
    const keyring = openKeyring({ sealed: configuration.sealedKeyring, rootKey, clusterId });
    const random = this.#random;
    return {
      state: 'unsealed',
      configuration,
      keyring,
      log: new RecordSealer({ keyring, use: 'log', random }),
      values: new RecordSealer({ keyring, use: 'state', random }),
      snapshots: new RecordSealer({ keyring, use: 'snapshot', random }),
    };
  }

  #requireOpen(): BarrierState & { readonly state: 'unsealed' } {
    if (this.#state.state === 'sealed') throw sealedError();
    return this.#state;
  }
}

function sealedError(): LockstepError {
  return new LockstepError('sealed', 'this node is sealed');
}
