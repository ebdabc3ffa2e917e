import type { NodeId } from '@lockstep/contract/ids';
import type { MemoryNetwork } from '@lockstep/core/peers/memory-peers';
import type { Agenda } from './agenda.ts';
import type { Random } from './random.ts';
import type { SimulatedNode } from './simulated-node.ts';
import type { Swarm } from './swarm.ts';
import type { Trace } from './trace.ts';
import type { Wires } from './wires.ts';

/** How far a wall clock may jump at once, either way: past any lease. */
const clockJumpMsMax = 120_000;

export interface FaultsOptions {
  readonly agenda: Agenda;
  readonly random: Random;
  readonly trace: Trace;
  readonly nodes: () => readonly SimulatedNode[];
  readonly wires: Wires;
  readonly network: MemoryNetwork;
  readonly swarm: Swarm;
}

type FaultKind = keyof Swarm['every'];

/** Makes things go wrong, each kind at its own pace, until `stop`. Whatever it breaks it also mends after a while. */
export class Faults {
  readonly #options: FaultsOptions;
  #isStopped = false;

  constructor(options: FaultsOptions) {
    this.#options = options;
  }

  /** Each kind draws from a source of its own: one that is left out leaves the others as they were. */
  begin(): void {
    const { random, swarm } = this.#options;
    for (const kind of Object.keys(swarm.every) as FaultKind[]) this.#plan(kind, random.fork());
  }

  stop(): void {
    this.#isStopped = true;
  }

  #plan(kind: FaultKind, random: Random): void {
    const { agenda, swarm, trace } = this.#options;
    const meanMs = swarm.every[kind];
    if (meanMs === 0) return;
    agenda.after(random.around(meanMs), () => {
      if (this.#isStopped) return;
      trace.note(agenda.nowMs, kind);
      this.#happen(kind, random);
      this.#plan(kind, random);
    });
  }

  #happen(kind: FaultKind, random: Random): void {
    const { network, swarm } = this.#options;
    const nodes = this.#options.nodes();
    const node = this.#victim(random);
    switch (kind) {
      case 'partition':
        return this.#partition(random);
      case 'disconnect':
        return network.disconnect(node.id, random.pick(nodes).id);
      case 'crash':
        return this.#crash(node, random);
      case 'crashInWrite':
        node.crashInNextWrite();
        return this.#later(random, swarm.downMs + 500, () => node.start());
      case 'crashAll':
        for (const one of nodes) this.#crash(one, random);
        return;
      case 'pause':
        node.pause();
        return this.#later(random, swarm.pauseMs, () => node.resume());
      case 'crashAtEffect':
        return node.crashAtEffect(1 + random.below(40));
      case 'failWrite':
        return node.failNextWrite();
      case 'slowDisk':
        node.disk.slowness = random.pick([20, 100, 1_000]);
        return this.#later(random, 3_000, () => {
          node.disk.slowness = 1;
        });
      case 'stallDisk':
        node.disk.stall();
        return this.#later(random, swarm.stallMs, () => node.disk.goOn());
      case 'clockJump':
        return node.jumpClock(random.between(-clockJumpMsMax, clockJumpMsMax));
      case 'compact':
        node.consensus?.compactNow();
        return;
      case 'fullDisk':
        node.freeSpace = random.pick(['low', 'full', 'exhausted'] as const);
        return this.#later(random, swarm.stallMs, () => {
          node.freeSpace = 'ok';
        });
      case 'seal':
        node.seal();
        return this.#later(random, 3_000, () => node.unseal());
      case 'transfer':
        for (const one of nodes) one.consensus?.transferLeader(random.chance(0.5) ? node.id : undefined);
        return;
      case 'campaign':
        return this.#campaigner(random).campaign();
      default:
        kind satisfies never;
    }
  }

  /** Half of the time a node that leads: most mistakes show when leadership moves. */
  #victim(random: Random): SimulatedNode {
    const nodes = this.#options.nodes();
    const leaders = nodes.filter((node) => node.consensus?.load().raft.role === 'leader');
    return random.pick(leaders.length > 0 && random.chance(0.5) ? leaders : nodes);
  }

  /** One that is about to leave, where there is any: it may lead, and then has to see to its own leaving. */
  #campaigner(random: Random): SimulatedNode {
    const leaving = this.#options.nodes().filter((node) => {
      const { voters = [], votersOutgoing = [] } = node.consensus?.status().raft.membership ?? {};
      return votersOutgoing.includes(node.id) && !voters.includes(node.id);
    });
    return leaving.length > 0 ? random.pick(leaving) : this.#victim(random);
  }

  #crash(node: SimulatedNode, random: Random): void {
    node.crash();
    this.#later(random, this.#options.swarm.downMs, () => node.start());
  }

  #later(random: Random, meanMs: number, mend: () => void): void {
    this.#options.agenda.after(random.around(meanMs), mend);
  }

  #partition(random: Random): void {
    const { wires, swarm, trace, agenda } = this.#options;
    wires.mendAll();
    for (const [from, to] of this.#cutWires(random)) wires.cut(from, to);
    this.#later(random, swarm.partitionMs, () => {
      trace.note(agenda.nowMs, 'mend');
      wires.mendAll();
    });
    if (random.chance(0.5)) for (const [from, to] of this.#cutWires(random)) this.#options.network.disconnect(from, to);
  }

  /** One shape of partition, drawn anew: two halves, one node alone, one node deaf or mute, a bridge between halves, or any wires. */
  #cutWires(random: Random): [NodeId, NodeId][] {
    const ids = this.#options.nodes().map((node) => node.id);
    const victim = this.#victim(random).id;
    const half = new Set(ids.filter(() => random.chance(0.5)));
    const shape = random.pick(['halves', 'alone', 'deaf', 'mute', 'bridge', 'any'] as const);
    const isCut = (from: NodeId, to: NodeId): boolean => {
      switch (shape) {
        case 'halves':
          return half.has(from) !== half.has(to);
        case 'alone':
          return from === victim || to === victim;
        case 'deaf':
          return to === victim;
        case 'mute':
          return from === victim;
        case 'bridge':
          return from !== victim && to !== victim && half.has(from) !== half.has(to);
        case 'any':
          return random.chance(0.3);
        default:
          return shape satisfies never;
      }
    };
    return ids.flatMap((from) =>
      ids.filter((to) => to !== from && isCut(from, to)).map((to): [NodeId, NodeId] => [from, to]),
    );
  }
}
