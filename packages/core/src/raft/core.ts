import { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import type { InflightsMax } from './inflights.ts';
import { Lease, type LeaseOptions } from './lease.ts';
import type { RaftLimits } from './limits.ts';
import type { Progress } from './progress.ts';
import { isVoter, type Voters } from './quorum.ts';
import { RaftLog, type StoredEntries } from './raft-log.ts';
import { Reads } from './reads.ts';
import type { Entry, EntryFetch, HardState, Membership, Message, Role, SnapshotMeta } from './types.ts';
import { UncommittedBytes } from './uncommitted-bytes.ts';

export interface RaftOptions {
  readonly id: NodeId;
  /** A follower campaigns after this many to twice as many ticks without a leader, drawn anew at every change of role. */
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  /** An integer in [0, below). */
  readonly random: (below: number) => number;
  readonly hardState: HardState;
  /** The log begins after it. */
  readonly snapshot: SnapshotMeta;
  /** In force now: all membership entries up to `membershipIndex` have taken effect. */
  readonly membership: Membership;
  /** Defaults to `applied`. Larger where control entries took effect before the state machine applied them: those are not applied twice. */
  readonly membershipIndex?: LogIndex;
  /** The state machine has applied up to here (≥ snapshot.index); committed entries are handed out from the next one on. */
  readonly applied: LogIndex;
  readonly stored: StoredEntries;
  readonly limits: RaftLimits;
  /** Default true. It can be turned off for etcd's test cases only. */
  readonly preVote?: boolean;
  /** Default true. It can be turned off for etcd's test cases only. */
  readonly checkQuorum?: boolean;
  /** Default true: a leader that a change removed or demoted gives up leadership when it applies that change. */
  readonly stepDownOnRemoval?: boolean;
  /** The host's veto on campaigning (sealed, low disk). */
  readonly isElectable?: () => boolean;
  /** Lease reads (`Raft.leaseIndex`), which trust clocks: all members have them, or none. Default none. */
  readonly lease?: LeaseOptions;
}

/** Nobody: no leader, no vote, no transfer. */
export const noNode: NodeId = NodeId(0);

/**
 * All that one Raft node knows, for the files of this folder to change: election.ts, replication.ts, following.ts,
 * reconfiguration.ts. Only `Raft` owns one.
 */
export interface Core {
  readonly id: NodeId;
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  readonly random: (below: number) => number;
  readonly limits: RaftLimits;
  readonly preVote: boolean;
  readonly checkQuorum: boolean;
  readonly stepDownOnRemoval: boolean;
  readonly isElectable: () => boolean;
  readonly lease: Lease | undefined;

  readonly log: RaftLog;
  term: Term;
  vote: NodeId;
  role: Role;
  leader: NodeId;

  /** Ticks since a leader of any term was heard, or since the start. Only leases ask for it. */
  leaderElapsed: number;
  electionElapsed: number;
  heartbeatElapsed: number;
  /** Ticks without a leader until this node campaigns, as last drawn. */
  electionTimeout: number;

  membership: Membership;
  voters: Voters;
  /** All membership entries up to here have taken effect. */
  membershipIndex: LogIndex;
  /** The last membership entry that was handed out. */
  membershipHandedOut: LogIndex;
  /** Leader: no membership entry is proposed until this one has taken effect. */
  pendingMembershipIndex: LogIndex;
  /** The state machine's cursor, as the host reports it. */
  applied: LogIndex;

  /** Answers to this candidate's requests, its own included once it counts. */
  readonly votes: Map<NodeId, boolean>;
  /** The batch that makes this candidate's own vote durable; 0 when it isn't given out yet. */
  voteSequence: number;

  /** Leader: what it knows of every member, itself included, in the order of their ids. */
  progress: Map<NodeId, Progress>;
  /** Leader: some progress has `appendWanted`. */
  isAppendWanted: boolean;
  /** Leader: whom it is handing leadership to. */
  transferee: NodeId;
  readonly uncommitted: UncommittedBytes;
  readonly reads: Reads;

  /** The number of the last batch given to the host. */
  sequence: number;
  persistedSequence: number;
  /** What the host was last given to persist. */
  handedHardState: HardState;
  handedRole: Role;
  handedLeader: NodeId;

  messages: Message[];
  messagesAfterPersist: Message[];
  fetches: EntryFetch[];
  snapshotsWanted: { readonly to: NodeId; readonly minIndex: LogIndex }[];
  lastFetchId: number;
  /** The fetch of committed entries that this node needs for itself; 0 for none. */
  ownFetchId: number;
  /** Committed entries that were fetched and follow `log.handedOut`. */
  fetchedCommitted: readonly Entry[];
}

export function createCore(options: RaftOptions): Core {
  const { hardState, snapshot, applied } = options;
  const log = new RaftLog({ snapshot, stored: options.stored, commit: hardState.commit, applied });
  // The store may keep more at hand than this core keeps in memory.
  log.evict(options.limits.tailBytesMax);
  const membershipIndex = options.membershipIndex ?? applied;
  const lease = options.lease === undefined ? undefined : new Lease(options.lease);
  return {
    id: options.id,
    electionTicks: options.electionTicks,
    heartbeatTicks: options.heartbeatTicks,
    random: options.random,
    limits: options.limits,
    preVote: options.preVote ?? true,
    checkQuorum: options.checkQuorum ?? true,
    stepDownOnRemoval: options.stepDownOnRemoval ?? true,
    isElectable: options.isElectable ?? (() => true),
    lease,
    log,
    term: hardState.term,
    vote: hardState.vote,
    role: 'follower',
    leader: noNode,
    electionElapsed: 0,
    leaderElapsed: 0,
    heartbeatElapsed: 0,
    electionTimeout: options.electionTicks + options.random(options.electionTicks),
    membership: options.membership,
    voters: votersOf(options.membership),
    membershipIndex,
    membershipHandedOut: membershipIndex,
    pendingMembershipIndex: LogIndex(0),
    applied,
    votes: new Map(),
    voteSequence: 0,
    progress: new Map(),
    isAppendWanted: false,
    transferee: noNode,
    uncommitted: new UncommittedBytes(options.limits.uncommittedBytesMax),
    reads: new Reads(options.limits.readsWaitingMax, lease),
    sequence: 0,
    persistedSequence: 0,
    handedHardState: { ...hardState, commit: log.commit },
    handedRole: 'follower',
    handedLeader: noNode,
    messages: [],
    messagesAfterPersist: [],
    fetches: [],
    snapshotsWanted: [],
    lastFetchId: 0,
    ownFetchId: 0,
    fetchedCommitted: [],
  };
}

export function votersOf(membership: Membership): Voters {
  return { incoming: membership.voters, outgoing: membership.votersOutgoing };
}

export function inflightsMax(core: Core): InflightsMax {
  return { messages: core.limits.inflightMessagesMax, bytes: core.limits.inflightBytesMax };
}

/** With leases: it may have promised a leader, of whatever term, not to vote for another before an election timeout has passed. */
export function isBoundByLease(core: Core): boolean {
  return core.lease !== undefined && core.leaderElapsed < core.electionTicks;
}

/** Only a voter campaigns or counts: a learner, a removed node and one that is being restored from a snapshot don't. */
export function isPromotable(core: Core): boolean {
  return isVoter(core.voters, core.id) && !core.log.isRestoring;
}
