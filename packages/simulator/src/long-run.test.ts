import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LongRun, type RunPlan } from './long-run.ts';
import { runProgram } from './run-program.fixture.ts';
import { simulate } from './simulate.ts';

let folder = '';
let path = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockstep-long-run-'));
  path = join(folder, 'run.json');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const plan: RunPlan = { seed: 10, seeds: 4, seconds: 1, nodes: 3 };
const result = simulate({ seed: 1, seconds: 1 });
const open = (): LongRun => new LongRun(path, plan, () => 500);

test('a run that is taken up again does the seeds that are left, though others after them are done', () => {
  const first = open();
  for (const seed of [10, 12]) first.done({ ...result, seed });
  first.save();
  const again = open();
  expect([...again.left()]).toEqual([11, 13]);
  for (const seed of [11, 13]) again.done({ ...result, seed });
  expect(again.record).toMatchObject({ next: 14, doneBeyond: [], elapsedS: 1, totals: { passed: 4, failed: [] } });
});

test('a seed that fails is kept with the rule that it broke', () => {
  const run = open();
  const failure = { rule: '7 x', message: 'it did', atMs: 5 };
  run.done({ ...result, seed: 10, failure });
  run.save();
  expect(open().record.totals.failed).toEqual([{ seed: 10, nodes: result.nodes, ...failure }]);
});

test.each([
  ['another run', JSON.stringify({ ...plan, seed: 9, next: 9, doneBeyond: [], elapsedS: 0 }), 'is a run with --seed 9'],
  ['something else', '{"seed":10}', 'is not the record of a run'],
  ['no JSON', 'x', 'is not the record of a run'],
])('a file that is %s is refused and left alone', (_name, text, why) => {
  writeFileSync(path, text);
  expect(open).toThrow(why);
  expect(readFileSync(path, 'utf8')).toBe(text);
});

test('the command goes on with the run in its file, and has nothing to do when that is over', async () => {
  const first = await runProgram('main.ts', ['--seed', '1', '--seeds', '2', '--seconds', '1', '--resume', path]);
  expect([first.code, first.stdout.trimEnd().split('\n').at(-1)]).toEqual([0, '2 passed, 0 failed']);
  const before = readFileSync(path, 'utf8');
  const again = await runProgram('main.ts', ['--resume', path]);
  expect(again.stdout).toContain('seed 1, 2 seeds of 1 simulated s');
  expect(again.stdout.trimEnd().split('\n').at(-1)).toBe('2 passed, 0 failed');
  expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ totals: JSON.parse(before).totals });
});
