import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { machineReport } from '../machine.ts';
import { BarePipeline } from './bare-pipeline.ts';
import type { Child } from './child.ts';
import { medianOf } from './median.ts';
import { oneDecimal, type Phase, type PhaseResult, type PhaseTimes, runPhase } from './phase.ts';
import { RaftCluster } from './raft-cluster.ts';
import { targets } from './targets.ts';

export interface RaftBenchOptions {
  readonly nodes: number;
  readonly times: PhaseTimes;
  readonly rounds: number;
  readonly bytes: number;
  /** Where the nodes' files are made; it must be on the disk that is meant. */
  readonly directory: string;
}

export type Report = (line: string) => void;

const inFlightChoices = [1, 64, 256] as const;
const snapshotBytes = 1024 * 1024;

/**
 * Commits and linearizable reads a second of real nodes, each a process, on this machine; and in the same run the disk by itself, and
 * a bare pipeline of as many processes. The phases are gone through in rounds, and the median of each figure over the rounds is told:
 * on a shared machine a single long run says most about the neighbours.
 */
export async function benchRaft(options: RaftBenchOptions, report: Report): Promise<object> {
  const directory = mkdtempSync(join(options.directory, 'lockstep-bench-raft-'));
  try {
    const cluster = await RaftCluster.start({ directory, nodes: options.nodes, snapshotBytes });
    const bare = await BarePipeline.start(directory, options.nodes);
    try {
      const results = await runRounds({ options, directory, cluster, bare }, report);
      await cluster.requireEqualStates();
      const elections = (await cluster.usages()).reduce((sum, { electionsStarted }) => sum + electionsStarted, 0);
      return summary(options, results, elections - 1);
    } finally {
      await Promise.all([cluster.stop(), bare.stop()]);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function runRounds(
  of: {
    readonly options: RaftBenchOptions;
    readonly directory: string;
    readonly cluster: RaftCluster;
    readonly bare: BarePipeline;
  },
  report: Report,
): Promise<ReadonlyMap<string, readonly PhaseResult[]>> {
  const { options, directory, cluster, bare } = of;
  const results = new Map<string, PhaseResult[]>();
  for (let round = 1; round <= options.rounds; round++) {
    for (const phase of await phasesOf({ cluster, bare, bytes: options.bytes })) {
      const result = await runPhase(phase, { directory, times: options.times });
      results.set(phase.name, [...(results.get(phase.name) ?? []), result]);
      report(`round ${round}: ${line(phase.name, result)}`);
    }
  }
  return results;
}

/** The leader may change between two rounds: then its callers go with it. */
async function phasesOf(of: {
  readonly cluster: RaftCluster;
  readonly bare: BarePipeline;
  readonly bytes: number;
}): Promise<readonly Phase[]> {
  const { cluster, bare, bytes } = of;
  const leader = await cluster.settled();
  const followers = cluster.others(leader).map(({ child }) => child);
  const children = [leader.child, ...followers];
  const phases: Phase[] = [];
  for (const inFlight of inFlightChoices) {
    const writes = { what: 'writes', pace: { inFlight }, bytes, children } as const;
    const bareCallers: readonly Child[] = [bare.leader];
    phases.push(
      { ...writes, name: `bare pipeline, ${inFlight} in flight`, children: bare.children, callersIn: bareCallers },
      { ...writes, name: `commits, ${inFlight} in flight on the leader`, callersIn: [leader.child] },
      { ...writes, name: `commits, ${inFlight} in flight on followers`, callersIn: followers },
    );
  }
  for (const [where, callersIn] of [
    ['the leader', [leader.child]],
    ['followers', followers],
  ] as const) {
    phases.push({
      what: 'reads',
      pace: { inFlight: 256 },
      bytes,
      children,
      name: `reads, 256 in flight on ${where}`,
      callersIn,
    });
  }
  return phases.filter(({ callersIn }) => callersIn.length > 0);
}

function line(name: string, result: PhaseResult): string {
  const { per_second, p50_ms, p99_ms, cpu_microseconds: cpu, other_busy_cores, fdatasync_p50_ms } = result;
  return [
    `${name}: ${per_second}/s`,
    `p50 ${p50_ms} ms, p99 ${p99_ms} ms`,
    `CPU ${cpu.leader} µs on the leader, ${cpu.follower} on a follower`,
    `fdatasync ${fdatasync_p50_ms} ms`,
    `others keep ${other_busy_cores} cores busy`,
  ].join('; ');
}

function summary(
  options: RaftBenchOptions,
  results: ReadonlyMap<string, readonly PhaseResult[]>,
  electionsUnprovoked: number,
): object {
  const figures = Object.fromEntries([...results].map(([name, rounds]) => [name, medianOf(rounds)]));
  return {
    bench: 'raft',
    nodes: options.nodes,
    seconds: options.times.measureMs / 1_000,
    rounds: options.rounds,
    payload_bytes: options.bytes,
    machine: machineReport(),
    load_average: loadavg().map(oneDecimal),
    what_is_measured:
      'processes on one machine and one disk; peers over mutual TLS, the log in LevelDB with fsync on, a state machine that counts. A commit is a payload that its caller proposed and then saw applied in its own process; all that arrive in one turn share an entry',
    unprovoked_elections: electionsUnprovoked,
    figures,
    targets: targets.flatMap(({ figure, least }) => {
      const found = figures[figure];
      if (found === undefined) return [];
      const ceiling = figures[figure.replace(/^commits, (\d+ in flight).*/, 'bare pipeline, $1')];
      const share = ceiling === undefined || ceiling === found ? {} : shareOf(found, ceiling);
      return [{ figure, least, measured: found.per_second, is_met: found.per_second >= least, ...share }];
    }),
  };
}

function shareOf(figure: PhaseResult, ceiling: PhaseResult): object {
  return { share_of_bare_pipeline: Math.round((figure.per_second / ceiling.per_second) * 100) / 100 };
}
