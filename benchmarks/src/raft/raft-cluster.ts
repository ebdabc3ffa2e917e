import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NodeId } from '@lockstep/contract/ids';
import { pinOf } from '@lockstep/core/peers/peer-pin';
import type { PeerAddress } from '@lockstep/core/peers/peers';
import type { PeerTls } from '@lockstep/core/peers/pinned-credentials';
import { createAuthority } from '@lockstep/server/dev/node-certificates';
import { pause } from '../chaos/wait.ts';
import { Child } from './child.ts';
import type { Usage } from './question.ts';

/** What a node's process is started with, as a JSON file. */
export interface NodePlan {
  readonly id: number;
  readonly directory: string;
  readonly clusterId: string;
  /** 0: any that is free. */
  readonly port: number;
  readonly pins: readonly (readonly [node: number, pin: string])[];
  readonly tls: PeerTls;
  readonly snapshotBytes: number;
}

export interface ClusterChoice {
  readonly directory: string;
  readonly nodes: number;
  readonly snapshotBytes: number;
}

/** A cluster that takes this long to agree on something is broken. */
const settledMsMax = 60_000;
const settledPollMs = 20;

export interface Member {
  readonly id: number;
  child: Child;
  port: number;
}

/** Nodes as processes of their own on this machine, numbered from 1. */
export class RaftCluster {
  readonly members: Member[] = [];
  readonly #plans: readonly NodePlan[];

  static async start(choice: ClusterChoice): Promise<RaftCluster> {
    const cluster = new RaftCluster(await plansFor(choice));
    for (const plan of cluster.#plans) {
      const child = openChild(plan);
      cluster.members.push({ id: plan.id, child, port: await portOf(child) });
    }
    for (const { child } of cluster.members) await child.ask({ kind: 'start', members: cluster.#addresses() });
    await cluster.member(1).child.ask({ kind: 'campaign' });
    await cluster.settled();
    return cluster;
  }

  private constructor(plans: readonly NodePlan[]) {
    this.#plans = plans;
  }

  member(id: number): Member {
    const member = this.members[id - 1];
    if (member === undefined) throw new Error(`there is no node ${id}`);
    return member;
  }

  others(than: Member): readonly Member[] {
    return this.members.filter((member) => member !== than);
  }

  usages(members: readonly Member[] = this.members): Promise<Usage[]> {
    return Promise.all(members.map(({ child }) => child.usage()));
  }

  /** Resolves with the leader once all of these know it, and have applied what it has. */
  async settled(members: readonly Member[] = this.members): Promise<Member> {
    const untilMs = performance.now() + settledMsMax;
    while (performance.now() < untilMs) {
      const usages = await this.usages(members);
      const at = usages.findIndex(({ role }) => role === 'leader');
      const leader = members[at];
      const isSame = ({ leader: id, appliedIndex }: Usage): boolean =>
        id === leader?.id && appliedIndex === usages[at]?.lastIndex;
      if (leader !== undefined && usages.every(isSame)) return leader;
      await pause(settledPollMs);
    }
    throw new Error(`the nodes did not agree on a leader and its log in ${settledMsMax} ms`);
  }

  /** SIGKILL, and nothing else. */
  async kill(member: Member): Promise<void> {
    await member.child.kill();
  }

  async restart(member: Member): Promise<void> {
    const plan = this.#plans[member.id - 1];
    if (plan === undefined) throw new Error(`there is no node ${member.id}`);
    member.child = openChild({ ...plan, port: member.port });
    await member.child.ask({ kind: 'start', members: this.#addresses() });
  }

  /** Every node has applied the same entries. */
  async requireEqualStates(): Promise<void> {
    await this.settled();
    const states = (await this.usages()).map(
      ({ appliedIndex, transactions, digest }) => `${appliedIndex} ${transactions} ${digest}`,
    );
    if (new Set(states).size !== 1) throw new Error(`the states differ: ${states.join('; ')}`);
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map(({ child }) => child.ask({ kind: 'stop' }).catch(() => undefined)));
    await Promise.all(this.members.map(({ child }) => child.kill()));
  }

  #addresses(): readonly PeerAddress[] {
    const pins = new Map(this.#plans[0]?.pins);
    return this.members.map(({ id, port }) => ({
      node: NodeId(id),
      address: `127.0.0.1:${port}`,
      pin: pins.get(id) ?? '',
    }));
  }
}

async function plansFor({ directory, nodes, snapshotBytes }: ClusterChoice): Promise<readonly NodePlan[]> {
  const authority = await createAuthority({ nowMs: Date.now() });
  const clusterId = randomBytes(16).toString('hex');
  const issued: { id: number; certPem: string; keyPem: string }[] = [];
  for (let id = 1; id <= nodes; id++) {
    const { certificatePem, privateKeyPem } = await authority.issue({ name: `node-${id}`, host: '127.0.0.1' });
    issued.push({ id, certPem: certificatePem, keyPem: privateKeyPem });
  }
  const pins = issued.map(({ id, certPem }) => [id, pinOf(certPem)] as const);
  return issued.map(({ id, certPem, keyPem }) => ({
    id,
    directory: join(directory, `node-${id}`),
    clusterId,
    port: 0,
    pins,
    tls: { certPem, keyPem },
    snapshotBytes,
  }));
}

function openChild(plan: NodePlan): Child {
  mkdirSync(plan.directory, { recursive: true, mode: 0o700 });
  const file = join(plan.directory, 'plan.json');
  writeFileSync(file, JSON.stringify(plan), { mode: 0o600 });
  return new Child(`node-${plan.id}`, './node/main.ts', [file]);
}

export async function portOf(child: Child): Promise<number> {
  const answer: { readonly port: number } = JSON.parse(JSON.stringify(await child.ask({ kind: 'address' })));
  return answer.port;
}
