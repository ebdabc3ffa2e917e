import type { DevNode } from '@lockstep/server/dev/dev-cluster';
import { type ProxiedCluster, startProxiedCluster } from '../chaos/proxied-cluster.ts';
import { changes, makeGrant, probePath } from '../grants.ts';
import { clientOf } from '../pki-cluster.ts';
import { seededRandom } from '../random.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { openAskers } from './askers.ts';
import { type Hindrance, hindrances } from './hindrance.ts';
import { runTrial, type TrialParts, type TrialPlan } from './trial.ts';

export interface RevocationOptions {
  readonly trials: number;
  readonly seed: number;
  readonly basePort: number;
  /** Runs the build that reads without asking the leader. */
  readonly sabotage?: boolean;
}

export interface Tally {
  trials: number;
  asked: number;
  denied: number;
  /** No answer to the question: no leader, a deadline. */
  unserved: number;
  served: number;
}

export interface RevocationResult {
  readonly tallies: ReadonlyMap<Hindrance, Tally>;
  /** Each question that got through after the change, in words. */
  readonly gotThrough: readonly string[];
  /** How many trials had such a question. */
  readonly failedTrials: number;
}

/** One trial in so many hinders the leader: each costs an election. */
const leaderEvery = 20;
/** A hindered node is released this soon after the change at most. */
const releaseMsMax = 40;

/** Takes a token's rights away through one node, again and again, and asks all the others. */
export async function runRevocationTrials(
  options: RevocationOptions,
  report: (line: string) => void,
): Promise<RevocationResult> {
  const folder = temporaryFolder('lockstep-revocation-');
  const random = seededRandom(options.seed);
  const sabotage = ['--import', new URL('./sabotage.mjs', import.meta.url).href];
  const nodeArguments = options.sabotage === true ? sabotage : [];
  const { basePort } = options;
  const to = await startProxiedCluster({ directory: folder.path, nodes: 3, basePort, random, report, nodeArguments });
  try {
    return await trials(to, { options, random, report });
  } finally {
    await to.stop();
    folder.remove();
  }
}

interface Run {
  readonly options: RevocationOptions;
  readonly random: () => number;
  readonly report: (line: string) => void;
}

async function trials(to: ProxiedCluster, { options, random, report }: Run): Promise<RevocationResult> {
  const askers = openAskers(to.cluster);
  const clients = new Map(to.cluster.nodes.map((node) => [node.name, clientOf(to.cluster, node, 'grpc')]));
  const tallies = new Map<Hindrance, Tally>(hindrances.map((one) => [one, emptyTally()]));
  const gotThrough: string[] = [];
  const failed = new Set<number>();
  try {
    const parts: TrialParts = { to, askers, clients, decoyToken: await prepare(to) };
    for (let trial = 0; trial < options.trials; trial++) {
      const plan = planOf(to, { trial, leader: await to.cluster.waitForLeader(), random });
      const tally = tallies.get(plan.hindrance) ?? emptyTally();
      tally.trials++;
      for (const { answer, where } of await runTrial(parts, plan)) {
        tally.asked++;
        tally[answer]++;
        if (answer !== 'served') continue;
        failed.add(trial);
        gotThrough.push(`trial ${trial + 1}: ${plan.change}, ${plan.hindrance}: ${where}`);
      }
      if ((trial + 1) % reportEvery === 0)
        report(`${trial + 1} of ${options.trials} trials, ${failed.size} got through`);
    }
    return { tallies, gotThrough, failedTrials: failed.size };
  } finally {
    for (const asker of askers) asker.close();
    for (const client of clients.values()) client.close();
  }
}

const reportEvery = 50;

/** Stores what is asked for, and makes the token for the questions that are no trial. */
async function prepare(to: ProxiedCluster): Promise<string> {
  const client = clientOf(to.cluster, await to.cluster.waitForLeader(), 'grpc');
  try {
    const stored = await client.request('write', probePath, { data: { held: 'back' } });
    if (stored.kind !== 'applied') throw new Error(`${probePath}: ${stored.message}`);
    return (await makeGrant(client, 'token revoked', 'decoy')).token;
  } finally {
    client.close();
  }
}

/** Changes and hindrances take turns; nodes and instants are drawn. */
function planOf(
  to: ProxiedCluster,
  { trial, leader, random }: { readonly trial: number; readonly leader: DevNode; readonly random: () => number },
): TrialPlan {
  const followers = to.cluster.nodes.filter((node) => node !== leader);
  const hindrance = hindranceOf(trial);
  const follower = pick(followers, random);
  const hindered = hindrance.endsWith('leader') ? leader : follower;
  const others = to.cluster.nodes.filter((node) => node !== hindered);
  return {
    name: `trial-${trial}`,
    change: changes[trial % changes.length] ?? 'token revoked',
    hindrance,
    hindered,
    through: pick(others, random),
    releaseAfterMs: random() * releaseMsMax,
  };
}

function hindranceOf(trial: number): Hindrance {
  const round = Math.floor(trial / leaderEvery);
  if (trial % leaderEvery === leaderEvery - 1) return round % 2 === 0 ? 'paused leader' : 'lagging leader';
  const simple = ['paused', 'lagging', 'none'] as const;
  return simple[trial % simple.length] ?? 'none';
}

function pick<T>(from: readonly T[], random: () => number): T {
  const picked = from[Math.floor(random() * from.length)];
  if (picked === undefined) throw new Error('nothing to pick from');
  return picked;
}

function emptyTally(): Tally {
  return { trials: 0, asked: 0, denied: 0, unserved: 0, served: 0 };
}
