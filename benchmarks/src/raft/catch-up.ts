import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { pause } from '../chaos/wait.ts';
import { Histogram } from '../histogram.ts';
import { rounded } from '../latencies.ts';
import { machineReport } from '../machine.ts';
import { diskRate } from './disk-rate.ts';
import { oneDecimal } from './phase.ts';
import type { LoadSeen, Usage } from './question.ts';
import { type Member, RaftCluster } from './raft-cluster.ts';

export interface CatchUpOptions {
  readonly nodes: number;
  /** Entries that the follower lacks. */
  readonly entries: number;
  readonly bytes: number;
  readonly snapshotMiB: number;
  readonly directory: string;
}

const MiB = 1024 * 1024;
const inFlight = 64;
/** The leader under load alone, for comparison. */
const servingMs = 5_000;
const pollMs = 50;
const diskMs = 1_000;
/** A follower this many entries behind a leader under load has caught up: it lacks what is on its way. */
const closeEntries = 1_000;
const catchUpMsMax = 600_000;
const snapshotsMax = 2;

/** A follower is killed, comes back after so many entries, and catches up while the leader serves. */
export async function benchCatchUp(options: CatchUpOptions, report: (line: string) => void): Promise<object> {
  const directory = mkdtempSync(join(options.directory, 'lockstep-bench-catch-up-'));
  const disk = diskRate(directory, diskMs);
  try {
    const { nodes, snapshotMiB } = options;
    const cluster = await RaftCluster.start({ directory, nodes, snapshotBytes: snapshotMiB * MiB });
    try {
      return { ...(await measured(cluster, options, report)), ...disk };
    } finally {
      await cluster.stop();
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function measured(
  cluster: RaftCluster,
  options: CatchUpOptions,
  report: (line: string) => void,
): Promise<object> {
  const { entries, bytes } = options;
  const behind = cluster.others(await cluster.settled()).at(-1);
  if (behind === undefined) throw new Error('a cluster of one has no follower');
  await cluster.kill(behind);
  report(`node ${behind.id} is killed; the leader takes ${entries} entries`);
  const leader = await appended(cluster.others(behind), { cluster, entries, bytes });

  const load = { what: 'writes', pace: { inFlight }, bytes, warmUpMs: 0 } as const;
  await leader.child.ask({ kind: 'load', load });
  await pause(servingMs);
  const alone = await leader.child.endLoad();
  await leader.child.ask({ kind: 'load', load });
  await cluster.restart(behind);
  const before = await leader.child.usage();
  const caughtUp = await untilCaughtUp({ cluster, leader, behind }, report);
  const during = await leader.child.endLoad();
  await cluster.requireEqualStates();
  const [after, follower] = await cluster.usages([leader, behind]);
  return summary(options, { alone, during, before, after, follower, ms: caughtUp });
}

/** Resolves with the leader once it has all of them. Under such a load a slow disk may cost one leader its place: the next goes on. */
async function appended(
  members: readonly Member[],
  of: { readonly cluster: RaftCluster; readonly entries: number; readonly bytes: number },
): Promise<Member> {
  let leader = await of.cluster.settled(members);
  for (let left = of.entries; left > 0; leader = await of.cluster.settled(members)) {
    const answer = await leader.child.ask({ kind: 'control-entries', count: left, bytes: of.bytes });
    const { taken }: { readonly taken: number } = JSON.parse(JSON.stringify(answer));
    left -= taken;
  }
  return leader;
}

/** Resolves with how long it took until the follower was close behind the leader, which goes on. */
async function untilCaughtUp(
  of: { readonly cluster: RaftCluster; readonly leader: Member; readonly behind: Member },
  report: (line: string) => void,
): Promise<number> {
  const startMs = performance.now();
  let reportedMs = startMs;
  while (performance.now() - startMs < catchUpMsMax) {
    const [leader, behind] = await of.cluster.usages([of.leader, of.behind]);
    const lag = (leader?.lastIndex ?? 0) - (behind?.appliedIndex ?? 0);
    if (lag < closeEntries) return performance.now() - startMs;
    if (performance.now() - reportedMs > 2_000) {
      reportedMs = performance.now();
      report(`${lag} entries behind, ${behind?.snapshotsInstalled ?? 0} snapshots installed`);
    }
    await pause(pollMs);
  }
  throw new Error(`the follower did not catch up in ${catchUpMsMax} ms`);
}

function summary(
  options: CatchUpOptions,
  seen: {
    readonly alone: LoadSeen;
    readonly during: LoadSeen;
    readonly before: Usage;
    readonly after: Usage | undefined;
    readonly follower: Usage | undefined;
    readonly ms: number;
  },
): object {
  const snapshots = seen.follower?.snapshotsInstalled ?? Number.NaN;
  const longestGapMs = Math.max(0, ...seen.during.gaps.map(([fromMs, toMs]) => toMs - fromMs));
  return {
    bench: 'catch-up',
    nodes: options.nodes,
    entries_behind: options.entries,
    entry_bytes: options.bytes,
    snapshot_mib: options.snapshotMiB,
    machine: machineReport(),
    load_average: loadavg().map(oneDecimal),
    what_is_measured:
      'a follower is killed, comes back after so many entries of which its leader has compacted most, and is close behind again while the leader orders writes of 64 callers all the time',
    caught_up_after_ms: Math.round(seen.ms),
    snapshots_installed: snapshots,
    snapshots_taken: (seen.after?.snapshotsTaken ?? 0) - seen.before.snapshotsTaken,
    leader_alone: servedBy(seen.alone),
    leader_meanwhile: { ...servedBy(seen.during), longest_time_without_a_commit_ms: Math.round(longestGapMs) },
    elections: (seen.after?.term ?? 0) - seen.before.term,
    targets: [
      { figure: 'snapshots installed', most: snapshotsMax, measured: snapshots, is_met: snapshots <= snapshotsMax },
      { figure: 'commits meanwhile', least: 1, measured: seen.during.done, is_met: seen.during.done > 0 },
    ],
  };
}

function servedBy(seen: LoadSeen): object {
  const histogram = new Histogram();
  histogram.addAll(seen.histogram);
  return {
    commits_per_second: Math.round((seen.done * 1000) / seen.warmMs),
    p50_ms: rounded(histogram.quantile(0.5)),
    p99_ms: rounded(histogram.quantile(0.99)),
    refused: seen.refused,
    unknown: seen.unknown,
  };
}
