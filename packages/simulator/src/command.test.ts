import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runProgram } from './run-program.fixture.ts';

let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockstep-simulate-'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const simulateCommand = (...args: readonly string[]): ReturnType<typeof runProgram> => runProgram('main.ts', args);

test.each([
  [['--seed', 'x'], '--seed must be an integer'],
  [['--seeds', '0'], '--seeds must be an integer from 1'],
  [['--nodes', '10'], '--nodes must be an integer from 1 to 9'],
  [['--mutant', 'nonesuch'], 'mutant "nonesuch" does not exist'],
  [['--nonesuch'], 'nonesuch'],
  [['--seed', '1', '--without', 'rain'], '--without: there is no "rain"; there are partition'],
  [['--trace', '--minimise', '--seed', '1'], 'can not be had at once'],
  [['--minimise'], '--minimise needs a --seed'],
  [['--trace', '--seeds', '2'], 'that is for one seed'],
  [['--trace', '--json'], '--json is for seeds'],
  [['--state-trace', 'x', '--json'], '--json is for seeds'],
  [['--state-trace', '/none/such', '--seed', '1'], "--state-trace: /none/such can't be written"],
  [['--state-trace', 'x', '--seeds', '2'], 'that is for one seed'],
  [['--state-trace', 'x', '--minimise', '--seed', '1'], '--state-trace is of one run'],
  [['--clients', '101', '--seed', '1'], '--clients must be an integer from 0 to 100'],
  [['--resume', 'x', '--mutant', 'vote-twice'], '--resume is for the source as it is'],
])('%j is refused with the usage and exit code 2', async (args, message) => {
  const { code, stderr } = await simulateCommand(...args);
  expect(code).toBe(2);
  expect(stderr).toContain(message);
  expect(stderr).toContain('usage: npm run simulate');
});

test('seeds that pass are counted in the last line', async () => {
  const { code, stdout } = await simulateCommand('--seed', '1', '--seeds', '2', '--seconds', '2');
  expect(stdout.trimEnd().split('\n').at(-1)).toBe('2 passed, 0 failed');
  expect(code).toBe(0);
});

test('the figures of seeds come as one JSON object, with the command and what they were measured on', async () => {
  const { code, stdout } = await simulateCommand('--seed', '7', '--seeds', '1', '--seconds', '2', '--json');
  const figures: unknown = JSON.parse(stdout);
  expect(code).toBe(0);
  expect(figures).toMatchObject({
    command: 'npm run simulate -- --seed 7 --seeds 1 --seconds 2',
    node: process.version,
    passed: 1,
    failed: [],
  });
  const counts = ['simulatedMs', 'elections', 'crashes', 'writesApplied', 'writesUnknown', 'reads', 'speed', 'cores'];
  for (const name of counts) expect(figures).toHaveProperty(name, expect.any(Number));
});

test('a mistake in the source fails with its seed, the broken invariant and the command that repeats it', async () => {
  const args = ['--seed', '1', '--seeds', '4', '--seconds', '5', '--mutant', 'ack-before-fsync'];
  const { code, stdout } = await simulateCommand(...args);
  expect(code).toBe(1);
  expect(stdout).toMatch(/FAILED seed \d/);
  expect(stdout).toContain('broken: 10 an entry is durable before it is acknowledged');
  expect(stdout).toMatch(/repeat: npm run simulate -- --seed \d --seconds 5 --mutant ack-before-fsync --trace/);
  expect(stdout.trimEnd().split('\n').at(-1)).toMatch(/^\d passed, [1-4] failed$/);
});

test('what is left of a failure can be repeated by the command that --minimise ends with', async () => {
  const args = ['--seed', '1', '--seconds', '5', '--mutant', 'ack-before-fsync'];
  const { code, stdout } = await simulateCommand(...args, '--minimise');
  const command = /repeat: npm run simulate -- (.*)$/m.exec(stdout)?.[1] ?? '';
  expect(code).toBe(0);
  expect(command).toMatch(
    /^--seed 1 --seconds [12] --without .* --clients 1 --keys 1 --mutant ack-before-fsync --trace$/,
  );
  const repeated = await simulateCommand(...command.split(' '));
  expect(repeated.code).toBe(1);
  expect(repeated.stdout).toContain('a term is durable before it is answered in');
});

test('a trace tells who said what to whom, and what each wrote', async () => {
  const { stdout } = await simulateCommand(
    '--seed',
    '1',
    '--seconds',
    '1',
    '--nodes',
    '3',
    '--trace',
    '--lines',
    '100000',
  );
  expect(stdout).toMatch(/ s {2}n\d leader in term 1: writes 1\/1 to 1\/1/);
  expect(stdout).toMatch(/ s {4}n\d → n\d {2}append in term 1: 1 to 1 after 0\/0, commit 0/);
  expect(stdout).toMatch(/ s {4}n\d ← n\d {2}append-reply in term 1: has 1/);
});

test('the steps of the cores are written to a file, a line of JSON for each', async () => {
  const file = join(folder, 'trace.ndjson');
  const args = ['--seed', '3', '--nodes', '3', '--seconds', '1', '--without', 'all', '--state-trace', file];
  const { code, stdout } = await simulateCommand(...args);
  expect(code).toBe(0);
  expect(stdout.trimEnd().split('\n').at(-1)).toBe('1 passed, 0 failed');
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  expect(JSON.parse(lines[0] ?? '')).toEqual({
    tag: 'trace',
    ts: 0,
    event: {
      name: 'InitState',
      nid: '1',
      state: { term: 0, vote: '0', commit: 0 },
      role: 'StateFollower',
      log: 0,
      conf: [['1', '2', '3'], []],
    },
  });
  for (const line of lines) expect(JSON.parse(line)).toMatchObject({ tag: 'trace' });
});

test('the result as JSON is one line', async () => {
  const { stdout } = await simulateCommand('--seed', '1', '--seconds', '2', '--json');
  expect(JSON.parse(stdout)).toMatchObject({ seed: 1, seeds: 1, passed: 1, failed: [] });
});
