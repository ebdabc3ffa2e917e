import { LockstepError } from '@lockstep/contract/errors';
import { LogIndex, type NodeId } from '@lockstep/contract/ids';
import { rosterMembersMax, tombstonesMax } from './limits.ts';
import { decodeMembers } from './roster-codec.ts';
import type { Member, Membership, MembershipChange, Roster } from './types.ts';

export type RosterOutcome =
  | { readonly kind: 'changed'; readonly roster: Roster | undefined }
  | { readonly kind: 'refused'; readonly rule: string };

const noRoster: Roster = { index: LogIndex(0), epoch: 0, members: [], removed: [] };

/**
 * Who the members are after `change`, the entry at `index`, made `after` of the membership that `before` belongs to. Refuses a node
 * that was removed, another incarnation of a member, a key that is another member's, and words about nobody.
 */
export function rosterAfter(
  before: Roster | undefined,
  change: MembershipChange,
  after: { readonly members: readonly NodeId[]; readonly index: LogIndex },
): RosterOutcome {
  if (before === undefined && change.context.length === 0) return { kind: 'changed', roster: undefined };
  const roster = before ?? noRoster;
  const said = decoded(change.context);
  if (typeof said === 'string') return refused(said);
  const rule =
    whyNotAgain(roster, change) ??
    said.map((member) => whyNotSaid(roster, member, after.members)).find((why) => why !== undefined);
  if (rule !== undefined) return refused(rule);
  const members = new Map(roster.members.map((member) => [member.node, member]));
  for (const member of said) members.set(member.node, member);
  const stay = [...members.values()].filter(({ node }) => after.members.includes(node)).sort(byNode);
  if (stay.length > rosterMembersMax) return refused(`a cluster has at most ${rosterMembersMax} members`);
  if (hasSharedPin(stay)) return refused('two members may not have the same key');
  const left = [...members.values()].filter(({ node }) => !after.members.includes(node)).sort(byNode);
  const removed = [...left.map(({ node, pin }) => ({ node, pin })), ...roster.removed].slice(0, tombstonesMax);
  return { kind: 'changed', roster: { index: after.index, epoch: roster.epoch, members: stay, removed } };
}

export function isRemoved(roster: Roster | undefined, node: NodeId): boolean {
  return roster?.removed.some((tombstone) => tombstone.node === node) ?? false;
}

export function memberOf(membership: Membership, node: NodeId): Member | undefined {
  return membership.roster?.members.find((member) => member.node === node);
}

function decoded(context: Uint8Array): readonly Member[] | string {
  try {
    return decodeMembers(context);
  } catch (error) {
    // The same on every node, since it depends on the bytes alone.
    if (error instanceof LockstepError) return error.message;
    throw error;
  }
}

function whyNotAgain(roster: Roster, change: MembershipChange): string | undefined {
  const again = change.steps.find(({ kind, node }) => kind !== 'remove' && isRemoved(roster, node));
  return again === undefined ? undefined : `node ${again.node} was removed: it must join under a new id`;
}

function whyNotSaid(roster: Roster, said: Member, members: readonly NodeId[]): string | undefined {
  if (!members.includes(said.node)) return `the context speaks of node ${said.node}, which is no member`;
  const known = roster.members.find(({ node }) => node === said.node);
  if (known === undefined || known.incarnation === 0 || known.incarnation === said.incarnation) return undefined;
  return `node ${said.node} came back with another disk: it must join under a new id`;
}

function hasSharedPin(members: readonly Member[]): boolean {
  const pins = members.map(({ pin }) => pin).filter((pin) => pin !== '');
  return new Set(pins).size < pins.length;
}

function byNode(a: Member, b: Member): number {
  return a.node - b.node;
}

function refused(rule: string): RosterOutcome {
  return { kind: 'refused', rule };
}
