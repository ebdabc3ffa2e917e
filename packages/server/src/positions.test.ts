import { LogIndex, Term } from '@lockstep/contract/ids';
import { expect, test } from 'vitest';
import type { TransactionResult } from './apply-transaction.ts';
import { recentEntriesMax } from './limits.ts';
import { Positions, type Recorded } from './positions.ts';

const applied: TransactionResult = { kind: 'applied', results: [{ version: 1 }] };
const place = (index: number, term: number, ordinal = 0) => ({ index: LogIndex(index), term: Term(term), ordinal });
const newPositions = () => new Positions(LogIndex(0));

function outcomeOf(start: (done: (recorded: Recorded) => void) => void): Recorded[] {
  const seen: Recorded[] = [];
  start((recorded) => seen.push(recorded));
  return seen;
}

test('a write is answered with its own result, by ordinal, when its entry is applied', () => {
  const positions = newPositions();
  const seen = outcomeOf((done) => positions.wait(place(1, 1, 1), done));
  expect(seen).toEqual([]);
  positions.entryApplied(LogIndex(1), Term(1), [
    { kind: 'conflict', expect: { kind: 'token-alive', tokenId: 't' } },
    applied,
  ]);
  expect(seen).toEqual([applied]);
});

test('another entry at its place means that it was not applied', () => {
  const positions = newPositions();
  const seen = outcomeOf((done) => positions.wait(place(1, 1), done));
  positions.entryApplied(LogIndex(1), Term(2), [applied]);
  expect(seen[0]?.kind).toBe('not-appended');
});

test('a snapshot that passes its place makes the outcome unknown', () => {
  const positions = newPositions();
  const seen = outcomeOf((done) => positions.wait(place(5, 1), done));
  positions.snapshotInstalled(LogIndex(9));
  expect(seen[0]?.kind).toBe('unknown');
});

test('an answer that comes after the apply still finds the result', () => {
  const positions = newPositions();
  positions.entryApplied(LogIndex(1), Term(1), [applied]);
  expect(outcomeOf((done) => positions.wait(place(1, 1), done))).toEqual([applied]);
});

test.each([
  { after: recentEntriesMax - 1, kind: 'applied' },
  { after: recentEntriesMax, kind: 'unknown' },
])('after $after further entries a late answer is $kind', ({ after, kind }) => {
  const positions = newPositions();
  for (let index = 1; index <= 1 + after; index++) positions.entryApplied(LogIndex(index), Term(1), [applied]);
  expect(outcomeOf((done) => positions.wait(place(1, 1), done))[0]?.kind).toBe(kind);
});

test('readers are released in order of index, each once', () => {
  const positions = newPositions();
  const released: number[] = [];
  for (const index of [3, 1, 2, 3, 0]) positions.whenApplied(LogIndex(index), () => released.push(index));
  expect(released).toEqual([0]);
  positions.entryApplied(LogIndex(1), Term(1), []);
  positions.entryApplied(LogIndex(2), Term(1), []);
  expect(released).toEqual([0, 1, 2]);
  positions.snapshotInstalled(LogIndex(7));
  expect(released).toEqual([0, 1, 2, 3, 3]);
});

test('a control entry is ours only at its index and term', () => {
  const positions = newPositions();
  const seen: boolean[] = [];
  positions.whenControl(LogIndex(2), Term(1), (isOurs) => seen.push(isOurs));
  positions.committed(LogIndex(1), Term(1));
  expect(seen).toEqual([]);
  positions.committed(LogIndex(2), Term(2));
  expect(seen).toEqual([false]);
});
