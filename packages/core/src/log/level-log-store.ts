import { assert, LockstepError } from '@lockstep/contract/errors';
import { LogIndex, type Term } from '@lockstep/contract/ids';
import type { Entry, HardState, Membership, PersistBatch, SnapshotMeta } from '../raft/types.ts';
import { deletesPerBatchMax, markerIntervalMs, readChunkBytes, readChunkEntries, waitingCallsMax } from './limits.ts';
import type { LogDatabase, RecoveredLog } from './log-recovery.ts';
import {
  damaged,
  decodeEntry,
  encodeHardState,
  encodeMeta,
  EntryEncoding,
  EntryKey,
  hardStateKey,
  indexOfKey,
  type LogMeta,
  metaKey,
} from './log-records.ts';
import type { LogStore, LogStoreStats } from './log-store.ts';
import type { Mark, Marker } from './marker.ts';

interface Opened {
  readonly database: LogDatabase;
  readonly marker: Marker;
  readonly meta: LogMeta;
  readonly recovered: RecoveredLog;
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

type Batch = ReturnType<LogDatabase['batch']>;
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
  readonly #encoding = new EntryEncoding();
  readonly #calls: Call[] = [];
  /** Calls from outside among them. */
  #waiting = 0;
  #running: Promise<void> | undefined;
  #state: 'open' | 'closing' | 'poisoned' = 'open';

  #meta: LogMeta;
  #hardState: HardState;
  #lastIndex: number;
  #lastTerm: Term;
  #lastChecksum: number;
  /** How far the log certainly survives a crash: what the marker may promise. */
  #syncedIndex: number;
  /** What the write under way has added and LevelDB can't show yet. */
  readonly #fresh = new Map<number, { readonly term: Term; readonly checksum: number }>();
  /** Entries before the log that are still on the disk. */
  readonly #leftovers: { from: number; readonly until: number }[] = [];

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
    this.#hardState = recovered.stored.hardState;
    this.#lastIndex = recovered.stored.lastIndex;
    this.#lastTerm = recovered.lastTerm;
    this.#lastChecksum = recovered.lastChecksum;
    // LevelDB rewrites what it recovers into a synced table before `open` returns.
    this.#syncedIndex = this.#lastIndex;
    this.#markedMs = opened.now();
    if (recovered.leftover !== undefined) this.#forgetLater(recovered.leftover);
    this.#markLater();
  }

  write(batches: readonly PersistBatch[], done: () => void): void {
    this.#enqueue('change', async () => {
      const mustSync = batches.some((batch) => batch.mustSync);
      const operations = this.#database.batch();
      this.#fresh.clear();
      for (const batch of batches) this.#add(operations, batch);
      const { mark } = this.#marker;
      // A floor above the log's new end would make the next open refuse a sound log.
      if (this.#lastIndex < mark.lastIndex) await this.#mark({ ...mark, lastIndex: LogIndex(this.#lastIndex) });
      await this.#commit(operations, mustSync);
      // A vote must be on the disk twice before it leaves: with a lost tail of LevelDB's log it could be given again.
      if (mustSync && this.#isVoteUnmarked()) await this.#mark(this.#floor());
      this.#markLater();
      return done;
    });
  }

  read(range: ReadRange, done: (entries: readonly Entry[] | 'compacted') => void): void {
    this.#enqueue('read', async () => {
      const found = range.from <= this.#meta.snapshot.index ? 'compacted' : await this.#entries(range);
      return () => done(found);
    });
  }

  compact(snapshot: SnapshotMeta, done: () => void): void {
    this.#enqueue('change', async () => {
      const through = this.#meta.snapshot.index;
      if (snapshot.index > through) {
        const last = this.#recordAt(snapshot.index);
        assert(
          last.term === snapshot.term,
          `compaction to ${snapshot.index} names term ${snapshot.term}, not ${last.term}`,
        );
        const isMembershipNewer = this.#meta.appliedMembershipIndex >= snapshot.index;
        const { membership, appliedMembershipIndex } = isMembershipNewer
          ? this.#meta
          : { membership: snapshot.membership, appliedMembershipIndex: snapshot.index };
        this.#meta = { ...this.#meta, snapshot, chain: last.checksum, membership, appliedMembershipIndex };
        await this.#commit(this.#database.batch().put(metaKey, encodeMeta(this.#meta)), true);
        this.#forgetLater({ from: through + 1, until: snapshot.index + 1 });
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
    const oldest = this.#calls.find((call) => call.kind === 'change');
    const oldestPendingMs = oldest === undefined ? 0 : this.#now() - oldest.askedMs;
    return { lastSyncMs: this.#lastSyncMs, oldestPendingMs, writes: this.#writes, syncs: this.#syncs };
  }

  /** Finishes the calls that were made, answers them, and lets go of the directory. Later calls are refused. */
  async close(): Promise<void> {
    if (this.#state === 'open') this.#state = 'closing';
    clearTimeout(this.#markerTimer);
    await this.#running;
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
    this.#state = 'poisoned';
    this.#calls.length = 0;
    clearTimeout(this.#markerTimer);
    const message = cause instanceof Error ? cause.message : String(cause);
    this.#onFatal(new LockstepError('internal', `log store failed and is closed for good: ${message}`, { cause }));
  }

  async #commit(operations: Batch, mustSync: boolean): Promise<void> {
    const start = this.#now();
    await operations.write({ sync: mustSync });
    this.#writes++;
    this.#syncedIndex = mustSync ? this.#lastIndex : Math.min(this.#syncedIndex, this.#lastIndex);
    if (!mustSync) return;
    this.#syncs++;
    this.#lastSyncMs = this.#now() - start;
    this.#onSync(this.#lastSyncMs);
  }

  #add(operations: Batch, batch: PersistBatch): void {
    if (batch.snapshot !== undefined) this.#beginAfter(operations, batch.snapshot);
    if (batch.truncateFrom !== undefined) this.#truncate(operations, batch.truncateFrom);
    for (const entry of batch.entries) this.#append(operations, entry);
    if (batch.hardState === undefined) return;
    this.#hardState = batch.hardState;
    operations.put(hardStateKey, encodeHardState(batch.hardState));
  }

  #beginAfter(operations: Batch, snapshot: SnapshotMeta): void {
    const through = this.#meta.snapshot.index;
    assert(snapshot.index >= through, `snapshot ${snapshot.index} is before the log, which begins after ${through}`);
    // What lies behind the snapshot could be taken for its continuation after a crash; what lies before it can wait.
    this.#delete(operations, { from: snapshot.index + 1, until: this.#lastIndex + 1 });
    this.#forgetLater({ from: through + 1, until: Math.min(snapshot.index, this.#lastIndex) + 1 });
    const { identity } = this.#meta;
    const { membership, index } = snapshot;
    this.#meta = { identity, snapshot, chain: 0, membership, appliedMembershipIndex: index };
    operations.put(metaKey, encodeMeta(this.#meta));
    this.#lastIndex = index;
    this.#lastTerm = snapshot.term;
    this.#lastChecksum = 0;
  }

  #truncate(operations: Batch, from: LogIndex): void {
    assert(
      from > this.#meta.snapshot.index,
      `the log can't be cut at ${from}: it begins after ${this.#meta.snapshot.index}`,
    );
    if (from > this.#lastIndex) return;
    const { term, checksum } = this.#recordAt(from - 1);
    this.#delete(operations, { from, until: this.#lastIndex + 1 });
    this.#lastIndex = from - 1;
    this.#lastTerm = term;
    this.#lastChecksum = checksum;
  }

  #append(operations: Batch, entry: Entry): void {
    const next = this.#lastIndex + 1;
    assert(entry.index === next, `entry ${entry.index} appended where the log expects ${next}`);
    assert(
      entry.term >= this.#lastTerm,
      `entry ${next} has term ${entry.term}, below its predecessor's ${this.#lastTerm}`,
    );
    const { value, checksum } = this.#encoding.encode(entry, this.#lastChecksum);
    // LevelDB copies key and value here and now, so that both buffers serve again.
    operations.put(this.#key.of(next), value);
    this.#fresh.set(next, { term: entry.term, checksum });
    this.#lastIndex = next;
    this.#lastTerm = entry.term;
    this.#lastChecksum = checksum;
  }

  #delete(operations: Batch, range: { readonly from: number; readonly until: number }): void {
    for (let index = range.from; index < range.until; index++) operations.del(this.#key.of(index));
  }

  /** Term and checksum of an entry in the log, or of the one that the log begins after. */
  #recordAt(index: number): { readonly term: Term; readonly checksum: number } {
    if (index === this.#meta.snapshot.index) return { term: this.#meta.snapshot.term, checksum: this.#meta.chain };
    if (index === this.#lastIndex) return { term: this.#lastTerm, checksum: this.#lastChecksum };
    assert(index > this.#meta.snapshot.index && index < this.#lastIndex, `entry ${index} is not in the log`);
    const fresh = this.#fresh.get(index);
    if (fresh !== undefined) return fresh;
    const value = this.#database.getSync(this.#key.of(index));
    if (value === undefined) throw damaged('log', `entry ${index} is missing`);
    const { entry, checksum } = decodeEntry(LogIndex(index), value);
    return { term: entry.term, checksum };
  }

  async #entries(range: ReadRange): Promise<readonly Entry[]> {
    const until = Math.min(range.until, this.#lastIndex + 1);
    const entries: Entry[] = [];
    let bytes = 0;
    const gte = Uint8Array.from(this.#key.of(range.from));
    const lt = Uint8Array.from(this.#key.of(until));
    const iterator = this.#database.iterator({ gte, lt, highWaterMarkBytes: readChunkBytes });
    try {
      while (range.from + entries.length < until) {
        const page = await iterator.nextv(readChunkEntries);
        if (page.length === 0) throw damaged('log', `entry ${range.from + entries.length} is missing`);
        for (const [key, value] of page) {
          const { entry } = decodeEntry(indexOfKey(key), value);
          if (entry.index !== range.from + entries.length)
            throw damaged('log', `an entry before ${entry.index} is missing`);
          bytes += entry.data.length;
          if (bytes > range.bytesMax && entries.length > 0) return entries;
          entries.push(entry);
        }
      }
      return entries;
    } finally {
      await iterator.close();
    }
  }

  #forgetLater(range: { readonly from: number; readonly until: number }): void {
    if (range.from >= range.until) return;
    this.#leftovers.push({ ...range });
    if (this.#leftovers.length === 1) this.#enqueue('upkeep', () => this.#forgetSome());
  }

  /** One batch of deletes, then back to the end of the queue. Synced, since unsynced pages may reach the disk out of order. */
  async #forgetSome(): Promise<() => void> {
    const oldest = this.#leftovers[0];
    assert(oldest !== undefined, 'there is something left to forget');
    const until = Math.min(oldest.until, oldest.from + deletesPerBatchMax);
    const operations = this.#database.batch();
    this.#delete(operations, { from: oldest.from, until });
    await this.#commit(operations, true);
    oldest.from = until;
    if (until === oldest.until) this.#leftovers.shift();
    if (this.#leftovers.length > 0) this.#enqueue('upkeep', () => this.#forgetSome());
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
