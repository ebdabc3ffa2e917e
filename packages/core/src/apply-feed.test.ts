import { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import { expect, test } from 'vitest';
import { ApplyFeed } from './apply-feed.ts';
import { emptyMemoryLogImage, MemoryLog } from './log/memory-log.ts';
import type { StateMachine } from './port.ts';
import type { Entry, SnapshotMeta } from './raft/types.ts';

const membership = { voters: [NodeId(1)], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
const snapshot: SnapshotMeta = { id: '', index: LogIndex(0), term: Term(0), membership };
const entry = (index: number): Entry => ({
  index: LogIndex(index),
  term: Term(1),
  type: 'transactions',
  data: Buffer.of(index),
});

/** A feed over a log that holds `entries`, and a state that notes what it takes while `isOpen`. */
function feedOver(entries: readonly Entry[]) {
  const applied: number[] = [];
  const taker = { isOpen: true };
  const store = new MemoryLog(emptyMemoryLogImage(membership), { schedule: (work) => work() });
  store.write(
    [{ sequence: 1, hardState: undefined, truncateFrom: undefined, entries, snapshot: undefined, mustSync: true }],
    () => undefined,
  );
  const machine: Pick<StateMachine, 'appliedIndex' | 'apply' | 'control'> = {
    appliedIndex: () => LogIndex(0),
    control: () => undefined,
    apply: (next) => {
      if (taker.isOpen) applied.push(...next.map(({ index }) => index));
      return taker.isOpen;
    },
  };
  const feed = new ApplyFeed({
    store,
    machine: machine as StateMachine,
    stored: { snapshot, termRuns: [] },
    applied: LogIndex(0),
    known: LogIndex(0),
    enter: (run) => run(),
    onApplied: () => undefined,
  });
  return { feed, applied, taker };
}

test('a state that is being replaced takes nothing, even when its node is unsealed meanwhile', () => {
  const entries = [entry(1), entry(2)];
  const { feed, applied } = feedOver(entries);
  feed.pause();
  feed.committed(entries, []);
  feed.resume();
  expect(applied).toEqual([]);
  feed.unpause();
  expect(applied).toEqual([1, 2]);
});

test('a state that refused is asked again once it can take entries', () => {
  const entries = [entry(1), entry(2)];
  const { feed, applied, taker } = feedOver(entries);
  taker.isOpen = false;
  feed.committed(entries, []);
  taker.isOpen = true;
  feed.unpause();
  expect(applied).toEqual([]);
  feed.resume();
  expect(applied).toEqual([1, 2]);
});

test('a state that refused is asked again when another has taken its place', () => {
  const entries = [entry(1), entry(2), entry(3)];
  const { feed, applied, taker } = feedOver(entries);
  taker.isOpen = false;
  feed.committed(entries.slice(0, 2), []);
  feed.pause();
  taker.isOpen = true;
  feed.replaced(LogIndex(2));
  feed.unpause();
  feed.committed(entries.slice(2), []);
  expect(applied).toEqual([3]);
});
