import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { OtherLoad } from '../busy-cores.ts';
import { pause } from '../chaos/wait.ts';
import { machineReport } from '../machine.ts';
import { oneDecimal } from './phase.ts';
import type { Usage } from './question.ts';
import { RaftCluster } from './raft-cluster.ts';

export interface EnduranceOptions {
  readonly nodes: number;
  readonly minutes: number;
  readonly inFlight: number;
  readonly bytes: number;
  readonly directory: string;
}

const MiB = 1024 * 1024;
const snapshotBytes = 4 * MiB;
const sampleMs = 500;
/** Medians of so many windows are compared, of which the first few are the warm-up. */
const windowCount = 20;
const warmWindows = 5;

interface Sample {
  readonly minute: number;
  readonly rssMiB: number;
  readonly heapMiB: number;
  readonly outsideMiB: number;
  readonly diskMiB: number;
}

/** Loads a cluster for minutes with compaction on, and says how its memory and its logs' size went. */
export async function benchEndurance(options: EnduranceOptions, report: (line: string) => void): Promise<object> {
  const directory = mkdtempSync(join(options.directory, 'lockstep-bench-endurance-'));
  try {
    const cluster = await RaftCluster.start({ directory, nodes: options.nodes, snapshotBytes });
    try {
      return await measured({ options, directory, cluster }, report);
    } finally {
      await cluster.stop();
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function measured(
  of: { readonly options: EnduranceOptions; readonly directory: string; readonly cluster: RaftCluster },
  report: (line: string) => void,
): Promise<object> {
  const { options, directory, cluster } = of;
  const others = new OtherLoad([process.pid, ...cluster.members.map(({ child }) => child.pid)]);
  const leader = await cluster.settled();
  const { inFlight, bytes } = options;
  await leader.child.ask({ kind: 'load', load: { what: 'writes', pace: { inFlight }, bytes, warmUpMs: 0 } });
  const samples = cluster.members.map((): Sample[] => []);
  const startMs = performance.now();
  const begun = await leader.child.usage();
  let nextReportMs = 60_000;
  for (let ranMs = 0; ranMs < options.minutes * 60_000; ranMs = performance.now() - startMs) {
    await pause(sampleMs);
    const usages = await cluster.usages();
    for (const [at, { rssBytes, heapBytes, outsideHeapBytes }] of usages.entries()) {
      samples[at]?.push({
        minute: (performance.now() - startMs) / 60_000,
        rssMiB: rssBytes / MiB,
        heapMiB: heapBytes / MiB,
        outsideMiB: outsideHeapBytes / MiB,
        diskMiB: folderBytes(join(directory, `node-${at + 1}`, 'log')) / MiB,
      });
    }
    if (ranMs < nextReportMs) continue;
    nextReportMs += 60_000;
    report(
      `${Math.round(ranMs / 60_000)} min: ${usages.map(({ rssBytes }) => Math.round(rssBytes / MiB)).join(', ')} MiB`,
    );
  }
  const ended = await leader.child.usage();
  const seen = await leader.child.endLoad();
  await cluster.requireEqualStates();
  const usages = await cluster.usages();
  const sum = (of: (usage: Usage) => number): number => usages.reduce((total, usage) => total + of(usage), 0);
  // The first is the one that the run begins with.
  const elections = sum(({ electionsStarted }) => electionsStarted) - 1;
  const lostToDisk = sum(({ stallsThatCostLeadership }) => stallsThatCostLeadership);
  return {
    bench: 'raft endurance',
    nodes: options.nodes,
    minutes: options.minutes,
    in_flight: options.inFlight,
    payload_bytes: options.bytes,
    machine: machineReport(),
    load_average: loadavg().map(oneDecimal),
    other_busy_cores: others.read(),
    commits: ended.transactions - begun.transactions,
    commits_per_second: Math.round(((ended.transactions - begun.transactions) * 1000) / (ended.atMs - begun.atMs)),
    entries: ended.lastIndex - begun.lastIndex,
    refused: seen.refused,
    unknown: seen.unknown,
    elections,
    disk_stalls: usages.map(({ diskStalls }) => diskStalls),
    disk_stalls_that_cost_leadership: lostToDisk,
    unprovoked_elections: Math.max(0, elections - lostToDisk),
    compactions: usages.map(({ compactions }) => compactions),
    processes: samples.map((of, at) => ({ node: at + 1, is_leader: at + 1 === leader.id, ...trendOf(of) })),
  };
}

/** Medians of windows, so that one collection of garbage says nothing, and the slope over all but the first of them. */
function trendOf(samples: readonly Sample[]): object {
  const size = Math.max(1, Math.floor(samples.length / windowCount));
  const windows = Array.from({ length: Math.floor(samples.length / size) }, (_, at) =>
    samples.slice(at * size, (at + 1) * size),
  );
  const told = (field: Exclude<keyof Sample, 'minute'>): object => {
    const medians = windows.map((window) => median(window.map((sample) => sample[field])));
    const minutes = windows.map((window) => median(window.map(({ minute }) => minute)));
    const warm = Math.min(warmWindows, medians.length - 2);
    return {
      slope_mib_per_minute: Math.round(slope(minutes.slice(warm), medians.slice(warm)) * 100) / 100,
      windows_mib: medians.map(Math.round),
    };
  };
  return {
    resident: told('rssMiB'),
    heap: told('heapMiB'),
    outside_heap: told('outsideMiB'),
    log_on_disk: told('diskMiB'),
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** Least squares. */
function slope(xs: readonly number[], ys: readonly number[]): number {
  const mean = (of: readonly number[]): number => of.reduce((sum, one) => sum + one, 0) / of.length;
  const [meanX, meanY] = [mean(xs), mean(ys)];
  let along = 0;
  let across = 0;
  for (const [at, x] of xs.entries()) {
    along += (x - meanX) * ((ys[at] ?? 0) - meanY);
    across += (x - meanX) ** 2;
  }
  return across === 0 ? 0 : along / across;
}

function folderBytes(path: string): number {
  let bytes = 0;
  for (const name of readdirSync(path)) bytes += statSync(join(path, name), { throwIfNoEntry: false })?.size ?? 0;
  return bytes;
}
