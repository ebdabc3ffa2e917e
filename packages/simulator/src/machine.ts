import { LogIndex } from '@lockstep/contract/ids';
import type { CommittedEntry, EntryEncoder, StateMachine } from '@lockstep/core/port';
import type { SnapshotMeta } from '@lockstep/core/raft/types';
import {
  type Applied,
  applyTo,
  copyOf,
  decodeKeyValue,
  emptyKeyValue,
  encodeKeyValue,
  type KeyValue,
} from './key-value.ts';
import { snapshotChunkBytes, snapshotsKept } from './limits.ts';
import { encodeMachineEntry } from './machine-entry.ts';
import type { Random } from './random.ts';
import { insist } from './violation.ts';

/** What the state machine's disk holds. A crash keeps all of it but the entries after `synced`, of which it keeps some. */
export interface MachineDisk {
  synced: KeyValue;
  /** Applied after `synced`, oldest first. */
  unsynced: CommittedEntry[];
  installed: SnapshotMeta | undefined;
  readonly snapshots: Map<string, Uint8Array>;
  readonly received: Map<string, Uint8Array>;
}

export function emptyMachineDisk(): MachineDisk {
  return { synced: emptyKeyValue(), unsynced: [], installed: undefined, snapshots: new Map(), received: new Map() };
}

export interface MachineOptions {
  readonly disk: MachineDisk;
  /** Names this run of this node, so that no two snapshots have one name. */
  readonly name: string;
  /** Runs `done` after the disk has worked, unless the node crashes before. */
  readonly later: (done: () => void) => void;
  /** The same for work on the whole state. */
  readonly muchLater: (done: () => void) => void;
  readonly onApply: (entry: CommittedEntry, applied: readonly Applied[], state: KeyValue) => void;
  readonly onInstall: (state: KeyValue, meta: SnapshotMeta) => void;
  /** Entries were refused, and may be offered again. */
  readonly onReady: () => void;
  /** A restored state is in place, and the process gone that put it there. */
  readonly onRestored: (entry: CommittedEntry, state: KeyValue) => void;
}

/** The far side of the consensus port on one simulated node. */
export class Machine implements StateMachine {
  isSealed = false;
  readonly #options: MachineOptions;
  readonly #disk: MachineDisk;
  #state: KeyValue;
  #installing: { readonly state: KeyValue; readonly meta: SnapshotMeta } | undefined;
  #snapshotsTaken = 0;
  /** A restored state is being put in place, up to the switch. */
  #restoring: CommittedEntry | undefined;
  /** The last control entry that was offered at its commit. */
  #controlled = 0;

  constructor(options: MachineOptions) {
    this.#options = options;
    this.#disk = options.disk;
    this.#state = copyOf(options.disk.synced);
  }

  get state(): KeyValue {
    return this.#state;
  }

  encoder(): EntryEncoder | undefined {
    return this.isSealed ? undefined : { encode: encodeMachineEntry };
  }

  lastTimeMs(): number {
    return this.#state.timeMs;
  }

  appliedIndex(): LogIndex {
    return LogIndex(this.#state.index);
  }

  apply(entries: readonly CommittedEntry[]): boolean {
    if (this.isSealed || this.#restoring !== undefined) return false;
    for (const entry of entries) {
      // Offered again, after a restore was put in place.
      if (entry.index <= this.#state.index) continue;
      if (entry.type === 'control') {
        this.#restore(entry);
        return false;
      }
      this.#disk.unsynced.push(entry);
      this.#apply(entry);
    }
    return true;
  }

  control({ index }: CommittedEntry): void {
    insist(
      'control entries are offered at commit, in order',
      index > this.#controlled,
      () => `control entry ${index} was offered after ${this.#controlled}`,
    );
    this.#controlled = index;
  }

  #apply(entry: CommittedEntry): void {
    this.#options.onApply(entry, applyTo(this.#state, entry), this.#state);
  }

  /** Nothing that follows is applied before the restored state is in place, durably. */
  #restore(entry: CommittedEntry): void {
    insist(
      'control entries are offered before they are applied',
      entry.index <= this.#controlled,
      () => `control entry ${entry.index} came to be applied, and had not been offered`,
    );
    this.#restoring = entry;
    this.#options.muchLater(() => {
      // A snapshot has overtaken it.
      if (this.#restoring !== entry) return;
      this.#restoring = undefined;
      // Who is sealed is offered it again.
      if (this.isSealed) return;
      this.#apply(entry);
      this.#isSynced(copyOf(this.#state));
      this.#options.onReady();
    });
  }

  /** Fsyncs the state as it is now; `done` is told up to where. */
  sync(done: (index: LogIndex) => void): void {
    const state = copyOf(this.#state);
    this.#options.later(() => {
      if (state.index > this.#disk.synced.index) this.#isSynced(state);
      done(LogIndex(this.#disk.synced.index));
    });
  }

  takeSnapshot(done: (snapshot: { readonly id: string; readonly index: LogIndex } | undefined) => void): void {
    const id = `${this.#options.name}-${this.#snapshotsTaken++}`;
    const bytes = encodeKeyValue(this.#state);
    const index = LogIndex(this.#state.index);
    this.#options.later(() => {
      const { snapshots } = this.#disk;
      snapshots.set(id, bytes);
      for (const old of snapshots.keys()) if (snapshots.size > snapshotsKept) snapshots.delete(old);
      done({ id, index });
    });
  }

  readSnapshot(
    at: { readonly id: string; readonly offset: number; readonly bytesMax: number },
    done: (chunk: { readonly data: Uint8Array; readonly total: number } | undefined) => void,
  ): void {
    const bytes = this.#disk.snapshots.get(at.id);
    if (bytes === undefined) return done(undefined);
    const end = at.offset + Math.min(at.bytesMax, snapshotChunkBytes);
    done({ data: bytes.subarray(at.offset, end), total: bytes.length });
  }

  receiveSnapshot(
    at: { readonly id: string; readonly offset: number; readonly data: Uint8Array },
    done: (ok: boolean) => void,
  ): void {
    this.#options.later(() => {
      const { received } = this.#disk;
      const before = received.get(at.id) ?? new Uint8Array(0);
      if (before.length !== at.offset) return done(false);
      received.set(at.id, Buffer.concat([before, at.data]));
      done(true);
    });
  }

  receivedBytes(id: string): number {
    return this.#disk.received.get(id)?.length ?? 0;
  }

  installSnapshot(meta: SnapshotMeta, done: (ok: boolean) => void): void {
    const state = decodeKeyValue(this.#disk.received.get(meta.id) ?? new Uint8Array(0));
    if (state === undefined || state.index !== meta.index) return done(false);
    this.#installing = { state, meta };
    this.#options.muchLater(() => {
      // A restore has brought the state further meanwhile.
      if (this.#state.index >= meta.index) {
        this.#installing = undefined;
        return done(false);
      }
      this.#switch();
      this.#options.onInstall(state, meta);
      done(true);
    });
  }

  installedSnapshot(): SnapshotMeta | undefined {
    return this.#disk.installed;
  }

  /** Leaves the disk as a crash at this moment may: some of what was not synced is lost, a switch of the state is done or not. */
  crash(random: Random): void {
    const { meta } = this.#installing ?? {};
    if (meta !== undefined && meta.index > this.#state.index && random.chance(0.5)) this.#switch();
    else if (this.#restoring?.index === this.#state.index + 1 && random.chance(0.5)) {
      applyTo(this.#state, this.#restoring);
      this.#isSynced(copyOf(this.#state));
      this.#options.onRestored(this.#restoring, this.#state);
    }
    const { unsynced, received } = this.#disk;
    const survived = copyOf(this.#disk.synced);
    for (const entry of unsynced.slice(0, random.below(unsynced.length + 1))) applyTo(survived, entry);
    this.#disk.synced = survived;
    this.#disk.unsynced = [];
    for (const [id, bytes] of received) received.set(id, bytes.subarray(0, random.below(bytes.length + 1)));
  }

  #switch(): void {
    if (this.#installing === undefined) return;
    const { state, meta } = this.#installing;
    this.#installing = undefined;
    if ((this.#restoring?.index ?? Number.POSITIVE_INFINITY) <= state.index) this.#restoring = undefined;
    this.#disk.synced = copyOf(state);
    this.#disk.unsynced = [];
    this.#disk.installed = meta;
    this.#disk.received.clear();
    this.#state = copyOf(state);
  }

  #isSynced(state: KeyValue): void {
    this.#disk.synced = state;
    this.#disk.unsynced = this.#disk.unsynced.filter((entry) => entry.index > state.index);
  }
}
