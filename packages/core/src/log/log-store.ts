import type { LogIndex, Term } from '@lockstep/contract/ids';
import type { Entry, HardState, Membership, PersistBatch, SnapshotMeta } from '../raft/types.ts';

/** What a node finds in its log store when it starts. */
export interface StoredLog {
  readonly hardState: HardState;
  /** The state that the log begins after; index 0 for a log from the very first entry. */
  readonly snapshot: SnapshotMeta;
  /** The membership at `snapshot`, then changed by the membership entries applied since: what was in force at `appliedMembershipIndex`. */
  readonly membership: Membership;
  readonly appliedMembershipIndex: LogIndex;
  readonly firstIndex: LogIndex;
  readonly lastIndex: LogIndex;
  /** Runs of equal terms over firstIndex..lastIndex: the first index of each run with its term. */
  readonly termRuns: readonly { readonly firstIndex: LogIndex; readonly term: Term }[];
  /** The newest entries, up to a bound in bytes, so that most reads need no disk. */
  readonly tail: readonly Entry[];
}

/**
 * The durable log of one node. Calls are answered in the order they were made, through callbacks, so that the simulator can
 * answer them from its own queue. Any failed write is fatal: the store calls `onFatal` once, answers nothing more, and refuses
 * every later call. A store never writes again after a failure.
 */
export interface LogStore {
  /** Writes batches in order as one atomic write; `done` runs when they are durable (or merely written, if none has `mustSync`). At most one write is under way: the driver merges what waits. */
  readonly write: (batches: readonly PersistBatch[], done: () => void) => void;
  /** Entries from..until (exclusive), cut at `bytesMax` but never fewer than one; `compacted` when `from` is before the log. */
  readonly read: (
    range: { readonly from: LogIndex; readonly until: LogIndex; readonly bytesMax: number },
    done: (entries: readonly Entry[] | 'compacted') => void,
  ) => void;
  /** Forgets everything up to and including `snapshot.index`. The new first index is durable before anything is deleted. */
  readonly compact: (snapshot: SnapshotMeta, done: () => void) => void;
  /** Records the membership in force after applying the entry at `index` (control entries take effect in the log database, sealed or not). */
  readonly saveMembership: (membership: Membership, index: LogIndex, done: () => void) => void;
  readonly stats: () => LogStoreStats;
  readonly close: () => Promise<void>;
}

export interface LogStoreStats {
  readonly lastSyncMs: number;
  readonly oldestPendingMs: number;
  readonly writes: number;
  readonly syncs: number;
}
