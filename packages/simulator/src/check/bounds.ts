import { proposalsWaitingMax } from '@lockstep/core/limits';
import type { NodeLoad } from '@lockstep/core/node-load';
import type { RaftLimits } from '@lockstep/core/raft/limits';
import { insist } from '../violation.ts';

/** The largest entry that the simulated clients can make of one turn: what is let through alone may be as large. */
const entryBytesMax = 32_768;

const rule = '29 everything that waits has its bound';

/** What waits in a node, at the end of each of its turns. */
export function checkBounds(status: NodeLoad, limits: RaftLimits): void {
  const { raft, proposalsWaiting } = status;
  const within = (what: string, value: number, max: number): void =>
    insist(rule, value <= max, () => `node ${raft.id}: ${what} is ${value}, at most ${max} is allowed`);
  // What is not handed out yet may not be durable either: it stays, and is bounded by what leaders let in.
  const isAllKept = raft.tailFirstIndex > raft.applied;
  within('the tail in memory', isAllKept ? 0 : raft.tailBytes, limits.tailBytesMax);
  within('what is not applied', raft.uncommittedBytes, limits.uncommittedBytesMax + entryBytesMax);
  within('the count of reads that wait', raft.readsWaiting, limits.readsWaitingMax);
  within('the count of proposals that wait', proposalsWaiting, proposalsWaitingMax);
  for (const { node, inflightCount, inflightBytes } of raft.progress) {
    within(`the count of messages to ${node}`, inflightCount, limits.inflightMessagesMax);
    within(
      `what is on its way to ${node}`,
      inflightBytes,
      limits.inflightBytesMax + limits.appendBytesMax + entryBytesMax,
    );
  }
}
