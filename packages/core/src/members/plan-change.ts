import { LogIndex, type NodeId } from '@lockstep/contract/ids';
import { promotionLagEntriesMax } from '../limits.ts';
import { changeMembership, isJoint, membersOf } from '../raft/membership.ts';
import { encodeMembers } from '../raft/roster-codec.ts';
import { isRemoved } from '../raft/roster.ts';
import type { Member, Membership, MembershipChange, MembershipStep } from '../raft/types.ts';
import type { Timings } from '../timings.ts';
import { healthOf, lagOf, type MembersView } from './members-view.ts';

/** Why a change is refused. Nothing was changed. */
export type ChangeRefusal =
  /** The membership is not the one that the change was made for any more. */
  | 'membership-moved'
  | 'change-pending'
  | 'joint'
  /** The leader is new: no entry of its term is committed yet. */
  | 'not-ready'
  | 'quorum-lost'
  | 'not-caught-up'
  | 'voters-min'
  | 'last-voter'
  /** The node was removed: it must join under a new id. */
  | 'removed'
  | 'not-member'
  /** It is so already. */
  | 'no-change'
  | 'invalid';

export interface Refusal {
  readonly reason: ChangeRefusal;
  /** In lower case, naming the thing and the rule. */
  readonly text: string;
}

/** What a change is held to. */
export interface ChangeRules {
  /** The change is for the membership that this entry made; undefined for whichever is in force. */
  readonly ifMembershipIndex: LogIndex | undefined;
  /** Voters are not made fewer than this. */
  readonly votersMin: number;
  /** A learner at most this many entries behind is caught up. */
  readonly lagEntriesMax: number;
  /** Who was silent for longer is not there. */
  readonly silentMsMax: number;
}

/** The quorum of one membership. In a joint one both halves must have theirs: the worse half is told. */
export interface QuorumState {
  readonly voters: readonly NodeId[];
  readonly learners: readonly NodeId[];
  /** How many voters a majority takes. */
  readonly quorum: number;
  /** Voters that are there now, the leader included. */
  readonly reachable: number;
  /** Voters that may fail when all of them are there. */
  readonly failuresTolerated: number;
  /** Voters that may fail from now on; below 0 there is no quorum. */
  readonly failuresLeft: number;
}

export interface ChangePlan {
  readonly membershipIndex: LogIndex;
  readonly before: QuorumState;
  /** As it would be, were it not refused. */
  readonly after: QuorumState;
  /** It takes two entries: both majorities agree until the second. */
  readonly isJoint: boolean;
  /** The leader hands leadership over first. */
  readonly isLeaderLeaving: boolean;
  /** Empty: the change would be made. */
  readonly refusals: readonly Refusal[];
}

/** What is to be changed, and what is new about the nodes in it. */
export interface WantedChange {
  readonly steps: readonly MembershipStep[];
  readonly members: readonly Member[];
}

export function changeOf({ steps, members }: WantedChange): MembershipChange {
  return { transition: 'auto', steps, context: encodeMembers(members) };
}

/**
 * Says what a change would do to the quorum, and everything that speaks against it: a function of what the leader knows. The leader
 * holds every change to it; anybody may ask beforehand.
 */
export function planChange(view: MembersView, wanted: WantedChange, rules: ChangeRules): ChangePlan {
  const { membership } = view;
  const after = membershipAfter(membership, wanted.steps);
  const outcome = changeMembership(membership, changeOf(wanted), LogIndex(view.lastIndex + 1));
  const states = {
    before: quorumState(view, membership, rules),
    after: quorumState(view, after, rules),
  };
  const refusals = [
    ...refusedNow(view, rules),
    ...wanted.steps.flatMap((step) => refusedSteps(view, step, rules)),
    ...refusedQuorum(states, rules),
    ...refusedSuccession(view, after),
  ];
  if (outcome.kind === 'refused' && refusals.length === 0) refusals.push({ reason: 'invalid', text: outcome.rule });
  return {
    membershipIndex: indexOf(membership),
    ...states,
    isJoint: outcome.kind === 'changed' && isJoint(outcome.membership),
    isLeaderLeaving: isLeaderLeaving(view, after),
    refusals,
  };
}

/** What the quorum is as things are. */
export function quorumNow(view: MembersView, rules: ChangeRules): QuorumState {
  return quorumState(view, view.membership, rules);
}

/** What a leader with these timings holds changes to, where nothing else is said: silence of two election timeouts is absence. */
export function defaultRules({ tickMs, electionTicks }: Pick<Timings, 'tickMs' | 'electionTicks'>): ChangeRules {
  return {
    ifMembershipIndex: undefined,
    votersMin: 1,
    lagEntriesMax: promotionLagEntriesMax,
    silentMsMax: 2 * tickMs * electionTicks,
  };
}

/** The entry that made it what it is. */
export function indexOf(membership: Membership): LogIndex {
  return membership.roster?.index ?? LogIndex(0);
}

/** The voters and learners in the end, once a joint configuration is left. */
function membershipAfter(membership: Membership, steps: readonly MembershipStep[]): Membership {
  const voters = new Set(membership.voters);
  const learners = new Set([...membership.learners, ...membership.learnersNext]);
  for (const { kind, node } of steps) {
    if (kind === 'update') continue;
    voters.delete(node);
    learners.delete(node);
    if (kind === 'add-voter') voters.add(node);
    else if (kind === 'add-learner') learners.add(node);
  }
  const ordered = (nodes: ReadonlySet<NodeId>): readonly NodeId[] => [...nodes].sort((a, b) => a - b);
  return {
    voters: ordered(voters),
    votersOutgoing: [],
    learners: ordered(learners),
    learnersNext: [],
    autoLeave: false,
  };
}

function quorumState(view: MembersView, membership: Membership, rules: ChangeRules): QuorumState {
  const halves = [membership.voters, membership.votersOutgoing].filter((half, at) => at === 0 || half.length > 0);
  const states = halves.map((voters): QuorumState => {
    const quorum = Math.floor(voters.length / 2) + 1;
    const reachable = voters.filter((node) => isThere(view, node, rules)).length;
    const failuresTolerated = Math.max(0, voters.length - quorum);
    const { learners } = membership;
    return { voters, learners, quorum, reachable, failuresTolerated, failuresLeft: reachable - quorum };
  });
  const [worst] = states.toSorted((a, b) => a.failuresLeft - b.failuresLeft);
  if (worst === undefined) throw new Error('invariant broken: a membership has an incoming half');
  return worst;
}

function isThere(view: MembersView, node: NodeId, rules: ChangeRules): boolean {
  if (node === view.leader) return true;
  const silentMs = healthOf(view, node)?.silentMs;
  return silentMs !== undefined && silentMs <= rules.silentMsMax;
}

function isLeaderLeaving({ membership, leader }: MembersView, after: Membership): boolean {
  return membership.voters.includes(leader) && !after.voters.includes(leader);
}

/**
 * A leader that left by its own entry would be the only one that knows that it is committed: if it were gone before it could tell, those
 * who stay would ask for its vote for ever. So it hands over first, and a voter that stays must be there to take over.
 */
function refusedSuccession(view: MembersView, after: Membership): readonly Refusal[] {
  const hasSuccessor = view.membership.voters.some((node) => after.voters.includes(node));
  if (after.voters.length === 0 || hasSuccessor || !isLeaderLeaving(view, after)) return [];
  const text = `node ${view.leader} leads, and no voter that stays could lead after it: make it two changes, the new voter first`;
  return [{ reason: 'invalid', text }];
}

function refusedNow(view: MembersView, { ifMembershipIndex }: ChangeRules): Refusal[] {
  const refusals: Refusal[] = [];
  const index = indexOf(view.membership);
  if (ifMembershipIndex !== undefined && ifMembershipIndex !== index) {
    const text = `the membership is that of entry ${index}, not that of entry ${ifMembershipIndex}: look at it again`;
    refusals.push({ reason: 'membership-moved', text });
  }
  if (!view.isReady)
    refusals.push({ reason: 'not-ready', text: 'the leader is new: no entry of its term is committed yet' });
  else if (isJoint(view.membership))
    refusals.push({ reason: 'joint', text: 'another change is half made: the joint configuration must be left first' });
  else if (view.isChangePending)
    refusals.push({ reason: 'change-pending', text: 'another change of the membership has not taken effect yet' });
  return refusals;
}

function refusedSteps(view: MembersView, { kind, node }: MembershipStep, rules: ChangeRules): readonly Refusal[] {
  const { membership } = view;
  const isVoter = membership.voters.includes(node);
  const isMember = membersOf(membership).includes(node);
  if (kind !== 'remove' && isRemoved(membership.roster, node))
    return [{ reason: 'removed', text: `node ${node} was removed: it must join under a new id` }];
  if ((kind === 'remove' || kind === 'update') && !isMember)
    return [{ reason: 'not-member', text: `node ${node} is not a member` }];
  if (kind === 'add-learner' && isMember && !isVoter)
    return [{ reason: 'no-change', text: `node ${node} is a learner already` }];
  if (kind !== 'add-voter') return [];
  if (isVoter) return [{ reason: 'no-change', text: `node ${node} is a voter already` }];
  if (!isMember) return [{ reason: 'not-member', text: `node ${node} is not a member: a voter is a learner first` }];
  return refusedVoter(view, node, rules);
}

function refusedVoter(view: MembersView, node: NodeId, rules: ChangeRules): readonly Refusal[] {
  const refuse = (text: string): readonly Refusal[] => [{ reason: 'not-caught-up', text }];
  if (!isThere(view, node, rules)) return refuse(`node ${node} has not been heard for ${rules.silentMsMax} ms`);
  if (healthOf(view, node)?.isBehindLog !== false) return refuse(`node ${node} is still being sent a snapshot`);
  const lag = lagOf(view, node);
  if (lag <= rules.lagEntriesMax) return [];
  return refuse(`node ${node} is ${lag} entries behind, at most ${rules.lagEntriesMax} are allowed`);
}

function refusedQuorum(
  { before, after }: { readonly before: QuorumState; readonly after: QuorumState },
  { votersMin }: ChangeRules,
): readonly Refusal[] {
  const count = after.voters.length;
  if (count === 0) return [{ reason: 'last-voter', text: 'a cluster keeps at least one voter' }];
  const refusals: Refusal[] = [];
  if (count < before.voters.length && count < votersMin) {
    const text = `${count} voters would be left, at least ${votersMin} are to be kept`;
    refusals.push({ reason: 'voters-min', text });
  }
  const isSame =
    after.voters.length === before.voters.length && after.voters.every((node) => before.voters.includes(node));
  if (!isSame && after.failuresLeft < 0) {
    const text = `of ${count} voters ${after.reachable} would be there, and the quorum is ${after.quorum}`;
    refusals.push({ reason: 'quorum-lost', text });
  }
  return refusals;
}
