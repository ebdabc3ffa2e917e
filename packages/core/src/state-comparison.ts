import type { NodeId } from '@lockstep/contract/ids';
import { checkpointsKept } from './limits.ts';
import type { StateCheckpoint } from './peers/node-report.ts';
import type { StateMachine } from './port.ts';
import type { Membership } from './raft/types.ts';

export interface StateComparisonOptions {
  readonly id: NodeId;
  readonly machine: StateMachine;
  readonly membership: () => Membership;
  readonly log: (event: string, fields: Readonly<Record<string, number>>) => void;
}

/**
 * Holds this node's state against what the others say of theirs. A state that differs from one that a majority of the voters
 * share, at the same entry, is wrong; one that differs from another's, without a majority to tell which is right, is told to the
 * host, which can look for damage on its own disk.
 */
export class StateComparison {
  readonly #options: StateComparisonOptions;
  readonly #told = new Map<NodeId, StateCheckpoint[]>();
  /** What was said of each node, so that it is said once. */
  readonly #differing = new Set<NodeId>();

  constructor(options: StateComparisonOptions) {
    this.#options = options;
  }

  /** A node told of its state at one entry. */
  told(from: NodeId, checkpoint: StateCheckpoint): void {
    const known = this.#told.get(from) ?? [];
    if (known.at(-1)?.index === checkpoint.index) return;
    known.push(checkpoint);
    if (known.length > checkpointsKept) known.shift();
    this.#told.set(from, known);
  }

  /** Once for each tick. */
  compare(): void {
    const { machine } = this.#options;
    if (machine.digestAt === undefined || machine.differs === undefined) return;
    for (const [node, checkpoints] of this.#told) this.#compareWith(node, checkpoints);
  }

  /** The state was replaced: what was said before is of no use. */
  forget(): void {
    this.#told.clear();
    this.#differing.clear();
  }

  /** The newest that both know says how it is; of those that differ one may be known to a majority. */
  #compareWith(node: NodeId, checkpoints: readonly StateCheckpoint[]): void {
    const { machine, log } = this.#options;
    const differing: StateCheckpoint[] = [];
    for (const checkpoint of checkpoints.toReversed()) {
      const own = machine.digestAt?.(checkpoint.index);
      if (own === undefined) continue;
      if (isEqual(own, checkpoint.digest)) break;
      differing.push(checkpoint);
    }
    const [newest] = differing;
    if (newest === undefined) {
      this.#differing.delete(node);
      return;
    }
    const outvoting = differing.find(({ index, digest }) => this.#hasMajority(index, digest));
    if (outvoting === undefined && this.#differing.has(node)) return;
    this.#differing.add(node);
    const { index } = outvoting ?? newest;
    log('state-differs', { index, node });
    machine.differs?.({ index, node, isOutvoted: outvoting !== undefined });
  }

  /** Whether a majority of the voters told this digest at this entry. */
  #hasMajority(index: number, digest: Uint8Array): boolean {
    const { voters } = this.#options.membership();
    const agreeing = voters.filter((voter) =>
      this.#told.get(voter)?.some((told) => told.index === index && isEqual(told.digest, digest)),
    );
    return agreeing.length > voters.length / 2;
  }
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
