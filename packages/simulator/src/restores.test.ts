import { expect, test } from 'vitest';
import { applyTo, emptyKeyValue } from './key-value.ts';
import { encodeMachineEntry, encodeRestore, encodeTransaction, type Transaction } from './machine-entry.ts';
import { simulate, swarmOf } from './simulate.ts';

const write = (id: string, key: string, value: string, more: Partial<Transaction> = {}): Transaction => ({
  id,
  client: 'c1',
  request: 0,
  key,
  expected: undefined,
  value,
  ...more,
});

test('a restore is a write of every key at one place, and forgets no request', () => {
  const state = emptyKeyValue();
  const transactions = [write('t1', 'k0', 'first', { request: 1 }), write('t2', 'k1', 'other')];
  const data = encodeMachineEntry({ index: 1, term: 1 }, 5, transactions.map(encodeTransaction));
  applyTo(state, { index: 1, term: 1, type: 'transactions', data });
  const restore = encodeRestore([write('r1.k0', 'k0', 'r1=old'), write('r1.k1', 'k1', 'r1=')]);
  expect(applyTo(state, { index: 2, term: 1, type: 'control', data: restore })).toMatchObject([
    { transaction: { id: 'r1.k0' }, outcome: { kind: 'written', version: 2 } },
    { transaction: { id: 'r1.k1' }, outcome: { kind: 'written', version: 2 } },
  ]);
  expect([...state.values]).toEqual([
    ['k0', { version: 2, value: 'r1=old' }],
    ['k1', { version: 2, value: 'r1=' }],
  ]);
  const again = encodeMachineEntry({ index: 3, term: 1 }, 6, [
    encodeTransaction(write('t3', 'k0', 'first', { request: 1 })),
  ]);
  expect(applyTo(state, { index: 3, term: 1, type: 'transactions', data: again })).toMatchObject([
    { isRepeat: true, outcome: { version: 1 } },
  ]);
});

/** The first seeds whose operator restores. */
function seeds(count: number): readonly number[] {
  const found: number[] = [];
  for (let seed = 1; found.length < count; seed++) if (swarmOf({ seed }).restoreMs > 0) found.push(seed);
  return found;
}

/** Seconds of work; a machine that does ten other things takes minutes. */
const timeout = 180_000;

test('a state that is restored under faults is the same on every node, and what clients saw is explained by it', {
  timeout,
}, () => {
  let restored = 0;
  for (const seed of seeds(3)) {
    const { failure, counts } = simulate({ seed, seconds: 12 });
    expect([seed, failure]).toEqual([seed, undefined]);
    restored += counts.restored;
  }
  expect(restored).toBeGreaterThan(3);
});

test('a run can do without restores', { timeout }, () => {
  for (const seed of seeds(1)) {
    const simplified = { without: ['restores'] };
    expect(swarmOf({ seed, simplified }).restoreMs).toBe(0);
    expect(simulate({ seed, seconds: 5, simplified }).counts.restored).toBe(0);
  }
});
