import type { MembershipOutcome, MembershipRequest } from '@lockstep/core/port';
import { observeCores } from '../check/observe-core.ts';
import type { ReadResult, WriteResult } from '../servers.ts';
import { Cluster, swarmOf } from '../simulate.ts';
import type { SimulatedNode } from '../simulated-node.ts';
import { healed, type Swarm } from '../swarm.ts';

/** Something that is asked and, in time, answered. */
export interface Asked<Answer> {
  readonly answer: Answer | undefined;
}

/**
 * A simulated cluster in which nothing goes wrong but what a scenario does. Every invariant is checked all the while, and at the
 * end, as in any other run.
 */
export class Stage {
  readonly cluster: Cluster;
  readonly #unobserve: () => void;
  #attempts = 0;

  constructor(nodes: number, swarm: Partial<Swarm> = {}) {
    this.cluster = new Cluster({ seed: nodes, swarm: { ...calmSwarm(nodes), ...swarm } });
    this.#unobserve = observeCores(this.cluster.observer);
    this.cluster.start();
  }

  [Symbol.dispose](): void {
    this.#unobserve();
  }

  get nodes(): readonly SimulatedNode[] {
    return this.cluster.nodes;
  }

  get nowMs(): number {
    return this.cluster.agenda.nowMs;
  }

  node(id: number): SimulatedNode {
    const node = this.cluster.nodes[id - 1];
    if (node === undefined) throw new Error(`there is no node ${id}`);
    return node;
  }

  pass(ms: number): void {
    this.cluster.pass(ms);
  }

  until(claim: () => boolean, ms: number = 60_000): void {
    if (!this.cluster.pass(ms, claim)) throw new Error(`not so within ${ms} ms`);
  }

  /** The one that leads in the latest term, of those that run. */
  leader(): SimulatedNode {
    this.until(() => this.#leader() !== undefined);
    const leader = this.#leader();
    if (leader === undefined) throw new Error('there is no leader');
    return leader;
  }

  #leader(): SimulatedNode | undefined {
    const term = (node: SimulatedNode): number => node.consensus?.status().raft.term ?? 0;
    const leaders = this.nodes.filter((node) => roleOf(node) === 'leader');
    return leaders.toSorted((a, b) => term(b) - term(a))[0];
  }

  followers(): readonly SimulatedNode[] {
    const leader = this.leader();
    return this.nodes.filter((node) => node !== leader && node.isUp);
  }

  /** Every wire between the groups, both ways. */
  cut(...groups: readonly (readonly SimulatedNode[])[]): void {
    for (const from of this.nodes)
      for (const to of this.nodes)
        if (!groups.some((group) => group.includes(from) && group.includes(to))) this.cluster.wires.cut(from.id, to.id);
  }

  mend(): void {
    this.cluster.wires.mendAll();
  }

  /** `request` names the write over its attempts; 0: it is asked once. */
  write(
    node: SimulatedNode,
    value: string,
    of: { readonly key?: string; readonly request?: number } = {},
  ): Asked<WriteResult> {
    const asked: { answer: WriteResult | undefined } = { answer: undefined };
    const { key = 'k', request = 0 } = of;
    const transaction = { id: `s${this.#attempts++}`, client: 'stage', request, key, expected: undefined, value };
    this.cluster.servers.write(node, transaction, (answer) => {
      asked.answer = answer;
    });
    return asked;
  }

  read(node: SimulatedNode, key = 'k'): Asked<ReadResult> {
    const asked: { answer: ReadResult | undefined } = { answer: undefined };
    this.cluster.servers.read(node, key, (answer) => {
      asked.answer = answer;
    });
    return asked;
  }

  change(node: SimulatedNode, request: Partial<MembershipRequest>): Asked<MembershipOutcome> {
    const asked: { answer: MembershipOutcome | undefined } = { answer: undefined };
    node.changeMembership({ steps: [], members: [], ...request }, (answer) => {
      asked.answer = answer;
    });
    return asked;
  }

  /** Asks until it is done: a new leader takes no change at once. */
  changed(request: Partial<MembershipRequest>): void {
    for (let attempt = 0; attempt < 100; attempt++) {
      if (this.answered(this.change(this.leader(), request)).kind === 'changed') return;
      this.pass(100);
    }
    throw new Error(`${JSON.stringify(request)} could not be done`);
  }

  answered<Answer>(asked: Asked<Answer>): Answer {
    this.until(() => asked.answer !== undefined);
    if (asked.answer === undefined) throw new Error('there is no answer');
    return asked.answer;
  }

  /** Writes until it is done. */
  written(node: SimulatedNode, value: string, key = 'k'): void {
    for (let attempt = 0; attempt < 100; attempt++) {
      if (this.answered(this.write(node, value, { key })).kind === 'applied') return;
      this.pass(100);
    }
    throw new Error(`"${value}" could not be written`);
  }

  /** Heals everything, and holds the cluster to it. */
  end(): void {
    this.cluster.finish();
  }
}

/** Nothing goes wrong, and nobody asks for anything. */
export function calmSwarm(nodes: number): Swarm {
  return { ...healed(swarmOf({ seed: nodes, nodes })), ...timings, hasLeases: true, clients: 0 };
}

export function roleOf(node: SimulatedNode): string | undefined {
  return node.consensus?.status().raft.role;
}

/** An election timeout is 200 to 400 ms. */
export const electionMs = 200;
const timings = { tickMs: 20, heartbeatTicks: 2, electionTicks: 10 };
