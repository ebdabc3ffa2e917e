import { LogIndex, type NodeId } from '@lockstep/contract/ids';
import { type Core, noNode } from './core.ts';
import { bytesOf } from './entry-tail.ts';
import type { AppendWanted, Progress } from './progress.ts';
import { quorumIndex } from './quorum.ts';
import type { Entry, EntryType, Message } from './types.ts';

type MessageOf<Type extends Message['type']> = Extract<Message, { type: Type }>;

/** Why no proposal is taken now; undefined when one is. */
export function whyNoProposal(core: Core): 'no-leader' | 'not-member' | 'transferring' | undefined {
  if (core.role !== 'leader') return 'no-leader';
  if (!core.progress.has(core.id)) return 'not-member';
  return core.transferee === noNode ? undefined : 'transferring';
}

/** Appends the leader's own entries, which go to the peers at the next `ready()`. Returns the first one's index. */
export function appendOwn(core: Core, data: readonly Uint8Array[], type: EntryType): LogIndex {
  const first = LogIndex(core.log.lastIndex + 1);
  let bytes = 0;
  for (const item of data) {
    core.log.append({ index: LogIndex(core.log.lastIndex + 1), term: core.term, type, data: item });
    bytes += item.length;
  }
  core.uncommitted.add(core.log.lastIndex, bytes);
  broadcastAppend(core);
  return first;
}

/** Every peer shall have an append at the next `ready()`, an empty one if there is nothing else: it carries the commit index. */
export function broadcastAppend(core: Core): void {
  for (const peer of core.progress.values()) if (peer.node !== core.id) peer.appendWanted = 'always';
  core.isAppendWanted = true;
}

export function wantAppend(core: Core, peer: Progress, wanted: AppendWanted): void {
  if (peer.appendWanted !== 'always') peer.appendWanted = wanted;
  core.isAppendWanted = true;
}

/** Sends what is wanted and what the peers' windows allow. */
export function sendWantedAppends(core: Core): void {
  core.isAppendWanted = false;
  for (const peer of core.progress.values()) {
    if (peer.appendWanted === 'no') continue;
    let isEmptyWanted = peer.appendWanted === 'always';
    peer.appendWanted = 'no';
    while (sendAppend(core, peer, isEmptyWanted)) isEmptyWanted = false;
  }
}

/**
 * One append to `peer`, if it may have one now: with entries, or empty if that is wanted and there are none, or none fit its window.
 * Entries that aren't in memory are fetched first; a peer that needs entries before the log begins needs a snapshot.
 */
function sendAppend(core: Core, peer: Progress, isEmptyWanted: boolean): boolean {
  if (peer.isPaused || peer.fetchId !== 0 || peer.isSnapshotWanted) return false;
  const { log } = core;
  const prevTerm = log.termAt(LogIndex(peer.next - 1));
  if (prevTerm === undefined) {
    wantSnapshot(core, peer);
    return false;
  }
  const hasRoom = peer.state !== 'replicate' || !peer.inflights.isFull;
  if (hasRoom && peer.next < log.tailFirstIndex) {
    fetchFor(core, peer);
    return false;
  }
  const range = { from: peer.next, until: LogIndex(log.lastIndex + 1), bytesMax: core.limits.appendBytesMax };
  const { entries, bytes } = hasRoom && peer.next <= log.lastIndex ? log.slice(range) : nothing;
  if (entries.length === 0 && !isEmptyWanted) return false;
  sendEntries(core, peer, { entries, bytes });
  return true;
}

const nothing: { readonly entries: readonly Entry[]; readonly bytes: number } = { entries: [], bytes: 0 };

/** An append of `entries`, which begin at `peer.next`. */
function sendEntries(
  core: Core,
  peer: Progress,
  of: { readonly entries: readonly Entry[]; readonly bytes: number },
): void {
  const prevIndex = LogIndex(peer.next - 1);
  const prevTerm = core.log.termAt(prevIndex);
  if (prevTerm === undefined) throw new Error(`no term for ${prevIndex}, which the log covers`);
  const commit = core.log.commit;
  const { term, id: from } = core;
  core.messages.push({ type: 'append', from, to: peer.node, term, prevIndex, prevTerm, commit, entries: of.entries });
  peer.sentAppend(of.entries.length, of.bytes);
  peer.sentCommit(commit);
}

function fetchFor(core: Core, peer: Progress): void {
  core.lastFetchId += 1;
  peer.fetchId = core.lastFetchId;
  peer.fetchFrom = peer.next;
  const until = core.log.tailFirstIndex;
  const bytesMax = core.limits.appendBytesMax;
  core.fetches.push({ id: peer.fetchId, to: peer.node, from: peer.next, until, bytesMax });
}

/**
 * Entries for a peer came from the log store. Only the answer to the peer's newest fetch counts: any change of role, term,
 * membership or of what the peer needs has made another one the newest, or none.
 */
export function peerEntriesFetched(core: Core, peer: Progress, entries: readonly Entry[] | 'compacted'): void {
  peer.fetchId = 0;
  // What it acknowledged meanwhile it does not need: the log may go on for it.
  if (entries === 'compacted' && peer.next <= peer.fetchFrom) {
    wantSnapshot(core, peer);
    return;
  }
  if (entries !== 'compacted' && isSendable(core, peer, entries))
    sendEntries(core, peer, { entries, bytes: bytesOf(entries) });
  wantAppend(core, peer, 'if-entries');
}

/** The log and the peer may have moved on while the entries were read. */
function isSendable(core: Core, peer: Progress, entries: readonly Entry[]): boolean {
  const first = entries[0];
  const last = entries.at(-1);
  if (first === undefined || last === undefined || first.index !== peer.next || first.index < core.log.firstIndex)
    return false;
  const hasRoom = peer.state !== 'replicate' || !peer.inflights.isFull;
  return (
    hasRoom && !peer.isPaused && core.log.matches(first.index, first.term) && core.log.matches(last.index, last.term)
  );
}

function wantSnapshot(core: Core, peer: Progress): void {
  // A peer that nothing was heard from could not take it: wait for a sign of life.
  if (!peer.isRecentlyActive || peer.isSnapshotWanted) return;
  peer.isSnapshotWanted = true;
  const minIndex = LogIndex(Math.max(core.log.firstIndex - 1, core.membershipIndex));
  core.snapshotsWanted.push({ to: peer.node, minIndex });
}

/** Commits what a quorum has, if it is of this term (Raft §5.4.2, figure 8). True when the commit index moved. */
export function advanceCommit(core: Core): boolean {
  const index = quorumIndex(core.voters, (node) => core.progress.get(node)?.match ?? LogIndex(0));
  if (index <= core.log.commit || !core.log.matches(index, core.term)) return false;
  core.log.commitTo(index);
  broadcastAppend(core);
  return true;
}

/** The leader knows nothing of earlier terms' commits until an entry of its own has committed. */
export function hasCommittedInTerm(core: Core): boolean {
  return core.log.matches(core.log.commit, core.term);
}

export function handleAppendReply(core: Core, peer: Progress, reply: MessageOf<'append-reply'>): void {
  peer.isRecentlyActive = true;
  if (reply.rejected) {
    if (reply.index === 0 && peer.match === 0) {
      // Every log agrees before its first entry, so this refuses the log itself.
      wantSnapshot(core, peer);
      return;
    }
    const { hintIndex, hintTerm } = reply;
    const hint = hintTerm > 0 ? core.log.lastAtMost(hintIndex, hintTerm).index : hintIndex;
    if (!peer.reject(reply.index, hint)) return;
    peer.fetchId = 0;
    peer.isSnapshotWanted = false;
    wantAppend(core, peer, 'always');
    return;
  }
  if (reply.index > core.log.lastIndex) return;
  acknowledged(core, peer, reply.index);
}

function acknowledged(core: Core, peer: Progress, index: LogIndex): void {
  const isNews = peer.acknowledge(index);
  // A probe that found what was known already still shows where the logs agree.
  if (!isNews && !(peer.match === index && peer.state === 'probe')) return;
  // What the peer has, the log goes on from: the snapshot that is being made for it comes too late to be of use.
  if (peer.isSnapshotWanted && peer.match > 0 && peer.match + 1 >= core.log.firstIndex) peer.isSnapshotWanted = false;
  if (peer.state === 'probe') peer.becomeReplicate();
  else if (peer.state === 'replicate') peer.inflights.freeUpTo(index);
  else if (peer.match + 1 >= core.log.firstIndex) {
    // The offered snapshot, or an older one that is good enough: the log goes on from there.
    peer.becomeProbe();
    peer.becomeReplicate();
  } else if (index >= peer.offeredIndex) {
    // It has the snapshot, but the log was compacted past it meanwhile: it needs another.
    peer.becomeProbe();
  }
  const isCommitMoved = advanceCommit(core);
  if (!isCommitMoved && peer.canRaiseCommit(core.log.commit)) wantAppend(core, peer, 'always');
  wantAppend(core, peer, 'if-entries');
  if (peer.node === core.transferee && peer.match === core.log.lastIndex) sendTimeoutNow(core, peer.node);
}

/** This node's own log is durable up to `log.stable`: it acknowledges to itself. */
export function acknowledgeOwn(core: Core): void {
  const own = core.progress.get(core.id);
  if (own?.acknowledge(core.log.stable)) advanceCommit(core);
}

export function handleHeartbeatReply(core: Core, peer: Progress, reply: MessageOf<'heartbeat-reply'>): void {
  peer.isRecentlyActive = true;
  peer.resumeFlow();
  // The peer lacks entries, or may: an append that was lost, or a window that was lost as a whole, is found out so.
  if (peer.match < core.log.lastIndex || peer.state === 'probe') wantAppend(core, peer, 'always');
  core.reads.echoed(peer.node, reply.readPosition);
  core.reads.confirm(core.voters, core.id);
}

/** Heartbeats carry the newest read position, so that a lost round is asked again. */
export function broadcastHeartbeat(core: Core): void {
  const { id: from, term, log } = core;
  core.reads.sending();
  const readPosition = core.reads.position;
  for (const peer of core.progress.values()) {
    if (peer.node === from) continue;
    // Never more than the peer is known to have: it could commit an entry that conflicts.
    const commit = LogIndex(Math.min(peer.match, log.commit));
    core.messages.push({ type: 'heartbeat', from, to: peer.node, term, commit, readPosition });
    // A higher one that was sent before may be lost: the next acknowledgement shall bring it again.
    peer.sentCommit(commit);
  }
  // A lone voter is a quorum by itself.
  if (core.lease !== undefined) core.reads.confirm(core.voters, core.id);
}

export function sendTimeoutNow(core: Core, to: NodeId): void {
  core.lease?.giveUp();
  core.messages.push({ type: 'timeout-now', from: core.id, to, term: core.term });
}

/** Hands leadership to `to`, a voter: no proposals are taken until it has the whole log, or one election timeout has passed. */
export function transferLeadership(core: Core, to: NodeId): void {
  const peer = core.progress.get(to);
  if (peer === undefined || peer.isLearner || to === core.id || to === core.transferee) return;
  core.transferee = to;
  core.electionElapsed = 0;
  if (peer.match === core.log.lastIndex) sendTimeoutNow(core, to);
  else wantAppend(core, peer, 'always');
}

export function abortTransfer(core: Core): void {
  core.transferee = noNode;
}
