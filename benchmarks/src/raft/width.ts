import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { pause } from '../chaos/wait.ts';
import { machineReport } from '../machine.ts';
import { medianOf } from './median.ts';
import { oneDecimal, type PhaseResult, type PhaseTimes, runPhase } from './phase.ts';
import { RaftCluster } from './raft-cluster.ts';
import type { Pace } from './question.ts';
import { ratioOf, ratioReport, ratiosOf } from '../width-ratio.ts';

export interface WidthOptions {
  readonly nodes: number;
  readonly againstNodes: number;
  readonly times: PhaseTimes;
  readonly rounds: number;
  readonly bytes: number;
  readonly directory: string;
}

/** Of commits: what three nodes are to do at least with 1, 64 and 256 in flight. */
const rates = [200, 9_000, 18_000] as const;
const inFlightChoices = [1, 64, 256] as const;
/** A round in which a cluster did less of the rate says nothing of it. */
const rateShareMin = 0.95;
const snapshotBytes = 1024 * 1024;
/** Each cluster under load before anything is measured: V8 goes on compiling for about as long, and a slow wide cluster for longest. */
const compiledMs = 10_000;

interface WidthLoad {
  readonly name: string;
  readonly pace: Pace;
}

const atRates: readonly WidthLoad[] = rates.map((perSecond) => ({
  name: `${perSecond}/s asked of the leader`,
  pace: { perSecond },
}));
const atOwnSpeed: readonly WidthLoad[] = inFlightChoices.map((inFlight) => ({
  name: `${inFlight} in flight on the leader`,
  pace: { inFlight },
}));

function figureOf(nodes: number, load: WidthLoad): string {
  return `${nodes} nodes, ${load.name}`;
}

/**
 * What a commit costs the leader in a small and in a wide cluster, taken in turns: at the same rates, so that nothing differs but the
 * nodes; and with as many in flight, where each goes at its own speed, and on one machine the wide one's nodes take the time from each other.
 */
export async function benchWidth(options: WidthOptions, report: (line: string) => void): Promise<object> {
  const directory = mkdtempSync(join(options.directory, 'lockstep-bench-width-'));
  const clusters: { readonly nodes: number; readonly cluster: RaftCluster }[] = [];
  const results = new Map<string, PhaseResult[]>();
  try {
    for (const nodes of [options.nodes, options.againstNodes]) {
      const folder = join(directory, String(nodes));
      clusters.push({ nodes, cluster: await RaftCluster.start({ directory: folder, nodes, snapshotBytes }) });
    }
    for (const { cluster } of clusters) await warmUp(cluster, options.bytes);
    for (let round = 1; round <= options.rounds; round++) {
      for (const load of [...atRates, ...atOwnSpeed]) {
        for (const { nodes, cluster } of clusters) {
          const leader = await cluster.settled();
          const children = [leader.child, ...cluster.others(leader).map(({ child }) => child)];
          const name = figureOf(nodes, load);
          const of = { name, what: 'writes', pace: load.pace, bytes: options.bytes } as const;
          const phase = { ...of, children, callersIn: [leader.child] };
          const result = await runPhase(phase, { directory, times: options.times });
          results.set(name, [...(results.get(name) ?? []), result]);
          const { cpu_microseconds: cpu, per_second, p50_ms } = result;
          report(
            `round ${round}: ${name}: CPU ${cpu.leader} µs a commit on the leader, ${per_second}/s, p50 ${p50_ms} ms`,
          );
        }
      }
    }
    for (const { cluster } of clusters) await cluster.requireEqualStates();
  } finally {
    await Promise.all(clusters.map(({ cluster }) => cluster.stop()));
    rmSync(directory, { recursive: true, force: true });
  }
  return summary(options, results);
}

async function warmUp(cluster: RaftCluster, bytes: number): Promise<void> {
  const { child } = await cluster.settled();
  await child.ask({
    kind: 'load',
    load: { what: 'writes', pace: { inFlight: Math.max(...inFlightChoices) }, bytes, warmUpMs: 0 },
  });
  await pause(compiledMs);
  await child.endLoad();
}

function summary(options: WidthOptions, results: ReadonlyMap<string, readonly PhaseResult[]>): object {
  const figures = Object.fromEntries([...results].map(([name, rounds]) => [name, medianOf(rounds)]));
  const { nodes, againstNodes } = options;
  const ratioAt = <Of>(load: WidthLoad, report: (figure: string, ratios: readonly number[]) => Of): Of => {
    const [wide, small] = [results.get(figureOf(againstNodes, load)), results.get(figureOf(nodes, load))];
    const name = `leader's CPU a commit, ${againstNodes} nodes over ${nodes}, ${load.name}`;
    return report(
      name,
      ratiosOf(wide, small, (round) => costOf(round, load)),
    );
  };
  return {
    bench: 'raft width',
    nodes,
    against_nodes: againstNodes,
    seconds: options.times.measureMs / 1_000,
    rounds: options.rounds,
    payload_bytes: options.bytes,
    machine: machineReport(),
    load_average: loadavg().map(oneDecimal),
    figures,
    targets: atRates.map((load) => ratioAt(load, ratioReport)),
    // Two clusters at different rates: a slower one pays for the same commit with colder caches, and with more of what each second costs.
    each_at_its_own_speed: atOwnSpeed.map((load) => ratioAt(load, ratioOf)),
  };
}

function costOf({ per_second, cpu_microseconds: cpu }: PhaseResult, { pace }: WidthLoad): number {
  return 'perSecond' in pace && per_second < pace.perSecond * rateShareMin ? Number.NaN : cpu.leader;
}
