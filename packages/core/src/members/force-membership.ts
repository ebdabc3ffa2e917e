import { LockstepError } from '@lockstep/contract/errors';
import { LogIndex, type NodeId, Term } from '@lockstep/contract/ids';
import type { StoredLog } from '../log/log-store.ts';
import { membersOf } from '../raft/membership.ts';
import { tombstonesMax } from '../raft/limits.ts';
import { decodeMembers } from '../raft/roster-codec.ts';
import { isRemoved } from '../raft/roster.ts';
import type { HardState, Member, Membership, MembershipChange } from '../raft/types.ts';

/** What a cluster becomes that goes on, by force, with one node. */
export interface ForcedMembership {
  readonly before: Membership;
  readonly after: Membership;
  /** Where the log ends. Everything in it counts as committed from now on, whether a quorum had it or not. */
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
  /** What was known to be committed: entries after it may never have been acknowledged. */
  readonly commit: LogIndex;
  /** The nodes that are left behind: none of them ever comes back under its id. */
  readonly leftBehind: readonly Member[];
  /** The entry that says so. Its term is one that this node has never seen, so that no other log holds an entry of this place. */
  readonly place: { readonly index: LogIndex; readonly term: Term };
  readonly hardState: HardState;
}

/**
 * The membership of this node alone, in the next epoch: for a cluster whose quorum is lost for good. The whole log of this node counts; what
 * only the others had is lost. `pending` are the changes in the log that have not taken effect here: whom they name is left behind too.
 * Refuses with `failed-precondition` a node that is no member, that was removed, or that is alone already.
 */
export function forcedMembership(
  stored: StoredLog,
  node: NodeId,
  pending: readonly MembershipChange[] = [],
): ForcedMembership {
  const before = stored.membership;
  const refuse = (rule: string): never => {
    throw new LockstepError('failed-precondition', `node ${node} ${rule}`);
  };
  if (isRemoved(before.roster, node)) refuse('was removed from its cluster: recover another one');
  if (!membersOf(before).includes(node)) refuse('does not know of its cluster yet: recover another one');
  const isAlone = before.voters.length === 1 && before.voters[0] === node && before.votersOutgoing.length === 0;
  if (isAlone) refuse('is its cluster’s only voter: it needs no other to go on');
  const { lastIndex, hardState } = stored;
  const place = { index: LogIndex(lastIndex + 1), term: Term(hardState.term + 1) };
  const known = before.roster ?? { index: LogIndex(0), epoch: 0, members: [], removed: [] };
  const leftBehind = othersOf(before, pending, node);
  const buried = leftBehind.map(({ node: other, pin }) => ({ node: other, pin }));
  const roster = {
    index: place.index,
    epoch: known.epoch + 1,
    members: known.members.filter((member) => member.node === node),
    removed: [...buried, ...known.removed].slice(0, tombstonesMax),
  };
  return {
    before,
    after: { voters: [node], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false, roster },
    lastIndex,
    lastTerm: stored.termRuns.at(-1)?.term ?? stored.snapshot.term,
    commit: hardState.commit,
    leftBehind,
    place,
    // Nobody else may have this node's vote in the term of that entry.
    hardState: { term: place.term, vote: node, commit: place.index },
  };
}

function othersOf(before: Membership, pending: readonly MembershipChange[], node: NodeId): readonly Member[] {
  const said = pending.flatMap(({ context }) => (context.length === 0 ? [] : decodeMembers(context)));
  const records = [...(before.roster?.members ?? []), ...said];
  const named = pending.flatMap(({ steps }) => steps.map((step) => step.node));
  const removed = before.roster?.removed ?? [];
  return [...new Set([...membersOf(before), ...named])]
    .filter((other) => other !== node && removed.every((tombstone) => tombstone.node !== other))
    .map((other) => recordOf(records, other));
}

function recordOf(members: readonly Member[], node: NodeId): Member {
  const nothing = { name: '', peerAddress: '', apiAddress: '', grpcAddress: '', pin: '', incarnation: 0 };
  return members.find((member) => member.node === node) ?? { node, ...nothing };
}
