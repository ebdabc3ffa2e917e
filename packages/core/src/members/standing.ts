import { LogIndex, type NodeId } from '@lockstep/contract/ids';
import type { StandingRefusal } from '../peers/peers.ts';
import { membersOf } from '../raft/membership.ts';
import { isRemoved } from '../raft/roster.ts';
import { tombstonesMax } from '../raft/limits.ts';
import type { Membership, Roster } from '../raft/types.ts';

/**
 * What this node is in its cluster. `removed`: it campaigns no more, but still answers members that may not know yet. `left-behind`: the
 * cluster went on without it by force, so that nothing it says may count. `other-disk`: its disk is not the one that voted under its id.
 */
export type Standing = 'joining' | 'member' | 'removed' | 'left-behind' | 'other-disk';

/** By the membership that is in force here. */
export function standingIn(membership: Membership, node: NodeId): Standing {
  const isMember = membersOf(membership).includes(node);
  // Both at once comes of no entry: it is what `leftBehind` keeps.
  if (isRemoved(membership.roster, node)) return isMember ? 'left-behind' : 'removed';
  return isMember ? 'member' : 'joining';
}

/**
 * What becomes of a node that a member refuses. A word of an epoch that is over says nothing; a later epoch has been entered by force,
 * without this node.
 */
export function standingAfter(refusal: StandingRefusal, roster: Roster | undefined): Standing | undefined {
  if (refusal.kind === 'other-disk') return 'other-disk';
  const epoch = roster?.epoch ?? 0;
  if (refusal.epoch < epoch) return undefined;
  return refusal.epoch === epoch ? 'removed' : 'left-behind';
}

/** Such a node neither votes nor acknowledges: it would be counted for a membership that is over, or in the name of a lost disk. */
export function isSilenced(standing: Standing): boolean {
  return standing === 'left-behind' || standing === 'other-disk';
}

/** What is kept of being left behind, so that it holds after a restart too. */
export function leftBehind(membership: Membership, node: NodeId, epoch: number): Membership {
  const { index, members, removed } = membership.roster ?? { index: LogIndex(0), members: [], removed: [] };
  const pin = members.find((member) => member.node === node)?.pin ?? '';
  const rest = removed.filter((tombstone) => tombstone.node !== node);
  const roster = { index, epoch, members, removed: [{ node, pin }, ...rest].slice(0, tombstonesMax) };
  return { ...membership, roster };
}
