import { cp, mkdtemp, open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NodeId } from '@lockstep/contract/ids';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type OpenedLog, openLevelLog } from './level-log.ts';
import { checkTable } from './scan-table.ts';
import { batch, compact, entries, entry, hardState, read, snapshotAt, threeVoters, write } from './log-samples.ts';

/*
 * Whatever one fault does to a log's files, the log is refused, or it opens with every entry that its marker file promises. No
 * entry comes back changed, and none is missing from the middle.
 */

const written = 14;
const compacted = 3;

interface Image {
  readonly directory: string;
  /** The end of the log that the marker file promises: nothing at or before it may vanish. */
  readonly floor: number;
}

let root: string;
let crashed: Image;
let closed: Image;
let reopened: Image;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'level-damage-'));
  crashed = await imageOf('crashed', { isClosed: false });
  closed = await imageOf('closed', { isClosed: true });
  // LevelDB moves what it finds in its log into a table when it opens.
  const directory = join(root, 'reopened');
  await cp(closed.directory, directory, { recursive: true });
  await (await openIn(directory)).store.close();
  reopened = { directory, floor: closed.floor };
});
afterAll(() => rm(root, { recursive: true, force: true }));

function openIn(directory: string): Promise<OpenedLog> {
  return openLevelLog({
    directory,
    clusterId: 'c1',
    node: NodeId(1),
    format: { incarnation: 77, membership: threeVoters },
    onFatal: (error) => expect.unreachable(error.message),
  });
}

/** Entries of 30 to 900 bytes in two terms, each in a write of its own, and a compaction. */
async function imageOf(name: string, { isClosed }: { readonly isClosed: boolean }): Promise<Image> {
  const directory = join(root, `${name}-live`);
  const { store } = await openIn(directory);
  await write(store, batch({ hardState: hardState(2, 2, 0) }));
  for (let index = 1; index <= written; index++) {
    await write(store, batch({ entries: [sample(index)], hardState: hardState(2, 2, index - 1) }));
    if (index === compacted + 2) await compact(store, snapshotAt(compacted, 1));
  }
  if (isClosed) await store.close();
  const image = join(root, name);
  await cp(directory, image, { recursive: true });
  if (!isClosed) await store.close();
  return { directory: image, floor: await markedIndex(image) };
}

function sample(index: number): ReturnType<typeof entry> {
  return entry(index, index > 8 ? 2 : 1, 30 + ((index * 313) % 870));
}

async function markedIndex(directory: string): Promise<number> {
  const bytes = await readFile(join(directory, 'MARKER'));
  return Math.max(...[32, 4096 + 32].map((at) => (at < bytes.length ? Number(bytes.readBigUInt64LE(at)) : 0)));
}

type Fault =
  | { readonly kind: 'flip'; readonly place: number; readonly bit: number }
  | { readonly kind: 'zeros'; readonly place: number; readonly bytes: number }
  | { readonly kind: 'cut'; readonly place: number }
  | { readonly kind: 'remove' };

/** `place` is a share of the file's length. */
async function damage(file: string, fault: Fault): Promise<void> {
  if (fault.kind === 'remove') return rm(file);
  const { size } = await stat(file);
  const at = Math.min(size - 1, Math.floor(fault.place * size));
  if (size === 0) return;
  if (fault.kind === 'cut') return truncate(file, at);
  const bytes = await readFile(file);
  if (fault.kind === 'zeros') bytes.fill(0, at, Math.min(size, at + fault.bytes));
  else bytes[at] = (bytes[at] ?? 0) ^ (1 << fault.bit);
  await writeFile(file, bytes);
}

/** LevelDB's own diary and lock say nothing about the log. */
async function filesOf(directory: string): Promise<readonly string[]> {
  return (await readdir(directory))
    .filter((name) => name !== 'LOG' && name !== 'LOG.old' && name !== 'LOCK')
    .toSorted();
}

let copies = 0;

/** Opens a copy with the fault: undefined where it is refused, otherwise the last index. Anything but a clean refusal or a true log fails. */
async function lastAfter(image: Image, harm: (directory: string) => Promise<void>): Promise<number | undefined> {
  const copy = join(root, `copy-${copies++}`);
  await cp(image.directory, copy, { recursive: true });
  await harm(copy);
  try {
    const { stored, store } = await openIn(copy);
    try {
      expect(stored.snapshot.index).toBe(compacted);
      expect(stored.hardState.term).toBe(2);
      expect(stored.hardState.vote).toBe(2);
      if (stored.lastIndex > compacted) {
        const found = await read(store, { from: compacted + 1, until: stored.lastIndex + 1 });
        expect(found).toEqual(
          Array.from({ length: stored.lastIndex - compacted }, (_, at) => sample(compacted + 1 + at)),
        );
      }
      expect(stored.lastIndex).toBeGreaterThanOrEqual(image.floor);
      return stored.lastIndex;
    } finally {
      await store.close();
    }
  } catch (error) {
    expect(error).toMatchObject({ code: 'damaged', message: expect.stringContaining('let it join again') });
    return undefined;
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

const place = fc.double({ min: 0, max: 1, noNaN: true, noDefaultInfinity: true });
const anyFault: fc.Arbitrary<Fault> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('flip' as const), place, bit: fc.nat(7) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('zeros' as const), place, bytes: fc.integer({ min: 1, max: 4096 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cut' as const), place }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const) }) },
);

describe.each([
  ['that a crash left', () => crashed],
  ['that was closed', () => closed],
  ['whose entries lie in a table', () => reopened],
])('a log %s', (_name, image) => {
  test('opens whole where nothing happened to it', async () => {
    expect(await lastAfter(image(), async () => undefined)).toBe(written);
  });

  test('is refused or whole up to its marker, whatever one fault does to any of its files', async () => {
    const files = await filesOf(image().directory);
    await fc.assert(
      fc.asyncProperty(fc.nat(files.length - 1), anyFault, async (file, fault) => {
        await lastAfter(image(), (copy) => damage(join(copy, files[file] ?? ''), fault));
      }),
      { numRuns: 40 },
    );
  });
});

/** Where LevelDB's log file has its records: offsets of their first fragments, and the file's end. */
async function recordOffsets(file: string): Promise<readonly number[]> {
  const bytes = await readFile(file);
  const offsets: number[] = [];
  for (let at = 0; at + 7 <= bytes.length; at += 7 + bytes.readUInt16LE(at + 4)) offsets.push(at);
  return [...offsets, bytes.length];
}

describe('at every record of a log that was closed', () => {
  const logFile = async (directory: string): Promise<string> =>
    join(directory, (await readdir(directory)).find((name) => name.endsWith('.log')) ?? 'none');

  test('a flipped byte in its head or its body is refused: every entry had been acknowledged, so none may vanish', async () => {
    const offsets = await recordOffsets(await logFile(closed.directory));
    expect(offsets.length).toBeGreaterThan(written);
    for (const offset of offsets.slice(0, -1)) {
      for (const within of [0, 6, 20]) {
        const last = await lastAfter(closed, async (copy) => flip(await logFile(copy), offset + within));
        // The last record may be a commit index alone, or the deletion of compacted entries.
        if (last !== undefined) expect(last, `record at ${offset}, byte ${within}`).toBe(written);
      }
    }
  });

  test('a cut is refused, unless what it took away was no entry', async () => {
    const offsets = await recordOffsets(await logFile(closed.directory));
    for (const offset of offsets.slice(0, -1)) {
      for (const within of [0, 9]) {
        const last = await lastAfter(closed, async (copy) => truncate(await logFile(copy), offset + within));
        if (last !== undefined) expect(last, `cut at ${offset} + ${within}`).toBe(written);
      }
    }
  });
});

async function flip(file: string, at: number): Promise<void> {
  const handle = await open(file, 'r+');
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, at);
  byte[0] = (byte[0] ?? 0) ^ 0x10;
  await handle.write(byte, 0, 1, at);
  await handle.close();
}

test('entries of one write vanish together or not at all', async () => {
  const directory = join(root, 'together');
  const { store } = await openIn(directory);
  await write(store, batch({ hardState: hardState(2, 2, 0), entries: entries(1, 5, 2) }));
  const image = join(root, 'together-crashed');
  await cp(directory, image, { recursive: true });
  await store.close();
  const file = (await readdir(image)).find((name) => name.endsWith('.log')) ?? 'none';
  const { size } = await stat(join(image, file));
  // The vote lies in the same record, and the marker file, written before the write was acknowledged, knows of it.
  for (const cut of [1, 60, 200]) {
    const copy = join(root, `together-${cut}`);
    await cp(image, copy, { recursive: true });
    await truncate(join(copy, file), size - cut);
    await expect(openIn(copy)).rejects.toMatchObject({ code: 'damaged' });
  }
});

test('one flipped bit in any byte of a table is refused, but for the padding before its end', async () => {
  const name = (await filesOf(reopened.directory)).find((file) => file.endsWith('.ldb')) ?? 'none';
  const bytes = await readFile(join(reopened.directory, name));
  checkTable(name, bytes, bytes.length);
  const survivors: number[] = [];
  for (let at = 0; at < bytes.length; at++) {
    const original = bytes[at] ?? 0;
    bytes[at] = original ^ (1 << (at % 8));
    try {
      checkTable(name, bytes, bytes.length);
      survivors.push(at);
    } catch (error) {
      expect(error).toMatchObject({ code: 'damaged' });
    }
    bytes[at] = original;
  }
  // Two handles of at least two bytes each come before the padding.
  const handlesBytesMin = 4;
  expect(survivors.every((at) => at >= bytes.length - 48 + handlesBytesMin && at < bytes.length - 8)).toBe(true);
});
