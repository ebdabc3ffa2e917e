import type { NodeId } from '@lockstep/contract/ids';
import type { Membership, MembershipChange, MembershipStep } from '@lockstep/core/raft/types';

/** Who votes and who only listens: a membership without who the members are. */
export type Voting = Pick<Membership, 'voters' | 'votersOutgoing' | 'learners' | 'learnersNext' | 'autoLeave'>;

/**
 * What a committed change makes of a membership, told anew from Ongaro's thesis §4.3 and etcd's learners: the checker must not
 * ask the code that it checks. A change that can't be made changes nothing.
 */
export function changed(before: Voting, { steps, transition }: MembershipChange): Voting {
  const isJoint = before.votersOutgoing.length > 0;
  if (steps.length === 0) return isJoint ? left(before) : before;
  if (isJoint) return before;
  const isSimple = transition === 'auto' && steps.length === 1;
  const outgoing = isSimple ? [] : before.voters;
  const after = steps.reduce(stepped, { ...before, votersOutgoing: outgoing });
  if (after.voters.length === 0) return before;
  return isSimple ? after : { ...after, autoLeave: transition !== 'joint-explicit' };
}

/** The outgoing half is gone; who was to become a learner with that is one. */
function left({ voters, learners, learnersNext }: Voting): Voting {
  return {
    voters,
    votersOutgoing: [],
    learners: including(learners, ...learnersNext),
    learnersNext: [],
    autoLeave: false,
  };
}

function stepped(before: Voting, { kind, node }: MembershipStep): Voting {
  if (kind === 'update') return before;
  const after = {
    ...before,
    voters: without(before.voters, node),
    learners: without(before.learners, node),
    learnersNext: without(before.learnersNext, node),
  };
  if (kind === 'add-voter') return { ...after, voters: including(after.voters, node) };
  if (kind === 'remove') return after;
  // A voter of the outgoing half votes until that half is gone.
  if (before.votersOutgoing.includes(node)) return { ...after, learnersNext: including(after.learnersNext, node) };
  return { ...after, learners: including(after.learners, node) };
}

function without(nodes: readonly NodeId[], node: NodeId): readonly NodeId[] {
  return nodes.filter((other) => other !== node);
}

function including(nodes: readonly NodeId[], ...added: readonly NodeId[]): readonly NodeId[] {
  return [...new Set([...nodes, ...added])].toSorted((a, b) => a - b);
}

/** Equal for equal memberships. */
export function votingText({ voters, votersOutgoing, learners, learnersNext, autoLeave }: Voting): string {
  const lists = [voters, votersOutgoing, learners, learnersNext].map((nodes) => nodes.join(' '));
  return `voters=(${lists[0]}) outgoing=(${lists[1]}) learners=(${lists[2]}) next=(${lists[3]}) autoLeave=${autoLeave}`;
}
