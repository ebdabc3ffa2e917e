import { LogIndex } from '@lockstep/contract/ids';
import type { ApplyFeed } from './apply-feed.ts';
import { compactionBytes, compactionEntries, sizeCheckpointEntries, tailBytesKept, tailEntriesKept } from './limits.ts';
import type { LogStore } from './log/log-store.ts';
import type { MembershipHistory } from './membership-history.ts';
import type { Entry, SnapshotMeta } from './raft/types.ts';

/** When to compact and what to leave. The simulator makes them small. */
export interface CompactionPolicy {
  readonly everyEntries: number;
  readonly everyBytes: number;
  readonly tailEntries: number;
  readonly tailBytes: number;
}

export const defaultCompaction: CompactionPolicy = {
  everyEntries: compactionEntries,
  everyBytes: compactionBytes,
  tailEntries: tailEntriesKept,
  tailBytes: tailBytesKept,
};

export interface CompactionOptions {
  readonly store: LogStore;
  readonly feed: ApplyFeed;
  readonly memberships: MembershipHistory;
  readonly policy: CompactionPolicy;
  /** The log begins after this. */
  readonly floor: LogIndex;
  /** The lowest index that a follower's snapshot still needs the log from. */
  readonly heldAt: () => LogIndex | undefined;
  readonly enter: (run: () => void) => void;
  readonly onCompacted: (snapshot: SnapshotMeta) => void;
}

/**
 * Forgets the old part of the log: never past what the state machine has fsynced, nor past what a follower that installs a
 * snapshot still needs, and leaving a tail for followers that were away for a moment.
 */
export class Compaction {
  readonly #options: CompactionOptions;
  #floor: LogIndex;
  #synced: LogIndex = LogIndex(0);
  #bytes = 0;
  #isRunning = false;
  /** Bytes applied before each of some indexes, to find where the tail reaches its bytes. */
  readonly #sizes: { readonly index: LogIndex; readonly bytesBefore: number }[] = [];
  #bytesTotal = 0;
  count = 0;

  constructor(options: CompactionOptions) {
    this.#options = options;
    this.#floor = options.floor;
  }

  /** The log begins after this entry, or will when the compaction under way is done. */
  get floor(): LogIndex {
    return this.#floor;
  }

  /** The state was replaced, durably, by one at `index`, which may be an earlier one. */
  stateReplaced(index: LogIndex): void {
    this.#synced = index;
  }

  /** The state's own database is fsynced up to here. */
  synced(index: LogIndex): void {
    this.#synced = LogIndex(Math.max(this.#synced, index));
  }

  applied(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.index % sizeCheckpointEntries === 0)
        this.#sizes.push({ index: entry.index, bytesBefore: this.#bytesTotal });
      this.#bytesTotal += entry.data.length;
      this.#bytes += entry.data.length;
    }
  }

  logReset(index: LogIndex): void {
    this.#floor = index;
    this.#sizes.length = 0;
    this.#bytes = 0;
  }

  /** Once for each tick: compacts if the policy asks for it. */
  maybeCompact(): void {
    const { feed, policy } = this.#options;
    const isDue =
      feed.applied - this.#floor >= policy.everyEntries + policy.tailEntries || this.#bytes >= policy.everyBytes;
    if (isDue) this.#compactTo(Math.min(this.#possible(), feed.applied - this.#tailEntries()));
  }

  /** Now, leaving no tail. Answers where the log will begin. */
  compactNow(): LogIndex {
    this.#compactTo(this.#possible());
    return this.#floor;
  }

  #possible(): number {
    const { feed, heldAt } = this.#options;
    // A state that was just switched to a snapshot is ahead of the log, until the log is reset.
    return Math.min(this.#synced, feed.applied, feed.known, heldAt() ?? Number.POSITIVE_INFINITY);
  }

  #tailEntries(): number {
    const { policy, feed } = this.#options;
    const tooOld = this.#sizes.findLast((size) => this.#bytesTotal - size.bytesBefore > policy.tailBytes);
    return tooOld === undefined ? policy.tailEntries : Math.min(policy.tailEntries, feed.applied - tooOld.index);
  }

  #compactTo(target: number): void {
    if (this.#isRunning || target <= this.#floor) return;
    const index = LogIndex(target);
    const membership = this.#options.memberships.at(index);
    // The state lies behind a membership change of an earlier run: it will be possible when the state has caught up.
    if (membership === undefined) return;
    const snapshot: SnapshotMeta = { id: '', index, term: this.#options.feed.termAt(index), membership };
    this.#isRunning = true;
    this.#floor = index;
    this.#bytes = 0;
    this.#options.store.compact(snapshot, () => this.#options.enter(() => this.#compacted(snapshot)));
  }

  #compacted(snapshot: SnapshotMeta): void {
    this.#isRunning = false;
    this.count++;
    const keep = this.#sizes.findIndex((size) => size.index > snapshot.index);
    this.#sizes.splice(0, keep === -1 ? this.#sizes.length : keep);
    this.#options.onCompacted(snapshot);
  }
}
