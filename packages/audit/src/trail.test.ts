import { copyFileSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuditSink } from '@lockstep/contract/audit-sink';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lineCharsMax, sinkDeadlineMs, waitingLinesMax } from './limits.ts';
import { openFileSink } from './sinks.ts';
import { Trail, type TrailOptions } from './trail.ts';
import { verifyTrail } from './verify-trail.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockstep-audit-'));
  file = join(folder, 'audit.log');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const trailOf = (sinks: readonly AuditSink[], change: Partial<TrailOptions> = {}): Trail =>
  new Trail({ sinks, wallMs: () => 0, run: 'r1', ...change });
const linesIn = (path: string): string[] => readFileSync(path, 'utf8').trimEnd().split('\n');

/** A sink in memory, whose answers the test gives. */
class HeldSink implements AuditSink {
  readonly kind = 'held';
  readonly lines: string[] = [];
  readonly answers: { readonly resolve: () => void; readonly reject: (error: unknown) => void }[] = [];

  write(line: string): Promise<void> {
    this.lines.push(line);
    return new Promise((resolve, reject) => this.answers.push({ resolve, reject }));
  }

  reopen(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

describe('failing closed', () => {
  it('without any sink there is no trail', () => {
    expect(() => trailOf([])).toThrow(expect.objectContaining({ code: 'invalid-input' }));
  });

  it('a request that no sink can hold is refused, and an answer withheld', async () => {
    const full = await openFileSink('/dev/full');
    const trail = trailOf([full]);
    await expect(trail.record('request', '"n":1')).rejects.toMatchObject({ code: 'unavailable' });
    await expect(trail.record('response', '"n":1')).rejects.toMatchObject({ code: 'internal' });
    expect(trail.waitingCount).toBe(0);
    await trail.close();
  });

  it('one sink that holds the line is enough, and the other’s failure is told', async () => {
    const failures: string[] = [];
    const trail = trailOf([await openFileSink('/dev/full'), await openFileSink(file)], {
      onSinkFailure: (sink, error) => failures.push(`${sink.kind} ${String(error)}`),
    });
    for (let n = 0; n < 3; n++) await trail.record('request', `"n":${n}`);
    await trail.close();
    expect(linesIn(file)).toHaveLength(3);
    expect([trail.sinkFailures, failures.length]).toEqual([{ request: 3, response: 0 }, 3]);
    expect(failures[0]).toMatch(/audit file \/dev\/full can't be written/);
  });

  it('a sink that hangs counts as failed after its deadline, one that answers in time does not', async () => {
    const sink = new HeldSink();
    let nowMs = 0;
    let timer: (() => void) | undefined;
    const trail = trailOf([sink], {
      wallMs: () => nowMs,
      after: (_, run) => {
        timer = run;
        return () => undefined;
      },
    });
    const first = trail.record('request', '"n":1');
    nowMs = 1;
    const second = trail.record('request', '"n":2');
    nowMs = sinkDeadlineMs;
    timer?.();
    await expect(first).rejects.toThrow(/within 5000 ms/);
    expect(trail.waitingCount).toBe(1);
    sink.answers[1]?.resolve();
    await second;
    sink.answers[0]?.resolve();
    expect(trail.waitingCount).toBe(0);
  });

  it('waitingLinesMax lines may wait, one more is refused', async () => {
    const sink = new HeldSink();
    const trail = trailOf([sink], { after: () => () => undefined });
    const waiting = Array.from({ length: waitingLinesMax }, () => trail.record('request', ''));
    await expect(trail.record('request', '')).rejects.toMatchObject({ code: 'unavailable' });
    for (const answer of sink.answers) answer.resolve();
    await Promise.all(waiting);
    expect(trail.waitingCount).toBe(0);
  });

  it('a line above lineCharsMax is refused, and leaves no gap', async () => {
    const trail = trailOf([await openFileSink(file)]);
    await trail.record('request', '"n":1');
    await expect(trail.record('request', `"n":"${'x'.repeat(lineCharsMax)}"`)).rejects.toMatchObject({
      code: 'too-large',
    });
    await trail.record('request', '"n":2');
    await trail.close();
    expect(await verifyTrail([file])).toMatchObject({ lines: 2, problemCount: 0 });
  });

  it('closed, it takes nothing', async () => {
    const trail = trailOf([await openFileSink(file)]);
    await trail.close();
    await expect(trail.record('request', '"n":1')).rejects.toThrow(/the audit is closed/);
  });
});

describe('the order of lines', () => {
  it('is that of the calls, however many come at once, and verifies', async () => {
    const trail = trailOf([await openFileSink(file)]);
    await Promise.all(Array.from({ length: 500 }, (_, n) => trail.record('request', `"n":${n}`)));
    await trail.close();
    expect(linesIn(file).map((line) => JSON.parse(line).n)).toEqual(Array.from({ length: 500 }, (_, n) => n));
    expect(await verifyTrail([file])).toEqual({
      lines: 500,
      runs: [{ run: 'r1', firstSequence: 1, lastSequence: 500, lost: 0 }],
      problems: [],
      problemCount: 0,
    });
  });

  const changes: readonly { name: string; change: (lines: string[]) => string[]; line: number; problem: RegExp }[] = [
    { name: 'removed', change: (lines) => lines.toSpliced(3, 1), line: 4, problem: /comes after 1 missing: 4 to 4/ },
    {
      name: 'changed',
      change: (lines) => lines.with(3, lines[3]!.replace('"n":3', '"n":9')),
      line: 5,
      problem: /that was changed/,
    },
    {
      name: 'moved',
      change: (lines) => lines.toSpliced(3, 2, lines[4]!, lines[3]!),
      line: 5,
      problem: /has sequence 4 after 5/,
    },
    {
      name: 'repeated',
      change: (lines) => lines.toSpliced(3, 0, lines[2]!),
      line: 4,
      problem: /has sequence 3 after 3/,
    },
    { name: 'garbled', change: (lines) => lines.with(3, 'x'), line: 4, problem: /is not an audit line/ },
    { name: 'put in front', change: (lines) => [lines[5]!, ...lines], line: 2, problem: /has sequence 1 after 6/ },
  ];
  it.each(changes)('a line that was $name is noticed', async ({ change, line, problem }) => {
    const trail = trailOf([await openFileSink(file)]);
    for (let n = 0; n < 8; n++) await trail.record('request', `"n":${n}`);
    await trail.close();
    writeFileSync(file, `${change(linesIn(file)).join('\n')}\n`);
    const report = await verifyTrail([file]);
    expect(report.problems).toContainEqual({ file, line, problem: expect.stringMatching(problem) });
  });

  it('a last line without its end is noticed', async () => {
    const trail = trailOf([await openFileSink(file)]);
    for (let n = 0; n < 3; n++) await trail.record('request', `"n":${n}`);
    await trail.close();
    writeFileSync(file, readFileSync(file).subarray(0, -1));
    expect((await verifyTrail([file])).problems).toEqual([
      { file, line: 3, problem: expect.stringMatching(/cut short/) },
    ]);
  });

  it('goes on over a rotation: the files verify together, and each by itself', async () => {
    const trail = trailOf([await openFileSink(file)]);
    await trail.record('request', '"n":1');
    renameSync(file, `${file}.1`);
    await trail.record('request', '"n":2');
    await trail.reopen();
    await trail.record('request', '"n":3');
    await trail.close();
    expect([linesIn(`${file}.1`).length, linesIn(file).length]).toEqual([2, 1]);
    expect(await verifyTrail([`${file}.1`, file])).toMatchObject({
      lines: 3,
      problemCount: 0,
      runs: [{ lastSequence: 3 }],
    });
    expect(await verifyTrail([file])).toMatchObject({ lines: 1, problemCount: 0, runs: [{ firstSequence: 3 }] });
    copyFileSync(file, `${file}.2`);
    expect(await verifyTrail([file, `${file}.1`])).toMatchObject({ problemCount: 2 });
  });

  it('is kept apart for each run of the process in one file', async () => {
    for (const run of ['r1', 'r2']) {
      const trail = trailOf([await openFileSink(file)], { run });
      await trail.record('request', '"n":1');
      await trail.record('request', '"n":2');
      await trail.close();
    }
    expect(await verifyTrail([file])).toMatchObject({
      lines: 4,
      problemCount: 0,
      runs: [{ run: 'r1' }, { run: 'r2' }],
    });
  });

  it('lines that no sink took are named by a later line, and are no problem; undeclared ones are', async () => {
    const sink = new HeldSink();
    const trail = trailOf([sink], { after: () => () => undefined });
    const recorded: Promise<unknown>[] = [];
    const record = (): number => recorded.push(trail.record('request', '"n":1').catch((error: unknown) => error));
    const answer = async (at: number, how: 'resolve' | 'reject'): Promise<void> => {
      sink.answers[at]?.[how](new Error('full'));
      await recorded[at];
    };
    for (let n = 0; n < 4; n++) record();
    for (const [at, how] of (['resolve', 'reject', 'reject', 'resolve'] as const).entries()) await answer(at, how);
    // It says that 2 and 3 were lost, and is lost itself.
    record();
    await answer(4, 'reject');
    record();
    await answer(5, 'resolve');
    expect(JSON.parse(sink.lines[5]!).chain.lost).toEqual([
      [2, 3],
      [5, 5],
    ]);
    const held = [0, 3, 5].map((at) => sink.lines[at]!);
    writeFileSync(file, held.join(''));
    expect(await verifyTrail([file])).toMatchObject({ problemCount: 0, runs: [{ lastSequence: 6, lost: 3 }] });
    writeFileSync(file, held.slice(0, 2).join(''));
    expect(await verifyTrail([file])).toMatchObject({ problemCount: 1 });
  });

  it('of a file that is not there can’t be verified', async () => {
    await expect(verifyTrail([join(folder, 'none')])).rejects.toMatchObject({ code: 'unavailable' });
  });
});
