import { LogIndex } from '@lockstep/contract/ids';
import type { Core } from './core.ts';
import { broadcastHeartbeat, hasCommittedInTerm, sendWantedAppends } from './replication.ts';
import type { Entry, HardState, Message, PersistBatch, Ready } from './types.ts';

const none: readonly never[] = [];

/** Whether `takeReady` would give the host anything to do or to know. */
export function hasReady(core: Core): boolean {
  return (
    core.messages.length > 0 ||
    core.messagesAfterPersist.length > 0 ||
    core.isAppendWanted ||
    core.log.hasWrite ||
    isHardStateChanged(core) ||
    core.fetches.length > 0 ||
    core.snapshotsWanted.length > 0 ||
    core.reads.hasResults ||
    isReadRoundDue(core) ||
    isHandOutDue(core) ||
    core.role !== core.handedRole ||
    core.leader !== core.handedLeader
  );
}

/** Everything that the host must do now. What is given once is not given again. */
export function takeReady(core: Core): Ready {
  if (isReadRoundDue(core)) {
    core.reads.beginRound(core.log.commit);
    broadcastHeartbeat(core);
    core.reads.confirm(core.voters, core.id);
  }
  if (core.isAppendWanted) sendWantedAppends(core);
  const persist = takeBatch(core);
  const committed = takeCommitted(core);
  const { messages, fetches, snapshotsWanted } = core;
  const messagesAfterPersist = takeAfterPersist(core);
  // The host keeps what it is given, so that none of it may grow later.
  core.messages = [];
  core.fetches = [];
  core.snapshotsWanted = [];
  core.handedRole = core.role;
  core.handedLeader = core.leader;
  core.log.evict(core.limits.tailBytesMax);
  const reads = core.reads.takeConfirmed();
  const readsDropped = core.reads.takeDropped();
  const { role, leader, term } = core;
  return {
    role,
    leader,
    term,
    messages,
    persist,
    messagesAfterPersist,
    committed,
    reads,
    readsDropped,
    fetches,
    snapshotsWanted,
  };
}

/**
 * What may be sent once the batches up to now are durable. A batch with a snapshot leaves the entries after it to the next one:
 * the answers to those entries are among these messages, so that all of them wait for that one.
 */
function takeAfterPersist(core: Core): readonly Message[] {
  if (core.log.hasWrite) return none;
  const { messagesAfterPersist } = core;
  core.messagesAfterPersist = [];
  return messagesAfterPersist;
}

/** One atomic write: the hard state is never later on disk than the entries that it allows. */
function takeBatch(core: Core): PersistBatch | undefined {
  const isChanged = isHardStateChanged(core);
  if (!isChanged && !core.log.hasWrite) return undefined;
  core.sequence += 1;
  const { sequence } = core;
  const write = core.log.takeWrite(sequence);
  const hardState: HardState = { term: core.term, vote: core.vote, commit: core.log.commit };
  const isVoteChanged = hardState.term !== core.handedHardState.term || hardState.vote !== core.handedHardState.vote;
  core.handedHardState = hardState;
  if (core.role === 'candidate' && core.voteSequence === 0) core.voteSequence = sequence;
  const mustSync = isVoteChanged || write.entries.length > 0 || write.snapshot !== undefined;
  return { sequence, hardState: isChanged ? hardState : undefined, ...write, mustSync };
}

function isHardStateChanged(core: Core): boolean {
  const { term, vote, commit } = core.handedHardState;
  return core.term !== term || core.vote !== vote || core.log.commit !== commit;
}

function isReadRoundDue(core: Core): boolean {
  return core.reads.hasWaiting && core.role === 'leader' && hasCommittedInTerm(core);
}

function isHandOutDue(core: Core): boolean {
  if (core.fetchedCommitted.length > 0) return true;
  return core.ownFetchId === 0 && core.log.handedOut + 1 < core.log.handOutUntil;
}

/** Committed entries that are durable here, bounded; those that aren't in memory are fetched first, as a fetch for this node itself. */
function takeCommitted(core: Core): readonly Entry[] {
  if (!isHandOutDue(core)) return none;
  const { log } = core;
  const from = LogIndex(log.handedOut + 1);
  const bytesMax = core.limits.committedBytesPerReadyMax;
  let entries = core.fetchedCommitted;
  if (entries.length > 0) {
    core.fetchedCommitted = none;
  } else if (from < log.tailFirstIndex) {
    core.lastFetchId += 1;
    core.ownFetchId = core.lastFetchId;
    const until = LogIndex(Math.min(log.handOutUntil, log.tailFirstIndex));
    core.fetches.push({ id: core.ownFetchId, to: core.id, from, until, bytesMax });
    return none;
  } else {
    entries = log.slice({ from, until: log.handOutUntil, bytesMax }).entries;
  }
  const last = entries.at(-1);
  if (last === undefined) return none;
  for (const { type, index } of entries) {
    if (type === 'membership' && index > core.membershipHandedOut) core.membershipHandedOut = index;
  }
  log.handedOutTo(last.index);
  return entries;
}

/** The answer to this node's own fetch: committed entries, so that nothing can have changed them. */
export function ownEntriesFetched(core: Core, entries: readonly Entry[] | 'compacted'): void {
  core.ownFetchId = 0;
  if (entries === 'compacted')
    throw new Error(`log lost: committed entries after ${core.log.handedOut} were compacted`);
  const first = entries[0];
  if (first === undefined || first.index !== core.log.handedOut + 1) {
    throw new Error(
      `the log store answered a fetch of ${core.log.handedOut + 1} with entries from ${first?.index ?? 'nowhere'}`,
    );
  }
  core.fetchedCommitted = entries;
}
