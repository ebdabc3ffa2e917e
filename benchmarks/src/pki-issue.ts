import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DevCluster } from '@lockstep/server/dev/dev-cluster';
import { rounded } from './latencies.ts';
import { machineReport } from './machine.ts';
import { type MeasuredLoad, measureLoad } from './measured-load.ts';
import { setUpPki } from './pki-cluster.ts';
import { issueFor, type PkiLoad, warmUpMs } from './pki-load.ts';
import { recorderArguments } from './profile/take-profiles.ts';

export interface PkiIssueOptions extends PkiLoad {
  readonly nodes: number;
  readonly seconds: number;
  /** Samples what each process does, at some cost to its speed, and adds it up by part. */
  readonly profile: boolean;
}

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
    await issueFor(cluster, options, warmUpMs);
    report(`measuring for ${options.seconds} s`);
    const measured = await measureLoad(cluster, () => issueFor(cluster, options, options.seconds * 1000), {
      profileInto: options.profile ? directory : undefined,
    });
    const leader = await cluster.leader();
    return summary(options, measured, leader?.name ?? 'none');
  } finally {
    await cluster.stop();
    rmSync(directory, { recursive: true, force: true });
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
