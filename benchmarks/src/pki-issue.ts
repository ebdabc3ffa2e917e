import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DevCluster } from '@lockstep/server/dev/dev-cluster';
import { rounded } from './latencies.ts';
import { type LoadResult, runLoad } from './load.ts';
import { machineReport } from './machine.ts';
import { type MeasuredLoad, measureLoad } from './measured-load.ts';
import { clientOf, type Door, role, setUpPki } from './pki-cluster.ts';
import { recorderArguments } from './profile/take-profiles.ts';

export interface PkiIssueOptions {
  readonly nodes: number;
  readonly seconds: number;
  readonly concurrency: number;
  readonly door: Door;
  /** Samples what each process does, at some cost to its speed, and adds it up by part. */
  readonly profile: boolean;
}

/** Issuing before the clock starts: V8 compiles the hot functions within the first 15,000 requests, beside the program. */
const warmUpMs = 10_000;

/** Measures certificates a second: P-256, key made by the server, TLS, stored, audited, from real processes on this machine. */
export async function benchPkiIssue(options: PkiIssueOptions, report: (line: string) => void): Promise<object> {
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-bench-'));
  const cluster = await DevCluster.start(
    { directory, nodes: options.nodes, basePort: 18_200, plainHttp: false },
    { report, nodeArguments: options.profile ? recorderArguments(directory) : [] },
  );
  try {
    await setUpPki(cluster);
    report(`warming up for ${warmUpMs / 1000} s`);
    await load(cluster, options, warmUpMs);
    report(`measuring for ${options.seconds} s`);
    const measured = await measureLoad(cluster, () => load(cluster, options, options.seconds * 1000), {
      profileInto: options.profile ? directory : undefined,
    });
    const leader = await cluster.leader();
    return summary(options, measured, leader?.name ?? 'none');
  } finally {
    await cluster.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function load(cluster: DevCluster, options: PkiIssueOptions, ms: number): Promise<LoadResult> {
  const clients = cluster.nodes.map((node) => clientOf(cluster, node, options.door, { idempotencyKeys: 'none' }));
  let sent = 0;
  try {
    return await runLoad({
      concurrency: options.concurrency,
      isOver: ({ elapsedMs }) => elapsedMs >= ms,
      send: async (worker) => {
        sent += 1;
        const client = clients[worker % clients.length];
        const outcome = await client?.issueCertificate({
          role,
          common_name: `w${worker}-${sent}.load.example.com`,
          ttl: '1h',
        });
        return outcome?.kind ?? 'refused';
      },
    });
  } finally {
    for (const client of clients) client.close();
  }
}

function summary({ profile, ...options }: PkiIssueOptions, measured: MeasuredLoad, leader: string): object {
  const { latencies, counts, elapsedMs } = measured.result;
  return {
    bench: 'pki-issue',
    ...options,
    ...(profile ? { profiled: true } : {}),
    machine: machineReport(),
    leader,
    certificates: counts.applied,
    refused: counts.refused,
    unknown: counts.unknown,
    rate_per_second: Math.round((counts.applied * 1000) / elapsedMs),
    p50_ms: rounded(latencies.quantile(0.5)),
    p99_ms: rounded(latencies.quantile(0.99)),
    ...measured.costs,
  };
}
