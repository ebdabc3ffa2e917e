import type { NodeId } from '@lockstep/contract/ids';
import type { NodeLoad } from '@lockstep/core/node-load';
import type { Message, RaftStatus } from '@lockstep/core/raft/types';
import { insist } from '../violation.ts';
import { votingText } from './membership-model.ts';
import type { NodeView } from './node-view.ts';

/** What must hold of one node's own positions at the end of each of its turns. */
export function checkPositions(node: NodeView, load: NodeLoad): void {
  const status = load.raft;
  ordered(node, load);
  if (node.last !== undefined) monotone(node.last, status);
  insist(
    '17 a membership is what the log makes it',
    votingText(status.membership) === votingText(node.voting),
    () => `node ${node.id} has ${votingText(status.membership)}, its log makes ${votingText(node.voting)}`,
  );
}

function ordered({ id, log, applied }: NodeView, { raft: status, hasMore }: NodeLoad): void {
  const { firstIndex, commit, lastIndex, stable } = status;
  insist(
    '12 positions are in order',
    status.applied <= commit && commit <= lastIndex && status.applied <= stable,
    () => `node ${id}: applied ${status.applied}, commit ${commit}, last ${lastIndex}, stable ${stable}`,
  );
  insist(
    '12 compaction stays behind the state',
    firstIndex - 1 <= applied,
    () => `node ${id}: the log begins at ${firstIndex}, the state is at ${applied}`,
  );
  insist(
    '12 positions are in order',
    // What a turn did not get to, at its limit of rounds, the next one does.
    lastIndex === log.lastIndex || (hasMore && lastIndex > log.lastIndex),
    () => `node ${id}: the core's log ends at ${lastIndex}, what it handed out at ${log.lastIndex}`,
  );
}

function monotone(before: RaftStatus, after: RaftStatus): void {
  const { id } = after;
  insist(
    '11 a term never goes back',
    after.term >= before.term,
    () => `node ${id}: term ${before.term} to ${after.term}`,
  );
  insist(
    '11 a commit never goes back',
    after.commit >= before.commit,
    () => `node ${id}: commit ${before.commit} to ${after.commit}`,
  );
  insist(
    '11 an applied index never goes back',
    after.applied >= before.applied,
    () => `node ${id}: applied ${before.applied} to ${after.applied}`,
  );
  insist(
    '11 a vote never changes',
    after.term > before.term || before.vote === 0 || after.vote === before.vote,
    () => `node ${id}: vote of term ${after.term} from ${before.vote} to ${after.vote}`,
  );
}

/** A peer tells that it has taken a snapshot. The leader may compact in the same turn, before its status shows it. */
export function noteTaken({ offered }: NodeView, message: Message): void {
  if (message.type !== 'append-reply' || message.rejected) return;
  if (message.index >= (offered.get(message.from) ?? Number.POSITIVE_INFINITY)) offered.delete(message.from);
}

/** What a leader knows of its peers, against what their disks hold. */
export function checkProgress(
  leader: NodeView,
  status: RaftStatus,
  viewOf: (id: NodeId) => NodeView | undefined,
): void {
  const isMember = (id: NodeId): boolean => status.progress.some(({ node }) => node === id);
  for (const id of leader.offered.keys()) if (!isMember(id)) leader.offered.delete(id);
  for (const { node: id, match, next, state, inflightCount } of status.progress) {
    insist(
      '15 what a leader knows of a peer is sane',
      match < next && match <= status.lastIndex,
      () => `leader ${leader.id}: node ${id} match ${match}, next ${next}, last ${status.lastIndex}`,
    );
    insist(
      '15 only a replicating peer has messages in flight',
      inflightCount === 0 || state === 'replicate',
      () => `leader ${leader.id}: node ${id} in ${state} with ${inflightCount} in flight`,
    );
    if (state !== 'snapshot') leader.offered.delete(id);
    if (leader.match.get(id) === match) continue;
    leader.match.set(id, match);
    const term = leader.log.termAt(match);
    const peer = viewOf(id);
    if (term === undefined || peer === undefined) continue;
    insist(
      '15 a peer has durably what its leader counts on',
      peer.durable.term > status.term || peer.durable.holds(match, term),
      () => `leader ${leader.id}: node ${id} match ${match} (term ${term}), its disk ends at ${peer.durable.lastIndex}`,
    );
  }
}
