import { LogIndex, type NodeId, Term } from '@lockstep/contract/ids';
import { type Core, inflightsMax, isBoundByLease, isPromotable, noNode } from './core.ts';
import { progressOf } from './progress.ts';
import { type VoteResult, voteResult } from './quorum.ts';
import { acknowledgeOwn, appendOwn } from './replication.ts';
import { becomeCandidate, becomeFollower, becomePreCandidate, reset } from './roles.ts';
import type { KnownCommit, Message } from './types.ts';

type MessageOf<Type extends Message['type']> = Extract<Message, { type: Type }>;

/** How a campaign begins: with a pre-vote, at once, or at once on a leader's behalf, which others grant though they hear from that leader. */
export type CampaignKind = 'pre-vote' | 'vote' | 'transfer';

/** Campaigns, if this node may: it leads already, is no voter, must install a snapshot, or has a committed membership change before it otherwise. */
export function campaign(core: Core, kind: CampaignKind): void {
  if (core.role === 'leader' || !isPromotable(core) || hasUnappliedMembership(core) || !core.isElectable()) return;
  if (kind !== 'transfer' && isBoundByLease(core)) return;
  if (kind === 'pre-vote') {
    becomePreCandidate(core);
    // A pre-vote promises nothing, so its own yes needs no disk.
    core.votes.set(core.id, true);
    requestVotes(core, kind);
    countVotes(core);
  } else {
    startElection(core, kind);
  }
}

function startElection(core: Core, kind: 'vote' | 'transfer'): void {
  becomeCandidate(core);
  requestVotes(core, kind);
}

function requestVotes(core: Core, kind: CampaignKind): void {
  const type = kind === 'pre-vote' ? 'pre-vote' : 'vote';
  const term = kind === 'pre-vote' ? Term(core.term + 1) : core.term;
  const { id: from, log } = core;
  const { lastIndex, lastTerm } = log;
  // A learner has no vote, but may be the only one left that heard how far the log is committed, and tells it.
  const learners = kind === 'pre-vote' ? core.membership.learners : [];
  for (const to of new Set([...core.voters.incoming, ...core.voters.outgoing, ...learners])) {
    if (to !== from) core.messages.push({ type, from, to, term, lastIndex, lastTerm, transfer: kind === 'transfer' });
  }
}

/**
 * A committed membership change that has not taken effect here yet: the votes would be counted over the wrong members.
 * Entries that aren't in memory might be such changes, until they are handed out.
 */
function hasUnappliedMembership(core: Core): boolean {
  const { log } = core;
  if (core.membershipHandedOut > core.membershipIndex) return true;
  for (let index = LogIndex(log.handedOut + 1); index <= log.commit; index = LogIndex(index + 1)) {
    const entry = log.entryAt(index);
    const isChange = entry === undefined || entry.type === 'membership';
    if (isChange && index > core.membershipIndex) return true;
  }
  return false;
}

/** Grants a vote if the candidate's log is at least as good and this node is free to (Raft §5.2, §5.4.1). The reply waits for the disk. */
export function handleVote(core: Core, request: MessageOf<'vote' | 'pre-vote'>): void {
  const isFree =
    core.vote === request.from ||
    (core.vote === noNode && core.leader === noNode) ||
    (request.type === 'pre-vote' && request.term > core.term);
  const isGranted = isFree && core.log.isUpToDate(request.lastIndex, request.lastTerm);
  const type = request.type === 'vote' ? 'vote-reply' : 'pre-vote-reply';
  // A grant answers in the term that was asked about, which for a pre-vote isn't this node's; a refusal tells this node's.
  const term = isGranted ? request.term : core.term;
  const known = { commit: core.log.commit, commitTerm: core.log.termAt(core.log.commit) ?? Term(0) };
  core.messagesAfterPersist.push({ type, from: core.id, to: request.from, term, rejected: !isGranted, ...known });
  if (isGranted && request.type === 'vote') {
    core.electionElapsed = 0;
    core.vote = request.from;
  }
}

/** Counts an answer to this node's own request; the first answer of each node counts. */
export function handleVoteReply(core: Core, reply: MessageOf<'vote-reply' | 'pre-vote-reply'>): void {
  learnCommit(core, reply);
  const awaited = {
    follower: undefined,
    'pre-candidate': 'pre-vote-reply',
    candidate: 'vote-reply',
    leader: undefined,
  };
  if (reply.type !== awaited[core.role]) return;
  if (!core.votes.has(reply.from)) core.votes.set(reply.from, !reply.rejected);
  countVotes(core);
}

/** An entry that is committed there is committed here too, if this log holds it: then all before it is the same (Raft §5.3). */
function learnCommit(core: Core, { commit, commitTerm }: KnownCommit): void {
  if (commit !== undefined && commitTerm !== undefined && core.log.matches(commit, commitTerm))
    core.log.commitTo(commit);
}

/** Batches up to `sequence` are durable: with them, perhaps, this candidate's vote for itself. */
export function ownVotePersisted(core: Core, sequence: number): void {
  if (core.role !== 'candidate' || core.voteSequence === 0 || core.voteSequence > sequence) return;
  core.voteSequence = 0;
  core.votes.set(core.id, true);
  countVotes(core);
}

function countVotes(core: Core): void {
  const result: VoteResult = voteResult(core.voters, (node) => core.votes.get(node));
  if (result === 'lost') {
    becomeFollower(core, core.term, noNode);
  } else if (result === 'won' && core.role === 'pre-candidate') {
    startElection(core, 'vote');
  } else if (result === 'won' && core.votes.has(core.id)) {
    // Its own vote must be durable even if the others' suffice: a node that led a term, crashed and forgot it could be elected
    // by the same voters again, and would give other entries the places that it had given away in its first life.
    becomeLeader(core);
  }
}

function becomeLeader(core: Core): void {
  reset(core, core.term);
  core.role = 'leader';
  core.leader = core.id;
  const next = LogIndex(core.log.lastIndex + 1);
  core.progress = progressOf(core.membership, { known: new Map(), next, max: inflightsMax(core) });
  // Until these have taken effect here, no membership change is proposed: one of them may be one.
  core.pendingMembershipIndex = core.log.lastIndex;
  acknowledgeOwn(core);
  core.progress.get(core.id)?.becomeReplicate();
  // Only an entry of its own term shows a leader what is committed (Raft §5.4.2, §8). Empty, so that no limit can refuse it.
  appendOwn(core, [new Uint8Array(0)], 'noop');
}

/** Every election timeout: a leader that a quorum was not heard from since the last time steps down. */
export function checkQuorum(core: Core): void {
  const isHeard = (node: NodeId): boolean => node === core.id || (core.progress.get(node)?.isRecentlyActive ?? false);
  if (voteResult(core.voters, isHeard) !== 'won') {
    becomeFollower(core, core.term, noNode);
    return;
  }
  for (const peer of core.progress.values()) if (peer.node !== core.id) peer.isRecentlyActive = false;
}
