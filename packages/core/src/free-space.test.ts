import { expect, test } from 'vitest';
import { type DiskSpace, FreeSpace } from './free-space.ts';

const warnBytes = 1_000;
const stopBytes = 400;

/** A watch over directories whose free bytes the test sets; `next` lets one second pass. */
async function watching(free: Record<string, number | Error>): Promise<{
  readonly watch: FreeSpace;
  readonly measured: DiskSpace['level'][];
  readonly events: string[];
  readonly next: () => Promise<DiskSpace['level']>;
  readonly isWaiting: () => boolean;
}> {
  let timer: (() => void) | undefined;
  const measured: DiskSpace['level'][] = [];
  const events: string[] = [];
  const watch = await FreeSpace.watch({
    directories: Object.keys(free),
    warnBytes,
    stopBytes,
    freeBytes: async (directory) => {
      const found = free[directory] ?? 0;
      if (found instanceof Error) throw found;
      return found;
    },
    clock: {
      setTimer: (ms, run) => {
        expect(ms).toBe(1_000);
        timer = run;
        return () => (timer = undefined);
      },
    },
    log: (event) => events.push(event),
    onMeasured: (space) => measured.push(space.level),
  });
  const next = async (): Promise<DiskSpace['level']> => {
    const run = timer;
    timer = undefined;
    run?.();
    await expect.poll(() => timer !== undefined, { interval: 1 }).toBe(true);
    return watch.space.level;
  };
  return { watch, measured, events, next, isWaiting: () => timer !== undefined };
}

test.each([
  [1_000, 'ok'],
  [999, 'low'],
  [400, 'low'],
  [399, 'full'],
  [100, 'full'],
  [99, 'exhausted'],
  [0, 'exhausted'],
] as const)('%d bytes free are %s', async (free, level) => {
  const { watch } = await watching({ a: free });
  expect(watch.space).toEqual({ level, freeBytes: free, warnBytes, stopBytes });
});

test('of several disks the one with the least counts', async () => {
  expect((await watching({ a: 5_000, b: 399 })).watch.space).toMatchObject({ level: 'full', freeBytes: 399 });
});

test('a level is left for a better one only a tenth above its bound, and for a worse one at once', async () => {
  const free = { a: 399 };
  const { measured, events, next } = await watching(free);
  const levels: string[] = [];
  for (const bytes of [400, 439, 441, 399, 441, 1_000, 1_099, 1_101, 999]) {
    free.a = bytes;
    levels.push(await next());
  }
  expect(levels).toEqual(['full', 'full', 'low', 'full', 'low', 'low', 'low', 'ok', 'low']);
  expect(measured).toEqual(['full', ...levels]);
  expect(events.length).toBe(6);
});

test('a disk that does not answer keeps its last figure, and is logged once', async () => {
  const free: Record<string, number | Error> = { a: 399 };
  const { watch, events, next } = await watching(free);
  free['a'] = new Error('EIO: i/o error, statfs');
  await next();
  await next();
  expect(watch.space.level).toBe('full');
  expect(events).toEqual(['disk-space', 'disk-space-unknown']);
  free['a'] = 5_000;
  expect(await next()).toBe('ok');
});

test('a watch that was stopped measures no more', async () => {
  const { watch, isWaiting } = await watching({ a: 5_000 });
  expect(isWaiting()).toBe(true);
  watch.stop();
  expect(isWaiting()).toBe(false);
});
