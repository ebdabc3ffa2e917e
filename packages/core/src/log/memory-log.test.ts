import { describe, expect, test } from 'vitest';
import { batch, compact, entries, entry, hardState, saveMembership, snapshotAt, threeVoters } from './log-samples.ts';
import { emptyMemoryLogImage, MemoryLog, type MemoryLogOptions, type MemoryLogWork } from './memory-log.ts';

interface Disk {
  readonly log: MemoryLog;
  readonly work: { readonly run: () => void; readonly kind: MemoryLogWork }[];
  readonly next: () => void;
}

function disk(options: Partial<MemoryLogOptions> = {}): Disk {
  const work: { run: () => void; kind: MemoryLogWork }[] = [];
  const schedule = (run: () => void, kind: MemoryLogWork): void => void work.push({ run, kind });
  const log = new MemoryLog(emptyMemoryLogImage(threeVoters), { schedule, ...options });
  return { log, work, next: () => work.shift()?.run() };
}

const indexes = (log: MemoryLog, unsyncedKept?: number): readonly number[] =>
  log.durableImage(unsyncedKept).entries.map((one) => one.index);

describe('the memory log’s disk', () => {
  test('nothing is durable before the scheduler has run its fsync, and everything written before is after', () => {
    const { log, work, next } = disk();
    const answers: string[] = [];
    log.write([batch({ hardState: hardState(1, 0, 0), mustSync: false })], () => answers.push('unsynced'));
    log.write([batch({ entries: entries(1, 2) })], () => answers.push('synced'));
    expect(work.map(({ kind }) => kind)).toEqual(['write']);
    next();
    expect([answers, log.durableImage().hardState.term, log.unsyncedCount()]).toEqual([['unsynced'], 0, 2]);
    expect(work.map(({ kind }) => kind)).toEqual(['sync']);
    next();
    expect([answers, log.durableImage().hardState.term, indexes(log)]).toEqual([['unsynced', 'synced'], 1, [1, 2]]);
    expect(log.unsyncedCount()).toBe(0);
  });

  test('a crash keeps as many unsynced changes as the caller says, oldest first, each whole', () => {
    const { log, next } = disk();
    log.write([batch({ entries: entries(1, 4) })], () => undefined);
    next();
    log.write([batch({ hardState: hardState(2, 0, 1), mustSync: false })], () => undefined);
    next();
    log.write([batch({ truncateFrom: entry(3, 2).index, entries: entries(3, 3, 2) })], () => undefined);
    expect([0, 1, 2, 9].map((kept) => [log.durableImage(kept).hardState.term, ...indexes(log, kept)])).toEqual([
      [0, 1, 2, 3, 4],
      [2, 1, 2, 3, 4],
      [2, 1, 2, 3],
      [2, 1, 2, 3],
    ]);
    next();
    expect(indexes(log)).toEqual([1, 2, 3]);
  });

  test('an image is a copy: what is written later does not change it', () => {
    const { log, next } = disk();
    log.write([batch({ entries: entries(1, 2) })], () => undefined);
    next();
    const image = log.durableImage();
    log.write([batch({ truncateFrom: entry(1, 2).index, entries: entries(1, 1, 2) })], () => undefined);
    next();
    expect(image.entries).toEqual(entries(1, 2));
    expect(new MemoryLog(image, { schedule: () => undefined }).stored().lastIndex).toBe(2);
  });

  test('a failed write is fatal once, and nothing is answered or written after it', () => {
    const fatal: string[] = [];
    const { log, work, next } = disk({ onFatal: (error) => fatal.push(error.message) });
    const answered = (): void => expect.unreachable('answered');
    log.failNextWrite(new Error('disk full'));
    log.write([batch({ entries: entries(1, 1) })], answered);
    log.write([batch({ entries: entries(2, 2) })], answered);
    next();
    void compact(log, snapshotAt(1, 1)).then(answered);
    void saveMembership(log, threeVoters, 1).then(answered);
    expect([fatal, work.length]).toEqual([['disk full'], 0]);
    expect(indexes(log)).toEqual([]);
    expect(indexes(log, 1)).toEqual([1]);
  });

  test('a closed log answers nothing more', async () => {
    const { log, next } = disk();
    log.write([batch({ entries: entries(1, 1) })], () => expect.unreachable('answered'));
    await log.close();
    next();
    expect(indexes(log)).toEqual([]);
  });

  test('its stats are by the clock it is given', () => {
    let nowMs = 100;
    const { log, next } = disk({ now: () => nowMs });
    log.write([batch({ entries: entries(1, 1) })], () => undefined);
    nowMs = 130;
    expect(log.stats().oldestPendingMs).toBe(30);
    next();
    expect(log.stats()).toEqual({ lastSyncMs: 30, oldestPendingMs: 0, writes: 1, syncs: 1 });
  });
});

describe('a wrong program is stopped', () => {
  test.each([
    [
      'a gap',
      [batch({ entries: entries(1, 2) }), batch({ entries: entries(4, 4) })],
      /entry 4 appended where the log expects 3/,
    ],
    [
      'an overwrite without a cut',
      [batch({ entries: entries(1, 2) }), batch({ entries: entries(2, 2) })],
      /entry 2 appended/,
    ],
    [
      'a falling term',
      [batch({ entries: entries(1, 2, 3) }), batch({ entries: entries(3, 3, 2) })],
      /has term 2, below/,
    ],
    [
      'a cut before the log',
      [batch({ snapshot: snapshotAt(5, 1) }), batch({ truncateFrom: entry(5, 1).index })],
      /can't be cut at 5/,
    ],
  ])('%s', (_name, batches, message) => {
    const { log } = disk();
    expect(() => log.write(batches, () => undefined)).toThrow(message);
  });

  test('a compaction past the end', () => {
    const { log } = disk();
    expect(() => log.compact(snapshotAt(1, 1), () => undefined)).toThrow(/passes the end of the log/);
  });
});
