import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LogIndex } from '@lockstep/contract/ids';
import { afterEach, describe, expect, it } from 'vitest';
import { pendingBytesMax, valueBytesMax } from './limits.ts';
import { openDatabase, type StateDatabase } from './state-directory.ts';
import { WriteQueue } from './write-queue.ts';

const folders: string[] = [];
const databases: StateDatabase[] = [];
afterEach(async () => {
  for (const database of databases.splice(0)) await database.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

async function queueOf(on: { onFatal?: (error: unknown) => void; onCaughtUp?: () => void } = {}) {
  const path = mkdtempSync(join(tmpdir(), 'lockstep-queue-'));
  folders.push(path);
  const database = await openDatabase(path);
  databases.push(database);
  const fail = (error: unknown): never => {
    throw error;
  };
  const queue = new WriteQueue({
    database,
    path,
    applied: LogIndex(0),
    onFatal: on.onFatal ?? fail,
    onCaughtUp: on.onCaughtUp ?? (() => undefined),
  });
  return { database, queue };
}

const write = (key: string, value: string): ReadonlyMap<string, Uint8Array> => new Map([[key, Buffer.from(value)]]);

describe('a queue of writes', () => {
  it('writes nothing after the first failure, and tells nobody that it did', async () => {
    const { promise: fatal, resolve: onFatal } = Promise.withResolvers<unknown>();
    const { database, queue } = await queueOf({ onFatal });
    await database.close();
    queue.add(LogIndex(1), write('s/a', '1'), undefined);
    let told = 0;
    const tell = (): void => void told++;
    void queue.flush().then(tell);
    void queue.sync().then(tell);
    expect(await fatal).toMatchObject({ code: 'LEVEL_DATABASE_NOT_OPEN' });
    await database.open();
    queue.add(LogIndex(2), write('s/b', '2'), undefined);
    void queue.flush().then(tell);
    expect([queue.hasFailed, told, await database.keys().all()]).toEqual([true, 0, []]);
  });

  it('merges what comes while a batch is under way, and is read through until it is written', async () => {
    const { database, queue } = await queueOf();
    queue.add(LogIndex(1), write('s/a', '1'), undefined);
    queue.add(LogIndex(2), write('s/a', '2'), undefined);
    queue.add(LogIndex(3), new Map([['s/b', undefined]]), undefined);
    expect(queue.pending('s/a')?.stored?.toString()).toBe('2');
    expect(queue.pending('s/b')).toEqual({ stored: undefined });
    expect(queue.pending('s/c')).toBeUndefined();
    expect([...queue.pendingUnder('s/')]).toEqual([
      ['s/a', true],
      ['s/b', false],
    ]);
    await queue.flush();
    expect([queue.pending('s/a'), queue.isIdle, queue.pendingBytes]).toEqual([undefined, true, 0]);
    expect(Buffer.from((await database.get('s/a'))!).toString()).toBe('2');
  });

  it('is full above pendingBytesMax, and says when it is half empty again', async () => {
    const { promise: caughtUp, resolve: onCaughtUp } = Promise.withResolvers<void>();
    const { queue } = await queueOf({ onCaughtUp });
    const large = Buffer.alloc(valueBytesMax);
    let index = 0;
    const next = (): void => queue.add(LogIndex(++index), new Map([[`s/${index}`, large]]), undefined);
    while (queue.pendingBytes + valueBytesMax + 10 <= pendingBytesMax) next();
    expect(queue.isFull).toBe(false);
    next();
    expect(queue.isFull).toBe(true);
    await caughtUp;
    expect([queue.isFull, queue.pendingBytes <= pendingBytesMax / 2]).toEqual([false, true]);
    await queue.flush();
  });
});
