import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NodeId } from '@lockstep/contract/ids';
import { afterEach, describe, expect, test } from 'vitest';
import { openLevelLog } from './level-log.ts';
import { waitingCallsMax } from './limits.ts';
import {
  batch,
  compact,
  entries,
  entry,
  hardState,
  read,
  saveMembership,
  shape,
  snapshotAt,
  threeVoters,
  withLearner,
  write,
} from './log-samples.ts';
import type { LogStore, StoredLog } from './log-store.ts';
import { emptyMemoryLogImage, MemoryLog, type MemoryLogImage } from './memory-log.ts';

/** A disk with one log at a time open on it. */
interface Disk {
  readonly open: () => Promise<{ stored: StoredLog; store: LogStore }>;
  /** The disk as a crash leaves it now, without closing the log. */
  readonly crash: () => Promise<Disk>;
}

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

function memoryDisk(image: MemoryLogImage = emptyMemoryLogImage(threeVoters)): Promise<Disk> {
  let current: MemoryLog | undefined;
  return Promise.resolve({
    open: () => {
      current = new MemoryLog(current?.durableImage() ?? image, { schedule: (work) => void setImmediate(work) });
      return Promise.resolve({ stored: current.stored(), store: current });
    },
    crash: () => memoryDisk(current?.durableImage() ?? image),
  });
}

async function levelDisk(copyOf?: string): Promise<Disk> {
  const directory = await mkdtemp(join(tmpdir(), 'level-log-'));
  cleanups.push(() => rm(directory, { recursive: true, force: true }));
  if (copyOf !== undefined) await cp(copyOf, directory, { recursive: true });
  return {
    open: async () => {
      const opened = await openLevelLog({
        directory,
        clusterId: 'c1',
        node: NodeId(1),
        format: { incarnation: 77, membership: threeVoters },
        onFatal: (error) => expect.unreachable(error.message),
      });
      cleanups.push(() => opened.store.close());
      return opened;
    },
    crash: () => levelDisk(directory),
  };
}

describe.each([
  { name: 'memory', disk: memoryDisk },
  { name: 'level', disk: () => levelDisk() },
])('the $name log store', ({ disk: newDisk }) => {
  test('a new log is empty, in term 0, with the membership it was formatted with', async () => {
    const disk = await newDisk();
    const { stored } = await disk.open();
    expect(shape(stored)).toEqual({ first: 1, last: 0, runs: '', tail: '' });
    expect(stored.hardState).toEqual(hardState(0, 0, 0));
    expect(stored.membership).toEqual(threeVoters);
  });

  test('what was acknowledged is there after a crash', async () => {
    const disk = await newDisk();
    const { store } = await disk.open();
    await write(store, batch({ entries: entries(1, 3), hardState: hardState(1, 2, 0) }));
    await write(store, batch({ entries: entries(4, 5, 2), hardState: hardState(2, 3, 3) }));
    const { stored } = await (await disk.crash()).open();
    expect(shape(stored)).toEqual({ first: 1, last: 5, runs: '1:1 4:2', tail: '1:1 2:1 3:1 4:2 5:2' });
    expect(stored.hardState).toEqual(hardState(2, 3, 3));
    expect(stored.tail[4]).toEqual(entry(5, 2));
  });

  test('entries of each type and of no bytes come back as they were', async () => {
    const disk = await newDisk();
    const { store } = await disk.open();
    const types = ['noop', 'transactions', 'membership', 'control'] as const;
    const written = types.map((type, position) => ({ ...entry(position + 1, 1, position), type }));
    await write(store, batch({ entries: written }));
    expect(await read(store, { from: 1, until: 5 })).toEqual(written);
    expect((await (await disk.crash()).open()).stored.tail).toEqual(written);
  });

  test('a truncation leaves nothing of the old suffix, not even behind a shorter new one', async () => {
    const disk = await newDisk();
    const { store } = await disk.open();
    await write(store, batch({ entries: entries(1, 9), hardState: hardState(1, 0, 2) }));
    await write(store, batch({ truncateFrom: entry(4, 2).index, entries: entries(4, 5, 2) }));
    expect(await read(store, { from: 3, until: 10 })).toEqual([entry(3, 1), entry(4, 2), entry(5, 2)]);
    const { stored, store: reopened } = await (await disk.crash()).open();
    expect(shape(stored)).toMatchObject({ last: 5, runs: '1:1 4:2' });
    await write(reopened, batch({ entries: entries(6, 6, 3) }));
    expect(await read(reopened, { from: 6, until: 8 })).toEqual([entry(6, 3)]);
  });

  test('batches written together count in order: the second may cut what the first appended', async () => {
    const disk = await newDisk();
    const { store } = await disk.open();
    const first = batch({ entries: entries(1, 6), hardState: hardState(1, 1, 0) });
    const second = batch({ truncateFrom: entry(4, 2).index, entries: entries(4, 4, 2), hardState: hardState(2, 0, 0) });
    await write(store, first, second);
    const { stored } = await (await disk.crash()).open();
    expect(shape(stored)).toMatchObject({ last: 4, runs: '1:1 4:2' });
    expect(stored.hardState).toEqual(hardState(2, 0, 0));
  });

  test('a log cut to nothing and written anew is the new one', async () => {
    const disk = await newDisk();
    const { store } = await disk.open();
    await write(store, batch({ entries: entries(1, 3) }));
    await write(store, batch({ truncateFrom: entry(1, 2).index, entries: entries(1, 2, 2) }));
    expect(shape((await (await disk.crash()).open()).stored)).toMatchObject({ first: 1, last: 2, runs: '1:2' });
  });

  test('a read is cut at its bytes but never empty, and ends with the log', async () => {
    const { store } = await (await newDisk()).open();
    await write(store, batch({ entries: entries(1, 5) }));
    const indexes = async (bytesMax: number, until = 9): Promise<unknown> => {
      const found = await read(store, { from: 2, until, bytesMax });
      return found === 'compacted' ? found : found.map((one) => one.index);
    };
    expect(await indexes(1)).toEqual([2]);
    expect(await indexes(39)).toEqual([2]);
    expect(await indexes(40)).toEqual([2, 3]);
    expect(await indexes(1000, 4)).toEqual([2, 3]);
    expect(await indexes(1000)).toEqual([2, 3, 4, 5]);
    expect(await read(store, { from: 6, until: 9 })).toEqual([]);
  });

  test('compaction forgets the front: reads there say so, the rest stays, also after a crash', async () => {
    const disk = await newDisk();
    const { store } = await disk.open();
    await write(
      store,
      batch({ entries: [...entries(1, 600), ...entries(601, 1300, 2)], hardState: hardState(2, 0, 1300) }),
    );
    await compact(store, snapshotAt(1299, 2));
    expect(await read(store, { from: 1299, until: 1301 })).toBe('compacted');
    expect(await read(store, { from: 1300, until: 1301 })).toEqual([entry(1300, 2)]);
    const crashed = await disk.crash();
    const { stored, store: reopened } = await crashed.open();
    expect(shape(stored)).toEqual({ first: 1300, last: 1300, runs: '1300:2', tail: '1300:2' });
    expect(stored.snapshot).toEqual(snapshotAt(1299, 2));
    await write(reopened, batch({ entries: entries(1301, 1302, 2) }));
    await compact(reopened, snapshotAt(1302, 2));
    expect(shape((await (await crashed.crash()).open()).stored)).toMatchObject({ first: 1303, last: 1302 });
  });

  test('compaction to an index already forgotten changes nothing', async () => {
    const disk = await newDisk();
    const { store } = await disk.open();
    await write(store, batch({ entries: entries(1, 5), hardState: hardState(1, 0, 5) }));
    await compact(store, snapshotAt(4, 1));
    await compact(store, snapshotAt(2, 1));
    expect((await (await disk.crash()).open()).stored.snapshot.index).toBe(4);
  });

  test('a snapshot replaces the whole log, and what follows it is appended to it', async () => {
    const disk = await newDisk();
    const { store } = await disk.open();
    const joint = { ...threeVoters, votersOutgoing: [NodeId(9)], autoLeave: true };
    await write(store, batch({ entries: entries(1, 8), hardState: hardState(1, 0, 2) }));
    await write(store, batch({ snapshot: snapshotAt(6, 3, joint), hardState: hardState(3, 0, 6) }));
    await write(store, batch({ entries: entries(7, 7, 4) }));
    expect(await read(store, { from: 6, until: 9 })).toBe('compacted');
    const { stored } = await (await disk.crash()).open();
    expect(shape(stored)).toEqual({ first: 7, last: 7, runs: '7:4', tail: '7:4' });
    expect(stored.membership).toEqual(joint);
    expect(stored.appliedMembershipIndex).toBe(6);
  });

  test('a saved membership stays through compaction before it and gives way to a later snapshot', async () => {
    const disk = await newDisk();
    const { store } = await disk.open();
    const four = withLearner;
    await write(store, batch({ entries: entries(1, 9), hardState: hardState(1, 0, 9) }));
    await saveMembership(store, four, 7);
    await compact(store, snapshotAt(5, 1));
    const { stored, store: reopened } = await (await disk.crash()).open();
    expect([stored.membership, stored.appliedMembershipIndex]).toEqual([four, 7]);
    await compact(reopened, snapshotAt(8, 1, four));
    expect((await (await disk.crash()).open()).stored.appliedMembershipIndex).toBe(7);
  });

  test('calls are answered in order, none before it has returned', async () => {
    const { store } = await (await newDisk()).open();
    const answers: string[] = [];
    const done = (name: string) => () => void answers.push(name);
    store.write([batch({ entries: entries(1, 3) })], done('write'));
    store.read({ from: entry(1, 1).index, until: entry(4, 1).index, bytesMax: 99 }, (found) =>
      answers.push(`read ${found.length}`),
    );
    store.compact(snapshotAt(2, 1), done('compact'));
    store.read({ from: entry(1, 1).index, until: entry(4, 1).index, bytesMax: 99 }, (found) =>
      answers.push(found === 'compacted' ? found : 'entries'),
    );
    store.saveMembership(threeVoters, entry(3, 1).index, done('membership'));
    expect(answers).toEqual([]);
    await write(store, batch({ hardState: hardState(1, 0, 3), mustSync: false }));
    expect(answers).toEqual(['write', 'read 3', 'compact', 'compacted', 'membership']);
  });

  test('one call more than may wait is a broken invariant', async () => {
    const { store } = await (await newDisk()).open();
    let answers = 0;
    const ask = (): void =>
      store.read({ from: entry(1, 1).index, until: entry(2, 1).index, bytesMax: 9 }, () => void answers++);
    await write(store, batch({ entries: entries(1, 1) }));
    for (let call = 0; call < waitingCallsMax; call++) ask();
    expect(ask).toThrow(/at most 1024 calls/);
    await read(store, { from: 1, until: 2 }).catch(() => undefined);
  });

  test('stats count writes and fsyncs', async () => {
    const { store } = await (await newDisk()).open();
    const before = store.stats();
    await write(store, batch({ entries: entries(1, 3) }));
    await write(store, batch({ hardState: hardState(1, 0, 1), mustSync: false }));
    const after = store.stats();
    expect([after.writes - before.writes, after.syncs - before.syncs]).toEqual([2, 1]);
    expect(after.oldestPendingMs).toBe(0);
  });
});
