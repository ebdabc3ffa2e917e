import type { LogIndex, NodeId } from '@lockstep/contract/ids';
import type { NodeReport } from './peers/node-report.ts';
import type { CareMessage } from './peers/care-codec.ts';
import { StateComparison } from './state-comparison.ts';
import { StateRefetch, type StateRefetchOptions } from './state-refetch.ts';

/** All that this node does about states that are damaged: its own is compared and replaced, another's is replaced by this one. */
export class StateCare {
  readonly #refetch: StateRefetch;
  readonly #comparison: StateComparison;

  constructor(options: StateRefetchOptions) {
    const { id, machine, memberships, log } = options;
    this.#refetch = new StateRefetch(options);
    this.#comparison = new StateComparison({ id, machine, membership: () => memberships.current, log });
    if (machine.isDamaged?.() ?? false) this.#refetch.begin();
  }

  /** The state can't be used, and is being replaced. */
  get isRefetching(): boolean {
    return this.#refetch.isUnderWay;
  }

  /** States that were replaced since the process started. */
  get refetchedCount(): number {
    return this.#refetch.count;
  }

  refetch(): void {
    this.#comparison.forget();
    this.#refetch.begin();
  }

  heldAt(): LogIndex | undefined {
    return this.#refetch.heldAt();
  }

  /** Once for each tick. */
  tick(): void {
    this.#refetch.tick();
    if (!this.#refetch.isUnderWay) this.#comparison.compare();
  }

  told(from: NodeId, { checkpoint }: NodeReport): void {
    if (checkpoint !== undefined) this.#comparison.told(from, checkpoint);
  }

  receive(from: NodeId, message: Extract<CareMessage, { kind: 'state-ask' | 'state-offer' }>): void {
    if (message.kind === 'state-ask') this.#refetch.asked(from, message.minIndex);
    else this.#refetch.offered(from, message.meta);
  }
}
