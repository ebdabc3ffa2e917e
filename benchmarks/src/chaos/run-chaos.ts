import { setUpPki } from '../pki-cluster.ts';
import { seededRandom } from '../random.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { Arena } from './arena.ts';
import { type Checked, checkLoads, loadRows } from './check-loads.ts';
import { clockFaults } from './clock-faults.ts';
import { damageFaults } from './damage-faults.ts';
import { diskFaults } from './disk-faults.ts';
import type { Fault } from './fault.ts';
import { type FaultTally, Faults } from './faults.ts';
import { storeProbe } from './grant-load.ts';
import { restMs } from './limits.ts';
import { forgetfulDiskFaults } from './forgetful-disk-faults.ts';
import { membershipFaults } from './membership-faults.ts';
import { networkFaults } from './network-faults.ts';
import { processFaults } from './process-faults.ts';
import { startProxiedCluster } from './proxied-cluster.ts';
import { type Sabotage, sabotages } from './sabotages.ts';
import { type Loads, newLoads, Workers } from './workers.ts';

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
  ...forgetfulDiskFaults,
  ...membershipFaults,
];

/** Runs a cluster of real processes under load and faults, then heals it and holds it to everything that it said. */
export async function runChaos(options: ChaosOptions, report: (line: string) => void): Promise<ChaosResult> {
  const folder = temporaryFolder('lockstep-chaos-');
  if (options.keep === true) report(`the cluster's folder is ${folder.path}`);
  const random = seededRandom(options.seed);
  const { nodes, basePort } = options;
  const nodeArguments = options.sabotage === undefined ? [] : ['--import', sabotages[options.sabotage]];
  const settings = { nodes, basePort, random, report, nodeArguments, hasSmallDisk: true };
  const proxied = await startProxiedCluster({ directory: folder.path, ...settings });
  const arena = new Arena(proxied, random);
  try {
    await setUpPki(arena.cluster);
    await storeProbe(arena.cluster);
    const loads = newLoads(random);
    const workers = new Workers(arena.cluster, loads, { random, restMs });
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
    const checked = await checkLoads(arena.cluster, loads);
    return resultOf({ arena, loads, workers, faults, elapsedMs, ...checked });
  } finally {
    await arena.close();
    await proxied.stop();
    if (options.keep === true) folder.keep();
    else folder.remove();
  }
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
  const network = arena.network.counts;
  return {
    violations: [...faults.violations, ...unexplained(arena), ...measured.violations],
    faults: faults.tallies,
    rows: [
      ['nodes', String(arena.nodes.length)],
      ['time under faults', `${Math.round(elapsedMs / 1000)} s`],
      ...loadRows(loads, measured),
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

function unexplained(arena: Arena): readonly string[] {
  return arena.exits
    .filter(({ isExpected }) => !isExpected)
    .map(({ node, how }) => `${node} ended (${how}), and no fault explains it`);
}
