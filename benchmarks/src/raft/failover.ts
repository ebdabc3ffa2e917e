import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { pause } from '../chaos/wait.ts';
import { rounded } from '../latencies.ts';
import { machineReport } from '../machine.ts';
import { diskRate } from './disk-rate.ts';
import { oneDecimal } from './phase.ts';
import { type LoadSeen, machineMs } from './question.ts';
import { type Member, RaftCluster } from './raft-cluster.ts';

export interface FailoverOptions {
  readonly nodes: number;
  readonly kills: number;
  readonly bytes: number;
  readonly directory: string;
}

const inFlightPerNode = 16;
/** Under load before the kill, and drawn up to this much longer, so that kills fall anywhere between two heartbeats. */
const loadedMs = 500;
const loadedMoreMs = 300;
/** After this the cluster is not slow but broken. */
const recoveryMsMax = 30_000;
const recoveryPollMs = 50;
/** What is applied anew on each survivor before it counts as serving: more than was under way at the kill. */
const appliedAgainMin = 10 * inFlightPerNode;
const diskMs = 1_000;
const snapshotBytes = 1024 * 1024;

const targetMs = { p50: 2_000, p99: 4_000 };

/**
 * Kills the leader (SIGKILL) again and again under load, with the default timings. The write gap is the longest time, around a
 * kill, in which callers on one of the other nodes had no write acknowledged; the worst node counts.
 */
export async function benchFailover(options: FailoverOptions, report: (line: string) => void): Promise<object> {
  const directory = mkdtempSync(join(options.directory, 'lockstep-bench-failover-'));
  const disk = diskRate(directory, diskMs);
  const gaps: number[] = [];
  try {
    const cluster = await RaftCluster.start({ directory, nodes: options.nodes, snapshotBytes });
    try {
      for (let kill = 1; kill <= options.kills; kill++) {
        const gapMs = await killOnce(cluster, options.bytes);
        gaps.push(gapMs);
        report(`kill ${kill}: no write for ${Math.round(gapMs)} ms`);
      }
      await cluster.requireEqualStates();
    } finally {
      await cluster.stop();
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  const sorted = gaps.toSorted((a, b) => a - b);
  const at = (share: number): number => rounded(sorted[Math.ceil(sorted.length * share) - 1] ?? Number.NaN);
  const [p50, p99] = [at(0.5), at(0.99)];
  return {
    bench: 'raft failover',
    nodes: options.nodes,
    kills: options.kills,
    machine: machineReport(),
    load_average: loadavg().map(oneDecimal),
    ...disk,
    what_is_measured:
      'the longest time around a SIGKILL of the leader in which callers on some surviving node had no write acknowledged; default timings, writes of all survivors under way all the time',
    write_gap_ms: { p50, p99, longest: at(1), all: sorted.map(Math.round) },
    targets: [
      { figure: 'write gap p50 (ms)', most: targetMs.p50, measured: p50, is_met: p50 <= targetMs.p50 },
      { figure: 'write gap p99 (ms)', most: targetMs.p99, measured: p99, is_met: p99 <= targetMs.p99 },
    ],
  };
}

async function killOnce(cluster: RaftCluster, bytes: number): Promise<number> {
  const leader = await cluster.settled();
  const survivors = cluster.others(leader);
  for (const { child } of survivors)
    await child.ask({
      kind: 'load',
      load: { what: 'writes', pace: { inFlight: inFlightPerNode }, bytes, warmUpMs: 0 },
    });
  await pause(loadedMs + Math.random() * loadedMoreMs);
  const killedMs = machineMs();
  await cluster.kill(leader);
  await servedAgain(cluster, survivors);
  const seen = await Promise.all(survivors.map(({ child }) => child.endLoad()));
  await cluster.restart(leader);
  return Math.max(...seen.map((one) => gapAround(one, killedMs)));
}

async function servedAgain(cluster: RaftCluster, survivors: readonly Member[]): Promise<void> {
  const before = await cluster.usages(survivors);
  const untilMs = performance.now() + recoveryMsMax;
  while (performance.now() < untilMs) {
    const usages = await cluster.usages(survivors);
    const isServing = usages.every(
      ({ transactions }, at) => transactions >= (before[at]?.transactions ?? 0) + appliedAgainMin,
    );
    if (isServing && usages.some(({ role }) => role === 'leader')) return;
    await pause(recoveryPollMs);
  }
  throw new Error(`the survivors did not serve again in ${recoveryMsMax} ms`);
}

function gapAround({ gaps }: LoadSeen, killedMs: number): number {
  return Math.max(0, ...gaps.filter(([, toMs]) => toMs >= killedMs).map(([fromMs, toMs]) => toMs - fromMs));
}
