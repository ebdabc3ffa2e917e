import { LockstepError } from '@lockstep/contract/errors';
import type { NodeId } from '@lockstep/contract/ids';
import type { ForcePlan } from '@lockstep/core/log/force-level-log';
import type { ForcedMembership } from '@lockstep/core/members/force-membership';
import { membersOf } from '@lockstep/core/raft/membership';
import { memberOf } from '@lockstep/core/raft/roster';
import type { Member, Membership } from '@lockstep/core/raft/types';
import { decodeControlEntry } from '../control-entry.ts';
import type { StateHead } from '../state/state-directory.ts';

/** What lies on the disk of a node that is down. */
export interface FoundDisk extends ForcePlan {
  readonly node: NodeId;
  readonly state: Pick<StateHead, 'applied' | 'control' | 'installed'>;
  /** Why the state can't be used. */
  readonly damage: string | undefined;
  /** Whether that saved snapshot's file is here. */
  readonly holds: (savedId: string) => boolean;
}

export interface RecoveryPlan {
  readonly forced: ForcedMembership;
  /** This node, as its cluster knows it. */
  readonly self: Member;
  readonly stateApplied: number;
  /** Entries that a quorum may never have had: they are kept. */
  readonly unconfirmed: number;
  /** Why it is not done. In lower case, naming the thing and the rule. */
  readonly refusals: readonly string[];
}

/** What recovering from this disk would mean. `surviving` are the other nodes that are still there, by id or name: `invalid-input` for a stranger. */
export function planRecovery(disk: FoundDisk, surviving: readonly string[]): RecoveryPlan {
  const { forced, node, state, stored } = disk;
  const { before, lastIndex, commit } = forced;
  const left = surviving.map((named) => namedMember(before, named));
  const self = memberOf(before, node);
  const refusals = [
    self === undefined
      ? 'the log does not say who the members are: give --config, whose configuration does'
      : undefined,
    whyQuorum(before, [node, ...left]),
    disk.damage === undefined
      ? undefined
      : `this node's copy of the state is damaged (${disk.damage}): recover another node, or restore a saved snapshot into a new cluster`,
    whyApart(disk),
    whyNoFile(disk),
  ].filter((why) => why !== undefined);
  const nobody = { name: '', peerAddress: '', apiAddress: '', grpcAddress: '', pin: '', incarnation: 0 };
  return {
    forced,
    self: self ?? { node, ...nobody },
    stateApplied: state.applied,
    unconfirmed: Math.max(0, lastIndex - Math.max(commit, stored.snapshot.index)),
    refusals,
  };
}

function namedMember(membership: Membership, named: string): NodeId {
  const members = membersOf(membership);
  const found = members.find((node) => String(node) === named || memberOf(membership, node)?.name === named);
  if (found !== undefined) return found;
  throw new LockstepError('invalid-input', `surviving: "${named}" is no member: ${members.join(', ')} are`);
}

/** A quorum that is there needs no force, and loses nothing. */
function whyQuorum({ voters, votersOutgoing }: Membership, there: readonly NodeId[]): string | undefined {
  const has = (half: readonly NodeId[]): boolean =>
    half.filter((node) => there.includes(node)).length > Math.floor(half.length / 2);
  if (!has(voters) || (votersOutgoing.length > 0 && !has(votersOutgoing))) return undefined;
  return `${[...new Set(there)].join(', ')} are a quorum of the voters: start them, and nothing is lost`;
}

/** The same as a start would refuse, or would have to finish first. */
function whyApart({ state, stored }: FoundDisk): string | undefined {
  const { applied, installed } = state;
  if (applied > stored.lastIndex)
    return `the state holds entry ${applied}, but the log ends at ${stored.lastIndex}: entries were lost, recover another node`;
  if (installed !== undefined && isUnfinished(installed, stored))
    return 'a snapshot was being installed when this node ended: start it once, stop it when it says listening, and recover it then';
  if (applied < stored.snapshot.index)
    return `the state ends at entry ${applied}, but the log begins after ${stored.snapshot.index}: recover another node`;
  return undefined;
}

function isUnfinished(
  { index, term }: NonNullable<StateHead['installed']>,
  { snapshot, hardState, lastIndex, termRuns }: FoundDisk['stored'],
): boolean {
  if (index <= snapshot.index || index <= hardState.commit) return false;
  return index > lastIndex || termRuns.findLast((run) => run.firstIndex <= index)?.term !== term;
}

/** A restore that is in the log and not in place waits for its file, which nobody else will have any more. */
function whyNoFile({ controls, state, holds }: FoundDisk): string | undefined {
  const later = controls.filter(({ index }) => index > (state.control?.index ?? 0));
  const restore = later.map(({ data }) => decodeControlEntry(data).restore).findLast((found) => found !== undefined);
  if (restore === undefined || holds(restore.savedId)) return undefined;
  return `the log orders a restore of the saved snapshot ${restore.savedId}, whose file is not on this disk: put it there as restores/${restore.savedId}.saved`;
}
