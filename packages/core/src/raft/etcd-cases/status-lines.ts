import { isVoter } from '../quorum.ts';
import type { CaseNode } from './case-node.ts';
import { roleText } from './observation.ts';

const stateNames = { probe: 'StateProbe', replicate: 'StateReplicate', snapshot: 'StateSnapshot' } as const;

/** What the leader knows of each member, in etcd's words. */
export function statusLines(node: CaseNode): readonly string[] {
  return node.raft.status().progress.map((peer) => {
    let line = `${peer.node}: ${stateNames[peer.state]} match=${peer.match} next=${peer.next}`;
    if (peer.isLearner) line += ' learner';
    if (peer.isPaused) line += ' paused';
    if (peer.state === 'snapshot') line += ` pendingSnap=${peer.next - 1}`;
    if (!peer.isRecentlyActive && peer.node !== node.id) line += ' inactive';
    if (peer.inflightCount > 0) line += ` inflight=${peer.inflightCount}`;
    return peer.inflightCount >= node.options.inflightMax ? `${line}[full]` : line;
  });
}

export function raftStateLine(node: CaseNode): string {
  const { id, role, term, leader, membership } = node.raft.status();
  const voters = { incoming: membership.voters, outgoing: membership.votersOutgoing };
  return `${id}: ${roleText(role)} (${isVoter(voters, id) ? 'Voter' : 'Non-Voter'}) Term:${term} Lead:${leader}`;
}
