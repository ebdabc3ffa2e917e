import { type FileHandle, rm } from 'node:fs/promises';
import { assert, LockstepError } from '@lockstep/contract/errors';
import { LogIndex, type MountId, type NamespaceId } from '@lockstep/contract/ids';
import type { KeyRange, ReadableState } from '@lockstep/contract/state';
import type { SnapshotMeta } from '@lockstep/core/raft/types';
import { EntryWriter } from './entry-writer.ts';
import { CellReader } from './cell-reader.ts';
import { buildDatabase, buildFromSnapshot } from './install-snapshot.ts';
import { mountStatesKept } from './limits.ts';
import { rangeKeys } from './range-keys.ts';
import { SnapshotFolder } from './snapshot-folder.ts';
import {
  beginAnew,
  databaseDirectory,
  markClosed,
  type OpenedDatabase,
  openCurrent,
  openDatabase,
  pointTo,
  readHead,
  removeAside,
  snapshotsDirectory,
  type StateDatabase,
  type StateHead,
} from './state-directory.ts';
import { StateDamage } from './state-damage.ts';
import { StateIntegrity } from './state-integrity.ts';
import { mountPrefix } from './state-key.ts';
import type { ControlRecord, RestoredRecord } from './state-records.ts';
import type { StateOptions } from './state-options.ts';
import { sealCell, type StoredCell } from './stored-value.ts';
import { takeSnapshot } from './take-snapshot.ts';
import { WriteQueue } from './write-queue.ts';

export type { EntryWriter } from './entry-writer.ts';

/**
 * Opens the replicated state of one node, strictly: LevelDB's own files are scanned first. Refuses with `damaged` a
 * state that is not what was written, and with `failed-precondition` one of another cluster, or open in another process.
 */
export async function openState(options: StateOptions): Promise<StateDb> {
  const { directory, clusterId, mayBeginAnew = false } = options;
  try {
    return new StateDb(options, await openCurrent(directory, clusterId));
  } catch (error) {
    if (!mayBeginAnew || !(error instanceof LockstepError) || error.code !== 'damaged') throw error;
    // First: an empty state that isn't marked would be taken for one before the first entry.
    new StateDamage(directory).found(error.message);
    return new StateDb(options, await beginAnew(directory, clusterId));
  }
}

/** The replicated state of one node. Values are sealed on disk, each bound to its key; entries are applied one after the other. */
export class StateDb {
  readonly #options: StateOptions;
  readonly #queue: WriteQueue;
  readonly #cells: CellReader;
  readonly integrity: StateIntegrity;
  readonly #snapshots: SnapshotFolder;
  readonly #mounts = new Map<string, ReadableState>();
  #database: StateDatabase;
  #number: number;
  #applied: LogIndex;
  #control: ControlRecord | undefined;
  #installed: SnapshotMeta | undefined;
  #restored: RestoredRecord | undefined;
  #isTaking = false;
  /** One database is built and switched to at a time. */
  #replacing: Promise<unknown> = Promise.resolve();

  constructor(options: StateOptions, opened: OpenedDatabase) {
    this.#options = options;
    this.#database = opened.database;
    this.#number = opened.number;
    this.#applied = opened.head.applied;
    this.#control = opened.head.control;
    this.#installed = opened.head.installed;
    this.#restored = opened.head.restored;
    this.#cells = new CellReader({
      values: options.values,
      stored: (fullKey) => this.#stored(fullKey),
      onDamaged: (why) => this.integrity.markDamaged(why),
    });
    this.#snapshots = new SnapshotFolder(snapshotsDirectory(options.directory));
    this.#queue = new WriteQueue({
      database: opened.database,
      path: databaseDirectory(options.directory, opened.number),
      applied: opened.head.applied,
      onFatal: options.onFatal,
      onCaughtUp: () => options.onCaughtUp?.(),
    });
    this.integrity = new StateIntegrity(
      {
        ...options,
        onDamaged: (why) => options.onDamaged?.(why),
        written: () => this.#queue.flush().then(() => this.#database),
        onKnown: () => this.#queue.add(this.#applied, new Map(), this.integrity.digest),
      },
      opened.head,
    );
  }

  /** The last entry that reads see. It may not be on disk yet: see `sync`. */
  get appliedIndex(): LogIndex {
    return this.#applied;
  }

  /** Where the control record in force was committed; 0 before there is one. */
  get controlIndex(): LogIndex {
    return this.#control?.index ?? LogIndex(0);
  }

  get controlRecord(): Uint8Array | undefined {
    return this.#control?.data;
  }

  /** The last snapshot that was swapped in, stored in the same step. */
  get installedSnapshot(): SnapshotMeta | undefined {
    return this.#installed;
  }

  /** How the state came from a saved snapshot; undefined where it never did. */
  get restored(): RestoredRecord | undefined {
    return this.#restored;
  }

  /** Too much is applied and not yet written: apply nothing until `onCaughtUp`. */
  get isBehind(): boolean {
    return this.#queue.isFull;
  }

  /** Bytes applied and not yet written. */
  get pendingBytes(): number {
    return this.#queue.pendingBytes;
  }

  /**
   * What handlers read. Refuses with `sealed` on a sealed node, with `damaged` a value that was changed on disk or moved from another
   * key, and from then on with `unavailable`.
   */
  mountState(namespace: NamespaceId, mount: MountId): ReadableState {
    const prefix = mountPrefix(namespace, mount);
    const known = this.#mounts.get(prefix);
    if (known !== undefined) return known;
    const state: ReadableState = {
      get: (key) => this.#read(prefix + key)?.value,
      version: (key) => this.#read(prefix + key)?.version ?? 0,
      keys: (range) => this.#keys(prefix, range),
    };
    if (this.#mounts.size >= mountStatesKept) this.#mounts.clear();
    this.#mounts.set(prefix, state);
    return state;
  }

  /**
   * Folds the next entry into the state: `fold` writes, and when it returns, reads see all of it. It is written to disk
   * afterwards, in order. When `fold` throws, nothing of the entry happened; the same where the node is sealed (`sealed`), and where
   * the state is damaged or is found to be (`unavailable`).
   */
  applyEntry(index: LogIndex, fold: (writer: EntryWriter) => void): void {
    assert(index === this.#applied + 1, `entry ${index} is applied after ${this.#applied}`);
    if (this.#queue.hasFailed)
      throw new LockstepError('unavailable', 'the state could not be written; this node stops');
    this.integrity.requireSound();
    const [sealer, hashKey] = [this.#options.values(), this.#options.hashKey()];
    if (sealer === undefined || hashKey === undefined) throw new LockstepError('sealed', 'this node is sealed');
    const version = index + (this.#restored?.versionOffset ?? 0);
    const writer = new EntryWriter(version, (fullKey) => this.#loadForApply(fullKey));
    fold(writer);
    const writes = writer.writes();
    // All is read before anything changes: what can't be read is damage, which the fold may have taken for an engine's refusal.
    for (const fullKey of writes.keys()) writer.before(fullKey);
    if (this.#queue.hasFailed) throw new LockstepError('unavailable', 'the state could not be read; this node stops');
    this.integrity.requireSound();
    const batch = sealer.startBatch();
    const stored = new Map<string, Uint8Array | undefined>();
    for (const [fullKey, { value }] of writes) {
      const cell = value === undefined ? undefined : { value, version };
      stored.set(fullKey, cell === undefined ? undefined : sealCell(batch, fullKey, cell));
      this.integrity.changed(hashKey, fullKey, { before: writer.before(fullKey), after: cell });
      this.#cells.written(fullKey, cell);
    }
    this.#applied = index;
    this.integrity.entryEnds(index);
    this.#queue.add(index, stored, this.integrity.digest);
  }

  /** Stores the control record in force, synced. An older one than the present changes nothing. */
  writeControl(index: LogIndex, data: Uint8Array): void {
    if (index <= this.controlIndex) return;
    this.#control = { index, data: Buffer.from(data) };
    this.#queue.addControl(this.#control);
  }

  /** Resolves once all that is applied now is durable, with its index. Never resolves once a write has failed: the process ends then. */
  sync(): Promise<LogIndex> {
    return this.#queue.sync();
  }

  /** Forgets every plaintext: for a node that is being sealed. */
  forgetPlaintext(): void {
    this.#cells.clear();
    this.integrity.forgetKey();
  }

  /**
   * Writes what is applied, durably, into a snapshot file. One at a time: `done(undefined)` while another is being taken, or when it
   * failed, as it does where the state turns out to be damaged.
   */
  takeSnapshot(done: (snapshot: { readonly id: string; readonly index: LogIndex } | undefined) => void): void {
    if (this.#isTaking || this.integrity.damage !== undefined) return done(undefined);
    this.#isTaking = true;
    this.#answer(this.#take(), (taken) => {
      this.#isTaking = false;
      done(taken);
    });
  }

  /** A snapshot that was taken here, whole; undefined when it is gone. The caller closes it. */
  openSnapshot(id: string): Promise<FileHandle | undefined> {
    return this.#snapshots.open(id);
  }

  /** Bytes of a snapshot that is here; undefined when it is gone. */
  readSnapshot(
    at: { readonly id: string; readonly offset: number; readonly bytesMax: number },
    done: (chunk: { readonly data: Uint8Array; readonly total: number } | undefined) => void,
  ): void {
    this.#answer(this.#snapshots.read(at), done);
  }

  /** Appends bytes of another node's snapshot: `done(false)` when they don't follow those received. */
  receiveSnapshot(
    at: { readonly id: string; readonly offset: number; readonly data: Uint8Array },
    done: (ok: boolean) => void,
  ): void {
    this.#answer(
      this.#snapshots.receive(at).then(() => true),
      (ok) => done(ok ?? false),
    );
  }

  receivedBytes(id: string): number {
    return this.#snapshots.receivedBytes(id);
  }

  /**
   * Checks the received snapshot in full and swaps it in, durably, before `done(true)`; until then the old state serves. No entry may
   * be applied meanwhile. `done(false)` when it is damaged or older than the state: then it is discarded, and the old state stays.
   */
  installSnapshot(meta: SnapshotMeta, done: (ok: boolean) => void): void {
    const installing = this.#replace(() => this.#buildReceived(meta));
    this.#answer(installing, (isInstalled) => {
      if (isInstalled === true) {
        done(true);
        this.#answer(this.#snapshots.keepReceived(meta.id), () => undefined);
      } else this.#answer(this.#snapshots.discardReceived(meta.id), () => done(false));
    });
  }

  /**
   * Swaps in the records of a saved snapshot, durably, as the state at `restored.index`, which is later than the present one. No
   * entry beyond that index may be applied before. Refuses as `buildDatabase` does; then the old state stays.
   */
  async restore(from: {
    readonly snapshotPath: string;
    readonly id: string;
    readonly control: ControlRecord;
    readonly restored: RestoredRecord;
  }): Promise<void> {
    const { snapshotPath, id, control, restored } = from;
    const { directory, clusterId } = this.#options;
    await this.#replace(async (number) => {
      this.#requireLater(restored.index);
      const target = databaseDirectory(directory, number);
      const installed = this.#installed;
      // Its digest was made with another cluster's keys, perhaps; a scan tells.
      const headOf = (): StateHead => ({ applied: restored.index, control, installed, restored, digest: undefined });
      await buildDatabase({ snapshotPath, id, clusterId, target, headOf });
    });
  }

  /** Writes and syncs what is applied, and closes the database. */
  async close(): Promise<void> {
    if (!this.#queue.hasFailed) await this.#queue.sync();
    await this.#database.close();
    if (!this.#queue.hasFailed) await markClosed(this.#options.directory);
  }

  #read(fullKey: string): StoredCell | undefined {
    this.integrity.requireSound();
    return this.#cells.read(fullKey);
  }

  #stored(fullKey: string): Uint8Array | undefined {
    const pending = this.#queue.pending(fullKey);
    return pending === undefined ? this.#database.getSync(fullKey) : pending.stored;
  }

  /** A disk that fails while apply reads from it is fatal, as in a write. Damage is not: the state is replaced. */
  #loadForApply(fullKey: string): StoredCell | undefined {
    try {
      return this.#cells.load(fullKey);
    } catch (error) {
      if (this.integrity.damage === undefined) this.#queue.fail(error);
      throw error;
    }
  }

  async #keys(prefix: string, range: KeyRange): Promise<readonly string[]> {
    this.integrity.requireSound();
    const pending = this.#queue.pendingUnder(prefix + range.prefix);
    const database = this.#database;
    return rangeKeys({ database, pending, prefix, range }).catch((error: unknown) => this.#blamed(error, database));
  }

  /** Reading it has failed: what that says of a database that is still in force. */
  #blamed(error: unknown, database: StateDatabase): never {
    if (database === this.#database && this.integrity.blame(error)) this.integrity.requireSound();
    throw error;
  }

  async #take(): Promise<{ readonly id: string; readonly index: LogIndex }> {
    await this.#queue.flush();
    const database = this.#database;
    const from = { database, folder: this.#snapshots, clusterId: this.#options.clusterId, keys: this.integrity.keys };
    return takeSnapshot(from).catch((error: unknown) => this.#blamed(error, database));
  }

  async #buildReceived(meta: SnapshotMeta): Promise<void> {
    this.#requireLater(meta.index);
    const { directory, clusterId } = this.#options;
    const target = databaseDirectory(directory, this.#number + 1);
    const snapshotPath = this.#snapshots.receivedPath(meta.id);
    await buildFromSnapshot({ snapshotPath, meta, clusterId, target, keys: this.integrity.keys });
  }

  #requireLater(index: LogIndex): void {
    if (index <= this.#applied && this.integrity.damage === undefined)
      throw new LockstepError(
        'failed-precondition',
        `the snapshot is of ${index}, the state at ${this.#applied} already`,
      );
  }

  /** Builds the next database, then switches to it. True once it serves; rejects where it was not built, and the old one stays. */
  #replace(build: (number: number) => Promise<void>): Promise<true> {
    const replaced = this.#replacing.then(async (): Promise<true> => {
      const number = this.#number + 1;
      await build(number);
      // The pointer may name the new database already when this fails: only a restart can tell.
      await this.#swap(number).catch((error: unknown) => {
        this.#queue.fail(error);
        return new Promise<never>(() => undefined);
      });
      return true;
    });
    this.#replacing = replaced.catch(() => undefined);
    return replaced;
  }

  async #swap(number: number): Promise<void> {
    const { directory, clusterId } = this.#options;
    const path = databaseDirectory(directory, number);
    await pointTo(directory, number);
    const database = await openDatabase(path);
    const head = await readHead(database, clusterId);
    const isLater = head !== undefined && (head.applied > this.#applied || this.integrity.damage !== undefined);
    assert(isLater, 'a new database holds a later state');
    while (!this.#queue.isIdle) await this.#queue.flush();
    // From here to the end of the block nothing else runs: readers see the old state or the new one.
    const old = { database: this.#database, path: databaseDirectory(directory, this.#number) };
    this.#queue.replace({ database, path, applied: head.applied });
    this.#database = database;
    this.#number = number;
    this.#applied = head.applied;
    this.#installed = head.installed;
    this.#restored = head.restored;
    this.integrity.replaced(head);
    this.#cells.clear();
    if ((head.control?.index ?? 0) > this.controlIndex) this.#control = head.control;
    else if (this.#control !== undefined) this.#queue.addControl(this.#control);
    await old.database.close();
    await rm(old.path, { recursive: true, force: true });
    await removeAside(directory);
  }

  /** Calls `done` once, with undefined where `work` failed. */
  #answer<T>(work: Promise<T | undefined>, done: (result: T | undefined) => void): void {
    work
      .catch((error: unknown) => {
        this.#options.onSnapshotFailure?.(error);
        // Whatever the callback returned is no result.
        return undefined;
      })
      .then(done)
      .catch((error: unknown) => this.#options.onFatal(error));
  }
}
