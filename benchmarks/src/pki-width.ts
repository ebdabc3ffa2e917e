import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DevCluster } from '@lockstep/server/dev/dev-cluster';
import { cpuSeconds } from './cpu-time.ts';
import { machineReport } from './machine.ts';
import { setUpPki } from './pki-cluster.ts';
import { issueFor, type PkiLoad, warmUpMs } from './pki-load.ts';
import { ratiosOf, ratioReport } from './width-ratio.ts';

export interface PkiWidthOptions extends PkiLoad {
  readonly nodes: number;
  readonly againstNodes: number;
  /** For each cluster and round. */
  readonly seconds: number;
  readonly rounds: number;
}

interface Sample {
  /** Of the leader, for each certificate of the whole cluster. */
  readonly leaderMicros: number;
  readonly perSecond: number;
}

const basePort = 18_200;
/** Between two clusters' ports: more than the nodes of one take. */
const portsApart = 100;

/** What a certificate, which is one commit, costs the leader in a small and in a wide cluster, taken in turns. Both ask all their nodes. */
export async function benchPkiWidth(options: PkiWidthOptions, report: (line: string) => void): Promise<object> {
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-bench-'));
  const widths = [options.nodes, options.againstNodes];
  const clusters: { readonly nodes: number; readonly cluster: DevCluster; readonly samples: Sample[] }[] = [];
  try {
    for (const [at, nodes] of widths.entries()) {
      const choice = {
        directory: join(directory, String(nodes)),
        nodes,
        basePort: basePort + at * portsApart,
        plainHttp: false,
      };
      const cluster = await DevCluster.start(choice, { report });
      clusters.push({ nodes, cluster, samples: [] });
      await setUpPki(cluster);
    }
    report(`warming up for ${(widths.length * warmUpMs) / 1000} s`);
    for (const { cluster } of clusters) await issueFor(cluster, options, warmUpMs);
    for (let round = 1; round <= options.rounds; round++) {
      for (const { nodes, cluster, samples } of clusters) {
        const sample = await sampleOf(cluster, options);
        samples.push(sample);
        report(
          `round ${round}: ${nodes} nodes: CPU ${sample.leaderMicros} µs a certificate on the leader, ${sample.perSecond}/s`,
        );
      }
    }
  } finally {
    await Promise.all(clusters.map(({ cluster }) => cluster.stop()));
    rmSync(directory, { recursive: true, force: true });
  }
  const [small, wide] = clusters.map(({ samples }) => samples);
  return {
    bench: 'pki-issue width',
    ...options,
    machine: machineReport(),
    figures: Object.fromEntries(
      clusters.map(({ nodes, samples }) => [
        `${nodes} nodes`,
        {
          leader_cpu_microseconds_per_certificate: samples.map(({ leaderMicros }) => leaderMicros),
          rate_per_second: samples.map(({ perSecond }) => perSecond),
        },
      ]),
    ),
    targets: [
      ratioReport(
        `leader's CPU a certificate, ${options.againstNodes} nodes over ${options.nodes}, ${options.door}`,
        ratiosOf(wide, small, ({ leaderMicros }) => leaderMicros),
      ),
    ],
  };
}

async function sampleOf(cluster: DevCluster, options: PkiWidthOptions): Promise<Sample> {
  const leader = await cluster.waitForLeader();
  const pid = leader.process.pid ?? 0;
  const before = cpuSeconds(pid) ?? Number.NaN;
  const { counts, elapsedMs } = await issueFor(cluster, options, options.seconds * 1000);
  const spent = (cpuSeconds(pid) ?? Number.NaN) - before;
  if ((await cluster.leader())?.name !== leader.name)
    throw new Error(`${leader.name} does not lead any more: what its certificates cost says nothing`);
  return {
    leaderMicros: Math.round((spent * 1e6) / Math.max(1, counts.applied)),
    perSecond: Math.round((counts.applied * 1000) / elapsedMs),
  };
}
