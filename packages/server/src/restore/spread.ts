import type { NodeId } from '@lockstep/contract/ids';
import type { PullSnapshot } from '@lockstep/core/peers/snapshot-transfer';
import type { Membership } from '@lockstep/core/raft/types';
import { receiptRetryMs } from './limits.ts';
import { receiptName } from './restores.ts';

export interface SpreadOptions {
  readonly id: string;
  /** Holds it already. */
  readonly self: NodeId;
  readonly membership: () => Membership;
  readonly pull: PullSnapshot;
  readonly setTimer: (ms: number, run: () => void) => () => void;
  /** Ends the wait. */
  readonly signal: AbortSignal;
}

/**
 * Asks every voter to hold a file, again and again, until a quorum has answered that it does. Resolves with false when the signal
 * comes first. Whoever answered holds the file through a restart.
 */
export function spreadToQuorum(options: SpreadOptions): Promise<boolean> {
  const { id, self, membership, pull, setTimer, signal } = options;
  const holders = new Set<NodeId>([self]);
  const stops: (() => void)[] = [];
  return new Promise((resolve) => {
    const end = (isSpread: boolean): void => {
      for (const stop of stops.splice(0)) stop();
      resolve(isSpread);
    };
    if (hasQuorum(membership(), holders)) return end(true);
    if (signal.aborted) return end(false);
    signal.addEventListener('abort', () => end(false), { once: true });
    const ask = (node: NodeId): void => {
      const { cancel } = pull(node, receiptName(id), 0, {
        onChunk: (_data, _offset, _total, next) => {
          holders.add(node);
          next();
          if (hasQuorum(membership(), holders)) end(true);
        },
        onEnd: () => {
          if (!holders.has(node) && !signal.aborted) stops.push(setTimer(receiptRetryMs, () => ask(node)));
        },
      });
      stops.push(cancel);
    };
    const { voters, votersOutgoing } = membership();
    for (const node of new Set([...voters, ...votersOutgoing])) if (node !== self) ask(node);
  });
}

/** A majority of the voters, in a joint membership of both sets. */
function hasQuorum({ voters, votersOutgoing }: Membership, holders: ReadonlySet<NodeId>): boolean {
  const isMajority = (nodes: readonly NodeId[]): boolean =>
    nodes.filter((node) => holders.has(node)).length > nodes.length / 2;
  return isMajority(voters) && (votersOutgoing.length === 0 || isMajority(votersOutgoing));
}
