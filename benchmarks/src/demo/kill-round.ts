import type { DevCluster, DevNode } from '@lockstep/server/dev/dev-cluster';
import { nodeMetrics } from '../node-metrics.ts';
import type { Ledger } from './ledger.ts';

export interface KillRound {
  readonly leaderBefore: string;
  readonly leaderAfter: string;
  /** From the kill to the next acknowledged write; undefined when none came in time. */
  readonly writeGapMs: number | undefined;
  /** Whether the killed node came back by a snapshot. */
  readonly installedSnapshot: boolean;
}

/** A write must succeed this soon after the kill. */
export const writeWithinMs = 5_000;
const lookEveryMs = 5;
/** Acknowledged after the kill, before the killed node comes back. */
const acknowledgedAfterKillMin = 500;
/** With twenty kills the state has a hundred thousand certificates at the end, and is taken, sent and swapped in under full load. */
const catchUpWithinMs = 60_000;

/**
 * Kills the leader with SIGKILL under load, waits until the others have gone on, compacts their logs past the dead node's, and
 * brings it back: it must catch up by a snapshot.
 */
export async function killLeader(
  cluster: DevCluster,
  ledger: Ledger,
  report: (line: string) => void,
): Promise<KillRound> {
  const leader = await cluster.waitForLeader();
  await leader.process.kill();
  ledger.sinceKill = 0;
  const killedMs = performance.now();
  report(`killed ${leader.name}, the leader, with SIGKILL after ${ledger.certificates.size} certificates`);
  // What was under way may still be answered by a node that has it committed; a new write needs a new leader.
  const wrote = await until(writeWithinMs, () => ledger.sinceKill > 0);
  const writeGapMs = wrote ? performance.now() - killedMs : undefined;
  const after = await cluster.waitForLeader();
  report(
    `${after.name} leads; first write ${writeGapMs === undefined ? `did not come within ${writeWithinMs} ms` : `after ${Math.round(writeGapMs)} ms`}`,
  );
  if (wrote) await until(catchUpWithinMs, () => ledger.sinceKill >= acknowledgedAfterKillMin);
  for (const node of cluster.nodes) if (node.process.isRunning) await compactPast(cluster, node);
  leader.process.start({ nodeArguments: cluster.nodeArguments });
  await cluster.waitUntilReady(leader);
  const installedSnapshot = await until(catchUpWithinMs, async () => (await snapshotsInstalled(cluster, leader)) > 0);
  report(`${leader.name} is back${installedSnapshot ? ', by a snapshot' : ''}`);
  return { leaderBefore: leader.name, leaderAfter: after.name, writeGapMs, installedSnapshot };
}

/**
 * Compacts a node's log past all that it has committed by now, and so past what the dead node holds: again, where a compaction was under
 * way, or one had to wait for a follower.
 */
async function compactPast(cluster: DevCluster, node: DevNode): Promise<void> {
  const commit = (await nodeMetrics(cluster, node)).get('lockstep_raft_commit_index') ?? 0;
  let floor = 0;
  const isDone = await until(catchUpWithinMs, async () => {
    const { body } = await cluster.call(node, 'POST', 'sys/storage/raft/compact', {});
    const { data } = body;
    floor = typeof data === 'object' && data !== null && 'compacted_index' in data ? Number(data.compacted_index) : 0;
    return floor >= commit;
  });
  if (!isDone) throw new Error(`the log of ${node.name} still begins at ${floor}, though ${commit} was committed`);
}

async function snapshotsInstalled(cluster: DevCluster, node: DevNode): Promise<number> {
  return (await nodeMetrics(cluster, node)).get('lockstep_raft_snapshots_installed_total') ?? 0;
}

async function until(withinMs: number, holds: () => boolean | Promise<boolean>): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (performance.now() < deadline) {
    if (await holds()) return true;
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
  return false;
}
