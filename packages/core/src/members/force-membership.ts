import { LockstepError } from '@lockstep/contract/errors';
import { LogIndex, type NodeId, type Term } from '@lockstep/contract/ids';
import type { StoredLog } from '../log/log-store.ts';
import { membersOf } from '../raft/membership.ts';
import { tombstonesMax } from '../raft/limits.ts';
import { isRemoved } from '../raft/roster.ts';
import type { Member, Membership } from '../raft/types.ts';

/** What a cluster becomes that goes on, by force, with one node. */
export interface ForcedMembership {
  readonly before: Membership;
  readonly after: Membership;
  /** Everything up to here counts as committed, whether a quorum had it or not. */
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
  /** What was known to be committed: entries after it may never have been acknowledged. */
  readonly commit: LogIndex;
  /** The nodes that are left behind: none of them ever comes back under its id. */
  readonly leftBehind: readonly Member[];
}

/**
 * The membership of this node alone, in the next epoch: for a cluster whose quorum is lost for good. The whole log of this node counts; what
 * only the others had is lost. Refuses with `failed-precondition` a node that is no member, that was removed, or that is alone already.
 */
export function forcedMembership(stored: StoredLog, node: NodeId): ForcedMembership {
  const before = stored.membership;
  const refuse = (rule: string): never => {
    throw new LockstepError('failed-precondition', `node ${node} ${rule}`);
  };
  if (isRemoved(before.roster, node)) refuse('was removed from its cluster: recover another one');
  if (!membersOf(before).includes(node)) refuse('does not know of its cluster yet: recover another one');
  if (before.voters.length === 1 && before.voters[0] === node && before.votersOutgoing.length === 0)
    refuse('is its cluster’s only voter: it needs no other to go on');
  const known = before.roster ?? { index: LogIndex(0), epoch: 0, members: [], removed: [] };
  const others = membersOf(before).filter((other) => other !== node);
  const leftBehind = others.map((other) => recordOf(known.members, other));
  const buried = leftBehind.map(({ node: other, pin }) => ({ node: other, pin }));
  const roster = {
    index: stored.lastIndex,
    epoch: known.epoch + 1,
    members: known.members.filter((member) => member.node === node),
    removed: [...buried, ...known.removed].slice(0, tombstonesMax),
  };
  const after = { voters: [node], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false, roster };
  const lastTerm = stored.termRuns.at(-1)?.term ?? stored.snapshot.term;
  const { lastIndex } = stored;
  return { before, after, lastIndex, lastTerm, commit: stored.hardState.commit, leftBehind };
}

function recordOf(members: readonly Member[], node: NodeId): Member {
  const nothing = { name: '', peerAddress: '', apiAddress: '', grpcAddress: '', pin: '', incarnation: 0 };
  return members.find((member) => member.node === node) ?? { node, ...nothing };
}
