import { type LogIndex, LogIndex as toLogIndex, type MountId, rootNamespace, TimeMs } from '@lockstep/contract/ids';
import type { CommittedEntry, StateMachine } from '@lockstep/core/port';
import type { SnapshotMeta } from '@lockstep/core/raft/types';
import { kindOfMount } from '@lockstep/engine-system/mount-table';
import type { Barrier } from '@lockstep/seal/barrier';
import { applyTransaction, type TransactionResult } from './apply-transaction.ts';
import { decodeControlEntry, foundingPlace, sealInForce } from './control-entry.ts';
import { hostMount, systemMount } from './mounts.ts';
import type { Positions } from './positions.ts';
import { keepRecovery } from './recover/recoveries.ts';
import { engineOfMount } from './resolve-mount.ts';
import type { PendingRestore, Restores } from './restore/restores.ts';
import type { SealKeeper } from './seal-keeper.ts';
import type { EntryWriter, StateDb } from './state/state-db.ts';
import { decodeTransaction } from './transaction.ts';

const timeKey = 'log-time';

/** The far side of the consensus port: opens committed entries and folds their transactions into the state, in order. */
export class Machine implements StateMachine {
  readonly #state: StateDb;
  readonly #barrier: Barrier;
  readonly #keeper: SealKeeper;
  readonly #positions: Positions;
  readonly #onFatal: (error: unknown) => void;
  readonly #onSealConfiguration: () => void;
  readonly #restores: Restores;
  readonly #onDiffers: () => void;
  /** Control entries that follow a restore which is not in place yet. */
  #held: CommittedEntry[] = [];
  #lastTimeMs = 0;

  constructor(parts: {
    readonly state: StateDb;
    readonly keeper: SealKeeper;
    readonly positions: Positions;
    readonly onFatal: (error: unknown) => void;
    readonly onSealConfiguration: () => void;
    readonly restores: Restores;
    /** Another node's state is not the same, and nothing tells which of the two is right. */
    readonly onDiffers: () => void;
  }) {
    this.#state = parts.state;
    this.#keeper = parts.keeper;
    this.#barrier = parts.keeper.barrier;
    this.#positions = parts.positions;
    this.#onFatal = parts.onFatal;
    this.#onSealConfiguration = parts.onSealConfiguration;
    this.#restores = parts.restores;
    this.#onDiffers = parts.onDiffers;
  }

  readonly encoder = (): ReturnType<StateMachine['encoder']> => this.#barrier.entryEncoder();

  readonly lastTimeMs = (): number => this.#lastTimeMs;

  readonly appliedIndex = (): LogIndex => this.#state.appliedIndex;

  readonly control = (entry: CommittedEntry): void => {
    if (entry.index <= this.#state.controlIndex) return;
    const { seal, restore, recovery } = decodeControlEntry(entry.data);
    // It is in the membership already, and in the state once it is applied.
    if (recovery !== undefined) return this.#positions.committed(entry.index, entry.term);
    if (restore !== undefined) {
      // Not in the control record before it is in place: after a crash it must be offered again, and all that follows it.
      this.#held = [];
      if (seal !== undefined) this.#keeper.replace(seal);
      this.#restores.begin({ index: entry.index, restore, seal });
    } else if (this.#restores.pending === undefined) {
      this.#takeControl(entry);
    } else this.#held.push(entry);
    this.#onSealConfiguration();
    this.#positions.committed(entry.index, entry.term);
  };

  #takeHeld(): void {
    if (this.#restores.pending !== undefined) return;
    for (const entry of this.#held.splice(0)) if (entry.index > this.#state.controlIndex) this.#takeControl(entry);
  }

  #takeControl(entry: CommittedEntry): void {
    const { seal, founding } = decodeControlEntry(entry.data);
    // Two nodes, or two requests, may each have begun to initialize the cluster: the first in the log has done it.
    if (founding.length > 0 && this.#state.controlRecord !== undefined) return;
    this.#state.writeControl(entry.index, entry.data);
    if (seal !== undefined) this.#keeper.adopt(seal);
  }

  /** The state is the one that was restored at `index`; what follows may be applied. */
  restored({ index }: PendingRestore): void {
    this.#takeHeld();
    if (!this.#keeper.isSealed) this.restoreTime();
    this.#onSealConfiguration();
    this.#positions.snapshotInstalled(index);
  }

  readonly isDamaged = (): boolean => this.#state.integrity.damage !== undefined;

  /**
   * The log begins after `index`. A state that ends before has lost entries that nothing here can give back: it is damaged, and another
   * node's takes its place.
   */
  reach(index: LogIndex): void {
    const { appliedIndex, integrity } = this.#state;
    if (appliedIndex < index && !this.isDamaged())
      integrity.markDamaged(`it ends at entry ${appliedIndex}, but the log begins after ${index}`);
  }

  readonly checkpoint: NonNullable<StateMachine['checkpoint']> = () => this.#state.integrity.checkpoint();

  readonly digestAt: NonNullable<StateMachine['digestAt']> = (index) => this.#state.integrity.digestAt(index);

  readonly differs: NonNullable<StateMachine['differs']> = ({ index, isOutvoted }) => {
    if (isOutvoted) this.#state.integrity.markDamaged(`at entry ${index} it is not what most of the other nodes have`);
    else this.#onDiffers();
  };

  readonly apply = (entries: readonly CommittedEntry[]): boolean => {
    for (const entry of entries) this.#positions.committed(entry.index, entry.term);
    if (this.#keeper.isSealed || this.#state.isBehind || this.isDamaged()) return false;
    const pending = this.#restores.pending;
    // What comes before a restore is gone with it; where it brings other keys, this node may not even be able to open it.
    if (pending?.seal !== undefined) return false;
    try {
      for (const entry of entries) {
        if (entry.index >= (pending?.index ?? Number.POSITIVE_INFINITY)) break;
        // Offered again, after some of them were applied, or a restore passed them.
        if (entry.index <= this.#state.appliedIndex) continue;
        if (this.#beginsRestore(entry)) return false;
        this.#applyEntry(entry);
      }
    } catch (error) {
      // It was found while entries were applied: the driver has another state brought, and begins after that.
      if (this.isDamaged()) return false;
      // An entry that can't be opened is damage: going on would make this node differ from the others.
      this.#onFatal(error);
    }
    return pending === undefined;
  };

  /** Once unsealed, or when the state is another one: the log's time as of the state, the same on every node. */
  restoreTime(): void {
    // The keys of now are those of the state to come; the present one doesn't open.
    if (this.#restores.pending?.seal !== undefined || this.isDamaged()) return;
    const stored = this.#storedTime();
    const storedMs = stored === undefined ? 0 : Number(Buffer.from(stored).toString());
    this.#lastTimeMs = Math.max(storedMs, this.#state.restored?.timeMs ?? 0);
  }

  /** A restore that the control record knows of, and the state doesn't: it was replaced by one of before. */
  #beginsRestore({ type, index, data }: CommittedEntry): boolean {
    if (type !== 'control') return false;
    const { seal, restore } = decodeControlEntry(data);
    if (restore === undefined) return false;
    this.#restores.begin({ index, restore, seal });
    return true;
  }

  #storedTime(): Uint8Array | undefined {
    try {
      return this.#state.mountState(rootNamespace, hostMount).get(timeKey);
    } catch (error) {
      // Found just now: the state to come has it.
      if (this.isDamaged()) return undefined;
      throw error;
    }
  }

  #applyEntry(entry: CommittedEntry): void {
    const body = this.#open(entry);
    const results: TransactionResult[] = [];
    const restoredIndex = this.#state.restored?.index ?? 0;
    this.#state.applyEntry(entry.index, (writer) => {
      if (entry.type === 'control') keepRecovery(writer.mount(systemMount), decodeControlEntry(entry.data).recovery);
      if (body === undefined) return;
      const timeMs = TimeMs(Math.max(body.timeMs, this.#lastTimeMs));
      this.#lastTimeMs = timeMs;
      writer.mount(hostMount).put(timeKey, Buffer.from(String(timeMs)));
      for (const transaction of body.transactions) {
        results.push(
          applyTransaction(
            writer,
            decodeTransaction(transaction),
            { index: entry.index, timeMs, restoredIndex },
            engineOf,
          ),
        );
      }
    });
    this.#positions.entryApplied(entry.index, entry.term, results);
  }

  #open(entry: CommittedEntry): { readonly timeMs: number; readonly transactions: readonly Uint8Array[] } | undefined {
    switch (entry.type) {
      case 'transactions':
        return this.#barrier.openEntry({ index: entry.index, term: entry.term, sealed: entry.data });
      case 'control': {
        const { founding } = decodeControlEntry(entry.data);
        if (founding.length === 0 || this.#isFounded()) return undefined;
        return this.#barrier.openEntry({ ...foundingPlace, sealed: founding });
      }
      case 'noop':
      case 'membership':
        return undefined;
      default:
        return entry.type satisfies never;
    }
  }

  /** By the state, so that it is the same on every node, and whenever the log is played. */
  #isFounded(): boolean {
    const isTimed = this.#state.mountState(rootNamespace, hostMount).get(timeKey) !== undefined;
    return isTimed || this.#state.restored !== undefined;
  }

  readonly installedSnapshot = (): ReturnType<NonNullable<StateMachine['installedSnapshot']>> =>
    this.#state.installedSnapshot;

  readonly takeSnapshot: StateMachine['takeSnapshot'] = (done) => this.#state.takeSnapshot(done);
  readonly readSnapshot: StateMachine['readSnapshot'] = (at, done) => this.#state.readSnapshot(at, done);
  readonly receiveSnapshot: StateMachine['receiveSnapshot'] = (at, done) => this.#state.receiveSnapshot(at, done);
  readonly receivedBytes: StateMachine['receivedBytes'] = (id) => this.#state.receivedBytes(id);

  readonly installSnapshot = (meta: SnapshotMeta, done: (ok: boolean) => void): void => {
    this.#state.installSnapshot(meta, (installed) => {
      if (installed) {
        const control = this.#state.controlRecord;
        if (control !== undefined) this.#keeper.adopt(sealInForce(control));
        this.#restores.overtaken(toLogIndex(meta.index));
        this.#takeHeld();
        this.#onSealConfiguration();
        if (!this.#keeper.isSealed) this.restoreTime();
        this.#positions.snapshotInstalled(toLogIndex(meta.index));
      }
      done(installed);
    });
  };
}

function engineOf(writer: EntryWriter, mount: MountId): ReturnType<typeof engineOfMount> {
  return engineOfMount(mount, (id) => kindOfMount(writer.mount(systemMount), id));
}
