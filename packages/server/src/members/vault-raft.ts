import type { JsonObject } from '@lockstep/contract/json';
import type { MembersView } from '@lockstep/core/members/members-view';
import { membersOf } from '@lockstep/core/raft/membership';
import { memberOf } from '@lockstep/core/raft/roster';

/** `sys/storage/raft/configuration`, as `vault operator raft list-peers` reads it. */
export function raftConfiguration({ membership, leader }: MembersView): JsonObject {
  return {
    config: {
      index: membership.roster?.index ?? 0,
      servers: membersOf(membership).map((node) => ({
        node_id: String(node),
        address: memberOf(membership, node)?.peerAddress ?? '',
        leader: node === leader,
        voter: membership.voters.includes(node) || membership.votersOutgoing.includes(node),
        protocol_version: '3',
      })),
    },
  };
}
