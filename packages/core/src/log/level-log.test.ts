import { spawnSync } from 'node:child_process';
import { cp, mkdtemp, open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NodeId } from '@lockstep/contract/ids';
import { Level } from 'level';
import { afterEach, describe, expect, test } from 'vitest';
import { defaultLayout, type LevelLogOptions, type OpenedLog, openLevelLog } from './level-log.ts';
import { entryBytesMax, markerIntervalMs } from './limits.ts';
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

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function newDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'level-log-'));
  cleanups.push(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function openIn(directory: string, options: Partial<LevelLogOptions> = {}): Promise<OpenedLog> {
  const opened = await openLevelLog({
    directory,
    clusterId: 'c1',
    node: NodeId(1),
    format: { incarnation: 77, membership: threeVoters },
    onFatal: (error) => expect.unreachable(error.message),
    ...options,
  });
  cleanups.push(() => opened.store.close());
  return opened;
}

/** What the disk holds if the process dies now. */
async function crashImage(directory: string): Promise<string> {
  const copy = await newDirectory();
  await cp(directory, copy, { recursive: true });
  return copy;
}

async function newestLogFile(directory: string): Promise<string> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.log'));
  return join(directory, names.toSorted().at(-1) ?? 'none');
}

async function bytesIn(directory: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(directory)) {
    // LevelDB deletes files meanwhile.
    const found = await stat(join(directory, name)).catch(() => undefined);
    bytes += found?.size ?? 0;
  }
  return bytes;
}

async function flipBit(file: string, offset: number): Promise<void> {
  const handle = await open(file, 'r+');
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, offset);
  byte[0] = (byte[0] ?? 0) ^ 4;
  await handle.write(byte, 0, 1, offset);
  await handle.close();
}

/** A crash image of a log of `count` entries of 700 bytes, each in a write of its own, in term 1 with a vote for node 2. */
async function imageOf(count: number): Promise<string> {
  const directory = await newDirectory();
  const { store } = await openIn(directory);
  await write(store, batch({ hardState: hardState(1, 2, 0) }));
  for (let index = 1; index <= count; index++) await write(store, batch({ entries: [entry(index, 1, 700)] }));
  return crashImage(directory);
}

async function changeDatabase(
  directory: string,
  change: (database: Level<Buffer, Buffer>) => Promise<void>,
): Promise<void> {
  const options = { keyEncoding: 'buffer', valueEncoding: 'buffer', compression: false };
  const database = new Level<Buffer, Buffer>(directory, options);
  await database.open();
  await change(database);
  await database.close();
}

function entryKey(index: number): Buffer {
  const key = Buffer.alloc(9, 'l');
  key.writeBigUInt64BE(BigInt(index), 1);
  return key;
}

describe('damage is refused', () => {
  test('a flipped bit in the middle of LevelDB’s log names the file and the offset', async () => {
    const image = await imageOf(100);
    const file = await newestLogFile(image);
    await flipBit(file, 35_000);
    await expect(openIn(image)).rejects.toMatchObject({
      code: 'damaged',
      message: expect.stringMatching(
        new RegExp(
          `^${file} is damaged at offset 3[45]\\d{3}: .*another write begins at 3[56]\\d{3}; .*remove it from the cluster and let it join again`,
        ),
      ),
    });
  });

  test('a bit flipped anywhere is refused, or is in the last record, or changes nothing', async () => {
    const image = await imageOf(12);
    const file = await newestLogFile(image);
    const original = await readFile(file);
    const lastRecord = original.length - 700 - 60;
    for (let offset = 0; offset < original.length; offset += 389) {
      const changed = Buffer.from(original);
      changed[offset] = (changed[offset] ?? 0) ^ (1 << (offset % 8));
      await writeFile(file, changed);
      const attempt = openIn(await crashImage(image));
      if (offset < lastRecord) await expect(attempt, `offset ${offset}`).rejects.toMatchObject({ code: 'damaged' });
      else expect((await attempt).stored.lastIndex).toBe(11);
    }
  });

  test('a page of zeros in the middle is no padding', async () => {
    const image = await imageOf(60);
    const file = await newestLogFile(image);
    const bytes = await readFile(file);
    bytes.fill(0, 8192, 12_288);
    await writeFile(file, bytes);
    await expect(openIn(image)).rejects.toThrow(/is damaged at offset \d+/);
  });

  test('a whole write cut out of LevelDB’s log is missed by its sequence', async () => {
    const image = await imageOf(6);
    const file = await newestLogFile(image);
    const bytes = await readFile(file);
    // Every record from the third on has this size; all are in the first block.
    const record = 7 + 12 + 1 + 1 + 9 + 2 + 717;
    const start = bytes.length - 3 * record;
    await writeFile(file, Buffer.concat([bytes.subarray(0, start), bytes.subarray(start + record)]));
    await expect(openIn(image)).rejects.toThrow(/write \d+ follows where \d+ should/);
  });

  test('a synced tail that is gone shows in the marker file', async () => {
    const directory = await newDirectory();
    const { store } = await openIn(directory);
    for (let index = 1; index <= 5; index++) await write(store, batch({ entries: [entry(index, 1, 700)] }));
    await store.close();
    const file = await newestLogFile(directory);
    await truncate(file, (await stat(file)).size - 1500);
    await expect(openIn(directory)).rejects.toThrow(
      'log is damaged: it ends at 2, but entries up to 5 were durable: a synced tail is lost',
    );
  });

  test('a lost vote shows in the marker file, at once and not only after its interval', async () => {
    const directory = await newDirectory();
    const { store } = await openIn(directory);
    await write(store, batch({ hardState: hardState(4, 0, 0) }));
    const before = (await stat(await newestLogFile(directory))).size;
    await write(store, batch({ hardState: hardState(4, 3, 0) }));
    const image = await crashImage(directory);
    await truncate(await newestLogFile(image), before);
    await expect(openIn(image)).rejects.toThrow('hard state is damaged: it lost a vote for node 3 in term 4');
    const emptied = await crashImage(directory);
    await truncate(await newestLogFile(emptied), 0);
    await expect(openIn(emptied)).rejects.toThrow(/it is empty, but a marker file says that it was not/);
  });

  test('a missing entry, a changed one, one of another life of the log, a falling term', async () => {
    const image = await imageOf(9);
    const after = async (change: (database: Level<Buffer, Buffer>) => Promise<void>): Promise<string> => {
      const copy = await crashImage(image);
      await changeDatabase(copy, change);
      return openIn(copy).then(
        () => 'opened',
        (error: Error) => error.message.split(';')[0] ?? '',
      );
    };
    expect(await after((database) => database.del(entryKey(4)))).toBe(
      'log is damaged: entry 5 follows entry 3: those between are missing',
    );
    expect(
      await after(async (database) => {
        const value = await database.get(entryKey(4));
        value[300] = 1;
        await database.put(entryKey(4), value);
      }),
    ).toBe('log entry 4 is damaged: fails its checksum');
    expect(await after(async (database) => database.put(entryKey(5), await database.get(entryKey(4))))).toBe(
      'log entry 5 is damaged: fails its checksum',
    );
    const elsewhere = await newDirectory();
    const { store } = await openIn(elsewhere);
    await write(store, batch({ entries: entries(1, 4) }));
    await write(store, batch({ entries: entries(5, 5) }));
    await store.close();
    let foreign: Buffer = Buffer.alloc(0);
    await changeDatabase(elsewhere, async (database) => {
      foreign = await database.get(entryKey(5));
    });
    expect(await after((database) => database.put(entryKey(5), foreign))).toBe(
      'log is damaged: entry 5 does not belong to the log before it',
    );
  });

  test('a commit index past the end, and missing parts', async () => {
    const image = await imageOf(3);
    const committed = await newDirectory();
    const { store } = await openIn(committed);
    await write(store, batch({ hardState: hardState(1, 0, 4) }));
    await expect(openIn(await crashImage(committed))).rejects.toThrow(
      'it ends at 0, but entries up to 4 were committed',
    );

    const noMarker = await crashImage(image);
    await rm(join(noMarker, 'MARKER'));
    await expect(openIn(noMarker)).rejects.toThrow(/its marker file is missing/);

    const badMarker = await crashImage(image);
    await flipBit(join(badMarker, 'MARKER'), 20);
    await flipBit(join(badMarker, 'MARKER'), 4096 + 20);
    await expect(openIn(badMarker)).rejects.toThrow(/neither of its slots can be read/);

    for (const key of ['h', 'm']) {
      const copy = await crashImage(image);
      await changeDatabase(copy, (database) => database.del(Buffer.from(key)));
      await expect(openIn(copy)).rejects.toThrow('its meta record or its hard state is missing');
    }
    const empty = await newDirectory();
    await cp(join(image, 'MARKER'), join(empty, 'MARKER'));
    await expect(openIn(empty)).rejects.toThrow(/it is empty, but a marker file says that it was not/);
  });
});

describe('what is not damage is accepted', () => {
  test('a torn tail: the file cut within its last record', async () => {
    const image = await imageOf(50);
    const file = await newestLogFile(image);
    await truncate(file, (await stat(file)).size - 300);
    // Whatever was torn was not synced, so that the marker can't know of it yet.
    await cp(join(await imageOf(49), 'MARKER'), join(image, 'MARKER'));
    const { stored, store } = await openIn(image);
    expect(stored.lastIndex).toBe(49);
    await write(store, batch({ entries: [entry(50, 1)] }));
    expect(shape((await openIn(await crashImage(image))).stored).last).toBe(50);
  });

  test('a torn write of many fragments of which only some reached the disk', async () => {
    const directory = await newDirectory();
    const { store } = await openIn(directory);
    await write(store, batch({ entries: [entry(1, 1)] }));
    await write(store, batch({ entries: [entry(2, 1, 200_000)] }));
    const image = await crashImage(directory);
    const file = await newestLogFile(image);
    const bytes = await readFile(file);
    bytes.fill(0, 40_960, 45_056);
    await writeFile(file, bytes);
    expect((await openIn(image)).stored.lastIndex).toBe(1);
  });

  test('a write whose head is cut by the end of a block, at every place', async () => {
    const directory = await newDirectory();
    const { store } = await openIn(directory);
    await write(store, batch({ entries: [entry(1, 1)] }));
    // What LevelDB and the log add to an entry's bytes: fragment, write, operation, key, two lengths, entry.
    const overhead = 7 + 12 + 1 + 1 + 9 + 3 + 17;
    const block = 32 * 1024;
    let index = 1;
    for (let left = 0; left <= 20; left++) {
      const { size } = await stat(await newestLogFile(directory));
      const bytes = block - (size % block) - left - overhead;
      await write(store, batch({ entries: [entry(++index, 1, bytes)] }));
      expect((await stat(await newestLogFile(directory))).size % block).toBe((block - left) % block);
      await write(store, batch({ entries: [entry(++index, 1, 50)] }));
    }
    expect((await openIn(await crashImage(directory))).stored.lastIndex).toBe(index);
  });

  test('one unreadable slot of the marker file', async () => {
    const image = await imageOf(3);
    await flipBit(join(image, 'MARKER'), 20);
    expect((await openIn(image)).stored.lastIndex).toBe(3);
  });

  test('a log cut below what the marker promised, by Raft and not by the disk', async () => {
    const directory = await newDirectory();
    const { store } = await openIn(directory, { now: () => 0 });
    await write(store, batch({ entries: entries(1, 40), hardState: hardState(1, 1, 3) }));
    await write(
      store,
      batch({ truncateFrom: entry(5, 2).index, entries: entries(5, 6, 2), hardState: hardState(2, 0, 3) }),
    );
    expect((await openIn(await crashImage(directory))).stored.lastIndex).toBe(6);
  });

  test('entries that a crash kept from being deleted after a compaction', async () => {
    const directory = await newDirectory();
    const { store } = await openIn(directory, { layout: { ...defaultLayout, recordEntriesMax: 1 } });
    await write(store, batch({ entries: entries(1, 2000), hardState: hardState(1, 0, 2000) }));
    await compact(store, snapshotAt(1990, 1));
    const image = await crashImage(directory);
    const { stored, store: reopened } = await openIn(image);
    expect(shape(stored)).toMatchObject({ first: 1991, last: 2000 });
    while ((await entryKeys(image)).some((index) => index < 1991)) {
      await write(reopened, batch({ hardState: hardState(1, 0, 2000) }));
    }
    expect((await openIn(await crashImage(image))).stored.firstIndex).toBe(1991);
  });

  test('the marker follows a log that has gone quiet', async () => {
    const directory = await newDirectory();
    const { store } = await openIn(directory);
    await write(store, batch({ entries: entries(1, 3) }));
    const markedIndex = async (): Promise<number> => {
      const bytes = await readFile(join(directory, 'MARKER'));
      return Math.max(...[32, 4096 + 32].map((at) => (at < bytes.length ? Number(bytes.readBigUInt64LE(at)) : 0)));
    };
    await expect.poll(markedIndex, { timeout: 50 * markerIntervalMs, interval: 5 }).toBe(3);
  });
});

/** The indexes under which a copy of the database holds an entry. */
async function entryKeys(directory: string): Promise<readonly number[]> {
  const copy = await crashImage(directory);
  const found: number[] = [];
  await changeDatabase(copy, async (database) => {
    for (const key of await database.keys({ gte: entryKey(0), lt: Buffer.from('m') }).all()) {
      found.push(Number(key.readBigUInt64BE(1)));
    }
  });
  return found;
}

test('a compacted log gives its space back, and keeps what follows', async () => {
  const directory = await newDirectory();
  const layout = { ...defaultLayout, writeBufferBytes: 1_000_000, giveBackBytesMin: 4_000_000 };
  const { store } = await openIn(directory, { layout });
  const last = 1_000;
  for (let index = 1; index <= last; index++)
    await write(store, batch({ hardState: hardState(1, 2, index - 1), entries: [entry(index, 1, 16_000)] }));
  await expect.poll(() => bytesIn(directory)).toBeGreaterThan(15_000_000);
  await compact(store, snapshotAt(last - 2, 1));
  await expect.poll(() => bytesIn(directory), { timeout: 20_000 }).toBeLessThan(2_000_000);
  expect(await read(store, { from: last - 1, until: last + 1 })).toMatchObject([{ index: last - 1 }, { index: last }]);
  await store.close();
  expect((await openIn(directory)).stored).toMatchObject({ firstIndex: last - 1, lastIndex: last });
});

describe('a directory belongs to one node and one process', () => {
  test('no log and nothing to format with', async () => {
    const directory = await newDirectory();
    const options = { directory, clusterId: 'c1', node: NodeId(1), onFatal: () => undefined };
    await expect(openLevelLog(options)).rejects.toMatchObject({ code: 'not-initialized' });
  });

  test('another cluster, another node, an open log', async () => {
    const directory = await newDirectory();
    const { store, identity } = await openIn(directory);
    expect(identity).toEqual({ clusterId: 'c1', node: 1, incarnation: 77 });
    await expect(openIn(directory)).rejects.toThrow(/can't be opened: .*lock/i);
    await store.close();
    await expect(openIn(directory, { clusterId: 'c2' })).rejects.toThrow('belongs to cluster "c1", not to "c2"');
    await expect(openIn(directory, { node: NodeId(2) })).rejects.toThrow('belongs to node 1, not to 2');
    const again = await openIn(directory, { format: { incarnation: 88, membership: threeVoters } });
    expect(again.identity.incarnation).toBe(77);
  });
});

test('an entry at the size limit is written, one byte more is fatal', async () => {
  const fatal: Error[] = [];
  const { store } = await openIn(await newDirectory(), { onFatal: (error) => fatal.push(error) });
  await write(store, batch({ entries: [entry(1, 1, entryBytesMax)] }));
  expect(fatal).toEqual([]);
  await new Promise<void>((resolve) => {
    store.write([batch({ entries: [entry(2, 1, entryBytesMax + 1)] })], () => expect.unreachable('answered'));
    void store.close().then(resolve);
  });
  expect(fatal.map((error) => error.message)).toEqual([expect.stringContaining('log entry 2 is over 4194304 bytes')]);
});

const hasPrlimit = spawnSync('prlimit', ['--version']).status === 0;

test('a failed write is fatal once; nothing is acknowledged after it; what was is there after a restart', async (context) => {
  if (!hasPrlimit) context.skip('there is no prlimit command to make a write fail with');
  const directory = await newDirectory();
  const script = join(import.meta.dirname, 'write-until-full.fixture.ts');
  const child = spawnSync('prlimit', ['--fsize=300000', process.execPath, script, directory], {
    encoding: 'utf8',
    timeout: 15_000,
  });
  const events = child.stdout.trim().split('\n');
  expect(child.status, child.stderr).toBe(74);
  const acknowledged = events.filter((event) => event.startsWith('acknowledged')).length;
  expect(acknowledged).toBeGreaterThan(100);
  expect(events.slice(acknowledged)).toEqual([
    expect.stringMatching(/^fatal log store failed and is closed for good: .*(File too large|EFBIG)/i),
    'closing',
  ]);
  const { stored } = await openIn(directory);
  expect(stored.lastIndex).toBeGreaterThanOrEqual(acknowledged);
});

test.each([
  [
    'a gap',
    (store: LogStore) => void write(store, batch({ entries: entries(4, 4) })),
    /entry 4 appended where the log expects 3/,
  ],
  ['a falling term', (store: LogStore) => void write(store, batch({ entries: entries(3, 3, 0) })), /term 0, below/],
  [
    'a cut before the log',
    (store: LogStore) => void write(store, batch({ truncateFrom: entry(1, 1).index })),
    /can't be cut at 1/,
  ],
  [
    'a compaction of another history',
    (store: LogStore) => void compact(store, snapshotAt(2, 9)),
    /names term 9, not 1/,
  ],
  [
    'a compaction past the end',
    (store: LogStore) => void compact(store, snapshotAt(9, 1)),
    /entry 9 is not in the log/,
  ],
  [
    'an entry that changed on the disk',
    (store: LogStore) => void read(store, { from: 2, until: 3 }),
    /entry 1 is damaged: fails its checksum/,
  ],
])('%s is fatal and changes nothing', async (_name, act, message) => {
  const directory = await newDirectory();
  const { store: first } = await openIn(directory);
  await write(first, batch({ entries: entries(1, 2), hardState: hardState(1, 0, 2) }));
  await compact(first, snapshotAt(1, 1));
  const fatal: string[] = [];
  await first.close();
  const { store } = await openIn(directory, { onFatal: (error) => fatal.push(error.message) });
  if (String(message).includes('checksum')) await corruptBehind(directory);
  act(store);
  await expect.poll(() => fatal).toEqual([expect.stringMatching(message)]);
  store.write([batch({ entries: entries(3, 3) })], () => expect.unreachable('answered'));
  await store.close();
});

/** Changes entry 2 in LevelDB's table, under an open log. LevelDB itself hands a changed value over without a word. */
async function corruptBehind(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!name.endsWith('.ldb')) continue;
    const at = (await readFile(join(directory, name))).indexOf(Buffer.from(entry(2, 1).data));
    if (at >= 0) await flipBit(join(directory, name), at + 3);
  }
}
