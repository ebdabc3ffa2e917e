import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import type { LogStore } from '@lockstep/core/log/log-store';
import { expect, test } from 'vitest';
import { benchStorage } from './bench-storage.ts';
import { variants } from './variants.ts';

function indexesRead(store: LogStore, from: number): Promise<readonly number[]> {
  return new Promise((resolve) => {
    store.read({ from: LogIndex(from), until: LogIndex(99), bytesMax: 1_000_000 }, (found) =>
      resolve(found === 'compacted' ? [] : found.map(({ index }) => index)),
    );
  });
}

test.each(variants.map(({ name, open }) => [name, open] as const))('%s holds what was written', async (_name, open) => {
  const directory = mkdtempSync(join(tmpdir(), 'storage-'));
  const store = await open(join(directory, 'log'));
  const entries = [1, 2, 3, 4].map((index) => {
    return { index: LogIndex(index), term: Term(1), type: 'transactions' as const, data: new Uint8Array(index) };
  });
  const hardState = { term: Term(1), vote: NodeId(1), commit: LogIndex(4) };
  const batch = { sequence: 1, hardState, truncateFrom: undefined, entries, snapshot: undefined, mustSync: true };
  await new Promise<void>((resolve) => store.write([batch], resolve));
  expect(await indexesRead(store, 2)).toEqual([2, 3, 4]);
  const membership = { voters: [NodeId(1)], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
  await new Promise<void>((resolve) =>
    store.compact({ id: '', index: LogIndex(2), term: Term(1), membership }, resolve),
  );
  expect(await indexesRead(store, 3)).toEqual([3, 4]);
  await store.close();
  rmSync(directory, { recursive: true });
});

test('every layout is measured with every kind of write', { timeout: 60_000 }, async () => {
  const times = { diskMs: 5, warmUpMs: 1, measureMs: 1, settleMs: 0 };
  const result = await benchStorage({ times, rounds: 1, directory: tmpdir() }, () => undefined);
  expect(result).toMatchObject({ bench: 'storage', targets: [{ least: 0.3 }] });
  expect(JSON.stringify(result)).not.toContain('null');
});
