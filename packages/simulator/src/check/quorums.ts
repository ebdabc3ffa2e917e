import type { NodeId } from '@lockstep/contract/ids';
import type { Voting } from './membership-model.ts';

type Counted = (node: NodeId) => boolean;

/** The checker's own arithmetic, so that a mistake in the core's can't hide itself. */
export function hasQuorum(membership: Voting, isCounted: Counted): boolean {
  const { voters, votersOutgoing } = membership;
  return hasMajority(voters, isCounted) && (votersOutgoing.length === 0 || hasMajority(votersOutgoing, isCounted));
}

function hasMajority(voters: readonly NodeId[], isCounted: Counted): boolean {
  return voters.filter(isCounted).length * 2 > voters.length;
}

/** Whether every quorum of one membership shares a node with every quorum of the other, by trying all of them. */
export function quorumsMeet(one: Voting, other: Voting): boolean {
  const nodes = [...new Set([...votersOf(one), ...votersOf(other)])];
  for (let set = 0; set < 2 ** nodes.length; set++) {
    const isIn = (node: NodeId): boolean => (set & (1 << nodes.indexOf(node))) !== 0;
    if (hasQuorum(one, isIn) && hasQuorum(other, (node) => !isIn(node))) return false;
  }
  return true;
}

function votersOf({ voters, votersOutgoing }: Voting): readonly NodeId[] {
  return [...voters, ...votersOutgoing];
}
