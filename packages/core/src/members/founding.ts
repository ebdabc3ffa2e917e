import { LogIndex, type NodeId } from '@lockstep/contract/ids';
import type { PeerAddress } from '../peers/peers.ts';
import { membersOf } from '../raft/membership.ts';
import type { Member, Membership, Roster } from '../raft/types.ts';

/** A node that a cluster begins with, or that a newcomer is told of. */
export interface FoundingMember extends PeerAddress {
  readonly name?: string;
  readonly apiAddress?: string;
  readonly grpcAddress?: string;
}

const nobody: Membership = { voters: [], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };

/** The membership that a new log begins with: all members as voters, or nobody where the node joins a cluster that is there already. */
export function foundingMembership(of: {
  readonly members: readonly FoundingMember[];
  readonly isJoining?: boolean | undefined;
}): Membership {
  if (of.isJoining === true) return nobody;
  const members = of.members.map(recordOf).toSorted((a, b) => a.node - b.node);
  const roster: Roster = { index: LogIndex(0), epoch: 0, members, removed: [] };
  return { ...nobody, voters: of.members.map(({ node }) => node), roster };
}

/** Of a log that was written before memberships said who the members are: what its configuration says of them. */
export function withRoster(membership: Membership, at: LogIndex, founding: Membership): Membership {
  if (membership.roster !== undefined || founding.roster === undefined) return membership;
  const nodes = membersOf(membership);
  const members = founding.roster.members.filter(({ node }) => nodes.includes(node));
  return { ...membership, roster: { index: at, epoch: 0, members, removed: [] } };
}

/** Where the other members are. `contacts` are asked where the membership does not tell, and as long as it names nobody. */
export function peersOf(
  membership: Membership,
  { id, contacts }: { readonly id: NodeId; readonly contacts: readonly PeerAddress[] },
): readonly PeerAddress[] {
  const others = contacts.filter(({ node }) => node !== id);
  if (membership.voters.length === 0) return others;
  return membersOf(membership).flatMap((node) => {
    if (node === id) return [];
    const contact = others.find((candidate) => candidate.node === node);
    const record = membership.roster?.members.find((member) => member.node === node);
    const peer = record === undefined || record.peerAddress === '' ? contact : addressOf(record);
    return peer === undefined ? [] : [peer];
  });
}

/** The same, and whoever a later membership names: where both speak of a node, the later one is right. Who was removed stays so. */
export function withIntroduced(
  known: readonly PeerAddress[],
  { id, roster, removed }: Pick<Roster, 'removed'> & { readonly id: NodeId; readonly roster: Roster | undefined },
): readonly PeerAddress[] {
  const isOut = new Set([id, ...removed.map(({ node }) => node)]);
  const introduced = (roster?.members ?? []).filter(({ node, peerAddress }) => peerAddress !== '' && !isOut.has(node));
  const rest = known.filter(({ node }) => !introduced.some((member) => member.node === node));
  return [...rest, ...introduced.map(addressOf)];
}

function recordOf(member: FoundingMember): Member {
  const { node, address, name = '', apiAddress = '', grpcAddress = '', pin = '', incarnation = 0 } = member;
  return { node, name, peerAddress: address, apiAddress, grpcAddress, pin, incarnation };
}

function addressOf({ node, peerAddress: address, pin, incarnation }: Member): PeerAddress {
  return { node, address, pin, ...(incarnation === 0 ? {} : { incarnation }) };
}
