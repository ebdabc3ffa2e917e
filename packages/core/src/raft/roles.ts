import { LogIndex, type NodeId, Term } from '@lockstep/contract/ids';
import { type Core, noNode } from './core.ts';

/** Follows `leader` (or nobody yet) in `term`, which is this node's or later. */
export function becomeFollower(core: Core, term: Term, leader: NodeId): void {
  reset(core, term);
  core.role = 'follower';
  core.leader = leader;
}

/** Asks whether it could win, without touching term or vote (thesis §9.6). */
export function becomePreCandidate(core: Core): void {
  if (core.role === 'leader') throw new Error('a leader does not campaign');
  core.votes.clear();
  core.voteSequence = 0;
  core.role = 'pre-candidate';
  core.leader = noNode;
  core.electionElapsed = 0;
  core.electionTimeout = drawTimeout(core);
}

/** Enters the next term and votes for itself. The vote counts once it is durable. */
export function becomeCandidate(core: Core): void {
  if (core.role === 'leader') throw new Error('a leader does not campaign');
  reset(core, Term(core.term + 1));
  core.vote = core.id;
  core.role = 'candidate';
}

/** Forgets what belongs to the role and the term that end: votes, reads, a transfer, what peers have. */
export function reset(core: Core, term: Term): void {
  if (term < core.term) throw new Error(`term went back from ${core.term} to ${term}`);
  if (term !== core.term) {
    core.term = term;
    core.vote = noNode;
  }
  core.leader = noNode;
  core.electionElapsed = 0;
  core.heartbeatElapsed = 0;
  core.electionTimeout = drawTimeout(core);
  core.transferee = noNode;
  core.votes.clear();
  core.voteSequence = 0;
  core.progress = new Map();
  core.isAppendWanted = false;
  core.pendingMembershipIndex = LogIndex(0);
  core.uncommitted.clear();
  core.reads.reset();
  // A peer's fetch or snapshot that the host was not asked for yet is not needed any more; this node's own fetch is.
  if (core.fetches.length > 0) core.fetches = core.fetches.filter((fetch) => fetch.to === core.id);
  core.snapshotsWanted = [];
}

/** One to two election timeouts, so that nodes rarely campaign together, and not again and again. */
export function drawTimeout(core: Core): number {
  return core.electionTicks + core.random(core.electionTicks);
}
