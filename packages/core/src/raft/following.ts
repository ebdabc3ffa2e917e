import { LogIndex, Term } from '@lockstep/contract/ids';
import { type Core, votersOf } from './core.ts';
import { isVoter } from './quorum.ts';
import type { Message, SnapshotMeta } from './types.ts';

type MessageOf<Type extends Message['type']> = Extract<Message, { type: Type }>;

const noHint = { hintIndex: LogIndex(0), hintTerm: Term(0) };

/** Takes the leader's entries, or says where the logs can agree at the latest. The reply waits until the entries are durable. */
export function handleAppend(core: Core, append: MessageOf<'append'>): void {
  const { log } = core;
  const { prevIndex, prevTerm, entries } = append;
  if (prevIndex < log.commit) {
    // An old message: what is committed matches, without looking.
    replyAppended(core, append, log.commit);
    return;
  }
  if (isNewcomer(core)) {
    refuseAppend(core, append);
    return;
  }
  if (!log.matches(prevIndex, prevTerm)) {
    refuseAppend(core, append);
    return;
  }
  requireContiguous(append);
  log.merge(entries);
  // Never more than this message has shown to match: the rest of the log may be another leader's (Raft figure 2, receiver's rule 5).
  const matched = LogIndex(prevIndex + entries.length);
  log.commitTo(append.commit < matched ? append.commit : matched);
  replyAppended(core, append, matched);
}

/** Hints at the last place where the logs can agree, so that the leader need not try every index (etcd's two-sided search). */
function refuseAppend(core: Core, { from: to, prevIndex: index, prevTerm }: MessageOf<'append'>): void {
  const { id: from, term, log } = core;
  const hint = log.lastAtMost(index < log.lastIndex ? index : log.lastIndex, prevTerm);
  const hints = { hintIndex: hint.index, hintTerm: hint.term };
  core.messagesAfterPersist.push({ type: 'append-reply', from, to, term, index, rejected: true, ...hints });
}

/**
 * Knows of no voter: it has joined a cluster whose founding membership is in no entry. It can't take the log from its beginning,
 * since every change in it would be made to nothing: the leader sees the refusal at 0, and sends a snapshot.
 */
function isNewcomer(core: Core): boolean {
  return core.membership.voters.length === 0;
}

export function handleHeartbeat(core: Core, heartbeat: MessageOf<'heartbeat'>): void {
  core.log.commitTo(heartbeat.commit);
  const { readPosition } = heartbeat;
  core.messages.push({ type: 'heartbeat-reply', from: core.id, to: heartbeat.from, term: core.term, readPosition });
}

/**
 * The host has the contents of this snapshot: the log begins after it from now on, and everything that was not committed is
 * forgotten. Never one at or before the commit index, nor one whose membership leaves this node out; one whose position is in the log already only moves the commit index.
 */
export function handleSnapshot(core: Core, snapshot: MessageOf<'snapshot'>): void {
  const { log } = core;
  const { meta } = snapshot;
  if (meta.index > log.commit && isMember(core, meta)) {
    if (log.matches(meta.index, meta.term)) log.commitTo(meta.index);
    else restore(core, meta);
  }
  replyAppended(core, snapshot, log.commit);
}

function restore(core: Core, meta: SnapshotMeta): void {
  core.log.restore(meta);
  core.membership = meta.membership;
  core.voters = votersOf(meta.membership);
  core.membershipIndex = meta.index;
  core.membershipHandedOut = meta.index;
  core.ownFetchId = 0;
  core.fetchedCommitted = [];
}

function isMember(core: Core, meta: SnapshotMeta): boolean {
  return isVoter(votersOf(meta.membership), core.id) || meta.membership.learners.includes(core.id);
}

function replyAppended(core: Core, to: Message, index: LogIndex): void {
  const { id: from, term } = core;
  core.messagesAfterPersist.push({ type: 'append-reply', from, to: to.from, term, index, rejected: false, ...noHint });
}

function requireContiguous(append: MessageOf<'append'>): void {
  let index: number = append.prevIndex;
  let term: number = append.prevTerm;
  for (const entry of append.entries) {
    index += 1;
    if (entry.index !== index || entry.term < term || entry.term > append.term) {
      throw new Error(
        `malformed append from ${append.from}: entry ${entry.term}/${entry.index} after ${term}/${index - 1}`,
      );
    }
    term = entry.term;
  }
}
