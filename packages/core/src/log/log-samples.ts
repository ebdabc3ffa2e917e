import { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import type { Entry, HardState, Membership, PersistBatch, SnapshotMeta } from '../raft/types.ts';
import type { LogStore, StoredLog } from './log-store.ts';

/*
 * What the tests of this folder build logs with.
 */

export const threeVoters: Membership = {
  voters: [NodeId(1), NodeId(2), NodeId(3)],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
};

/** Node 4 learns, and 5 was removed. */
export const withLearner: Membership = {
  ...threeVoters,
  learners: [NodeId(4)],
  roster: {
    index: LogIndex(7),
    epoch: 1,
    members: [
      {
        node: NodeId(4),
        name: 'four',
        peerAddress: 'four:8201',
        apiAddress: 'https://four:8200',
        grpcAddress: 'four:8202',
        pin: 'ab'.repeat(32),
        incarnation: 44,
      },
    ],
    removed: [{ node: NodeId(5), pin: 'cd'.repeat(32) }],
  },
};

export function entry(index: number, term: number, bytes = 20): Entry {
  return {
    index: LogIndex(index),
    term: Term(term),
    type: 'transactions',
    data: new Uint8Array(bytes).fill(index % 251),
  };
}

/** Entries of one term. */
export function entries(from: number, through: number, term = 1): readonly Entry[] {
  return Array.from({ length: through - from + 1 }, (_, offset) => entry(from + offset, term));
}

export function hardState(term: number, vote: number, commit: number): HardState {
  return { term: Term(term), vote: NodeId(vote), commit: LogIndex(commit) };
}

export function snapshotAt(index: number, term: number, membership: Membership = threeVoters): SnapshotMeta {
  return { id: `snapshot-${index}`, index: LogIndex(index), term: Term(term), membership };
}

export function batch(parts: Partial<PersistBatch>): PersistBatch {
  return {
    sequence: 1,
    hardState: undefined,
    truncateFrom: undefined,
    entries: [],
    snapshot: undefined,
    mustSync: true,
    ...parts,
  };
}

export function write(store: LogStore, ...batches: readonly PersistBatch[]): Promise<void> {
  return new Promise((resolve) => store.write(batches, resolve));
}

export function compact(store: LogStore, snapshot: SnapshotMeta): Promise<void> {
  return new Promise((resolve) => store.compact(snapshot, resolve));
}

export function saveMembership(store: LogStore, membership: Membership, index: number): Promise<void> {
  return new Promise((resolve) => store.saveMembership(membership, LogIndex(index), resolve));
}

export function read(
  store: LogStore,
  range: { readonly from: number; readonly until: number; readonly bytesMax?: number },
): Promise<readonly Entry[] | 'compacted'> {
  const { from, until, bytesMax = 1_000_000 } = range;
  return new Promise((resolve) => store.read({ from: LogIndex(from), until: LogIndex(until), bytesMax }, resolve));
}

/** A stored log as `index:term` pairs, shortest to compare. */
export function shape(stored: StoredLog): { first: number; last: number; runs: string; tail: string } {
  return {
    first: stored.firstIndex,
    last: stored.lastIndex,
    runs: stored.termRuns.map((run) => `${run.firstIndex}:${run.term}`).join(' '),
    tail: stored.tail.map((one) => `${one.index}:${one.term}`).join(' '),
  };
}
