import type { Client } from '@lockstep/client/client';
import type { DevNode } from '@lockstep/server/dev/dev-cluster';
import type { ProxiedCluster } from '../chaos/proxied-cluster.ts';
import { type Answer, type Change, makeGrant } from '../grants.ts';
import type { Asker } from './askers.ts';
import { type Hindered, hinder, type Hindrance } from './hindrance.ts';

export interface TrialPlan {
  readonly name: string;
  readonly change: Change;
  readonly hindrance: Hindrance;
  readonly hindered: DevNode;
  /** Another node: the change is made through it. */
  readonly through: DevNode;
  /** How long the hindered node stays so after the change was acknowledged. */
  readonly releaseAfterMs: number;
}

export interface TrialParts {
  readonly to: ProxiedCluster;
  readonly askers: readonly Asker[];
  /** Root's client of each node, by name. */
  readonly clients: ReadonlyMap<string, Client>;
  /** A token that stays good, for questions on the way that a later one must not join. */
  readonly decoyToken: string;
}

/** Where and how a question got through, or what it came to. */
export interface Asked {
  readonly answer: Answer;
  readonly where: string;
}

/** Rounds of questions to the nodes that nothing hinders. */
const rounds = 3;

/**
 * One trial: a token is used on every node through both doors; what it may do is taken away through one node; from the moment
 * that this is acknowledged, it is tried on every node. What a hindered node finds in its sockets was asked before, but the node
 * has not read it yet.
 */
export async function runTrial(parts: TrialParts, plan: TrialPlan): Promise<readonly Asked[]> {
  const client = parts.clients.get(plan.through.name);
  if (client === undefined) throw new Error(`no client of ${plan.through.name}`);
  const grant = await makeGrant(client, plan.change, plan.name);
  for (const asker of parts.askers) await mustServe(asker, grant.token);
  const hindered = await hinder(parts.to, plan.hindrance, plan.hindered);
  const others = parts.askers.filter(({ node }) => node !== hindered?.node);
  const its = parts.askers.filter(({ node }) => node === hindered?.node);
  try {
    const decoys = its.map((asker) => asker.ask(parts.decoyToken));
    const early = plan.hindrance.startsWith('paused')
      ? its.map((asker) => put(asker, grant.token, 'in its socket'))
      : [];
    await hindered?.requestsAreIn();
    await grant.take(client);
    const late = its.map((asker) => put(asker, grant.token, 'held back'));
    const asked = await askOthers(others, grant.token, 'at once');
    if (hindered !== undefined) await releaseAfter(hindered, plan.releaseAfterMs);
    asked.push(...(await Promise.all([...early, ...late])));
    await Promise.all(decoys);
    asked.push(...(await Promise.all(its.map((asker) => put(asker, grant.token, 'after its release')))));
    return asked;
  } finally {
    hindered?.release();
  }
}

async function askOthers(askers: readonly Asker[], token: string, when: string): Promise<Asked[]> {
  const asked: Asked[] = [];
  for (let round = 0; round < rounds; round++)
    asked.push(...(await Promise.all(askers.map((asker) => put(asker, token, when)))));
  return asked;
}

async function put(asker: Asker, token: string, when: string): Promise<Asked> {
  return { answer: await asker.ask(token), where: `${asker.node.name}, ${asker.door}, ${when}` };
}

/** The creation was acknowledged, so every node must know of it; a node that is still looking for a leader may take a moment. */
async function mustServe(asker: Asker, token: string): Promise<void> {
  const deadline = performance.now() + serveWithinMs;
  for (;;) {
    const answer = await asker.ask(token);
    if (answer === 'served') return;
    if (answer === 'denied' || performance.now() > deadline)
      throw new Error(`${asker.node.name} ${answer} a token whose creation was acknowledged (${asker.door})`);
    await pause(20);
  }
}

const serveWithinMs = 30_000;

async function releaseAfter(hindered: Hindered, ms: number): Promise<void> {
  await pause(ms);
  hindered.release();
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
