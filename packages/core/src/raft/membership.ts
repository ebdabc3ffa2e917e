import { LogIndex, type NodeId } from '@lockstep/contract/ids';
import { rosterAfter } from './roster.ts';
import type { Membership, MembershipChange, MembershipStep } from './types.ts';

export type MembershipOutcome =
  | { readonly kind: 'changed'; readonly membership: Membership }
  | { readonly kind: 'refused'; readonly rule: string };

/**
 * What `change`, the entry at `index`, makes of `membership`: a function of these alone, so that every node comes to the same answer. One step under
 * `auto` changes at once, since a majority of the old voters and one of the new always meet; anything else enters a joint
 * configuration (thesis §4.3), which a change without steps leaves. Refuses what would lose the quorum's overlap or the last voter.
 */
export function changeMembership(
  membership: Membership,
  change: MembershipChange,
  index: LogIndex = LogIndex(0),
): MembershipOutcome {
  const outcome = changeVoters(membership, change);
  if (outcome.kind === 'refused') return outcome;
  const after = { members: membersOf(outcome.membership), index };
  const told = rosterAfter(membership.roster, change, after);
  if (told.kind === 'refused') return told;
  const { roster } = told;
  return roster === undefined ? outcome : { kind: 'changed', membership: { ...outcome.membership, roster } };
}

function changeVoters(membership: Membership, change: MembershipChange): MembershipOutcome {
  if (change.steps.length === 0) return leaveJoint(membership);
  if (change.transition === 'auto' && change.steps.length === 1) return changeAtOnce(membership, change.steps);
  return enterJoint(membership, change.steps, change.transition !== 'joint-explicit');
}

export function isJoint(membership: Membership): boolean {
  return membership.votersOutgoing.length > 0;
}

/** Voters of either half and learners, in the order of their ids. */
export function membersOf(membership: Membership): readonly NodeId[] {
  return sorted(new Set([...membership.voters, ...membership.votersOutgoing, ...membership.learners]));
}

/** Changes at most one voter. */
export function changeAtOnce(membership: Membership, steps: readonly MembershipStep[]): MembershipOutcome {
  if (isJoint(membership)) return refused('a joint configuration must be left before another change');
  const changed = takeSteps(membership, steps);
  if (changed.voters.length === 0) return refused('a change must leave at least one voter');
  if (votersChanged(membership, changed) > 1)
    return refused('more than one voter changes only through a joint configuration');
  return { kind: 'changed', membership: changed };
}

export function enterJoint(
  membership: Membership,
  steps: readonly MembershipStep[],
  autoLeave: boolean,
): MembershipOutcome {
  if (isJoint(membership)) return refused('a joint configuration must be left before another change');
  if (membership.voters.length === 0) return refused('a configuration without voters cannot become joint');
  const changed = takeSteps({ ...membership, votersOutgoing: membership.voters }, steps);
  if (changed.voters.length === 0) return refused('a change must leave at least one voter');
  return { kind: 'changed', membership: { ...changed, autoLeave } };
}

export function leaveJoint(membership: Membership): MembershipOutcome {
  if (!isJoint(membership)) return refused('only a joint configuration can be left');
  const learners = sorted(new Set([...membership.learners, ...membership.learnersNext]));
  const { voters } = membership;
  return { kind: 'changed', membership: { voters, votersOutgoing: [], learners, learnersNext: [], autoLeave: false } };
}

function takeSteps(membership: Membership, steps: readonly MembershipStep[]): Membership {
  const voters = new Set(membership.voters);
  const learners = new Set(membership.learners);
  const learnersNext = new Set(membership.learnersNext);
  for (const { kind, node } of steps) {
    if (kind === 'update') continue;
    voters.delete(node);
    learners.delete(node);
    learnersNext.delete(node);
    if (kind === 'add-voter') voters.add(node);
    // A voter of the outgoing half votes until the joint configuration is left, and becomes a learner then.
    else if (kind === 'add-learner') (membership.votersOutgoing.includes(node) ? learnersNext : learners).add(node);
  }
  return {
    voters: sorted(voters),
    votersOutgoing: membership.votersOutgoing,
    learners: sorted(learners),
    learnersNext: sorted(learnersNext),
    autoLeave: membership.autoLeave,
  };
}

/** How many voters one of them has and the other has not. */
function votersChanged(before: Membership, after: Membership): number {
  const added = after.voters.filter((node) => !before.voters.includes(node));
  const removed = before.voters.filter((node) => !after.voters.includes(node));
  return added.length + removed.length;
}

function sorted(nodes: ReadonlySet<NodeId>): readonly NodeId[] {
  return [...nodes].sort((a, b) => a - b);
}

function refused(rule: string): MembershipOutcome {
  return { kind: 'refused', rule };
}
