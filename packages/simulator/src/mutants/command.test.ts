import { expect, test } from 'vitest';
import { runProgram } from '../run-program.fixture.ts';
import { mutants } from './mutants.ts';

test('the thirty mistakes of the list are there, each once', () => {
  const numbers = mutants.flatMap(({ listed }) => (listed === undefined ? [] : [listed]));
  expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, at) => at + 1));
});

test('names are used once', () => {
  const names = mutants.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});

test.each([
  [['nonesuch'], 'mutant "nonesuch" does not exist'],
  [['vote-twice', '--listed'], '--listed is without names'],
  [['--seeds', '0'], '--seeds must be an integer from 1'],
])('%j is refused with the usage and exit code 2', async (args, why) => {
  const { code, stderr } = await runProgram('mutants/main.ts', args);
  expect(code).toBe(2);
  expect(stderr).toContain(why);
  expect(stderr).toContain('usage: npm run mutants');
});

test('a mistake that is noticed is told with the seeds that it took and the rule; one that is not fails', async () => {
  const args = ['--seed', '1', '--seeds', '2', '--seconds', '5', '--threads', '1'];
  const noticed = await runProgram('mutants/main.ts', ['ack-before-fsync', 'lease-from-echo', ...args]);
  expect(noticed.code).toBe(0);
  expect(noticed.stdout).toMatch(/M5 +ack-before-fsync +noticed after 1 seed \(1\): 10 /);
  expect(noticed.stdout).toMatch(/score: 2 of the 2 that are listed\n2 passed, 0 failed\n$/);
  const missed = await runProgram('mutants/main.ts', ['resend-unknown', ...args, '--seconds', '1', '--seeds', '1']);
  expect([missed.code, missed.stdout]).toEqual([1, expect.stringContaining('NOT noticed in 1 seeds')]);
});
