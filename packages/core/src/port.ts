import type { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import type { MembersCondition } from './autopilot/condition.ts';
import type { LogStoreStats } from './log/log-store.ts';
import type { OwnReport } from './member-reports.ts';
import type { MembersView } from './members/members-view.ts';
import type { WantedChange } from './members/plan-change.ts';
import type { Standing } from './members/standing.ts';
import type { AskRefusal } from './peers/leader-asks.ts';
import type { StateCheckpoint } from './peers/node-report.ts';
import type { RefusedReason } from './peers/peers.ts';
import type { EntryType, Member, Membership, RaftStatus, SnapshotMeta } from './raft/types.ts';

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
  /** Hands an unsealed control entry to the leader, wherever it is; `done` as for `propose`. */
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
  /** What this node is in its cluster. Only a member may lead. */
  readonly standing: () => Standing;
  /**
   * Changes the membership, on whichever node it is called. `done` is called once: with the index of the membership that is in force
   * then, or `refused` (nothing was changed), or `unknown` (the answer was lost: look at the membership). Throws `invalid-input` for what
   * is no change: too many steps, texts that are too long.
   */
  readonly changeMembership: (request: MembershipRequest, done: (outcome: MembershipOutcome) => void) => void;
  /** Leadership is to move: to `to`, or to the voter that has most of the log. `done` is called once, when another leads. */
  readonly handOver: (to: NodeId | undefined, done: (outcome: HandOverOutcome) => void) => void;
  /** What the leader knows of all members now: what `planChange` takes. */
  readonly members: (done: (outcome: MembersOutcome) => void) => void;
  /** What the leader's autopilot knows of all members now. Refused where the leader has none, or can't tell. */
  readonly autopilot: (done: (outcome: AutopilotOutcome) => void) => void;
  /** Compacts now up to the synced state (keeping no tail), so that a follower behind it needs a snapshot. For operators and tests. */
  readonly compactNow: () => LogIndex;
  /** The state was found damaged, and takes no entries: it is replaced by another node's, by `installSnapshot`, as soon as that can be. */
  readonly refetchState: () => void;
  readonly close: () => Promise<void>;
}

export type ProposeOutcome =
  | { readonly kind: 'appended'; readonly index: LogIndex; readonly term: Term; readonly ordinal: number }
  | { readonly kind: 'refused'; readonly reason: RefusedReason }
  | { readonly kind: 'unknown' };

export type ReadOutcome =
  | { readonly kind: 'confirmed'; readonly index: LogIndex; readonly timeMs: number }
  | { readonly kind: 'refused'; readonly reason: RefusedReason };

/**
 * One step is made at once; several go through a joint configuration, which is left by itself. A voter is a learner first, and caught
 * up. A leader that is to leave hands leadership over before.
 */
export interface MembershipRequest extends WantedChange {
  /** Compare and set: refused with `membership-moved` when the membership in force is another one. */
  readonly ifMembershipIndex?: LogIndex;
  /** Refused with `voters-min` when fewer voters would be left than that. Default 1. */
  readonly votersMin?: number;
}

export type MembershipOutcome =
  | { readonly kind: 'changed'; readonly index: LogIndex }
  | { readonly kind: 'refused'; readonly reason: AskRefusal; readonly text: string }
  | { readonly kind: 'unknown' };

export type HandOverOutcome =
  | { readonly kind: 'handed-over'; readonly to: NodeId }
  | { readonly kind: 'refused'; readonly reason: AskRefusal; readonly text: string }
  | { readonly kind: 'unknown' };

export type MembersOutcome =
  | { readonly kind: 'members'; readonly view: MembersView }
  | { readonly kind: 'refused'; readonly reason: AskRefusal; readonly text: string };

export type AutopilotOutcome =
  | { readonly kind: 'autopilot'; readonly view: MembersView; readonly condition: MembersCondition }
  | { readonly kind: 'refused'; readonly reason: AskRefusal; readonly text: string };

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
  /**
   * Checks the received snapshot in full and swaps it in, durably, before `done(true)`. Until then the old state serves. It is ahead
   * of the state, unless the state is damaged.
   */
  readonly installSnapshot: (meta: SnapshotMeta, done: (ok: boolean) => void) => void;
  /**
   * The last snapshot that `installSnapshot` swapped in, stored in the same step as the swap. After a crash between the swap
   * and the reset of the log, the driver finishes from it. A machine without it can't tell the two apart: install is refused.
   */
  readonly installedSnapshot?: () => SnapshotMeta | undefined;
  /** The state was damaged when the process started: it takes no entries until `installSnapshot` has replaced it. */
  readonly isDamaged?: () => boolean;
  /** The state at an entry of the last seconds, as a digest that is the same wherever the state is the same. For each report anew. */
  readonly checkpoint?: () => StateCheckpoint | undefined;
  /** The same at that entry; undefined where it is not known (any more, or yet). */
  readonly digestAt?: (index: number) => Uint8Array | undefined;
  /**
   * Another node's state is not the same at an entry. `isOutvoted`: most of the voters have another one, so this one is wrong, and
   * must be given up (`Consensus.refetchState`). Otherwise either may be wrong.
   */
  readonly differs?: (found: { readonly index: number; readonly node: NodeId; readonly isOutvoted: boolean }) => void;
}

export interface NodeStatus {
  readonly raft: RaftStatus;
  /** What each member has told about itself lately, this node included. */
  readonly reports: ReadonlyMap<NodeId, OwnReport>;
  readonly id: NodeId;
  /** Who they are, by the membership that is in force here. */
  readonly members: readonly Member[];
  readonly membership: Membership;
  readonly standing: Standing;
  readonly log: LogStoreStats;
  readonly proposalsWaiting: number;
  readonly electionsStarted: number;
  readonly committedEntries: number;
  readonly appliedIndex: LogIndex;
}
