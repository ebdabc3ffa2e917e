import { assert, LockstepError } from '@lockstep/contract/errors';
import { LogIndex } from '@lockstep/contract/ids';
import type { Entry, HardState, Membership, PersistBatch, SnapshotMeta } from '../raft/types.ts';
import { deletesPerBatchMax, markerIntervalMs, waitingCallsMax } from './limits.ts';
import type { GivenBack } from './given-back.ts';
import type { LogDatabase, RecoveredLog } from './log-recovery.ts';
import { encodeHardState, encodeMeta, EntryKey, hardStateKey, type LogMeta, metaKey } from './log-records.ts';
import type { LogStore, LogStoreStats } from './log-store.ts';
import type { Mark, Marker } from './marker.ts';
import { RecordLog, type RecordSize, type WriteBatch } from './record-log.ts';

interface Opened {
  readonly database: LogDatabase;
  readonly marker: Marker;
  readonly meta: LogMeta;
  readonly recovered: RecoveredLog;
  readonly recordSize: RecordSize;
  readonly givenBack: GivenBack;
  readonly onFatal: (error: Error) => void;
  readonly now: () => number;
  readonly onSync: (ms: number) => void;
}

interface Call {
  readonly kind: 'change' | 'read' | 'upkeep';
  readonly askedMs: number;
  /** Does the work; what it resolves to gives the answer. */
  readonly run: () => Promise<() => void>;
}

type ReadRange = Parameters<LogStore['read']>[0];

/**
 * The log in LevelDB. One call is under way at a time, in the order they were made. LevelDB goes on acknowledging after a
 * failed write and loses what it acknowledged, so the first failure of any kind poisons the store for good.
 */
export class LevelLog implements LogStore {
  readonly #database: LogDatabase;
  readonly #marker: Marker;
  readonly #onFatal: (error: Error) => void;
  readonly #now: () => number;
  readonly #onSync: (ms: number) => void;
  readonly #key = new EntryKey();
  readonly #log: RecordLog;
  readonly #givenBack: GivenBack;
  readonly #calls: Call[] = [];
  /** Calls from outside among them. */
  #waiting = 0;
  #running: Promise<void> | undefined;
  #state: 'open' | 'closing' | 'poisoned' = 'open';

  #meta: LogMeta;
  #hardState: HardState;
  /** How far the log certainly survives a crash: what the marker may promise. */
  #syncedIndex: number;
  /** Records before the log that are still on the disk. */
  readonly #leftovers: number[] = [];

  #markedMs: number;
  #markerTimer: NodeJS.Timeout | undefined;
  #lastSyncMs = 0;
  #writes = 0;
  #syncs = 0;

  constructor(opened: Opened) {
    const { recovered } = opened;
    this.#database = opened.database;
    this.#marker = opened.marker;
    this.#onFatal = opened.onFatal;
    this.#now = opened.now;
    this.#onSync = opened.onSync;
    this.#meta = opened.meta;
    this.#givenBack = opened.givenBack;
    this.#hardState = recovered.stored.hardState;
    const { database, recordSize: size } = opened;
    this.#log = new RecordLog({ database, recovered, chain: opened.meta.chain, size });
    // LevelDB rewrites what it recovers into a synced table before `open` returns.
    this.#syncedIndex = this.#log.lastIndex;
    this.#markedMs = opened.now();
    this.#forgetLater(recovered.leftovers);
    this.#markLater();
  }

  write(batches: readonly PersistBatch[], done: () => void): void {
    this.#enqueue('change', async () => {
      const mustSync = batches.some((batch) => batch.mustSync);
      const operations = this.#database.batch();
      for (const batch of batches) this.#add(operations, batch);
      this.#log.flush(operations);
      const { mark } = this.#marker;
      // A floor above the log's new end would make the next open refuse a sound log.
      if (this.#log.lastIndex < mark.lastIndex) await this.#mark({ ...mark, lastIndex: LogIndex(this.#log.lastIndex) });
      await this.#commit(operations, mustSync);
      // A vote must be on the disk twice before it leaves: with a lost tail of LevelDB's log it could be given again.
      if (mustSync && this.#isVoteUnmarked()) await this.#mark(this.#floor());
      this.#markLater();
      return done;
    });
  }

  read(range: ReadRange, done: (entries: readonly Entry[] | 'compacted') => void): void {
    this.#enqueue('read', async () => {
      const found = range.from <= this.#meta.snapshot.index ? 'compacted' : await this.#log.read(range);
      return () => done(found);
    });
  }

  compact(snapshot: SnapshotMeta, done: () => void): void {
    this.#enqueue('change', async () => {
      if (snapshot.index > this.#meta.snapshot.index) {
        const { chain, dropped } = this.#log.compact(snapshot.index, snapshot.term);
        const isMembershipNewer = this.#meta.appliedMembershipIndex >= snapshot.index;
        const { membership, appliedMembershipIndex } = isMembershipNewer
          ? this.#meta
          : { membership: snapshot.membership, appliedMembershipIndex: snapshot.index };
        this.#meta = { ...this.#meta, snapshot, chain, membership, appliedMembershipIndex };
        await this.#commit(this.#database.batch().put(metaKey, encodeMeta(this.#meta)), true);
        this.#forgetLater(dropped);
      }
      return done;
    });
  }

  saveMembership(membership: Membership, index: LogIndex, done: () => void): void {
    this.#enqueue('change', async () => {
      this.#meta = { ...this.#meta, membership, appliedMembershipIndex: index };
      await this.#commit(this.#database.batch().put(metaKey, encodeMeta(this.#meta)), true);
      return done;
    });
  }

  stats(): LogStoreStats {
    // The store's own upkeep writes as well, so a disk that hangs under it hangs for all that comes after.
    const oldest = this.#calls.find((call) => call.kind !== 'read');
    const oldestPendingMs = oldest === undefined ? 0 : this.#now() - oldest.askedMs;
    return { lastSyncMs: this.#lastSyncMs, oldestPendingMs, writes: this.#writes, syncs: this.#syncs };
  }

  /** Finishes the calls that were made, answers them, and lets go of the directory. Later calls are refused. */
  async close(): Promise<void> {
    if (this.#state === 'open') this.#state = 'closing';
    clearTimeout(this.#markerTimer);
    await this.#running;
    await this.#givenBack.settled();
    try {
      if (this.#state === 'closing' && this.#isFloorUnmarked()) await this.#mark(this.#floor());
    } finally {
      await this.#marker.close();
      await this.#database.close();
    }
  }

  #enqueue(kind: Call['kind'], run: Call['run']): void {
    if (this.#state !== 'open') return;
    if (kind !== 'upkeep') {
      assert(this.#waiting < waitingCallsMax, `at most ${waitingCallsMax} calls may wait in the log store`);
      this.#waiting++;
    }
    this.#calls.push({ kind, askedMs: this.#now(), run });
    this.#running ??= this.#drain();
  }

  async #drain(): Promise<void> {
    // No call is answered before it has returned.
    await Promise.resolve();
    try {
      for (let call = this.#calls[0]; call !== undefined; call = this.#calls[0]) {
        const answer = await call.run();
        this.#calls.shift();
        if (call.kind !== 'upkeep') this.#waiting--;
        answer();
      }
    } catch (cause) {
      this.#poison(cause);
    }
    this.#running = undefined;
  }

  #poison(cause: unknown): void {
    if (this.#state === 'poisoned') return;
    this.#state = 'poisoned';
    this.#calls.length = 0;
    clearTimeout(this.#markerTimer);
    const message = cause instanceof Error ? cause.message : String(cause);
    this.#onFatal(new LockstepError('internal', `log store failed and is closed for good: ${message}`, { cause }));
  }

  async #commit(operations: WriteBatch, mustSync: boolean): Promise<void> {
    const start = this.#now();
    await operations.write({ sync: mustSync });
    this.#writes++;
    this.#syncedIndex = mustSync ? this.#log.lastIndex : Math.min(this.#syncedIndex, this.#log.lastIndex);
    if (!mustSync) return;
    this.#syncs++;
    this.#lastSyncMs = this.#now() - start;
    this.#onSync(this.#lastSyncMs);
  }

  #add(operations: WriteBatch, batch: PersistBatch): void {
    if (batch.snapshot !== undefined) this.#beginAfter(operations, batch.snapshot);
    if (batch.truncateFrom !== undefined) this.#log.truncate(operations, batch.truncateFrom);
    for (const entry of batch.entries) this.#log.append(entry);
    if (batch.hardState === undefined) return;
    this.#hardState = batch.hardState;
    operations.put(hardStateKey, encodeHardState(batch.hardState));
  }

  #beginAfter(operations: WriteBatch, snapshot: SnapshotMeta): void {
    this.#forgetLater(this.#log.beginAfter(operations, snapshot));
    const { identity } = this.#meta;
    const { membership, index } = snapshot;
    this.#meta = { identity, snapshot, chain: 0, membership, appliedMembershipIndex: index };
    operations.put(metaKey, encodeMeta(this.#meta));
  }

  #forgetLater(starts: readonly number[]): void {
    if (starts.length === 0) return;
    const isBegun = this.#leftovers.length > 0;
    for (const start of starts) this.#leftovers.push(start);
    if (!isBegun) this.#enqueue('upkeep', () => this.#forgetSome());
  }

  /** One batch of deletes, then back to the end of the queue. Synced, since unsynced pages may reach the disk out of order. */
  async #forgetSome(): Promise<() => void> {
    const operations = this.#database.batch();
    for (const start of this.#leftovers.slice(0, deletesPerBatchMax)) operations.del(this.#key.of(start));
    await this.#commit(operations, true);
    const last = this.#leftovers.splice(0, deletesPerBatchMax).at(-1);
    if (this.#leftovers.length > 0) this.#enqueue('upkeep', () => this.#forgetSome());
    else if (last !== undefined) this.#givenBack.deleted(last).catch((cause: unknown) => this.#poison(cause));
    return noAnswer;
  }

  #floor(): Mark {
    const { term, vote } = this.#hardState;
    return { term, vote, lastIndex: LogIndex(this.#syncedIndex) };
  }

  #isVoteUnmarked(): boolean {
    const { mark } = this.#marker;
    return mark.term !== this.#hardState.term || mark.vote !== this.#hardState.vote;
  }

  #isFloorUnmarked(): boolean {
    return this.#isVoteUnmarked() || this.#marker.mark.lastIndex !== this.#syncedIndex;
  }

  async #mark(mark: Mark): Promise<void> {
    await this.#marker.write(mark);
    this.#markedMs = this.#now();
  }

  /** Has the floor raised soon, and by a timer if it was raised just now, so that it follows the log also into silence. */
  #markLater(): void {
    if (this.#markerTimer !== undefined || !this.#isFloorUnmarked()) return;
    const waitMs = Math.max(0, markerIntervalMs - (this.#now() - this.#markedMs));
    this.#markerTimer = setTimeout(() => {
      this.#markerTimer = undefined;
      this.#enqueue('upkeep', async () => {
        await this.#mark(this.#floor());
        return noAnswer;
      });
    }, waitMs);
  }
}

function noAnswer(): void {}
