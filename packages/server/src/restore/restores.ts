import { LockstepError } from '@lockstep/contract/errors';
import { LogIndex, type NodeId } from '@lockstep/contract/ids';
import type { PullSnapshot } from '@lockstep/core/peers/snapshot-transfer';
import { startSnapshotPull } from '@lockstep/core/snapshot/snapshot-pull';
import type { RecordSealer } from '@lockstep/seal/record-sealer';
import type { SealConfiguration } from '@lockstep/seal/seal-configuration';
import { encodeControlEntry, type Restore, sealInForce } from '../control-entry.ts';
import { openSaved } from '../saved/open-saved.ts';
import type { StateDb } from '../state/state-db.ts';
import { promiseMs, restoreRetryMs } from './limits.ts';
import type { RestoreFolder } from './restore-folder.ts';

/** A restore that is committed and not yet in place here. */
export interface PendingRestore {
  readonly index: LogIndex;
  readonly restore: Restore;
  /** In force from its index on; undefined where the one before stays. */
  readonly seal: SealConfiguration | undefined;
}

export interface RestoresOptions {
  readonly folder: RestoreFolder;
  readonly state: StateDb;
  /** What opens saved snapshots; undefined while sealed. */
  readonly sealer: () => RecordSealer | undefined;
  /** The state is the snapshot's now. */
  readonly onRestored: (restored: PendingRestore) => void;
  /** Why it is not in place yet; it is tried again. */
  readonly onFailure: (error: unknown) => void;
  readonly setTimer: (ms: number, run: () => void) => () => void;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
}

/** How to reach the other nodes. */
export interface RestorePeers {
  readonly pull: PullSnapshot;
  /** The other members, those first that are likeliest to hold a file: the leader. */
  readonly others: () => readonly NodeId[];
}

/**
 * A node's part in restores. A control entry names a saved snapshot by its hash; where it is committed, every node holds that file,
 * or gets it from one that does, before its state goes on. The leader orders it only when a quorum holds the file, so that whichever
 * quorum survives has it. The state is then built aside and switched to at the entry's index, durably and at once: a crash at any
 * step leaves the state of before, and the log says again what is to be done.
 */
export class Restores {
  readonly #options: RestoresOptions;
  #peers: RestorePeers | undefined;
  #pending: PendingRestore | undefined;
  #isRunning = false;
  #isClosed = false;
  #stopPause: () => void = () => undefined;
  readonly #holding = new Map<string, Promise<boolean>>();
  /** Until when files are kept because somebody counts on them. */
  readonly #promised = new Map<string, number>();

  constructor(options: RestoresOptions) {
    this.#options = options;
  }

  get pending(): PendingRestore | undefined {
    return this.#pending;
  }

  /** Once there are other nodes to be asked. */
  connect(peers: RestorePeers): void {
    this.#peers = peers;
    this.wake();
  }

  /** A restore was committed: nothing that follows it may be applied before it is in place. A later one takes an earlier one's place. */
  begin(pending: PendingRestore): void {
    this.#pending = pending;
    this.wake();
  }

  /** Another node's snapshot brought the state to `index`. */
  overtaken(index: LogIndex): void {
    if (this.#pending !== undefined && this.#pending.index <= index) this.#pending = undefined;
  }

  /** What it waited for may be there: the node was unsealed. */
  wake(): void {
    if (this.#isRunning || this.#isClosed) return;
    this.#isRunning = true;
    void this.#run().finally(() => {
      this.#isRunning = false;
    });
  }

  /** What another node asks this one for, by the names below; undefined where it can't be given. */
  async read(asked: AskedFor, at: { readonly offset: number; readonly bytesMax: number }): Promise<Chunk | undefined> {
    if (asked.kind === 'file') return await this.#options.folder.read({ id: asked.id, ...at });
    if (at.offset >= receipt.length) return { data: receipt.subarray(receipt.length), total: receipt.length };
    return (await this.hold(asked.id)) ? { data: receipt, total: receipt.length } : undefined;
  }

  /** Holds the file, for as long as a restore may take. False where it isn't here and no other node gives it. */
  hold(id: string): Promise<boolean> {
    this.#promised.set(id, this.#options.nowMs() + promiseMs);
    const underWay = this.#holding.get(id);
    if (underWay !== undefined) return underWay;
    const holding = this.#hold(id).finally(() => this.#holding.delete(id));
    this.#holding.set(id, holding);
    return holding;
  }

  close(): void {
    this.#isClosed = true;
    this.#stopPause();
  }

  async #run(): Promise<void> {
    for (let pending = this.#pending; pending !== undefined && !this.#isClosed; pending = this.#pending) {
      try {
        if (await this.hold(pending.restore.savedId)) {
          const sealer = this.#options.sealer();
          // Its keys come with an operator: `wake` goes on.
          if (sealer === undefined) return;
          await this.#putInPlace(pending, sealer);
        } else await this.#pause();
      } catch (error) {
        this.#options.onFailure(error);
        // A file that is damaged here may be whole elsewhere.
        if (error instanceof LockstepError && error.code === 'invalid-input')
          await this.#options.folder.remove(pending.restore.savedId);
        await this.#pause();
      }
    }
  }

  async #putInPlace(pending: PendingRestore, sealer: RecordSealer): Promise<void> {
    const { folder, state, onRestored } = this.#options;
    const { index, restore } = pending;
    const { savedId, timeMs, versionOffset } = restore;
    const target = folder.openedPath(savedId);
    const { saved } = await openSaved({ path: folder.savedPath(savedId), target, sealer });
    if (this.#pending !== pending) return;
    await state.restore({
      snapshotPath: target,
      id: saved.snapshotId,
      control: { index, data: this.#controlRecord(pending) },
      restored: { index, savedId, timeMs, versionOffset },
    });
    if (this.#pending === pending) this.#pending = undefined;
    onRestored(pending);
    // The file itself stays: a node that comes later may need it from here.
    await folder.removeOpened(savedId);
    await this.#makeRoom();
  }

  /** The control record that a state has from the restore on always names a seal. */
  #controlRecord({ seal }: PendingRestore): Uint8Array {
    const before = this.#options.state.controlRecord;
    const inForce = seal ?? (before === undefined ? undefined : sealInForce(before));
    if (inForce === undefined)
      throw new LockstepError('failed-precondition', 'a restore without keys needs a cluster that is initialized');
    return encodeControlEntry({ seal: inForce, founding: new Uint8Array(0), restore: undefined });
  }

  async #hold(id: string): Promise<boolean> {
    const { folder } = this.#options;
    if (folder.has(id)) return true;
    await this.#makeRoom();
    for (const from of this.#peers?.others() ?? []) {
      if (this.#isClosed) return false;
      if ((await this.#pullFrom(from, id)) && (await folder.complete(id))) return true;
    }
    return false;
  }

  /** Only what may still be needed stays. */
  async #makeRoom(): Promise<void> {
    const { folder, state, nowMs } = this.#options;
    for (const [id, untilMs] of this.#promised) if (untilMs <= nowMs()) this.#promised.delete(id);
    const kept = [...this.#promised.keys(), this.#pending?.restore.savedId, state.restored?.savedId];
    await folder.keepOnly(new Set(kept.filter((id) => id !== undefined)));
  }

  #pullFrom(from: NodeId, id: string): Promise<boolean> {
    const { folder, setTimer, onFailure } = this.#options;
    const peers = this.#peers;
    if (peers === undefined) return Promise.resolve(false);
    const machine = {
      receivedBytes: () => folder.receivedBytes(id),
      receiveSnapshot: (at: { offset: number; data: Uint8Array }, done: (ok: boolean) => void) => {
        folder.receive({ ...at, id }).then(
          () => done(true),
          (error: unknown) => {
            onFailure(error);
            done(false);
          },
        );
      },
    };
    return new Promise((resolve) => {
      startSnapshotPull({ pull: peers.pull, machine, setTimer }, { from, id: fileName(id) }, resolve);
    });
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const stop = this.#options.setTimer(restoreRetryMs, resolve);
      this.#stopPause = () => {
        stop();
        resolve();
      };
    });
  }
}

const filePrefix = 'saved/';
const receiptPrefix = 'held/';

/** What another node is asked for to get the file. */
export function fileName(id: string): string {
  return `${filePrefix}${id}`;
}

/** What another node is asked for to make it hold the file: one byte, which comes once it does. */
export function receiptName(id: string): string {
  return `${receiptPrefix}${id}`;
}

export interface AskedFor {
  readonly kind: 'file' | 'receipt';
  readonly id: string;
}

interface Chunk {
  readonly data: Uint8Array;
  readonly total: number;
}

const receipt: Uint8Array = Uint8Array.of(1);

/** What such a name asks for; undefined for other snapshots. */
export function askedFor(name: string): AskedFor | undefined {
  const found = /^(saved|held)\/([0-9a-f]{64})$/.exec(name);
  return found === null ? undefined : { kind: found[1] === 'saved' ? 'file' : 'receipt', id: found[2] ?? '' };
}
