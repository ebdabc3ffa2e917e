import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DevCluster } from '@lockstep/server/dev/dev-cluster';
import { Latencies } from '../latencies.ts';
import { setUpPki } from '../pki-cluster.ts';
import { seededRandom } from '../random.ts';
import { Demand } from './demand.ts';
import { type KillRound, killLeader, writeWithinMs } from './kill-round.ts';
import { Ledger } from './ledger.ts';
import { missingFrom } from './read-back.ts';
import { verifyCertificates } from './verify-certificates.ts';

export interface DemoOptions {
  readonly rounds: number;
  readonly seed: number;
  readonly sabotage: boolean;
}

export interface DemoResult {
  readonly rows: readonly (readonly [string, string])[];
  /** What did not hold; empty for a demo that passed. */
  readonly failures: readonly string[];
  readonly lost: number;
}

const acknowledgedMin = 5_000;
const acknowledgedAfterKillMin = 500;
/** The kill comes at a random instant of this span of each round's load. */
const killAfterMs = { least: 1_000, span: 1_500 };
const settleMs = 500;

/** Starts three nodes, asks for certificates, kills the leader meanwhile, and checks everything that was acknowledged. */
export async function runDemo(options: DemoOptions, report: (line: string) => void): Promise<DemoResult> {
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-demo-'));
  const random = seededRandom(options.seed);
  const nodeArguments = options.sabotage ? ['--import', new URL('./sabotage.mjs', import.meta.url).href] : [];
  const cluster = await DevCluster.start(
    { directory, nodes: 3, basePort: 28_200, plainHttp: false },
    { report, nodeArguments },
  );
  try {
    const authority = await setUpPki(cluster);
    const ledger = new Ledger();
    const latencies = new Latencies();
    const started = performance.now();
    const demand = new Demand(cluster, { ledger, latencies });
    const rounds: KillRound[] = [];
    const afterKill: number[] = [];
    for (let round = 1; round <= options.rounds; round++) {
      if (options.rounds > 1) report(`round ${round} of ${options.rounds}`);
      await pause(killAfterMs.least + random() * killAfterMs.span);
      rounds.push(await killLeader(cluster, ledger, report));
      await pause(settleMs);
      afterKill.push(ledger.sinceKill);
    }
    while (ledger.certificates.size < acknowledgedMin && ledger.msSinceAcknowledged < writeWithinMs) await pause(100);
    await demand.stop();
    const elapsedMs = performance.now() - started;
    report(`${ledger.certificates.size} certificates acknowledged; reading each from each node`);
    const [lost, verified] = await Promise.all([
      missingFrom(cluster, ledger.certificates),
      verifyCertificates(authority, [...ledger.certificates.values()]),
    ]);
    report(`verified ${verified.accepted} certificates with ${verified.by}`);
    const failures = [...failuresOf(ledger, rounds, afterKill), ...complaints(lost, verified, ledger)];
    return {
      failures,
      lost: lost.length,
      rows: rowsOf({
        ledger,
        latencies,
        rounds,
        elapsedMs,
        lost: lost.length,
        verifiedBy: verified.by,
        nodes: cluster.nodes.length,
      }),
    };
  } finally {
    await cluster.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

function failuresOf(ledger: Ledger, rounds: readonly KillRound[], afterKill: readonly number[]): readonly string[] {
  const failures: string[] = [];
  if (ledger.certificates.size < acknowledgedMin)
    failures.push(`only ${ledger.certificates.size} requests were acknowledged, of at least ${acknowledgedMin}`);
  rounds.forEach((round, at) => {
    if (round.writeGapMs === undefined) failures.push(`kill ${at + 1}: no write succeeded within ${writeWithinMs} ms`);
    if ((afterKill[at] ?? 0) < acknowledgedAfterKillMin)
      failures.push(
        `kill ${at + 1}: only ${afterKill[at]} acknowledged after it, of at least ${acknowledgedAfterKillMin}`,
      );
    if (!round.installedSnapshot) failures.push(`kill ${at + 1}: the killed node did not come back by a snapshot`);
  });
  return failures;
}

function complaints(
  lost: readonly string[],
  verified: { readonly accepted: number; readonly complaints: readonly string[] },
  ledger: Ledger,
): readonly string[] {
  const failures = lost.slice(0, 5).map((serial) => `lost: ${serial}`);
  if (lost.length > failures.length) failures.push(`lost: ${lost.length - failures.length} more`);
  if (verified.accepted !== ledger.certificates.size)
    failures.push(
      `${ledger.certificates.size - verified.accepted} certificates do not verify: ${verified.complaints.join('; ')}`,
    );
  return failures;
}

interface Measured {
  readonly ledger: Ledger;
  readonly latencies: Latencies;
  readonly rounds: readonly KillRound[];
  readonly elapsedMs: number;
  readonly lost: number;
  readonly verifiedBy: string;
  readonly nodes: number;
}

function rowsOf(measured: Measured): readonly (readonly [string, string])[] {
  const { ledger, latencies, rounds, elapsedMs, lost } = measured;
  const gaps = rounds.map((round) => round.writeGapMs ?? Number.POSITIVE_INFINITY).sort((a, b) => a - b);
  const last = rounds.at(-1);
  return [
    ['nodes', String(measured.nodes)],
    [
      'leader before and after',
      rounds.length === 1
        ? `${last?.leaderBefore} → ${last?.leaderAfter}`
        : `${rounds[0]?.leaderBefore} → ${last?.leaderAfter}, ${rounds.length} kills`,
    ],
    ['certificates issued', `${ledger.certificates.size}, verified with ${measured.verifiedBy}`],
    ['refused', String(ledger.refused)],
    ['unknown', String(ledger.unknown)],
    ['rate', `${Math.round((ledger.certificates.size * 1000) / elapsedMs)} a second, kills included`],
    ['p50 / p99', `${latencies.quantile(0.5).toFixed(1)} ms / ${latencies.quantile(0.99).toFixed(1)} ms`],
    ['first write after a kill', `${Math.round(gaps[0] ?? 0)} to ${Math.round(gaps.at(-1) ?? 0)} ms`],
    ['longest gap without a write', `${Math.round(ledger.longestGapMs)} ms`],
    ['lost', `${lost} lost`],
  ];
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
