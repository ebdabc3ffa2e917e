import { expect, test } from 'vitest';
import { decodeControlEntry, encodeControlEntry, type Recovery } from '../control-entry.ts';
import { recoveriesKept } from './limits.ts';
import { keepRecovery, recoveriesReply } from './recoveries.ts';

const recovery = (epoch: number): Recovery => ({
  epoch,
  node: 7,
  atMs: 1_800_000_000_000,
  command: 'lockstep cluster recover --config node.json',
  by: 'root@node-1',
  program: '0.1.0',
  lastIndex: 90 + epoch,
  lastTerm: 4,
  commit: 88,
  leftBehind: [8, 9],
});

test('a control entry says how a cluster went on, and nothing about the seal', () => {
  const entry = { seal: undefined, founding: new Uint8Array(0), restore: undefined, recovery: recovery(1) };
  expect(decodeControlEntry(encodeControlEntry(entry))).toEqual(entry);
  expect(() => decodeControlEntry(encodeControlEntry({ ...entry, recovery: undefined }))).toThrow();
});

test('the state remembers the latest recoveries, as many as may be kept', () => {
  const stored = new Map<string, Uint8Array>();
  const state = {
    get: (key: string) => stored.get(key),
    put: (key: string, value: Uint8Array) => void stored.set(key, value),
    delete: () => expect.unreachable(),
  };
  keepRecovery(state, undefined);
  expect([stored.size, recoveriesReply(state)]).toEqual([0, []]);
  const epochs = (): unknown => recoveriesReply(state).map((reply) => Object.entries(reply ?? {})[0]?.[1]);
  for (let epoch = 1; epoch <= recoveriesKept; epoch++) keepRecovery(state, recovery(epoch));
  expect(epochs()).toEqual(Array.from({ length: recoveriesKept }, (_, at) => at + 1));
  keepRecovery(state, recovery(recoveriesKept + 1));
  expect(epochs()).toEqual(Array.from({ length: recoveriesKept }, (_, at) => at + 2));
  expect(recoveriesReply(state)[0]).toMatchObject({ node: '7', last_index: 92, left_behind: ['8', '9'] });
});
