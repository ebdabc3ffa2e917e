import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { NodeId } from '@lockstep/contract/ids';
import fc from 'fast-check';
import { Level } from 'level';
import { afterEach, describe, expect, test } from 'vitest';
import { defaultLayout, type LogLayout, type OpenedLog, openLevelLog } from './level-log.ts';
import { recordBytesMax, recordEntriesMax } from './limits.ts';
import {
  batch,
  compact,
  entries,
  entry,
  hardState,
  read,
  shape,
  snapshotAt,
  threeVoters,
  write,
} from './log-samples.ts';
import type { LogStore } from './log-store.ts';
import { emptyMemoryLogImage, MemoryLog } from './memory-log.ts';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function newDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'records-'));
  cleanups.push(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function openIn(directory: string, layout: LogLayout = defaultLayout): Promise<OpenedLog> {
  const opened = await openLevelLog({
    directory,
    clusterId: 'c1',
    node: NodeId(1),
    format: { incarnation: 77, membership: threeVoters },
    onFatal: (error) => expect.unreachable(error.message),
    layout,
  });
  cleanups.push(() => opened.store.close());
  return opened;
}

/** Opened anew as after a crash, in a copy. */
async function crashed(directory: string): Promise<OpenedLog> {
  const copy = await newDirectory();
  await cp(directory, copy, { recursive: true });
  return openIn(copy);
}

function rawDatabase(directory: string): Level<Buffer, Buffer> {
  return new Level<Buffer, Buffer>(directory, { keyEncoding: 'buffer', valueEncoding: 'buffer', compression: false });
}

/** The indexes under which the database of a closed log holds a record, and how long each is. */
async function records(directory: string): Promise<readonly (readonly [start: number, bytes: number])[]> {
  const database = rawDatabase(directory);
  const found = await database.iterator({ gte: Buffer.from('l'), lt: Buffer.from('m') }).all();
  await database.close();
  return found.map(([key, value]) => [Number(key.readBigUInt64BE(1)), value.length]);
}

/** Entries 1 to 4, 5 to 8 and 9 to 12, each four one record; 9 to 12 in term 2. */
async function threeRecords(): Promise<{ readonly directory: string; readonly store: LogStore }> {
  const directory = await newDirectory();
  const { store } = await openIn(directory);
  await write(store, batch({ entries: entries(1, 4) }));
  await write(store, batch({ entries: entries(5, 8) }));
  await write(store, batch({ entries: entries(9, 12, 2), hardState: hardState(2, 0, 0) }));
  return { directory, store };
}

describe('what one write appends', () => {
  test('is one record, over all of its batches', async () => {
    const directory = await newDirectory();
    const { store } = await openIn(directory);
    await write(store, batch({ entries: entries(1, 3) }), batch({ entries: entries(4, 5, 2) }));
    await write(store, batch({ entries: entries(6, 6, 2) }));
    await store.close();
    const found = await records(directory);
    expect(found.map(([start]) => start)).toEqual([1, 6]);
    expect((await openIn(directory)).stored.tail).toEqual([...entries(1, 3), ...entries(4, 6, 2)]);
  });

  test('is a record each where the layout says so', async () => {
    const directory = await newDirectory();
    const { store } = await openIn(directory, { ...defaultLayout, recordEntriesMax: 1 });
    await write(store, batch({ entries: entries(1, 3) }));
    await store.close();
    expect((await records(directory)).map(([start]) => start)).toEqual([1, 2, 3]);
    expect((await openIn(directory)).stored.lastIndex).toBe(3);
  });

  test('is several records past the bounds of one', async () => {
    const directory = await newDirectory();
    const { store } = await openIn(directory);
    const half = recordBytesMax / 2;
    await write(store, batch({ entries: [entry(1, 1, half), entry(2, 1, half), entry(3, 1, 1)] }));
    await write(
      store,
      batch({ entries: Array.from({ length: recordEntriesMax + 1 }, (_, at) => entry(4 + at, 1, 0)) }),
    );
    await write(
      store,
      batch({
        entries: [entry(5000, 1), entry(5001, 1)].map((one, at) => ({
          ...one,
          index: entry(4 + recordEntriesMax + 1 + at, 1).index,
        })),
      }),
    );
    await store.close();
    const starts = (await records(directory)).map(([start]) => start);
    expect(starts).toEqual([1, 3, 4, 4 + recordEntriesMax, 5 + recordEntriesMax]);
    expect((await openIn(directory)).stored.lastIndex).toBe(6 + recordEntriesMax);
  });
});

describe('a record of several entries', () => {
  test.each([9, 8, 7, 6, 5, 4, 3, 2, 1])(
    'is cut at %i, and the log goes on from there, also after a crash',
    async (from) => {
      const { directory, store } = await threeRecords();
      await write(store, batch({ truncateFrom: entry(from, 3).index, entries: entries(from, from + 1, 3) }));
      const kept = entries(1, 12)
        .map((one) => (one.index > 8 ? entry(one.index, 2) : one))
        .filter((one) => one.index < from);
      const expected = [...kept, ...entries(from, from + 1, 3)];
      expect(await read(store, { from: 1, until: 20 })).toEqual(expected);
      const { stored, store: reopened } = await crashed(directory);
      expect(stored.tail).toEqual(expected);
      await write(reopened, batch({ entries: entries(from + 2, from + 3, 4) }));
      expect(await read(reopened, { from, until: 20 })).toEqual([
        ...entries(from, from + 1, 3),
        ...entries(from + 2, from + 3, 4),
      ]);
    },
  );

  test.each([1, 3, 4, 5, 8, 11, 12])(
    'stays whole when the log is compacted to %i, until all of it is',
    async (index) => {
      const { directory, store } = await threeRecords();
      await compact(store, snapshotAt(index, index > 8 ? 2 : 1));
      expect(await read(store, { from: index, until: 13 })).toBe('compacted');
      const left = await read(store, { from: index + 1, until: 13 });
      expect(left === 'compacted' ? left : left.map((one) => one.index)).toEqual(
        Array.from({ length: 12 - index }, (_, offset) => index + 1 + offset),
      );
      const { stored, store: reopened } = await crashed(directory);
      expect([stored.firstIndex, stored.lastIndex]).toEqual([index + 1, 12]);
      await write(reopened, batch({ entries: entries(13, 13, 2) }));
      await compact(reopened, snapshotAt(13, 2));
      await reopened.close();
      await store.close();
      const starts = (await records(directory)).map(([start]) => start);
      expect(starts.every((start) => start > index - 4)).toBe(true);
    },
  );

  test.each([6, 7, 8, 9, 10])('that a compaction has cut in its front is cut at %i in its end', async (from) => {
    const { directory, store } = await threeRecords();
    await compact(store, snapshotAt(5, 1));
    await write(store, batch({ truncateFrom: entry(from, 3).index, entries: entries(from, from, 3) }));
    const expected = [...entries(6, 8), ...entries(9, 12, 2)]
      .filter((one) => one.index < from)
      .concat(entries(from, from, 3));
    expect(await read(store, { from: 6, until: 20 })).toEqual(expected);
    const { stored } = await crashed(directory);
    expect(stored.tail).toEqual(expected);
    expect(stored.firstIndex).toBe(6);
  });

  test.each([6, 8, 12, 20])('is forgotten when the log begins anew after a snapshot at %i', async (index) => {
    const { directory, store } = await threeRecords();
    await write(store, batch({ snapshot: snapshotAt(index, 3), hardState: hardState(3, 0, index) }));
    const first = await crashed(directory);
    expect(shape(first.stored)).toMatchObject({ first: index + 1, last: index, runs: '' });
    await write(store, batch({ entries: entries(index + 1, index + 2, 3) }));
    expect((await crashed(directory)).stored.tail).toEqual(entries(index + 1, index + 2, 3));
  });

  test('is read from any place in it, within the bytes asked for', async () => {
    const { store } = await threeRecords();
    const all = [...entries(1, 8), ...entries(9, 12, 2)];
    for (let from = 1; from <= 12; from++)
      for (let until = from + 1; until <= 13; until++)
        expect(await read(store, { from, until })).toEqual(all.slice(from - 1, until - 1));
    expect(await read(store, { from: 3, until: 13, bytesMax: 50 })).toEqual(all.slice(2, 4));
  });
});

describe('the format', () => {
  /** A log as a program of format 1 wrote it, in hex: entries 1 (compacted) to 4, the last in term 2 and of type `control`. */
  const formatOne: readonly (readonly [key: string, value: string])[] = [
    ['68', 'f1837399020000000000000000000000000000000300000000000000'],
    ['6c0000000000000002', '69ba19164cfd5de501010000000000000002020202'],
    ['6c0000000000000003', '96b7597269ba191601010000000000000003030303'],
    ['6c0000000000000004', '49f8728396b7597203020000000000000004040404'],
    [
      '6d',
      '6efd1d44017b226964656e74697479223a7b22636c75737465724964223a226331222c226e6f6465223a312c22696e6361726e6174696f6e223a37377d2c22736e617073686f74223a7b226964223a22736e617073686f742d31222c22696e646578223a312c227465726d223a312c226d656d62657273686970223a7b22766f74657273223a5b312c322c335d2c22766f746572734f7574676f696e67223a5b5d2c226c6561726e657273223a5b5d2c226c6561726e6572734e657874223a5b5d2c226175746f4c65617665223a66616c73657d7d2c22636861696e223a333834383134323135362c226d656d62657273686970223a7b22766f74657273223a5b312c322c335d2c22766f746572734f7574676f696e67223a5b5d2c226c6561726e657273223a5b5d2c226c6561726e6572734e657874223a5b5d2c226175746f4c65617665223a66616c73657d2c226170706c6965644d656d62657273686970496e646578223a317d',
    ],
  ];
  const formatOneMarker = '314d4b4ce79f648d0300000000000000020000000000000000000000000000000400000000000000';

  async function formatOneLog(): Promise<string> {
    const directory = await newDirectory();
    const database = rawDatabase(directory);
    for (const [key, value] of formatOne)
      await database.put(Buffer.from(key, 'hex'), Buffer.from(value, 'hex'), { sync: true });
    await database.close();
    await writeFile(join(directory, 'MARKER'), Buffer.from(formatOneMarker, 'hex'));
    return directory;
  }

  async function formatByte(directory: string): Promise<number | undefined> {
    const database = rawDatabase(directory);
    const meta = await database.get(Buffer.from('m'));
    await database.close();
    return meta?.[4];
  }

  test('with a record for each entry is read, and goes on as the present one', async () => {
    const directory = await formatOneLog();
    const { stored, store } = await openIn(directory);
    const old = [2, 3].map((index) => entry(index, 1, 4)).concat({ ...entry(4, 2, 4), type: 'control' });
    expect(stored.tail).toEqual(old);
    expect(stored.hardState).toEqual(hardState(2, 0, 3));
    expect(stored.snapshot).toEqual(snapshotAt(1, 1));
    await write(store, batch({ entries: entries(5, 7, 2) }));
    await write(store, batch({ truncateFrom: entry(4, 3).index, entries: entries(4, 6, 3) }));
    expect(await read(store, { from: 2, until: 9 })).toEqual([...old.slice(0, 2), ...entries(4, 6, 3)]);
    await compact(store, snapshotAt(2, 1));
    await store.close();
    expect(await formatByte(directory)).toBe(2);
    const again = await openIn(directory);
    expect(again.stored.tail).toEqual([...old.slice(1, 2), ...entries(4, 6, 3)]);
  });

  test('of a later program is refused, and nothing is changed', async () => {
    const directory = await formatOneLog();
    const database = rawDatabase(directory);
    const meta = Buffer.from(formatOne.at(-1)?.[1] ?? '', 'hex');
    meta[4] = 3;
    meta.writeUInt32LE(crc32(meta.subarray(4), crc32(Buffer.from('m'))), 0);
    await database.put(Buffer.from('m'), meta, { sync: true });
    await database.close();
    await expect(openIn(directory)).rejects.toMatchObject({
      code: 'failed-precondition',
      message: 'log has format 3, this program knows 1 to 2',
    });
    expect(await formatByte(directory)).toBe(3);
  });
});

/** One step on both stores. Where it does not fit the log as it is, it is left out. */
type Step =
  | { readonly kind: 'append'; readonly count: number; readonly newTerm: boolean }
  | { readonly kind: 'cut'; readonly back: number; readonly count: number }
  | { readonly kind: 'compact'; readonly share: number }
  | { readonly kind: 'reset'; readonly ahead: number }
  | { readonly kind: 'crash' };

const steps = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant('append' as const),
        count: fc.integer({ min: 1, max: 7 }),
        newTerm: fc.boolean(),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('cut' as const),
        back: fc.integer({ min: 1, max: 12 }),
        count: fc.integer({ min: 0, max: 5 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('compact' as const),
        share: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('reset' as const), ahead: fc.integer({ min: -3, max: 4 }) }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: 'crash' as const }) },
  ),
  { minLength: 5, maxLength: 25 },
);

/** Both stores side by side. */
class Pair {
  readonly #memory = new MemoryLog(emptyMemoryLogImage(threeVoters), { schedule: (work) => void setImmediate(work) });
  #directory: string;
  #level: OpenedLog;
  #term = 1;
  #isTogether = false;

  constructor(directory: string, level: OpenedLog) {
    this.#directory = directory;
    this.#level = level;
  }

  get #lastIndex(): number {
    const { entries: held, snapshot } = this.#memory.durableImage();
    return held.at(-1)?.index ?? snapshot.index;
  }

  async take(step: Step): Promise<void> {
    const { snapshot, entries: held } = this.#memory.durableImage();
    const lastIndex = this.#lastIndex;
    switch (step.kind) {
      case 'append':
        if (step.newTerm) this.#term++;
        return this.#write(batch({ entries: entries(lastIndex + 1, lastIndex + step.count, this.#term) }));
      case 'cut': {
        const from = Math.max(snapshot.index + 1, lastIndex + 1 - step.back);
        // Every other time in one write with an append before it.
        this.#isTogether = !this.#isTogether;
        const before = this.#isTogether ? [batch({ entries: entries(lastIndex + 1, lastIndex + 2, this.#term) })] : [];
        this.#term++;
        const appended = entries(from, from + step.count - 1, this.#term);
        return this.#write(...before, batch({ truncateFrom: entry(from, 1).index, entries: appended }));
      }
      case 'compact': {
        const last = held[Math.floor(step.share * held.length)];
        if (last === undefined) return;
        await compact(this.#memory, snapshotAt(last.index, last.term));
        return compact(this.#level.store, snapshotAt(last.index, last.term));
      }
      case 'reset': {
        this.#term++;
        const index = Math.max(snapshot.index, lastIndex + step.ahead);
        return this.#write(batch({ snapshot: snapshotAt(index, this.#term) }));
      }
      case 'crash': {
        const copy = await newDirectory();
        await cp(this.#directory, copy, { recursive: true });
        await this.#level.store.close();
        this.#directory = copy;
        this.#level = await openIn(copy);
        const { stored } = this.#level;
        const expected = new MemoryLog(this.#memory.durableImage(), { schedule: (work) => work() }).stored();
        expect(shape(stored)).toEqual(shape(expected));
        expect(stored.snapshot).toEqual(expected.snapshot);
        return;
      }
      default:
        step satisfies never;
    }
  }

  async compare(): Promise<void> {
    const from = this.#memory.durableImage().snapshot.index + 1;
    const range = { from, until: this.#lastIndex + 2 };
    expect(await read(this.#level.store, range)).toEqual(await read(this.#memory, range));
  }

  async close(): Promise<void> {
    await this.#level.store.close();
  }

  async #write(...batches: Parameters<LogStore['write']>[0]): Promise<void> {
    await write(this.#memory, ...batches);
    await write(this.#level.store, ...batches);
  }
}

test('whatever is done to it, the log in LevelDB holds what the one in memory holds', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.constantFrom(1, 3, recordEntriesMax), async (plan, entriesMax) => {
      const directory = await newDirectory();
      const pair = new Pair(directory, await openIn(directory, { ...defaultLayout, recordEntriesMax: entriesMax }));
      for (const step of [...plan, { kind: 'crash' } as const]) {
        await pair.take(step);
        await pair.compare();
      }
      await pair.close();
    }),
    { numRuns: 30 },
  );
});
