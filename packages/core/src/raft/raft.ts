import { LogIndex, type NodeId, Term } from '@lockstep/contract/ids';
import { type Core, createCore, isBoundByLease, noNode, type RaftOptions } from './core.ts';
import { campaign, checkQuorum, handleVote, handleVoteReply, ownVotePersisted } from './election.ts';
import { handleAppend, handleHeartbeat, handleSnapshot } from './following.ts';
import { hasReady, ownEntriesFetched, takeReady } from './output.ts';
import type { Progress } from './progress.ts';
import {
  abortTransfer,
  acknowledgeOwn,
  appendOwn,
  broadcastHeartbeat,
  handleAppendReply,
  handleHeartbeatReply,
  hasCommittedInTerm,
  peerEntriesFetched,
  transferLeadership,
  whyNoProposal,
} from './replication.ts';
import { applyMembership, isChangePending, leaveJointIfDue, proposeMembership } from './reconfiguration.ts';
import { becomeFollower, drawTimeout } from './roles.ts';
import type {
  Entry,
  Membership,
  MembershipChange,
  Message,
  Proposed,
  RaftStatus,
  Ready,
  Role,
  SnapshotMeta,
} from './types.ts';

/**
 * One node's Raft: messages, ticks and proposals go in, and `ready()` says what is to be written, sent, applied and answered.
 * It has etcd-raft's semantics and no I/O, clock or randomness of its own. Not re-entrant; a thrown error means that the log is
 * damaged or the host broke a promise, and the process must stop.
 */
export class Raft {
  readonly #core: Core;

  /** `core` is given by tests that look inside. */
  constructor(options: RaftOptions, core: Core = createCore(options)) {
    this.#core = core;
  }

  get lastIndex(): LogIndex {
    return this.#core.log.lastIndex;
  }

  get term(): Term {
    return this.#core.term;
  }

  get role(): Role {
    return this.#core.role;
  }

  /** 0 when none is known. */
  get leader(): NodeId {
    return this.#core.leader;
  }

  get commit(): LogIndex {
    return this.#core.log.commit;
  }

  /** Leader: an entry of its term is committed. */
  get hasCommittedInTerm(): boolean {
    return this.#core.role === 'leader' && hasCommittedInTerm(this.#core);
  }

  /** Leader: a membership change may not have taken effect yet. */
  get isMembershipPending(): boolean {
    return isChangePending(this.#core);
  }

  /**
   * Takes a message from another node. A `snapshot` must be stepped only once the host holds the snapshot's contents: a batch
   * with it may follow at once.
   */
  step(message: Message): void {
    const core = this.#core;
    if (message.to !== core.id || message.from === core.id || message.term === 0) return;
    if ((message.type === 'vote' || message.type === 'pre-vote') && !message.transfer && isBoundByLease(core)) return;
    if (message.term > core.term && !meetLaterTerm(core, message)) return;
    if (message.term < core.term) {
      answerEarlierTerm(core, message);
      return;
    }
    if (message.type === 'vote' || message.type === 'pre-vote') handleVote(core, message);
    else if (core.role === 'leader') stepLeader(core, message);
    else stepFollower(core, message);
  }

  /** One tick of the host's clock passed. A host that slept ticks once, not once for every tick it missed. */
  tick(): void {
    const core = this.#core;
    core.electionElapsed += 1;
    core.leaderElapsed += 1;
    if (core.role === 'leader') {
      tickLeader(core);
    } else if (core.electionElapsed >= core.electionTimeout) {
      tickWithoutLeader(core);
    }
  }

  /** Appends one entry for each item, at `lastIndex + 1` and after. Only a leader takes them: forwarding is the host's. */
  propose(data: readonly Uint8Array[], type: 'transactions' | 'control' = 'transactions'): Proposed {
    const core = this.#core;
    const reason = whyNoProposal(core);
    if (reason !== undefined) return { kind: 'dropped', reason };
    let bytes = 0;
    for (const item of data) bytes += item.length;
    if (!core.uncommitted.hasRoom(bytes)) return { kind: 'dropped', reason: 'uncommitted-limit' };
    return { kind: 'appended', firstIndex: appendOwn(core, data, type), term: core.term };
  }

  /**
   * A linearizable read: `id` comes back in `reads` with the index that must be applied before the read is answered, or in
   * `readsDropped` when this node isn't the leader (any more), is handing leadership over, or has too many waiting.
   */
  readIndex(id: number): void {
    const core = this.#core;
    if (core.role === 'leader' && core.transferee === noNode) core.reads.ask(id);
    else core.reads.drop(id);
  }

  /**
   * The commit index, while this leader holds a lease: a read of a state that has applied it is linearizable, if the value is read
   * and then this is asked in the same synchronous turn. Undefined without a lease: use `readIndex`.
   */
  leaseIndex(): LogIndex | undefined {
    const core = this.#core;
    const isAlone = core.role === 'leader' && core.transferee === noNode && core.lease?.isHeld === true;
    return isAlone && hasCommittedInTerm(core) ? core.log.commit : undefined;
  }

  /** As if the election timer had fired. */
  campaign(): void {
    campaign(this.#core, this.#core.preVote ? 'pre-vote' : 'vote');
  }

  /** Only on the leader; elsewhere, and for a node that is no voter, nothing happens. */
  transferLeader(to: NodeId): void {
    if (this.#core.role === 'leader') transferLeadership(this.#core, to);
  }

  /** Leads no more, and campaigns no more: for a host that learned that it must not. It goes on as a follower of nobody. */
  stepDown(): void {
    if (this.#core.role !== 'follower') becomeFollower(this.#core, this.#core.term, noNode);
  }

  /** A follower forgets its leader, so that it may vote for another before its election timer fires. Not with leases: it has promised not to. */
  forgetLeader(): void {
    if (this.#core.lease === undefined && this.#core.role === 'follower') this.#core.leader = noNode;
  }

  /** The stream to `node` broke: what was sent on it may be lost, so it is probed again. */
  reportUnreachable(node: NodeId): void {
    const peer = this.#core.progress.get(node);
    if (peer?.state === 'replicate' && node !== this.#core.id) peer.becomeProbe();
  }

  /** The answer to `snapshotsWanted`: the host can serve this snapshot to the peer, which is told of it. */
  snapshotOffered(to: NodeId, meta: SnapshotMeta): void {
    const core = this.#core;
    const peer = core.progress.get(to);
    if (!peer?.isSnapshotWanted) return;
    peer.becomeSnapshot(meta.index);
    core.messages.push({ type: 'snapshot', from: core.id, to, term: core.term, meta });
  }

  /** No snapshot could be made, or the peer could not take it. Tried again after the peer's next sign of life. */
  snapshotFailed(to: NodeId): void {
    const peer = this.#core.progress.get(to);
    if (peer?.state === 'snapshot' || peer?.isSnapshotWanted) peer.snapshotFailed();
  }

  /** All batches up to `sequence` are durable. Called in order. */
  persisted(sequence: number): void {
    const core = this.#core;
    if (sequence > core.sequence)
      throw new Error(`batch ${sequence} is durable, but only ${core.sequence} were given out`);
    if (sequence <= core.persistedSequence) return;
    core.persistedSequence = sequence;
    core.log.persisted(sequence);
    if (core.role === 'leader') acknowledgeOwn(core);
    else ownVotePersisted(core, sequence);
  }

  /** The state machine has applied up to `index`. */
  appliedTo(index: LogIndex): void {
    const core = this.#core;
    if (index > core.log.handedOut) throw new Error(`applied ${index}, but only ${core.log.handedOut} was handed out`);
    if (index <= core.applied) return;
    core.applied = index;
    core.uncommitted.appliedTo(index);
    leaveJointIfDue(core);
  }

  /**
   * Appends a membership change; it takes effect when the host calls `applyMembership` for it. Refused, with nothing appended,
   * while another is pending, before this term's first entry has committed, and when it can't be made of the membership in force.
   */
  proposeMembership(change: MembershipChange): Proposed {
    return proposeMembership(this.#core, change);
  }

  /**
   * The host calls it for each committed entry of type `membership`, in order, at once, before anything else that follows in the
   * same `ready()` is counted on. Returns the membership in force: a change that can't be made, or `undefined` for one that the host refused, changes nothing.
   */
  applyMembership(change: MembershipChange | undefined, index: LogIndex): Membership {
    return applyMembership(this.#core, change, index);
  }

  /** The answer to the fetch `id`. An answer to an earlier fetch, or in an earlier term or role, is ignored. */
  entriesFetched(id: number, entries: readonly Entry[] | 'compacted'): void {
    const core = this.#core;
    if (id === 0) return;
    if (id === core.ownFetchId) {
      ownEntriesFetched(core, entries);
      return;
    }
    for (const peer of core.progress.values()) if (peer.fetchId === id) peerEntriesFetched(core, peer, entries);
  }

  /** The host's store has forgotten everything up to `meta.index`. */
  compacted(meta: SnapshotMeta): void {
    this.#core.log.compact({ firstIndex: meta.index, term: meta.term });
  }

  hasReady(): boolean {
    return hasReady(this.#core);
  }

  ready(): Ready {
    return takeReady(this.#core);
  }

  /** For operators and tests; allocates. */
  status(): RaftStatus {
    const core = this.#core;
    const { log, role } = core;
    return {
      id: core.id,
      role,
      term: core.term,
      vote: core.vote,
      leader: core.leader,
      commit: log.commit,
      applied: core.applied,
      stable: log.stable,
      firstIndex: log.firstIndex,
      lastIndex: log.lastIndex,
      lastTerm: log.lastTerm,
      tailFirstIndex: log.tailFirstIndex,
      tailBytes: log.tailBytes,
      uncommittedBytes: core.uncommitted.bytes,
      readsWaiting: core.reads.waitingCount,
      leaseIndex: this.leaseIndex(),
      membership: core.membership,
      isMembershipPending: role === 'leader' && isChangePending(core),
      progress: [...core.progress.values()].map((peer) => peer.status()),
    };
  }
}

/** False when the message is to be ignored. Otherwise this node has entered the message's term, unless it only asks about it. */
function meetLaterTerm(core: Core, message: Message): boolean {
  const isVote = message.type === 'vote' || message.type === 'pre-vote';
  if (
    isVote &&
    !message.transfer &&
    core.checkQuorum &&
    core.leader !== noNode &&
    core.electionElapsed < core.electionTicks
  ) {
    // It hears from its leader: a node that was cut off or removed must not disturb it (thesis §4.2.3).
    return false;
  }
  // A pre-vote's term isn't anybody's yet, nor is that of a granted one.
  if (message.type === 'pre-vote' || (message.type === 'pre-vote-reply' && !message.rejected)) return true;
  const isFromLeader = message.type === 'append' || message.type === 'heartbeat' || message.type === 'snapshot';
  becomeFollower(core, message.term, isFromLeader ? message.from : noNode);
  return true;
}

function answerEarlierTerm(core: Core, message: Message): void {
  const { id: from, term } = core;
  const to = message.from;
  if (message.type === 'append' || message.type === 'heartbeat') {
    if (!core.checkQuorum && !core.preVote) return;
    // A leader that stickiness or pre-vote keeps from ever hearing of this node's later term must learn of it, or this node stays stuck.
    const [index, hintIndex, hintTerm] = [LogIndex(0), LogIndex(0), Term(0)];
    core.messagesAfterPersist.push({
      type: 'append-reply',
      from,
      to,
      term,
      index,
      rejected: false,
      hintIndex,
      hintTerm,
    });
  } else if (message.type === 'pre-vote') {
    // Silence would let a mixed cluster deadlock: the candidate must learn of the later term.
    core.messagesAfterPersist.push({ type: 'pre-vote-reply', from, to, term, rejected: true });
  }
}

function stepFollower(core: Core, message: Message): void {
  switch (message.type) {
    case 'append':
      follow(core, message.from);
      handleAppend(core, message);
      return;
    case 'heartbeat':
      follow(core, message.from);
      handleHeartbeat(core, message);
      return;
    case 'snapshot':
      follow(core, message.from);
      handleSnapshot(core, message);
      return;
    case 'vote-reply':
    case 'pre-vote-reply':
      handleVoteReply(core, message);
      return;
    case 'timeout-now':
      // Never with a pre-vote: the leader has decided already.
      if (core.role === 'follower') campaign(core, 'transfer');
      return;
    default:
    // Answers to a leader that this node isn't any more.
  }
}

/** A leader of this term was heard: a candidate has lost, a follower waits anew. */
function follow(core: Core, leader: NodeId): void {
  if (core.role !== 'follower') becomeFollower(core, core.term, leader);
  core.electionElapsed = 0;
  core.leaderElapsed = 0;
  core.leader = leader;
}

function stepLeader(core: Core, message: Message): void {
  const peer: Progress | undefined = core.progress.get(message.from);
  if (peer === undefined) return;
  if (message.type === 'append-reply') handleAppendReply(core, peer, message);
  else if (message.type === 'heartbeat-reply') handleHeartbeatReply(core, peer, message);
}

/** Nothing was heard for an election timeout: campaigns, or, if it may not, is asked again after another one. */
function tickWithoutLeader(core: Core): void {
  core.electionTimeout = core.electionElapsed + drawTimeout(core);
  campaign(core, core.preVote ? 'pre-vote' : 'vote');
  // The ticks go on being counted: a node that may not lead must not take the silence for a leader, and keep its vote from those who may.
  if (core.role === 'follower') core.leader = noNode;
}

function tickLeader(core: Core): void {
  core.heartbeatElapsed += 1;
  if (core.electionElapsed >= core.electionTicks) {
    core.electionElapsed = 0;
    if (core.checkQuorum) checkQuorum(core);
    if (core.role !== 'leader') return;
    abortTransfer(core);
  }
  leaveJointIfDue(core);
  if (core.heartbeatElapsed >= core.heartbeatTicks) {
    core.heartbeatElapsed = 0;
    broadcastHeartbeat(core);
  }
}
