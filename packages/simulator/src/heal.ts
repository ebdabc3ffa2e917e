import type { NodeId } from '@lockstep/contract/ids';
import { votingText } from './check/membership-model.ts';
import { convergeSeconds, healedOperations, leaderTimeoutsMax } from './limits.ts';
import type { Cluster } from './simulate.ts';
import type { SimulatedNode } from './simulated-node.ts';
import { healed } from './swarm.ts';
import { insist } from './violation.ts';

const nobody = { voters: [], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };

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
  cluster.misbehave(healed(cluster.swarm));
  wires.mendAll();
  const members = membersIn(cluster).map(({ id }) => id);
  for (const node of nodes) {
    // Who is to join and was told only of nodes that have gone since is started anew, by whoever does so, with others.
    if (node.isJoining && isLost(node, members) && node.consensus?.status().membership.voters.length === 0)
      node.crash();
    // Who was removed may be there still, and disturbs nobody. Whose removal nobody was told may be needed, to tell the others of it.
    if (cluster.operators.isToldRemoved(node.id) && random.chance(0.5)) node.retire();
    else node.heal();
  }
  const lost = new Set(nodes.filter((node) => isLost(node, members)).map(({ id }) => id));
  const { electionTicks, tickMs } = cluster.swarm;
  const leaderMs = leaderTimeoutsMax * 2 * electionTicks * tickMs;
  insist(
    rule,
    cluster.pass(leaderMs, () => leaderOf(cluster) !== undefined),
    () => `no leader within ${leaderMs} ms`,
  );
  const { keys } = cluster.swarm;
  for (let count = 0; count < healedOperations; count++) {
    succeed(cluster, { what: 'write', count, lost }, (node, done) => cluster.clients.write(node, keys, done));
    succeed(cluster, { what: 'read', count, lost }, (node, done) => cluster.clients.read(node, keys, done));
  }
  const isConverged = cluster.pass(convergeSeconds * 1000, () => differenceOf(cluster, lost) === undefined);
  insist(rule, isConverged, () => `after ${convergeSeconds} s: ${differenceOf(cluster, lost)}`);
}

/** Asks a member again until it succeeds: a leader may still change, and what was begun before the heal may still remove a node. */
function succeed(
  cluster: Cluster,
  of: { readonly what: string; readonly count: number; readonly lost: ReadonlySet<NodeId> },
  ask: (node: SimulatedNode, done: (isDone: boolean) => void) => void,
): void {
  const { what, count, lost } = of;
  let isDone = false;
  let asked: SimulatedNode | undefined;
  const again = (): void => {
    const members = membersIn(cluster).filter(({ id }) => !lost.has(id));
    asked = members[count % members.length];
    if (asked === undefined) return;
    ask(asked, (succeeded) => {
      isDone = succeeded;
      if (!succeeded) cluster.agenda.after(100, again);
    });
  };
  again();
  insist(
    rule,
    cluster.pass(convergeSeconds * 1000, () => isDone),
    () => `${what} ${count} on node ${asked?.id} did not succeed`,
  );
}

/**
 * Everybody whom it knew was removed while it was down, so that it hears nobody, and is a stranger to those that it does not know: the others go on
 * without it, until somebody removes it.
 */
function isLost(node: SimulatedNode, members: readonly NodeId[]): boolean {
  const others = members.filter((member) => member !== node.id);
  return others.length > 0 && !node.knows.some((known) => others.includes(known));
}

/** Those that the log says are members now. */
function membersIn({ nodes, checker }: Cluster): readonly SimulatedNode[] {
  const { committed } = checker;
  const voting = committed.votingAt(committed.lastIndex);
  const isMember = ({ id }: SimulatedNode): boolean =>
    voting !== undefined && [...voting.voters, ...voting.votersOutgoing, ...voting.learners].includes(id);
  return nodes.filter(isMember);
}

function leaderOf(cluster: Cluster): SimulatedNode | undefined {
  return membersIn(cluster).find((node) => node.consensus?.load().raft.role === 'leader');
}

/** What the nodes still disagree about. */
function differenceOf(cluster: Cluster, lost: ReadonlySet<NodeId>): string | undefined {
  const { committed } = cluster.checker;
  const last = committed.lastIndex;
  const voting = committed.votingAt(last);
  if ((voting?.votersOutgoing.length ?? 0) > 0) return `the membership is joint: ${votingText(voting ?? nobody)}`;
  for (const node of membersIn(cluster)) {
    if (lost.has(node.id)) continue;
    const state = node.machine?.state;
    if (state?.index !== last) return `node ${node.id} is at ${state?.index}, committed is ${last}`;
    if (!committed.isState(last, state)) return `node ${node.id} holds another state at ${last}`;
    const raft = node.consensus?.status().raft;
    if (raft?.lastIndex !== last) return `the log of node ${node.id} ends at ${raft?.lastIndex}, committed is ${last}`;
    if (raft.commit !== last) return `node ${node.id} knows of ${raft.commit} as committed, committed is ${last}`;
  }
  const stuck = leaderOf(cluster)
    ?.consensus?.status()
    .raft.progress.find((peer) => !lost.has(peer.node) && (peer.state !== 'replicate' || peer.isPaused));
  return stuck === undefined
    ? undefined
    : `the leader has node ${stuck.node} in state ${stuck.state}, paused ${stuck.isPaused}`;
}
