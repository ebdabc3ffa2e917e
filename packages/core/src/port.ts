import type { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import type { LogStoreStats } from './log/log-store.ts';
import type { OwnReport } from './member-reports.ts';
import type { RefusedReason } from './peers/peers.ts';
import type { EntryType, Membership, RaftStatus, SnapshotMeta } from './raft/types.ts';

/**
 * The consensus port: all that the rest of Lockstep knows of Raft, in bytes and numbers. Its side owns the log database, the
 * peers and the entry encoder; the other side owns state, handlers and doors.
 */
export interface Consensus {
  /**
   * Hands one transaction to the leader, wherever it is. `done` is called once: with the place where the leader put it (it
   * is not committed yet: wait for the apply of that index and compare the term), or `refused` (nothing was appended, safe
   * to send again), or `unknown` (the answer was lost). Refused with `disk-full` while the disks can't take it, unless it
   * `isRelief`: what deletes or revokes is taken until nothing at all can be stored.
   */
  readonly propose: (
    transaction: Uint8Array,
    done: (outcome: ProposeOutcome) => void,
    asked?: { readonly isRelief: boolean },
  ) => void;
  /** Proposes an unsealed control entry. Only on the leader; otherwise refused with `no-leader`. */
  readonly proposeControl: (data: Uint8Array, done: (outcome: ProposeOutcome) => void) => void;
  /**
   * Confirms with a quorum that no later write was acknowledged before this call, batched over all callers of a turn. When
   * `index` is applied here, the state is at least as new as any write acknowledged before the call. `timeMs` is the leader's log time.
   */
  readonly readIndex: (done: (outcome: ReadOutcome) => void) => void;
  /** The state machine reports up to where its own database is fsynced: compaction never passes it. */
  readonly stateSynced: (index: LogIndex) => void;
  readonly status: () => NodeStatus;
  /** Why this node takes no part any more, neither votes nor acknowledges nor answers; undefined where it does. */
  readonly quarantine: () => string | undefined;
  /** Compacts now up to the synced state (keeping no tail), so that a follower behind it needs a snapshot. For operators and tests. */
  readonly compactNow: () => LogIndex;
  readonly close: () => Promise<void>;
}

export type ProposeOutcome =
  | { readonly kind: 'appended'; readonly index: LogIndex; readonly term: Term; readonly ordinal: number }
  | { readonly kind: 'refused'; readonly reason: RefusedReason }
  | { readonly kind: 'unknown' };

export type ReadOutcome =
  | { readonly kind: 'confirmed'; readonly index: LogIndex; readonly timeMs: number }
  | { readonly kind: 'refused'; readonly reason: RefusedReason };

export interface CommittedEntry {
  readonly index: LogIndex;
  readonly term: Term;
  readonly type: EntryType;
  readonly data: Uint8Array;
}

/** Seals one entry's transactions for its place in the log. Only the leader calls it, and only while it is unsealed. */
export interface EntryEncoder {
  readonly encode: (
    place: { readonly index: LogIndex; readonly term: Term },
    timeMs: number,
    transactions: readonly Uint8Array[],
  ) => Uint8Array;
}

/** The other side of the port. All calls come from the driver's loop, one at a time; none may throw. */
export interface StateMachine {
  /** Undefined while sealed: then this node orders no client's transaction. */
  readonly encoder: () => EntryEncoder | undefined;
  /** The last log time known to the state, so that a new leader never stamps an earlier one. */
  readonly lastTimeMs: () => number;
  /** Committed and durable here, in order, each once per run. A sealed node keeps them in the log and takes them later: it answers false, and the driver offers them again after `resumeApply`. */
  readonly apply: (entries: readonly CommittedEntry[]) => boolean;
  /**
   * A committed control entry, offered at commit whether sealed or not, before (and independent of) `apply`, which is given
   * it too. It may be offered again after a restart: the machine keeps its own cursor for control entries.
   */
  readonly control: (entry: CommittedEntry) => void;
  /** The last index in the state's own database, when the process started. */
  readonly appliedIndex: () => LogIndex;
  /** Writes the state as of its applied index into a file (or whatever the implementation reads back), and names it. */
  readonly takeSnapshot: (
    done: (snapshot: { readonly id: string; readonly index: LogIndex } | undefined) => void,
  ) => void;
  /** Bytes of a snapshot that was taken here; undefined when it is gone. `total` is its length in bytes. */
  readonly readSnapshot: (
    at: { readonly id: string; readonly offset: number; readonly bytesMax: number },
    done: (chunk: { readonly data: Uint8Array; readonly total: number } | undefined) => void,
  ) => void;
  /** Stores bytes of a snapshot that another node offers; `received` answers how many bytes are here already (resume). */
  readonly receiveSnapshot: (
    at: { readonly id: string; readonly offset: number; readonly data: Uint8Array },
    done: (ok: boolean) => void,
  ) => void;
  readonly receivedBytes: (id: string) => number;
  /** Checks the received snapshot in full and swaps it in, durably, before `done(true)`. Until then the old state serves. */
  readonly installSnapshot: (meta: SnapshotMeta, done: (ok: boolean) => void) => void;
  /**
   * The last snapshot that `installSnapshot` swapped in, stored in the same step as the swap. After a crash between the swap
   * and the reset of the log, the driver finishes from it. A machine without it can't tell the two apart: install is refused.
   */
  readonly installedSnapshot?: () => SnapshotMeta | undefined;
}

export interface NodeStatus {
  readonly raft: RaftStatus;
  /** What each member has told about itself lately, this node included. */
  readonly reports: ReadonlyMap<NodeId, OwnReport>;
  readonly id: NodeId;
  readonly members: readonly { readonly node: NodeId; readonly address: string }[];
  readonly membership: Membership;
  readonly log: LogStoreStats;
  readonly proposalsWaiting: number;
  readonly electionsStarted: number;
  readonly committedEntries: number;
  readonly appliedIndex: LogIndex;
}
