import type { KeyObject } from 'node:crypto';
import { LockstepError } from '@lockstep/contract/errors';
import { innermostMessage, isCorruption } from '@lockstep/core/log/leveldb-error';
import type { StateCheckpoint } from '@lockstep/core/peers/node-report';
import type { RecordSealer } from '@lockstep/seal/record-sealer';
import { type ScanKeys, scanState } from './scan-state.ts';
import { StateDamage } from './state-damage.ts';
import { digestOf, type StateDatabase, type StateHead } from './state-directory.ts';
import { StateHash } from './state-hash.ts';
import { appliedKey, digestKey } from './state-key.ts';
import { appliedRecord } from './state-records.ts';
import type { StoredCell } from './stored-value.ts';

/** Reading the whole state is a pass at a time: after each of its chunks it waits for this, and hears whether to go on. */
export type Pace = (bytes: number) => Promise<'go on' | 'stop'>;

export interface StateIntegrityOptions {
  readonly directory: string;
  readonly values: () => RecordSealer | undefined;
  readonly hashKey: () => KeyObject | undefined;
  readonly onDamaged: (why: string) => void;
  /** The database in force, once it holds all that was applied before the call. */
  readonly written: () => Promise<StateDatabase>;
  /** The digest has become known: it is to be stored. */
  readonly onKnown: () => void;
}

/** What this node knows of its state's soundness: the digest that is kept as it changes, and the damage that was found. */
export class StateIntegrity {
  readonly #options: StateIntegrityOptions;
  readonly #damage: StateDamage;
  #hash: StateHash;

  constructor(options: StateIntegrityOptions, head: StateHead) {
    this.#options = options;
    this.#damage = new StateDamage(options.directory);
    this.#hash = new StateHash(head);
  }

  /** Why the state can't be used, until another node's has replaced it; undefined while it can. */
  get damage(): string | undefined {
    return this.#damage.why;
  }

  /** The digest as of the last entry; undefined where it is not known. */
  get digest(): Buffer | undefined {
    return this.#hash.digest;
  }

  get isDigestKnown(): boolean {
    return this.#hash.isKnown;
  }

  /** The state is not what it should be. It is not used any more, not after a restart either. */
  markDamaged(why: string): void {
    if (this.#damage.found(why)) this.#options.onDamaged(why);
  }

  /** Marks the state as damaged where that is what an error of reading it says: true then. */
  blame(error: unknown): boolean {
    if (!isCorruption(error) && !(error instanceof LockstepError && error.code === 'damaged')) return false;
    this.markDamaged(innermostMessage(error));
    return true;
  }

  /** Refuses with `unavailable` where the state is damaged. */
  requireSound(): void {
    this.#damage.requireNone();
  }

  /** One key's change in an entry, and then its end. */
  changed(
    key: KeyObject,
    fullKey: string,
    of: { before: StoredCell | undefined; after: StoredCell | undefined },
  ): void {
    this.#hash.change(key, fullKey, of);
  }

  entryEnds(index: number): void {
    this.#hash.entryEnds(index);
  }

  /** For each report anew; undefined while it is not known, or the state is damaged. */
  checkpoint(): StateCheckpoint | undefined {
    return this.#damage.why === undefined ? this.#hash.checkpoint() : undefined;
  }

  /** The digest of the state after an entry of the last ones. */
  digestAt(index: number): Uint8Array | undefined {
    return this.#damage.why === undefined ? this.#hash.digestAt(index) : undefined;
  }

  /** Another state is in force, durably: one that was checked. */
  replaced(head: StateHead): void {
    this.#hash.forgetKey();
    this.#hash = new StateHash(head);
    this.#damage.mended();
  }

  /** For a node that is being sealed. */
  forgetKey(): void {
    this.#hash.forgetKey();
  }

  /** What a scan reads with; undefined while the node is sealed. */
  readonly keys: ScanKeys = () => {
    const [sealer, key] = [this.#options.values(), this.#options.hashKey()];
    return sealer === undefined || key === undefined ? undefined : { sealer, element: this.#hash.elementUnder(key) };
  };

  /**
   * Reads the whole state as it lies on the disk, and holds it against the digest that was kept as it changed; where that is not known,
   * it is known from then on. Marks the state as damaged where they differ, or where a value does not open. False where it came to
   * no end: the node is sealed, `pace` said to stop, or the state was replaced meanwhile.
   */
  async scan(pace: Pace): Promise<boolean> {
    const { keys } = this;
    if (keys() === undefined || this.damage !== undefined) return false;
    const hash = this.#hash;
    const database = await this.#options.written();
    const view = database.snapshot();
    try {
      const index = appliedRecord.decode(database.getSync(appliedKey, { snapshot: view }) ?? new Uint8Array(0));
      const changes = hash.changesAt(index);
      const kept = digestOf(database.getSync(digestKey, { snapshot: view }), index);
      const found = await scanState({ database, view, keys, pace });
      if (found === undefined || changes === undefined || hash !== this.#hash) return false;
      if (kept !== undefined && !found.equals(kept))
        this.markDamaged(`at entry ${index} it is not, on the disk, what was written`);
      else if (!hash.isKnown) {
        hash.found(found, changes);
        this.#options.onKnown();
      }
      return true;
    } catch (error) {
      // The database was replaced, and closed, under the scan.
      if (hash !== this.#hash) return false;
      if (!this.blame(error)) throw error;
      return true;
    } finally {
      await view.close();
    }
  }
}
