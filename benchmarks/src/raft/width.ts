import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { pause } from '../chaos/wait.ts';
import { machineReport } from '../machine.ts';
import { medianOf } from './median.ts';
import { oneDecimal, type PhaseResult, type PhaseTimes, runPhase } from './phase.ts';
import { RaftCluster } from './raft-cluster.ts';
import { ratioReport, ratiosOf } from './width-ratio.ts';

export interface WidthOptions {
  readonly nodes: number;
  readonly againstNodes: number;
  readonly times: PhaseTimes;
  readonly rounds: number;
  readonly bytes: number;
  readonly directory: string;
}

const inFlightChoices = [1, 64, 256] as const;
const snapshotBytes = 1024 * 1024;
/** Each cluster under load before anything is measured: V8 goes on compiling for about as long, and a slow wide cluster for longest. */
const compiledMs = 10_000;

/** What a commit costs the leader in a small and in a wide cluster, taken in turns. */
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
      for (const inFlight of inFlightChoices) {
        for (const { nodes, cluster } of clusters) {
          const leader = await cluster.settled();
          const children = [leader.child, ...cluster.others(leader).map(({ child }) => child)];
          const name = `${nodes} nodes, ${inFlight} in flight on the leader`;
          const phase = {
            name,
            what: 'writes',
            inFlight,
            bytes: options.bytes,
            children,
            callersIn: [leader.child],
          } as const;
          const result = await runPhase(phase, { directory, times: options.times });
          results.set(name, [...(results.get(name) ?? []), result]);
          report(
            `round ${round}: ${name}: CPU ${result.cpu_microseconds.leader} µs a commit on the leader, ${result.per_second}/s`,
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
    load: { what: 'writes', inFlight: Math.max(...inFlightChoices), bytes, warmUpMs: 0 },
  });
  await pause(compiledMs);
  await child.endLoad();
}

function summary(options: WidthOptions, results: ReadonlyMap<string, readonly PhaseResult[]>): object {
  const figures = Object.fromEntries([...results].map(([name, rounds]) => [name, medianOf(rounds)]));
  const rounds = (nodes: number, inFlight: number): readonly PhaseResult[] | undefined =>
    results.get(`${nodes} nodes, ${inFlight} in flight on the leader`);
  return {
    bench: 'raft width',
    nodes: options.nodes,
    against_nodes: options.againstNodes,
    seconds: options.times.measureMs / 1_000,
    rounds: options.rounds,
    payload_bytes: options.bytes,
    machine: machineReport(),
    load_average: loadavg().map(oneDecimal),
    figures,
    targets: inFlightChoices.map((inFlight) =>
      ratioReport(
        `leader's CPU a commit, ${options.againstNodes} nodes over ${options.nodes}, ${inFlight} in flight`,
        ratiosOf(
          rounds(options.againstNodes, inFlight),
          rounds(options.nodes, inFlight),
          (round) => round.cpu_microseconds.leader,
        ),
      ),
    ),
  };
}
