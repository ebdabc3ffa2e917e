import { LogIndex, Term } from '@lockstep/contract/ids';
import { describe, expect, test } from 'vitest';
import { RaftLog } from './raft-log.ts';
import { dataOf, logOf, membershipOf } from './test-cluster.fixture.ts';
import type { Entry, SnapshotMeta } from './types.ts';

const snapshotAt = (index: number, term: number): SnapshotMeta => ({
  id: '',
  index: LogIndex(index),
  term: Term(term),
  membership: membershipOf([1]),
});

const entry = (term: number, index: number): Entry => ({
  term: Term(term),
  index: LogIndex(index),
  type: 'transactions',
  data: dataOf(`${term}/${index}`),
});

/** A log from index 1 on, all of it durable, with nothing committed. */
function durable(terms: readonly number[], commit = 0): RaftLog {
  const tail = logOf(...terms);
  const termRuns = tail
    .filter(({ term }, at) => term !== tail[at - 1]?.term)
    .map(({ index, term }) => ({ firstIndex: index, term }));
  const stored = { lastIndex: LogIndex(terms.length), termRuns, tail };
  return new RaftLog({ snapshot: snapshotAt(0, 0), stored, commit: LogIndex(commit), applied: LogIndex(commit) });
}

const terms = (log: RaftLog): readonly (number | undefined)[] =>
  Array.from({ length: log.lastIndex }, (_, at) => log.termAt(LogIndex(at + 1)));

describe('a log does not start', () => {
  const stored = { lastIndex: LogIndex(2), termRuns: [{ firstIndex: LogIndex(1), term: Term(1) }], tail: logOf(1, 1) };
  const start =
    (commit: number, applied: number, snapshot = snapshotAt(0, 0), of = stored) =>
    () =>
      new RaftLog({ snapshot, stored: of, commit: LogIndex(commit), applied: LogIndex(applied) });

  test('that ends before what was committed', () => expect(start(3, 0)).toThrow('log lost'));
  test('that ends before what was applied', () => expect(start(0, 3)).toThrow('log lost'));
  test('that begins after what was applied', () => {
    const empty = { lastIndex: LogIndex(5), termRuns: [], tail: [] };
    expect(start(5, 4, snapshotAt(5, 1), empty)).toThrow('begins after');
  });
  test('with a tail that does not reach its end', () =>
    expect(start(0, 0, snapshotAt(0, 0), { ...stored, tail: logOf(1) })).toThrow('tail'));
  test('with a gap in its tail', () => {
    expect(start(0, 0, snapshotAt(0, 0), { ...stored, tail: [entry(1, 1), entry(1, 3)] })).toThrow('does not follow');
  });
  test('with terms that go back', () => {
    const termRuns = [
      { firstIndex: LogIndex(1), term: Term(2) },
      { firstIndex: LogIndex(2), term: Term(1) },
    ];
    expect(start(0, 0, snapshotAt(0, 0), { ...stored, termRuns })).toThrow('terms went back');
  });
});

describe('merging a leader’s entries', () => {
  test('never replaces a committed one', () => {
    const log = durable([1, 1, 1], 2);
    expect(() => log.merge([entry(2, 2)])).toThrow('log damaged');
    expect(terms(log)).toEqual([1, 1, 1]);
  });

  test('of a short message that comes late cuts nothing off', () => {
    const log = durable([1, 1, 1, 1, 1]);
    log.merge([entry(1, 1), entry(1, 2), entry(1, 3)]);
    expect(log.lastIndex).toBe(5);
    expect(log.hasWrite).toBe(false);
  });

  test('replaces from the first that differs on', () => {
    const log = durable([1, 1, 2, 2, 2], 1);
    log.merge([entry(1, 2), entry(2, 3), entry(3, 4)]);
    expect(terms(log)).toEqual([1, 1, 2, 3]);
    expect(log.takeWrite(1)).toMatchObject({ truncateFrom: 4, entries: [{ index: 4, term: 3 }] });
  });

  test('can go back behind what is in memory', () => {
    const stored = {
      lastIndex: LogIndex(4),
      termRuns: [{ firstIndex: LogIndex(1), term: Term(1) }],
      tail: [entry(1, 4)],
    };
    const log = new RaftLog({ snapshot: snapshotAt(0, 0), stored, commit: LogIndex(0), applied: LogIndex(0) });
    log.merge([entry(2, 2), entry(2, 3)]);
    expect([log.tailFirstIndex, log.lastIndex, log.termAt(LogIndex(1)), log.termAt(LogIndex(3))]).toEqual([2, 3, 1, 2]);
    expect(log.takeWrite(1)).toMatchObject({ truncateFrom: 2, entries: [{ index: 2 }, { index: 3 }] });
  });
});

describe('writes', () => {
  test('an acknowledged write of entries that were replaced since says nothing of those in their place', () => {
    const log = durable([]);
    log.append(entry(1, 1));
    log.takeWrite(1);
    log.merge([entry(2, 1)]);
    log.takeWrite(2);
    log.merge([entry(1, 1)].map(() => entry(3, 1)));
    log.takeWrite(3);
    log.persisted(1);
    expect(log.stable).toBe(0);
    log.persisted(2);
    expect(log.stable).toBe(0);
    log.persisted(3);
    expect(log.stable).toBe(1);
  });

  test('what was replaced before it was given to the store is not deleted there', () => {
    const log = durable([1]);
    log.append(entry(1, 2));
    log.merge([entry(2, 2)]);
    expect(log.takeWrite(1)).toMatchObject({ truncateFrom: undefined, entries: [{ index: 2, term: 2 }] });
  });

  test('two replacements in one write delete from the lower one', () => {
    const log = durable([1, 1, 1, 1]);
    log.merge([entry(2, 4)]);
    log.merge([entry(3, 2), entry(3, 3)]);
    expect(log.takeWrite(1)).toMatchObject({ truncateFrom: 2, entries: [{ index: 2 }, { index: 3 }] });
  });

  test('acknowledgements may cover several', () => {
    const log = durable([]);
    for (let index = 1; index <= 3; index += 1) {
      log.append(entry(1, index));
      log.takeWrite(index);
    }
    log.persisted(2);
    expect(log.stable).toBe(2);
    log.persisted(3);
    expect(log.stable).toBe(3);
  });
});

describe('a restored snapshot', () => {
  test('is never behind what is committed', () => {
    expect(() => durable([1, 1], 2).restore(snapshotAt(2, 1))).toThrow('not ahead');
  });

  test('begins a new log, and goes to the store alone', () => {
    const log = durable([1, 1, 1], 1);
    log.append(entry(1, 4));
    log.takeWrite(1);
    log.restore(snapshotAt(9, 2));
    log.append(entry(2, 10));
    expect(log).toMatchObject({ firstIndex: 10, lastIndex: 10, commit: 9, isRestoring: true });
    expect(log.takeWrite(2)).toMatchObject({ snapshot: { index: 9 }, entries: [], truncateFrom: undefined });
    log.persisted(1);
    expect(log.stable).toBe(1);
    expect(log.takeWrite(3)).toMatchObject({ snapshot: undefined, entries: [{ index: 10 }] });
    log.persisted(2);
    expect(log).toMatchObject({ stable: 9, isRestoring: false });
    log.persisted(3);
    expect(log.stable).toBe(10);
  });
});

describe('compaction', () => {
  test('is refused past what was handed out, and at another term', () => {
    const log = durable([1, 1, 2], 2);
    expect(() => log.compact({ firstIndex: LogIndex(3), term: Term(2) })).toThrow('handed out');
    expect(() => log.compact({ firstIndex: LogIndex(2), term: Term(2) })).toThrow('another term');
  });

  test('keeps the term of the position that the log begins after', () => {
    const log = durable([1, 1, 2, 2], 3);
    log.compact({ firstIndex: LogIndex(3), term: Term(2) });
    expect([2, 3, 4, 5].map((index) => log.termAt(LogIndex(index)))).toEqual([undefined, 2, 2, undefined]);
    expect(log.tailFirstIndex).toBe(4);
  });

  test('to the end of the log leaves an empty one that can grow', () => {
    const log = durable([1, 1], 2);
    log.compact({ firstIndex: LogIndex(2), term: Term(1) });
    log.append(entry(3, 3));
    expect(log).toMatchObject({ firstIndex: 3, lastIndex: 3, lastTerm: 3 });
  });
});

describe('where logs can agree', () => {
  const log = durable([1, 1, 4, 4, 6, 6]);
  const cases: readonly (readonly [number, number, number, number])[] = [
    [6, 9, 6, 6],
    [6, 6, 6, 6],
    [6, 5, 4, 4],
    [5, 3, 2, 1],
    [4, 4, 4, 4],
    [3, 3, 2, 1],
    [6, 0, 0, 0],
    [9, 3, 9, 0],
  ];
  for (const [index, term, agreeing, itsTerm] of cases) {
    test(`up to ${index} with terms up to ${term}: ${agreeing}`, () => {
      expect(log.lastAtMost(LogIndex(index), Term(term))).toEqual({ index: agreeing, term: itsTerm });
    });
  }

  test('before the log’s beginning nothing is known', () => {
    const compacted = durable([3, 3, 3], 2);
    compacted.compact({ firstIndex: LogIndex(2), term: Term(3) });
    expect(compacted.lastAtMost(LogIndex(3), Term(2))).toEqual({ index: 1, term: 0 });
    expect(compacted.lastAtMost(LogIndex(1), Term(9))).toEqual({ index: 1, term: 0 });
  });
});

describe('memory', () => {
  test('keeps what is not durable or not handed out, whatever the bound', () => {
    const log = durable([1, 1, 1], 2);
    log.append(entry(1, 4));
    log.evict(0);
    expect(log.tailFirstIndex).toBe(3);
    log.handedOutTo(LogIndex(3));
    log.evict(0);
    expect(log.tailFirstIndex).toBe(4);
    expect(log.entryAt(LogIndex(3))).toBeUndefined();
    expect(log.termAt(LogIndex(1))).toBe(1);
  });

  test('keeps as much as the bound allows', () => {
    const log = durable(
      Array.from({ length: 3000 }, () => 1),
      3000,
    );
    const size = 32 + '1/3000'.length;
    log.evict(10 * size);
    expect(log.tailFirstIndex).toBe(2991);
    expect(
      log.slice({ from: LogIndex(2995), until: LogIndex(3001), bytesMax: 3 * size }).entries.map(({ index }) => index),
    ).toEqual([2995, 2996, 2997]);
  });

  test('a slice has one entry at least, and none after its end', () => {
    const log = durable([1, 1, 1]);
    expect(log.slice({ from: LogIndex(2), until: LogIndex(4), bytesMax: 1 }).entries).toHaveLength(1);
    expect(log.slice({ from: LogIndex(1), until: LogIndex(3), bytesMax: 1000 }).entries).toHaveLength(2);
  });
});
