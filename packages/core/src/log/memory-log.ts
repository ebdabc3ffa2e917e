import { assert } from '@lockstep/contract/errors';
import { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import type { Entry, HardState, Membership, PersistBatch, SnapshotMeta } from '../raft/types.ts';
import { tailBytesMax, waitingCallsMax } from './limits.ts';
import type { LogStore, LogStoreStats, StoredLog } from './log-store.ts';

/** What one disk holds. The entries begin at `snapshot.index + 1`. */
export interface MemoryLogImage {
  readonly hardState: HardState;
  readonly snapshot: SnapshotMeta;
  readonly membership: Membership;
  readonly appliedMembershipIndex: LogIndex;
  readonly entries: readonly Entry[];
}

/** A formatted disk without an entry. */
export function emptyMemoryLogImage(membership: Membership): MemoryLogImage {
  return {
    hardState: { term: Term(0), vote: NodeId(0), commit: LogIndex(0) },
    snapshot: { id: '', index: LogIndex(0), term: Term(0), membership },
    membership,
    appliedMembershipIndex: LogIndex(0),
    entries: [],
  };
}

/** `sync` is an fsync, `write` only reaches the operating system, `read` touches no durable state. */
export type MemoryLogWork = 'write' | 'sync' | 'read';

export interface MemoryLogOptions {
  /** Runs `work` later, at most once; never before the call returns. A scheduler that drops it is a disk that hangs or a crash. */
  readonly schedule: (work: () => void, kind: MemoryLogWork) => void;
  readonly onFatal?: (error: Error) => void;
  /** Monotonic milliseconds, for `stats`. */
  readonly now?: () => number;
}

type Change =
  | { readonly kind: 'write'; readonly batches: readonly PersistBatch[] }
  | { readonly kind: 'compact'; readonly snapshot: SnapshotMeta }
  | { readonly kind: 'membership'; readonly membership: Membership; readonly index: LogIndex };

interface Call {
  readonly work: MemoryLogWork;
  readonly start: () => void;
  readonly finish: () => void;
  readonly askedMs: number;
}

/**
 * A log store on a simulated disk: answers come when the scheduler runs the work it was given, in the order of the calls.
 * What a crash leaves is `durableImage()`: every synced write, and as much of the unsynced tail as the caller chooses.
 */
export class MemoryLog implements LogStore {
  readonly #options: MemoryLogOptions;
  readonly #initial: MemoryLogImage;
  /** What reads see. */
  readonly #visible: Contents;
  /** What certainly survives a crash. */
  readonly #durable: Contents;
  /** Begun and not yet synced, oldest first: each may or may not survive, but none without all before it. */
  #unsynced: Change[] = [];
  readonly #calls: Call[] = [];
  #isBusy = false;
  #isPoisoned = false;
  /** How many of the unsynced changes can survive: up to a write that failed. What comes after it is never found again. */
  #survivingMax = Number.POSITIVE_INFINITY;
  #failure: Error | undefined;
  #writes = 0;
  #syncs = 0;
  #lastSyncMs = 0;

  constructor(image: MemoryLogImage, options: MemoryLogOptions) {
    this.#options = options;
    this.#initial = image;
    this.#visible = new Contents(image);
    this.#durable = new Contents(image);
  }

  /** What this store held when it was made. */
  stored(): StoredLog {
    return storedLogOf(this.#initial);
  }

  write(batches: readonly PersistBatch[], done: () => void): void {
    const mustSync = batches.some((batch) => batch.mustSync);
    this.#change({ kind: 'write', batches }, mustSync ? 'sync' : 'write', done);
  }

  compact(snapshot: SnapshotMeta, done: () => void): void {
    this.#change({ kind: 'compact', snapshot }, 'sync', done);
  }

  saveMembership(membership: Membership, index: LogIndex, done: () => void): void {
    this.#change({ kind: 'membership', membership, index }, 'sync', done);
  }

  read(range: ReadRange, done: (entries: readonly Entry[] | 'compacted') => void): void {
    this.#enqueue(
      'read',
      () => undefined,
      () => done(this.#visible.read(range)),
    );
  }

  stats(): LogStoreStats {
    const oldest = this.#calls.find((call) => call.work !== 'read');
    const oldestPendingMs = oldest === undefined ? 0 : this.#now() - oldest.askedMs;
    return { lastSyncMs: this.#lastSyncMs, oldestPendingMs, writes: this.#writes, syncs: this.#syncs };
  }

  /** Answers nothing more. What was not yet synced stays unsynced. */
  close(): Promise<void> {
    this.#isPoisoned = true;
    return Promise.resolve();
  }

  /** The next write that the scheduler runs fails: `onFatal`, and no answer ever after. `undefined`: it does not, after all. */
  failNextWrite(error: Error | undefined): void {
    this.#failure = error;
  }

  /** Changes that were begun and not synced. */
  unsyncedCount(): number {
    return this.#unsynced.length;
  }

  /** The disk after a crash at this moment, with the oldest `unsyncedKept` of the unsynced changes surviving it. */
  durableImage(unsyncedKept = 0): MemoryLogImage {
    const contents = new Contents(this.#durable.image());
    const kept = Math.min(unsyncedKept, this.#survivingMax);
    for (const change of this.#unsynced.slice(0, kept)) contents.apply(change);
    return contents.image();
  }

  #change(change: Change, work: MemoryLogWork, done: () => void): void {
    const start = (): void => {
      this.#visible.apply(change);
      this.#unsynced.push(change);
    };
    const finish = (): void => {
      this.#writes++;
      if (work === 'sync') this.#sync();
      done();
    };
    this.#enqueue(work, start, finish);
  }

  #enqueue(work: MemoryLogWork, start: () => void, finish: () => void): void {
    if (this.#isPoisoned) return;
    assert(this.#calls.length < waitingCallsMax, `at most ${waitingCallsMax} calls may wait in the log store`);
    this.#calls.push({ work, start, finish, askedMs: this.#now() });
    this.#next();
  }

  #next(): void {
    const call = this.#calls[0];
    if (call === undefined || this.#isBusy || this.#isPoisoned) return;
    this.#isBusy = true;
    call.start();
    this.#options.schedule(() => this.#finish(call), call.work);
  }

  #finish(call: Call): void {
    if (this.#isPoisoned) return;
    if (this.#failure !== undefined && call.work !== 'read') {
      this.#survivingMax = this.#unsynced.length;
      this.#isPoisoned = true;
      this.#options.onFatal?.(this.#failure);
      return;
    }
    if (call.work === 'sync') this.#lastSyncMs = this.#now() - call.askedMs;
    this.#calls.shift();
    this.#isBusy = false;
    call.finish();
    this.#next();
  }

  #sync(): void {
    this.#syncs++;
    if (this.#survivingMax < Number.POSITIVE_INFINITY) return;
    for (const change of this.#unsynced) this.#durable.apply(change);
    this.#unsynced = [];
  }

  #now(): number {
    return this.#options.now?.() ?? 0;
  }
}

interface ReadRange {
  readonly from: LogIndex;
  readonly until: LogIndex;
  readonly bytesMax: number;
}

/** One copy of a disk's contents, changed in place. */
class Contents {
  #hardState: HardState;
  #snapshot: SnapshotMeta;
  #membership: Membership;
  #appliedMembershipIndex: LogIndex;
  #entries: Entry[];

  constructor(image: MemoryLogImage) {
    this.#hardState = image.hardState;
    this.#snapshot = image.snapshot;
    this.#membership = image.membership;
    this.#appliedMembershipIndex = image.appliedMembershipIndex;
    this.#entries = [...image.entries];
  }

  image(): MemoryLogImage {
    return {
      hardState: this.#hardState,
      snapshot: this.#snapshot,
      membership: this.#membership,
      appliedMembershipIndex: this.#appliedMembershipIndex,
      entries: [...this.#entries],
    };
  }

  read(range: ReadRange): readonly Entry[] | 'compacted' {
    if (range.from <= this.#snapshot.index) return 'compacted';
    const offset = range.from - this.#snapshot.index - 1;
    const candidates = this.#entries.slice(offset, offset + Math.max(0, range.until - range.from));
    return cutAtBytes(candidates, range.bytesMax);
  }

  apply(change: Change): void {
    switch (change.kind) {
      case 'write':
        for (const batch of change.batches) this.#applyBatch(batch);
        return;
      case 'compact':
        this.#compact(change.snapshot);
        return;
      case 'membership':
        this.#membership = change.membership;
        this.#appliedMembershipIndex = change.index;
        return;
      default:
        change satisfies never;
    }
  }

  #applyBatch(batch: PersistBatch): void {
    if (batch.snapshot !== undefined) {
      this.#snapshot = batch.snapshot;
      this.#membership = batch.snapshot.membership;
      this.#appliedMembershipIndex = batch.snapshot.index;
      this.#entries = [];
    }
    if (batch.truncateFrom !== undefined) this.#truncate(batch.truncateFrom);
    for (const entry of batch.entries) this.#append(entry);
    if (batch.hardState !== undefined) this.#hardState = batch.hardState;
  }

  #truncate(from: LogIndex): void {
    assert(from > this.#snapshot.index, `the log can't be cut at ${from}: it begins after ${this.#snapshot.index}`);
    this.#entries.length = Math.min(this.#entries.length, from - this.#snapshot.index - 1);
  }

  #append(entry: Entry): void {
    const next = this.#snapshot.index + this.#entries.length + 1;
    assert(entry.index === next, `entry ${entry.index} appended where the log expects ${next}`);
    const lastTerm = this.#entries.at(-1)?.term ?? this.#snapshot.term;
    assert(entry.term >= lastTerm, `entry ${entry.index} has term ${entry.term}, below its predecessor's ${lastTerm}`);
    this.#entries.push(entry);
  }

  #compact(snapshot: SnapshotMeta): void {
    if (snapshot.index <= this.#snapshot.index) return;
    const forgotten = snapshot.index - this.#snapshot.index;
    assert(forgotten <= this.#entries.length, `compaction to ${snapshot.index} passes the end of the log`);
    const term = this.#entries[forgotten - 1]?.term;
    assert(term === snapshot.term, `compaction to ${snapshot.index} names term ${snapshot.term}, not ${term}`);
    this.#entries.splice(0, forgotten);
    this.#snapshot = snapshot;
    if (snapshot.index <= this.#appliedMembershipIndex) return;
    this.#membership = snapshot.membership;
    this.#appliedMembershipIndex = snapshot.index;
  }
}

/** The longest prefix within `bytesMax` of entry bytes, but never empty if there is an entry. */
function cutAtBytes(entries: readonly Entry[], bytesMax: number): readonly Entry[] {
  let bytes = 0;
  for (const [position, entry] of entries.entries()) {
    bytes += entry.data.length;
    if (bytes > bytesMax && position > 0) return entries.slice(0, position);
  }
  return entries;
}

function storedLogOf(image: MemoryLogImage): StoredLog {
  const { entries, snapshot } = image;
  const termRuns: { firstIndex: LogIndex; term: Term }[] = [];
  for (const entry of entries) {
    if (termRuns.at(-1)?.term !== entry.term) termRuns.push({ firstIndex: entry.index, term: entry.term });
  }
  let bytes = 0;
  let tailStart = entries.length;
  while (tailStart > 0) {
    bytes += entries[tailStart - 1]?.data.length ?? 0;
    if (bytes > tailBytesMax) break;
    tailStart--;
  }
  return {
    hardState: image.hardState,
    snapshot,
    membership: image.membership,
    appliedMembershipIndex: image.appliedMembershipIndex,
    firstIndex: LogIndex(snapshot.index + 1),
    lastIndex: LogIndex(snapshot.index + entries.length),
    termRuns,
    tail: entries.slice(tailStart),
  };
}
