import type { DevCluster } from '@lockstep/server/dev/dev-cluster';
import { cpuSeconds, threadSeconds } from './cpu-time.ts';
import type { LoadResult } from './load.ts';
import { nodeMetrics } from './node-metrics.ts';
import { sumByPart } from './profile/sum-by-part.ts';
import { startProfiles, type TakenProfiles } from './profile/take-profiles.ts';
import { whereTimeGoes } from './profile/where-time-goes.ts';

export interface MeasuredLoad {
  readonly result: LoadResult;
  /** What the load cost, in the names of the result file. */
  readonly costs: { readonly [name: string]: object };
}

/** Runs a load, and counts what it cost each node and this process: processor time, log entries, fsyncs. */
export async function measureLoad(
  cluster: DevCluster,
  load: () => Promise<LoadResult>,
  options: { readonly profileInto: string | undefined },
): Promise<MeasuredLoad> {
  const pids = [...cluster.nodes.map((node) => node.process.pid ?? 0), process.pid];
  const names = [...cluster.nodes.map((node) => node.name), 'client'];
  const countersBefore = await counters(cluster);
  const stopProfiles =
    options.profileInto === undefined ? undefined : await startProfiles(options.profileInto, pids.slice(0, -1));
  const before = pids.map(processorTime);
  const result = await load();
  const spent = pids.map((pid, at) => difference(processorTime(pid), before[at]));
  const profiles = await stopProfiles?.();
  const countersAfter = await counters(cluster);
  const certificates = Math.max(1, result.counts.applied);
  return {
    result,
    costs: {
      cpu_microseconds_per_certificate: Object.fromEntries(
        names.map((name, at) => [name, Math.round(((spent[at]?.all ?? Number.NaN) * 1e6) / certificates)]),
      ),
      log: Object.fromEntries(
        cluster.nodes.map((node, at) => [
          node.name,
          logCosts(countersBefore[at], countersAfter[at], { certificates, seconds: result.elapsedMs / 1000 }),
        ]),
      ),
      ...(profiles === undefined ? {} : { where_time_goes: account({ names, spent, profiles, certificates }) }),
    },
  };
}

interface ProcessorTime {
  readonly all: number;
  readonly threads: ReadonlyMap<string, number>;
}

function processorTime(pid: number): ProcessorTime {
  return { all: cpuSeconds(pid) ?? Number.NaN, threads: threadSeconds(pid) };
}

function difference(after: ProcessorTime, before: ProcessorTime | undefined): ProcessorTime {
  return {
    all: after.all - (before?.all ?? Number.NaN),
    threads: new Map([...after.threads].map(([kind, seconds]) => [kind, seconds - (before?.threads.get(kind) ?? 0)])),
  };
}

function account(of: {
  readonly names: readonly string[];
  readonly spent: readonly ProcessorTime[];
  readonly profiles: TakenProfiles;
  readonly certificates: number;
}): object {
  const shares = [...of.profiles.nodes, of.profiles.own].map(sumByPart);
  return whereTimeGoes(
    of.names.map((name, at) => ({
      name,
      threads: of.spent[at]?.threads ?? new Map(),
      shares: shares[at] ?? new Map(),
    })),
    of.certificates,
  );
}

type Counters = ReadonlyMap<string, number>;

async function counters(cluster: DevCluster): Promise<readonly Counters[]> {
  return await Promise.all(cluster.nodes.map((node) => nodeMetrics(cluster, node)));
}

function logCosts(
  before: Counters | undefined,
  after: Counters | undefined,
  per: { readonly certificates: number; readonly seconds: number },
): object {
  const counted = (name: string): number => (after?.get(name) ?? Number.NaN) - (before?.get(name) ?? Number.NaN);
  const entries = counted('lockstep_raft_committed_entries_total');
  const aSecond = (count: number): number => Math.round(count / per.seconds);
  return {
    entries_per_second: aSecond(entries),
    certificates_per_entry: Math.round((per.certificates * 10) / Math.max(1, entries)) / 10,
    writes_per_second: aSecond(counted('lockstep_log_writes_total')),
    fsyncs_per_second: aSecond(counted('lockstep_log_syncs_total')),
  };
}
