import type { NodeId } from '@lockstep/contract/ids';
import type { Message } from '@lockstep/core/raft/types';
import { insist } from '../violation.ts';
import { hasHeld, type NodeView } from './node-view.ts';

type Acknowledgement = Extract<Message, { type: 'append-reply' }>;

/** A vote leaves a node: its disk must hold it, or be in a later term already. */
export function checkVote({ id, durable }: NodeView, vote: { readonly term: number; readonly to: NodeId }): void {
  insist(
    '10 a vote is durable before it is given',
    durable.term > vote.term || (durable.term === vote.term && durable.vote === vote.to),
    () =>
      `node ${id} gave its vote of term ${vote.term} to ${vote.to}; on its disk: term ${durable.term}, vote ${durable.vote}`,
  );
}

/**
 * An acknowledgement leaves a node. What it speaks of is the entry that the leader of its term has at that position (`leaderTerm`,
 * undefined when that leader has fallen, or has compacted the position): its own log, in memory, may already hold what a later leader put there.
 */
export function checkAcknowledgement(node: NodeView, reply: Acknowledgement, leaderTerm: number | undefined): void {
  const { id, durable, log } = node;
  const { index, term } = reply;
  insist(
    '10 a term is durable before it is answered in',
    durable.term >= term,
    () => `node ${id} answered in term ${term}; on its disk: ${durable.term}`,
  );
  if (durable.term > term) {
    // It has gone on to a later term with the same write: what it acknowledges was on the disk at least in between.
    insist(
      '10 an entry is durable before it is acknowledged',
      leaderTerm === undefined || hasHeld(node, index, leaderTerm),
      () => `node ${id} acknowledged ${index} (term ${leaderTerm}) in term ${term}, and never had it on its disk`,
    );
    return;
  }
  const ownTerm = log.termAt(index);
  // With the leader gone only its own log can tell, unless an entry of a later term is there, in memory so far: nobody counts this answer any more.
  const isReplaced = ownTerm !== undefined && ownTerm > term;
  const entryTerm = leaderTerm ?? (isReplaced ? undefined : ownTerm);
  insist(
    '10 an entry is durable before it is acknowledged',
    index <= durable.lastIndex && (entryTerm === undefined || durable.holds(index, entryTerm)),
    () => `node ${id} acknowledged ${index} (term ${entryTerm}); its disk ends at ${durable.lastIndex}`,
  );
}
