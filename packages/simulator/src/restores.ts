import type { Agenda } from './agenda.ts';
import type { Clients } from './clients.ts';
import { savedStatesMax } from './limits.ts';
import type { Random } from './random.ts';
import type { SimulatedNode } from './simulated-node.ts';
import type { Swarm } from './swarm.ts';

export interface RestoresOptions {
  readonly agenda: Agenda;
  readonly random: Random;
  readonly clients: Clients;
  readonly nodes: () => readonly SimulatedNode[];
  readonly swarm: Swarm;
}

/** An operator who saves the whole state of the cluster now and then, and has it go back to one of those that were saved. */
export class Restores {
  readonly #options: RestoresOptions;
  /** By key. The oldest first. */
  readonly #saved: ReadonlyMap<string, string>[] = [];
  #isStopped = false;

  constructor(options: RestoresOptions) {
    this.#options = options;
  }

  begin(): void {
    const { agenda, random, swarm } = this.#options;
    agenda.after(random.around(swarm.restoreMs), () => {
      if (this.#isStopped) return;
      this.#saveOrRestore();
      this.begin();
    });
  }

  stop(): void {
    this.#isStopped = true;
  }

  #saveOrRestore(): void {
    const { random, clients, nodes } = this.#options;
    const up = nodes().filter((node) => node.isUp);
    if (up.length === 0) return;
    const node = random.pick(up);
    if (this.#saved.length === 0 || random.chance(0.4)) this.#save(node);
    else clients.restore(node, random.pick(this.#saved));
  }

  /** What a node holds, which may be behind: a file is of the past in any case. */
  #save({ machine }: SimulatedNode): void {
    if (machine === undefined) return;
    const { values } = machine.state;
    const saved = new Map<string, string>();
    // A restore brings back what was written, not that it was brought back before.
    for (let at = 0; at < this.#options.swarm.keys; at++)
      saved.set(`k${at}`, (values.get(`k${at}`)?.value ?? '').replace(/^r\d+=/, ''));
    if (this.#saved.length >= savedStatesMax) this.#saved.shift();
    this.#saved.push(saved);
  }
}
