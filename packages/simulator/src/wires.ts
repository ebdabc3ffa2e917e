import type { NodeId } from '@lockstep/contract/ids';
import type { MemoryDelivery } from '@lockstep/core/peers/memory-peers';
import type { Agenda } from './agenda.ts';
import type { Random } from './random.ts';
import type { Swarm } from './swarm.ts';
import type { Trace } from './trace.ts';

/** A frame may take so long when it is late: longer than an election. */
const lateMsMax = 2_000;

/** What a frame may suffer. A real stream neither repeats nor reorders; Raft's own messages must bear it, the driver's need not. */
export type FrameKind = 'raft' | 'driver';

/**
 * The wires between the nodes: which are cut, and how long each frame takes. Frames on their way when a wire is cut are lost with it,
 * or arrive, as it happens.
 */
export class Wires {
  swarm: Swarm;
  readonly #agenda: Agenda;
  readonly #random: Random;
  readonly #trace: Trace;
  readonly #arrived: (to: NodeId, arrive: () => void) => void;
  readonly #cut = new Map<string, boolean>();
  readonly #lastArrival = new Map<string, number>();

  constructor(of: {
    readonly agenda: Agenda;
    readonly random: Random;
    readonly trace: Trace;
    readonly swarm: Swarm;
    readonly arrived: (to: NodeId, arrive: () => void) => void;
  }) {
    this.#agenda = of.agenda;
    this.#random = of.random;
    this.#trace = of.trace;
    this.#arrived = of.arrived;
    this.swarm = of.swarm;
  }

  /** One way only. */
  cut(from: NodeId, to: NodeId): void {
    this.#cut.set(wire(from, to), true);
  }

  mendAll(): void {
    this.#cut.clear();
  }

  carry(delivery: MemoryDelivery, kind: FrameKind): void {
    const { from, to } = delivery;
    if (this.#isCut(from, to) || this.#random.chance(this.swarm.lossShare)) return;
    this.#send(delivery, kind);
    if (kind === 'raft' && this.#random.chance(this.swarm.duplicateShare)) this.#send(delivery, kind);
  }

  #send(delivery: MemoryDelivery, kind: FrameKind): void {
    const { from, to } = delivery;
    const isOrdered = kind === 'driver' || !this.swarm.isReordering;
    // What is reordered overtakes only its own kind.
    const name = this.swarm.isReordering ? `${wire(from, to)} ${kind}` : wire(from, to);
    let atMs = this.#agenda.nowMs + this.#delay();
    if (isOrdered) atMs = Math.max(atMs, this.#lastArrival.get(name) ?? 0);
    this.#lastArrival.set(name, atMs);
    this.#agenda.after(atMs - this.#agenda.nowMs, () => {
      if (this.#isCut(from, to)) return;
      this.#trace.note(this.#agenda.nowMs, 'arrive', from, to, delivery.bytes);
      this.#arrived(to, delivery.arrive);
    });
  }

  #delay(): number {
    const { delayMs, lateShare } = this.swarm;
    const late = this.#random.chance(lateShare) ? this.#random.between(0, lateMsMax) : 0;
    return delayMs.least + this.#random.around(delayMs.more) + late;
  }

  #isCut(from: NodeId, to: NodeId): boolean {
    return this.#cut.get(wire(from, to)) === true;
  }
}

function wire(from: NodeId, to: NodeId): string {
  return `${from}>${to}`;
}
