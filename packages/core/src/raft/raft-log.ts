import { LogIndex, Term } from '@lockstep/contract/ids';
import { EntryTail, type Slice } from './entry-tail.ts';
import { type TermRun, TermRuns } from './term-runs.ts';
import type { Entry, SnapshotMeta } from './types.ts';

/** What the log store holds when a node starts. */
export interface StoredEntries {
  readonly lastIndex: LogIndex;
  readonly termRuns: readonly TermRun[];
  /** The newest entries, ending at `lastIndex`. */
  readonly tail: readonly Entry[];
}

/** One write to the log store: the part of a `PersistBatch` that the log decides. */
export interface LogWrite {
  readonly truncateFrom: LogIndex | undefined;
  readonly entries: readonly Entry[];
  readonly snapshot: SnapshotMeta | undefined;
}

/** A write that is not durable yet. When it is, the log is durable up to `lastIndex`. */
interface WriteUnderWay {
  readonly sequence: number;
  lastIndex: LogIndex;
}

const noEntries: readonly Entry[] = [];

/**
 * The log as this node sees it: entries on disk, on their way to the disk, and not yet given to the host. Positions keep this order:
 * begin ≤ handedOut ≤ min(commit, stable) and commit ≤ last. What is committed never changes.
 */
export class RaftLog {
  readonly #runs: TermRuns;
  readonly #tail: EntryTail;
  /** The position that the log begins after. */
  #begin: LogIndex;
  #last: LogIndex;
  #commit: LogIndex;
  #handedOut: LogIndex;
  /** Durable up to here. */
  #stable: LogIndex;
  /** Given to the host to write, up to here. */
  #written: LogIndex;
  /** The last index that the store holds once it has done all that it was given. */
  #storeLast: LogIndex;
  #truncateFrom: LogIndex | undefined;
  #snapshotToWrite: SnapshotMeta | undefined;
  /** The sequence of the write that holds a restored snapshot, while it is under way. */
  #snapshotSequence = 0;
  #writes: WriteUnderWay[] = [];

  constructor(of: {
    readonly snapshot: SnapshotMeta;
    readonly stored: StoredEntries;
    readonly commit: LogIndex;
    readonly applied: LogIndex;
  }) {
    const { snapshot, stored } = of;
    this.#begin = snapshot.index;
    this.#runs = new TermRuns({ firstIndex: snapshot.index, term: snapshot.term }, stored.termRuns);
    this.#last = LogIndex(Math.max(stored.lastIndex, snapshot.index));
    // The commit index of the last moments may not be on disk (it needs no fsync), but what was applied was committed.
    this.#commit = LogIndex(Math.max(of.commit, of.applied, snapshot.index));
    if (this.#commit > this.#last) {
      throw new Error(`log lost: committed or applied up to ${this.#commit}, but the log ends at ${this.#last}`);
    }
    if (of.applied < snapshot.index) {
      throw new Error(`log lost: applied up to ${of.applied}, but the log begins after ${snapshot.index}`);
    }
    this.#handedOut = of.applied;
    this.#stable = this.#last;
    this.#written = this.#last;
    this.#storeLast = this.#last;
    this.#tail = new EntryTail(stored.tail[0]?.index ?? LogIndex(this.#last + 1));
    for (const entry of stored.tail) this.#tail.push(entry);
    if (this.#tail.nextIndex !== this.#last + 1 || this.#tail.firstIndex <= this.#begin) {
      throw new Error(`the stored tail must end at the log's last index ${this.#last} and begin after ${this.#begin}`);
    }
  }

  get firstIndex(): LogIndex {
    return LogIndex(this.#begin + 1);
  }

  get lastIndex(): LogIndex {
    return this.#last;
  }

  get lastTerm(): Term {
    return this.#runs.lastTerm;
  }

  get commit(): LogIndex {
    return this.#commit;
  }

  get stable(): LogIndex {
    return this.#stable;
  }

  get handedOut(): LogIndex {
    return this.#handedOut;
  }

  /** Entries from here on are in memory. */
  get tailFirstIndex(): LogIndex {
    return this.#tail.firstIndex;
  }

  get tailBytes(): number {
    return this.#tail.bytes;
  }

  /** A snapshot was restored and isn't durable yet. */
  get isRestoring(): boolean {
    return this.#snapshotToWrite !== undefined || this.#snapshotSequence !== 0;
  }

  /** Undefined when the log doesn't reach back or forward to `index`. */
  termAt(index: LogIndex): Term | undefined {
    return index > this.#last ? undefined : this.#runs.at(index);
  }

  matches(index: LogIndex, term: Term): boolean {
    return this.termAt(index) === term;
  }

  /** Raft §5.4.1: the later last term wins, then the longer log. */
  isUpToDate(lastIndex: LogIndex, lastTerm: Term): boolean {
    return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.#last);
  }

  /** Where a log whose term at `index` is at most `term` can agree with this one, at the latest. Term 0 when that isn't known. */
  lastAtMost(index: LogIndex, term: Term): { readonly index: LogIndex; readonly term: Term } {
    return index > this.#last ? { index, term: Term(0) } : this.#runs.lastAtMost(index, term);
  }

  /** Appends at the end. */
  append(entry: Entry): void {
    this.#tail.push(entry);
    this.#runs.extend(entry.index, entry.term);
    this.#last = entry.index;
  }

  /**
   * Takes a leader's entries, which follow a position that matches. Those that are here already stay; from the first that
   * differs on, the log is replaced. Throws when that would replace a committed entry: then some node's log is damaged, and this process must stop.
   */
  merge(entries: readonly Entry[]): void {
    let position = 0;
    let entry = entries[position];
    while (entry !== undefined && this.matches(entry.index, entry.term)) {
      position += 1;
      entry = entries[position];
    }
    if (entry === undefined) return;
    if (entry.index <= this.#last) this.#truncateAt(entry.index);
    for (; entry !== undefined; entry = entries[position]) {
      this.append(entry);
      position += 1;
    }
  }

  commitTo(index: LogIndex): void {
    if (index <= this.#commit) return;
    if (index > this.#last) {
      throw new Error(
        `log lost: the leader committed up to ${index}, but the log ends at ${this.#last} and was longer`,
      );
    }
    this.#commit = index;
  }

  /** Entries from `from`, which is in memory, to before `until`. */
  slice(range: { readonly from: LogIndex; readonly until: LogIndex; readonly bytesMax: number }): Slice {
    return this.#tail.slice(range);
  }

  entryAt(index: LogIndex): Entry | undefined {
    return this.#tail.at(index);
  }

  /** One past the last entry that may be handed out: committed, and durable here. */
  get handOutUntil(): LogIndex {
    return LogIndex(Math.min(this.#commit, this.#stable) + 1);
  }

  handedOutTo(index: LogIndex): void {
    this.#handedOut = index;
  }

  get hasWrite(): boolean {
    return this.#snapshotToWrite !== undefined || this.#written < this.#last;
  }

  /** What is to be written next, as the write numbered `sequence`. A snapshot goes alone: its write begins a new log. */
  takeWrite(sequence: number): LogWrite {
    const snapshot = this.#snapshotToWrite;
    if (snapshot !== undefined) {
      this.#snapshotToWrite = undefined;
      this.#snapshotSequence = sequence;
      this.#writes.push({ sequence, lastIndex: snapshot.index });
      return { truncateFrom: undefined, entries: noEntries, snapshot };
    }
    if (this.#written === this.#last) return { truncateFrom: undefined, entries: noEntries, snapshot: undefined };
    const truncateFrom = this.#truncateFrom;
    const range = {
      from: LogIndex(this.#written + 1),
      until: LogIndex(this.#last + 1),
      bytesMax: Number.MAX_SAFE_INTEGER,
    };
    const { entries } = this.#tail.slice(range);
    this.#writes.push({ sequence, lastIndex: this.#last });
    this.#truncateFrom = undefined;
    this.#written = this.#last;
    this.#storeLast = this.#last;
    return { truncateFrom, entries, snapshot: undefined };
  }

  /** Writes up to `sequence` are durable. */
  persisted(sequence: number): void {
    let done = 0;
    for (const write of this.#writes) {
      if (write.sequence > sequence) break;
      if (write.lastIndex > this.#stable) this.#stable = write.lastIndex;
      done += 1;
    }
    this.#writes.splice(0, done);
    if (this.#snapshotSequence !== 0 && this.#snapshotSequence <= sequence) this.#snapshotSequence = 0;
  }

  /** The log now begins after `snapshot`, which is ahead of everything committed; every entry is forgotten. */
  restore(snapshot: SnapshotMeta): void {
    if (snapshot.index <= this.#commit)
      throw new Error(`snapshot at ${snapshot.index} is not ahead of commit ${this.#commit}`);
    // Of what is durable or being written only what is committed still counts: the rest belongs to the log that is forgotten.
    this.#countDurableUpTo(this.#commit);
    this.#runs.reset({ firstIndex: snapshot.index, term: snapshot.term });
    this.#tail.reset(LogIndex(snapshot.index + 1));
    this.#begin = snapshot.index;
    this.#last = snapshot.index;
    this.#commit = snapshot.index;
    this.#handedOut = snapshot.index;
    this.#written = snapshot.index;
    this.#storeLast = snapshot.index;
    this.#truncateFrom = undefined;
    this.#snapshotToWrite = snapshot;
  }

  /** The host's store has forgotten everything up to `at`. */
  compact(at: TermRun): void {
    if (at.firstIndex <= this.#begin) return;
    if (at.firstIndex > this.#handedOut) {
      throw new Error(`compacted up to ${at.firstIndex}, but only ${this.#handedOut} was handed out`);
    }
    if (this.termAt(at.firstIndex) !== at.term) {
      throw new Error(`compacted at ${at.firstIndex} with term ${at.term}, but that entry has another term`);
    }
    this.#runs.compact(at, this.#last);
    this.#tail.dropThrough(at.firstIndex);
    this.#begin = at.firstIndex;
  }

  /** Keeps at most `bytesMax` of entries in memory, besides those that were not handed out yet: they may not be durable either. */
  evict(bytesMax: number): void {
    if (this.#tail.bytes > bytesMax) this.#tail.evict(this.#handedOut, bytesMax);
  }

  #truncateAt(index: LogIndex): void {
    if (index <= this.#commit) {
      throw new Error(
        `log damaged: the leader's entry at ${index} differs from the committed one (commit ${this.#commit})`,
      );
    }
    this.#tail.truncateFrom(index);
    this.#runs.truncateFrom(index);
    const last = LogIndex(index - 1);
    this.#last = last;
    if (this.#written > last) this.#written = last;
    if (this.#storeLast > last && (this.#truncateFrom === undefined || this.#truncateFrom > index))
      this.#truncateFrom = index;
    this.#countDurableUpTo(last);
  }

  /**
   * A write that is under way counts only for what it shares with the log as it is now: a later acknowledgement of entries that
   * were replaced says nothing about those that took their place.
   */
  #countDurableUpTo(last: LogIndex): void {
    if (this.#stable > last) this.#stable = last;
    for (const write of this.#writes) if (write.lastIndex > last) write.lastIndex = last;
  }
}
