import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { openClusterFiles } from '@lockstep/server/dev/cluster-files';
import { DevCluster, type DevNode } from '@lockstep/server/dev/dev-cluster';
import { checkLoads, loadRows } from '../chaos/check-loads.ts';
import { recoveredWithinMs } from '../chaos/limits.ts';
import { storeProbe } from '../chaos/grant-load.ts';
import { recoveryMs } from '../chaos/recovery.ts';
import { pause } from '../chaos/wait.ts';
import { newLoads, Workers } from '../chaos/workers.ts';
import { setUpPki } from '../pki-cluster.ts';
import { seededRandom } from '../random.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { compileShim } from './compile-shim.ts';
import { type Cut, type CutCounts, cutPower, type Powered, powerOn } from './power-cut.ts';

export interface PowerCutOptions {
  readonly cuts: number;
  readonly seed: number;
  readonly nodes: number;
  readonly basePort: number;
  /** Runs a build that never syncs, or only after the answer. */
  readonly sabotage: 'no-fsync' | 'late-fsync' | undefined;
  readonly keep: boolean;
}

export interface PowerCutResult {
  readonly rows: readonly (readonly [name: string, value: string])[];
  readonly violations: readonly string[];
}

/** The power goes at a random instant of this span of the load. */
const powerForMs = { least: 800, span: 2_200 };
/** Nearly a closed loop: the more is under way, the more a cut can take. */
const restMs = 3;

/** Cuts the power of the whole cluster under load, again and again, and holds it to everything that it acknowledged. */
export async function runPowerCuts(options: PowerCutOptions, report: (line: string) => void): Promise<PowerCutResult> {
  const folder = temporaryFolder('lockstep-power-');
  if (options.keep) report(`the cluster's folder is ${folder.path}`);
  const { nodes, basePort, seed, sabotage } = options;
  const random = seededRandom(seed);
  const choice = { directory: join(folder.path, 'cluster'), nodes, basePort, plainHttp: false };
  const files = await openClusterFiles(choice);
  const supply = new Supply(files.nodes.map(({ configFile }) => dirname(configFile)));
  process.env['LD_PRELOAD'] = compileShim(folder.path);
  const builds = {
    'no-fsync': new URL('./no-fsync.mjs', import.meta.url),
    'late-fsync': new URL('./late-fsync.mjs', import.meta.url),
  };
  const nodeArguments = sabotage === undefined ? [] : ['--import', builds[sabotage].href];
  const cluster = await DevCluster.start(choice, { report, nodeArguments });
  try {
    await setUpPki(cluster);
    await storeProbe(cluster);
    const loads = newLoads(random);
    const workers = new Workers(cluster, loads, { random, restMs });
    const cutter = { cluster, supply, random, report };
    const violation = await cutAgainAndAgain(cutter, options.cuts);
    await workers.stop();
    if (violation !== undefined) return { violations: [violation], rows: rowsOf(supply) };
    report('reading everything back from every node');
    const checked = await checkLoads(cluster, loads);
    return {
      violations: checked.violations,
      rows: [...rowsOf(supply), ...loadRows(loads, checked), ['lost', `${checked.lost} lost`]],
    };
  } finally {
    await cluster.stop();
    if (options.keep) folder.keep();
    else folder.remove();
  }
}

interface Cutter {
  readonly cluster: DevCluster;
  readonly supply: Supply;
  readonly random: () => number;
  readonly report: (line: string) => void;
}

/** Resolves with what kept the cluster from coming back; undefined when it always did. */
async function cutAgainAndAgain(
  { cluster, supply, random, report }: Cutter,
  cuts: number,
): Promise<string | undefined> {
  for (let cut = 1; cut <= cuts; cut++) {
    await pause(powerForMs.least + random() * powerForMs.span);
    // All in one go: nothing runs between the signals.
    await Promise.all(cluster.nodes.map((node) => node.process.kill()));
    const names = random() < 0.5 ? 'strict' : 'journaled';
    const isTorn = random() < 0.5;
    const counts = supply.cut({ names, tailKept: () => (isTorn ? random() : 0) });
    for (const node of cluster.nodes) node.process.start({ nodeArguments: cluster.nodeArguments });
    const refused = await firstRefusal(cluster);
    if (refused !== undefined) return `after cut ${cut} (${names}): ${refused}`;
    const ms = await recoveryMs(cluster);
    if (ms === undefined)
      return `after cut ${cut} (${names}) no write through every node within ${recoveredWithinMs} ms`;
    report(
      `cut ${cut} of ${cuts} (${names}${isTorn ? ', torn' : ''}): ${counts.syncs} syncs, ${counts.bytesLost} bytes lost, ` +
        `${counts.namesLost} names lost, ${counts.namesBack} back; recovered after ${Math.round(ms)} ms`,
    );
  }
  return undefined;
}

async function firstRefusal(cluster: DevCluster): Promise<string | undefined> {
  const refusals = await Promise.all(
    cluster.nodes.map((node) =>
      cluster.waitUntilReady(node).then(
        () => undefined,
        () => `${node.name} did not come back: ${lastWords(node)}`,
      ),
    ),
  );
  return refusals.find((one) => one !== undefined);
}

function lastWords(node: DevNode): string {
  return readFileSync(node.logFile, 'utf8').trimEnd().split('\n').at(-1) ?? '';
}

/** The power of all nodes: what was on their disks when it last came on. */
class Supply {
  readonly total: { cuts: number; syncs: number; bytesLost: number; namesLost: number; namesBack: number } = {
    cuts: 0,
    syncs: 0,
    bytesLost: 0,
    namesLost: 0,
    namesBack: 0,
  };
  readonly #homes: readonly string[];
  #powered: readonly Powered[];

  constructor(homes: readonly string[]) {
    this.#homes = homes;
    this.#powered = homes.map(powerOn);
  }

  cut(cut: Cut): CutCounts {
    const all = this.#homes.map((home, at) => {
      const before = this.#powered[at];
      if (before === undefined) throw new Error(`${home} has no power`);
      return cutPower(home, before, cut);
    });
    this.#powered = this.#homes.map(powerOn);
    const sum = (name: keyof CutCounts): number => all.reduce((total, counts) => total + counts[name], 0);
    const counts = {
      syncs: sum('syncs'),
      bytesLost: sum('bytesLost'),
      namesLost: sum('namesLost'),
      namesBack: sum('namesBack'),
    };
    this.total.cuts++;
    for (const name of ['syncs', 'bytesLost', 'namesLost', 'namesBack'] as const) this.total[name] += counts[name];
    return counts;
  }
}

function rowsOf({ total }: Supply): readonly (readonly [string, string])[] {
  return [
    ['power cuts', String(total.cuts)],
    ['syncs seen', String(total.syncs)],
    ['unsynced bytes dropped', String(total.bytesLost)],
    ['unsynced names', `${total.namesLost} dropped, ${total.namesBack} brought back`],
  ];
}
