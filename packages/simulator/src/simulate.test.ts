import { readFileSync } from 'node:fs';
import { LogIndex, Term } from '@lockstep/contract/ids';
import { expect, test } from 'vitest';
import { Committed } from './check/committed.ts';
import { hashBytes } from './hashing.ts';
import { mutantOf, withMistake } from './load-mutant.ts';
import { mutants } from './mutants/mutants.ts';
import { simulate } from './simulate.ts';

const seeds = Array.from({ length: 20 }, (_, at) => at + 1);

test.each(seeds)('seed %i breaks no invariant', (seed) => {
  expect(simulate({ seed, seconds: 8 }).failure).toBeUndefined();
});

test('a seed gives the same run twice, and another seed another', () => {
  const [first, again, other] = [7, 7, 8].map((seed) => simulate({ seed, seconds: 8 }));
  expect(again).toEqual(first);
  expect(other?.traceHash).not.toBe(first?.traceHash);
});

test('the seeds are worth running: clusters commit, elect, crash, install snapshots, change their members and serve clients', () => {
  const results = seeds.slice(0, 10).map((seed) => simulate({ seed, seconds: 8 }));
  const total = (of: (result: (typeof results)[number]) => number): number =>
    results.reduce((sum, result) => sum + of(result), 0);
  expect(total((result) => result.committed)).toBeGreaterThan(500);
  expect(total((result) => result.elections)).toBeGreaterThan(20);
  expect(total((result) => result.crashes)).toBeGreaterThan(20);
  expect(total((result) => result.snapshotsInstalled)).toBeGreaterThan(0);
  expect(total((result) => result.membershipChanges)).toBeGreaterThan(10);
  expect(total((result) => result.counts.applied)).toBeGreaterThan(500);
  expect(total((result) => result.counts.read)).toBeGreaterThan(300);
});

test('the number of nodes can be given', () => {
  expect(simulate({ seed: 1, seconds: 2, nodes: 1 })).toMatchObject({ nodes: 1, failure: undefined });
});

test.each(mutants)('the line that mutant $name changes is there', ({ edits }) => {
  for (const edit of edits) {
    const source = readFileSync(new URL(`../../${edit.file}`, import.meta.url), 'utf8');
    expect(withMistake(source, edit)).toContain(edit.to);
  }
});

test('a mutant whose line is gone is refused', () => {
  const edit = { file: 'raft/raft.ts', from: 'no such line', to: '' };
  expect(() => withMistake('a\nb\n', edit)).toThrow('is 0 times in raft/raft.ts, must be once');
});

test('a mutant that does not exist is refused by name', () => {
  expect(() => mutantOf('nonesuch')).toThrow('mutant "nonesuch" does not exist; there are commit-old-term');
});

test('a write that was refused and comes all the same is noticed', () => {
  const committed = new Committed();
  committed.refused('t1');
  const data = Buffer.from('1 1 0\nt1 c 0 k - v');
  const entry = { index: LogIndex(1), term: Term(1), type: 'transactions', data } as const;
  committed.committed(1, { term: 1, hash: hashBytes(data), countedIn: 1 }, undefined);
  expect(() => committed.applied(entry)).toThrow('t1 was refused, but is at 1');
});
