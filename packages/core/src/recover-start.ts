import { LockstepError } from '@lockstep/contract/errors';
import { LogIndex, NodeId } from '@lockstep/contract/ids';
import type { StoredLog } from './log/log-store.ts';
import { withRoster } from './members/founding.ts';
import type { StateMachine } from './port.ts';
import type { HardState, Membership, PersistBatch, SnapshotMeta } from './raft/types.ts';

/** What a node begins with: its log as it will be once `firstWrite` is durable. */
export interface Start {
  /** What the state holds. A damaged one counts as what the log begins after, until it is replaced. */
  readonly stateApplied: LogIndex;
  readonly stored: StoredLog;
  /** Control entries up to here have taken effect; committed entries are handed out from the next one on. */
  readonly applied: LogIndex;
  /** To be written before anything else. */
  readonly firstWrite: PersistBatch | undefined;
}

/**
 * Puts the log and the state of a restarted node together. A crash between the switch of the state to a snapshot and the reset
 * of the log is finished here. Refuses with `damaged` what no crash can leave: such a node must not vote.
 */
export function recoverStart(stored: StoredLog, machine: StateMachine, bootstrap: Membership): Start {
  const installed = machine.installedSnapshot?.();
  const firstWrite = installed === undefined || logHolds(stored, installed) ? undefined : resetTo(installed, stored);
  const log = firstWrite === undefined || installed === undefined ? stored : afterReset(stored, installed);
  // A damaged state is replaced before it takes an entry: wherever it stands, the log is what counts.
  const isDamaged = machine.isDamaged?.() ?? false;
  const applied = isDamaged ? log.snapshot.index : machine.appliedIndex();
  if (applied > log.lastIndex) {
    throw new LockstepError(
      'damaged',
      `log: ends at entry ${log.lastIndex}, but the state holds entry ${applied}; entries were lost, so this node must be removed and join again`,
    );
  }
  if (applied < log.snapshot.index) {
    throw new LockstepError(
      'damaged',
      `state: ends at entry ${applied}, but the log begins after ${log.snapshot.index}; this node must be removed and join again`,
    );
  }
  const isNew = log.membership.voters.length === 0 && log.appliedMembershipIndex === 0;
  const membership = isNew
    ? { ...bootstrap, ...kept(log.membership) }
    : withRoster(log.membership, log.appliedMembershipIndex, bootstrap);
  return {
    stateApplied: LogIndex(applied),
    stored: { ...log, membership },
    applied: LogIndex(Math.max(applied, log.appliedMembershipIndex, log.snapshot.index)),
    firstWrite,
  };
}

/** A newcomer that was left behind before it knew of anybody. */
function kept({ roster }: Membership): Pick<Membership, 'roster'> {
  return roster === undefined ? {} : { roster };
}

/** Whether the log agrees with the snapshot: it holds that very entry, or has committed or compacted past it. */
function logHolds(stored: StoredLog, snapshot: SnapshotMeta): boolean {
  if (snapshot.index <= stored.snapshot.index || snapshot.index <= stored.hardState.commit) return true;
  if (snapshot.index > stored.lastIndex) return false;
  const run = stored.termRuns.findLast((candidate) => candidate.firstIndex <= snapshot.index);
  return run?.term === snapshot.term;
}

function resetTo(snapshot: SnapshotMeta, stored: StoredLog): PersistBatch {
  return {
    sequence: 0,
    hardState: hardStateAt(snapshot, stored),
    truncateFrom: undefined,
    entries: [],
    snapshot,
    mustSync: true,
  };
}

/** A log never ends in a term that the node has not reached. */
function hardStateAt(snapshot: SnapshotMeta, stored: StoredLog): HardState {
  const { term, vote } = stored.hardState;
  if (snapshot.term <= term) return { term, vote, commit: snapshot.index };
  return { term: snapshot.term, vote: NodeId(0), commit: snapshot.index };
}

function afterReset(stored: StoredLog, snapshot: SnapshotMeta): StoredLog {
  return {
    hardState: hardStateAt(snapshot, stored),
    snapshot,
    membership: snapshot.membership,
    appliedMembershipIndex: snapshot.index,
    firstIndex: LogIndex(snapshot.index + 1),
    lastIndex: snapshot.index,
    termRuns: [],
    tail: [],
  };
}
