import { expect, test } from 'vitest';
import { runProgram } from './run-program.fixture.ts';

const simulateCommand = (...args: readonly string[]): ReturnType<typeof runProgram> => runProgram('main.ts', args);

test.each([
  [['--seed', 'x'], '--seed must be an integer'],
  [['--seeds', '0'], '--seeds must be an integer from 1'],
  [['--nodes', '10'], '--nodes must be an integer from 1 to 9'],
  [['--mutant', 'nonesuch'], 'mutant "nonesuch" does not exist'],
  [['--nonesuch'], 'nonesuch'],
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

test('a mistake in the source fails with its seed, the broken invariant and the command that repeats it', async () => {
  const args = ['--seed', '1', '--seeds', '4', '--seconds', '5', '--mutant', 'ack-before-fsync'];
  const { code, stdout } = await simulateCommand(...args);
  expect(code).toBe(1);
  expect(stdout).toMatch(/FAILED seed \d/);
  expect(stdout).toContain('broken: 10 an entry is durable before it is acknowledged');
  expect(stdout).toMatch(/repeat: npm run simulate -- --seed \d --seconds 5 --mutant ack-before-fsync --trace/);
  expect(stdout.trimEnd().split('\n').at(-1)).toMatch(/^\d passed, [1-4] failed$/);
});

test('the result as JSON is one line', async () => {
  const { stdout } = await simulateCommand('--seed', '1', '--seconds', '2', '--json');
  expect(JSON.parse(stdout)).toMatchObject({ seed: 1, seeds: 1, passed: 1, failed: 0, failures: [] });
});
