import type { LogIndex, NodeId } from '@lockstep/contract/ids';
import type { MembersView } from '../members/members-view.ts';
import { type ChangeRules, indexOf, planChange } from '../members/plan-change.ts';
import { isJoint } from '../raft/membership.ts';
import type { MembershipStep } from '../raft/types.ts';
import type { AutopilotRules } from './rules.ts';
import type { MembersWatch, WatchedMember } from './watch-members.ts';

/** One change that autopilot would make, of one member, to the membership of that entry. */
export interface AutopilotStep {
  readonly kind: 'promote' | 'remove';
  readonly node: NodeId;
  readonly membershipIndex: LogIndex;
  /** In lower case. */
  readonly reason: string;
}

export interface AutopilotCase {
  readonly view: MembersView;
  readonly watch: MembersWatch;
  readonly rules: AutopilotRules;
  /** What every change is held to. */
  readonly changeRules: ChangeRules;
  /** Whether a learner is meant to vote. */
  readonly mayVote: (node: NodeId) => boolean;
}

/**
 * The one change that is due, if any: a function of what the leader knows. Learners that are meant to vote and have been healthy for
 * long enough come first, then the dead, learners before voters and the longest dead before others (the order of
 * hashicorp/raft-autopilot). Never the leader, never while another change is under way, and never a change before or after which the
 * healthy voters would be no quorum.
 */
export function nextStep(of: AutopilotCase): AutopilotStep | undefined {
  const { view } = of;
  if (!view.isReady || view.isChangePending || isJoint(view.membership)) return undefined;
  if (!isQuorum(of, view.membership.voters)) return undefined;
  return nextPromotion(of) ?? nextRemoval(of);
}

function nextPromotion(of: AutopilotCase): AutopilotStep | undefined {
  const { view, watch, rules, mayVote } = of;
  const { voters, learners } = view.membership;
  const ready = watch.members
    .flatMap(({ node, healthyMs }) => (healthyMs === undefined ? [] : [{ node, stableMs: watch.atMs - healthyMs }]))
    .filter(({ node, stableMs }) => stableMs >= rules.stableMs && learners.includes(node) && mayVote(node))
    .toSorted((a, b) => b.stableMs - a.stableMs || a.node - b.node)
    .find(({ node }) => isAllowed(of, { kind: 'add-voter', node }, 1) && isQuorum(of, [...voters, node]));
  if (ready === undefined) return undefined;
  const { node, stableMs } = ready;
  const reason = `node ${node} has been healthy for ${Math.round(stableMs)} ms, and is meant to vote`;
  return { kind: 'promote', node, membershipIndex: indexOf(view.membership), reason };
}

function nextRemoval(of: AutopilotCase): AutopilotStep | undefined {
  const { view, watch, rules } = of;
  if (!rules.removesDead) return undefined;
  const { voters } = view.membership;
  const votes = (node: NodeId): boolean => voters.includes(node);
  const gone = watch.members
    .map((member) => ({ ...member, silentMs: watch.atMs - member.heardMs }))
    .filter(({ node, silentMs }) => node !== view.leader && silentMs > rules.deadMs)
    .toSorted((a, b) => Number(votes(a.node)) - Number(votes(b.node)) || a.heardMs - b.heardMs || a.node - b.node)
    .find((member) => mayRemove(of, member));
  if (gone === undefined) return undefined;
  const { node, silentMs } = gone;
  const reason = `node ${node} has not been heard for ${Math.round(silentMs)} ms, more than the ${rules.deadMs} ms of the dead`;
  return { kind: 'remove', node, membershipIndex: indexOf(view.membership), reason };
}

function mayRemove(of: AutopilotCase, { node, ailment }: WatchedMember): boolean {
  const { voters } = of.view.membership;
  const left = voters.filter((voter) => voter !== node);
  if (ailment === undefined || !isAllowed(of, { kind: 'remove', node }, of.rules.votersMin)) return false;
  return left.length === voters.length || (left.length >= of.rules.votersMin && isQuorum(of, left));
}

/** As every change is held to it, an operator's as well. */
function isAllowed({ view, changeRules }: AutopilotCase, step: MembershipStep, votersMin: number): boolean {
  const rules = { ...changeRules, ifMembershipIndex: undefined, votersMin };
  return planChange(view, { steps: [step], members: [] }, rules).refusals.length === 0;
}

function isQuorum({ watch }: AutopilotCase, voters: readonly NodeId[]): boolean {
  const healthy = watch.members.filter(({ node, ailment }) => ailment === undefined && voters.includes(node));
  return healthy.length > Math.floor(voters.length / 2);
}
