import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { missingFrom } from '../demo/read-back.ts';
import { clientOf, setUpPki } from '../pki-cluster.ts';
import { seededRandom } from '../random.ts';
import { Arena } from './arena.ts';
import { CertificateLoad } from './certificate-load.ts';
import { clockFaults } from './clock-faults.ts';
import { damageFaults } from './damage-faults.ts';
import { diskFaults } from './disk-faults.ts';
import type { Fault } from './fault.ts';
import { type FaultTally, Faults } from './faults.ts';
import { networkFaults } from './network-faults.ts';
import { processFaults } from './process-faults.ts';
import { startProxiedCluster } from './proxied-cluster.ts';
import { RegisterLoad } from './register-load.ts';
import { type Sabotage, sabotages } from './sabotages.ts';
import { openPatientClients, type Loads, Workers } from './workers.ts';

export interface ChaosOptions {
  readonly minutes: number;
  readonly seed: number;
  readonly nodes: number;
  readonly basePort: number;
  /** Only faults whose names contain it. */
  readonly only?: string | undefined;
  /** Runs a build that is wrong on purpose. */
  readonly sabotage?: Sabotage | undefined;
  /** Keeps the cluster's folder for a look at its logs. */
  readonly keep?: boolean;
}

export interface ChaosResult {
  readonly rows: readonly (readonly [name: string, value: string])[];
  readonly faults: readonly FaultTally[];
  readonly violations: readonly string[];
}

const everyFault: readonly Fault[] = [
  ...networkFaults,
  ...processFaults,
  ...clockFaults,
  ...diskFaults,
  ...damageFaults,
];

/** Runs a cluster of real processes under load and faults, then heals it and holds it to everything that it said. */
export async function runChaos(options: ChaosOptions, report: (line: string) => void): Promise<ChaosResult> {
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-chaos-'));
  const random = seededRandom(options.seed);
  const { nodes, basePort } = options;
  const nodeArguments = options.sabotage === undefined ? [] : ['--import', sabotages[options.sabotage]];
  const proxied = await startProxiedCluster({ directory, nodes, basePort, random, report, nodeArguments });
  const arena = new Arena(proxied, random);
  try {
    await setUpPki(arena.cluster);
    const loads: Loads = { registers: new RegisterLoad(random), certificates: new CertificateLoad() };
    loads.certificates.ledger.resumed();
    const workers = new Workers(arena.cluster, loads, random);
    const faults = new Faults(arena, {
      faults: everyFault.filter(({ name }) => name.includes(options.only ?? '')),
      report,
    });
    const untilMs = performance.now() + options.minutes * 60_000;
    const startedMs = performance.now();
    await faults.goOn(() => performance.now() < untilMs);
    await workers.stop();
    const elapsedMs = performance.now() - startedMs;
    report('no more faults; reading everything back from every node');
    const checked = await checkAll(arena, loads);
    return resultOf({ arena, loads, workers, faults, elapsedMs, ...checked });
  } finally {
    await arena.close();
    for (const node of arena.nodes) node.process.resume();
    await proxied.stop();
    if (options.keep === true) report(`the cluster's folder is ${directory}`);
    else rmSync(directory, { recursive: true, force: true });
  }
}

interface Checked {
  readonly violations: readonly string[];
  readonly operations: number;
  readonly open: number;
  readonly stored: number;
  readonly lost: number;
}

const readersPerNode = 16;

async function checkAll(arena: Arena, { registers, certificates }: Loads): Promise<Checked> {
  const violations: string[] = [];
  for (const node of arena.nodes) {
    const client = clientOf(arena.cluster, node, 'grpc');
    const unread = await registers.readAll(client, readersPerNode);
    if (unread > 0) violations.push(`${node.name} did not answer ${unread} reads after all faults had ended`);
    client.close();
  }
  const lost = await missingFrom(arena.cluster, certificates.ledger.certificates);
  violations.push(...lost.map((serial) => `lost: ${serial}`));
  const patient = openPatientClients(arena.cluster);
  const [client] = patient;
  if (client === undefined) throw new Error('there is a client of every node');
  const effects = await certificates.check(client);
  for (const one of patient) one.close();
  const order = registers.check();
  for (const exit of arena.exits)
    if (!exit.isExpected) violations.push(`${exit.node} ended (${exit.how}), and no fault explains it`);
  violations.push(...effects.violations, ...order.violations);
  return {
    violations,
    operations: order.operations,
    open: order.overlapping,
    stored: effects.stored,
    lost: lost.length,
  };
}

interface Measured extends Checked {
  readonly arena: Arena;
  readonly loads: Loads;
  readonly workers: Workers;
  readonly faults: Faults;
  readonly elapsedMs: number;
}

function resultOf(measured: Measured): ChaosResult {
  const { arena, loads, workers, faults, elapsedMs } = measured;
  const { counts } = loads.registers;
  const { ledger } = loads.certificates;
  const network = arena.network.counts;
  return {
    violations: [...faults.violations, ...measured.violations],
    faults: faults.tallies,
    rows: [
      ['nodes', String(arena.nodes.length)],
      ['time under faults', `${Math.round(elapsedMs / 1000)} s`],
      ['register operations', `${measured.operations} checked, ${measured.open} of them with an unknown outcome`],
      [
        '',
        `${counts.reads} reads, ${counts.writes} writes, ${counts.checkAndSets} check-and-sets, ${counts.mismatches} mismatches`,
      ],
      ['', `${counts.repeats} writes sent twice under one key, ${counts.refused} refused`],
      [
        'certificates',
        `${ledger.certificates.size} acknowledged, ${ledger.refused} refused, ${ledger.unknown} unknown`,
      ],
      ['', `${measured.stored} stored, ${loads.certificates.retried} of them superseded by a repeat`],
      ['longest gap without an answer', `${Math.round(workers.longestGapMs)} ms`],
      [
        'slowest recovery',
        `${Math.round(faults.slowestRecoveryMs)} ms from a fault's end to a write through every node`,
      ],
      [
        'network',
        `${network.connections} connections, ${network.resets} reset, ${network.held} chunks held, ${network.delayed} delayed, ${network.lost} lost`,
      ],
      [
        'processes ended',
        `${arena.exits.length} by themselves, all explained: ${arena.exits.every(({ isExpected }) => isExpected) ? 'yes' : 'no'}`,
      ],
      ['lost', `${measured.lost} lost`],
    ],
  };
}
