import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DevCluster } from '@lockstep/server/dev/dev-cluster';
import { cpuSeconds } from './cpu-time.ts';
import { rounded } from './latencies.ts';
import { type LoadResult, runLoad } from './load.ts';
import { machineReport } from './machine.ts';
import { clientOf, type Door, role, setUpPki } from './pki-cluster.ts';
import { profileParts } from './profile-parts.ts';
import { startProfile } from './profiler.ts';

export interface PkiIssueOptions {
  readonly nodes: number;
  readonly seconds: number;
  readonly concurrency: number;
  readonly door: Door;
  /** Whether to profile the nodes and the client. */
  readonly profile: boolean;
}

/** Issuing before the clock starts, so that code is compiled and connections are open. */
const warmUpMs = 3_000;

/** Measures certificates a second: P-256, key made by the server, TLS, stored, audited, from real processes on this machine. */
export async function benchPkiIssue(options: PkiIssueOptions, report: (line: string) => void): Promise<object> {
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-bench-'));
  const profiles = join(directory, 'profiles');
  const cluster = await DevCluster.start(
    { directory, nodes: options.nodes, basePort: 18_200, plainHttp: false },
    { report, nodeArguments: options.profile ? ['--cpu-prof', `--cpu-prof-dir=${profiles}`] : [] },
  );
  let isRunning = true;
  try {
    await setUpPki(cluster);
    report(`warming up for ${warmUpMs / 1000} s`);
    await load(cluster, options, warmUpMs);
    const pids = [
      ...cluster.nodes.map((node) => ({ name: node.name, pid: node.process.pid ?? 0 })),
      { name: 'client', pid: process.pid },
    ];
    const before = pids.map(({ pid }) => cpuSeconds(pid) ?? Number.NaN);
    report(`measuring for ${options.seconds} s`);
    const endProfile = options.profile ? await startProfile(join(directory, 'client.cpuprofile')) : async () => {};
    const result = await load(cluster, options, options.seconds * 1000);
    await endProfile();
    const cpu = pids.map(({ name, pid }, at) => ({
      name,
      seconds: (cpuSeconds(pid) ?? Number.NaN) - (before[at] ?? 0),
    }));
    const leader = await cluster.leader();
    const measured = summary(options, { result, cpu, leader: leader?.name ?? 'none' });
    if (!options.profile) return measured;
    await cluster.stop();
    isRunning = false;
    return { ...measured, time_goes: timeGoes(directory, profiles) };
  } finally {
    if (isRunning) await cluster.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Shares of each main thread's busy time, in percent. The nodes' are in no order: a profile doesn't name its node. */
function timeGoes(directory: string, profiles: string): object {
  const percent = (file: string): object =>
    Object.fromEntries(
      Object.entries(profileParts(file)).map(([part, share]) => [part, Math.round(share * 1000) / 10]),
    );
  return {
    what: "percent of a main thread's busy time, from its start to its end",
    nodes: readdirSync(profiles).map((name) => percent(join(profiles, name))),
    client: percent(join(directory, 'client.cpuprofile')),
  };
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

function summary(
  options: PkiIssueOptions,
  measured: {
    readonly result: LoadResult;
    readonly cpu: readonly { readonly name: string; readonly seconds: number }[];
    readonly leader: string;
  },
): object {
  const { latencies, counts, elapsedMs } = measured.result;
  const perCertificate = (seconds: number): number => Math.round((seconds * 1e6) / Math.max(1, counts.applied));
  return {
    bench: 'pki-issue',
    ...options,
    machine: machineReport(),
    leader: measured.leader,
    certificates: counts.applied,
    refused: counts.refused,
    unknown: counts.unknown,
    rate_per_second: Math.round((counts.applied * 1000) / elapsedMs),
    p50_ms: rounded(latencies.quantile(0.5)),
    p99_ms: rounded(latencies.quantile(0.99)),
    cpu_microseconds_per_certificate: Object.fromEntries(
      measured.cpu.map(({ name, seconds }) => [name, perCertificate(seconds)]),
    ),
  };
}
