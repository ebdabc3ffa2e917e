import { convergeSeconds, healedOperations, leaderTimeoutsMax } from './limits.ts';
import type { Cluster } from './simulate.ts';
import type { SimulatedNode } from './simulated-node.ts';
import { healed } from './swarm.ts';
import { insist } from './violation.ts';

const rule = '28 a healed cluster works';

/**
 * The second half of a run: nothing fails any more. There must be a leader soon, writes and reads through every node must
 * succeed, and then all nodes must hold the same, with everything that was ever acknowledged.
 */
export function healAndConverge(cluster: Cluster): void {
  const { nodes, random, wires, agenda, trace } = cluster;
  trace.note(agenda.nowMs, 'heal');
  // Nothing acknowledged may live in memory only.
  if (random.chance(0.5)) for (const node of nodes) node.crash();
  cluster.swarm = healed(cluster.swarm);
  wires.swarm = cluster.swarm;
  wires.mendAll();
  for (const node of nodes) node.heal();
  const { electionTicks, tickMs } = cluster.swarm;
  const leaderMs = leaderTimeoutsMax * 2 * electionTicks * tickMs;
  insist(
    rule,
    cluster.pass(leaderMs, () => leaderOf(nodes) !== undefined),
    () => `no leader within ${leaderMs} ms`,
  );
  for (let count = 0; count < healedOperations; count++) {
    const node = nodes[count % nodes.length];
    if (node === undefined) continue;
    succeed(cluster, `write ${count} on node ${node.id}`, (done) =>
      cluster.clients.write(node, cluster.swarm.keys, done),
    );
    succeed(cluster, `read ${count} on node ${node.id}`, (done) =>
      cluster.clients.read(node, cluster.swarm.keys, done),
    );
  }
  const isConverged = cluster.pass(convergeSeconds * 1000, () => differenceOf(cluster) === undefined);
  insist(rule, isConverged, () => `after ${convergeSeconds} s: ${differenceOf(cluster)}`);
}

/** Asks again until it succeeds: a leader may still change. */
function succeed(cluster: Cluster, what: string, ask: (done: (isDone: boolean) => void) => void): void {
  let isDone = false;
  const again = (): void =>
    ask((succeeded) => {
      isDone = succeeded;
      if (!succeeded) cluster.agenda.after(100, again);
    });
  again();
  insist(
    rule,
    cluster.pass(convergeSeconds * 1000, () => isDone),
    () => `${what} did not succeed`,
  );
}

function leaderOf(nodes: readonly SimulatedNode[]): SimulatedNode | undefined {
  return nodes.find((node) => node.consensus?.status().raft.role === 'leader');
}

/** What the nodes still disagree about. */
function differenceOf({ nodes, checker }: Cluster): string | undefined {
  const { committed } = checker;
  const last = committed.lastIndex;
  for (const node of nodes) {
    const state = node.machine?.state;
    if (state?.index !== last) return `node ${node.id} is at ${state?.index}, committed is ${last}`;
    if (!committed.isState(last, state)) return `node ${node.id} holds another state at ${last}`;
    const raft = node.consensus?.status().raft;
    if (raft?.lastIndex !== last) return `the log of node ${node.id} ends at ${raft?.lastIndex}, committed is ${last}`;
    if (raft.commit !== last) return `node ${node.id} knows of ${raft.commit} as committed, committed is ${last}`;
  }
  const stuck = leaderOf(nodes)
    ?.consensus?.status()
    .raft.progress.find((peer) => peer.state !== 'replicate' || peer.isPaused);
  return stuck === undefined
    ? undefined
    : `the leader has node ${stuck.node} in state ${stuck.state}, paused ${stuck.isPaused}`;
}
