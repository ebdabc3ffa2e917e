import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runProgram } from '../run-program.fixture.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockstep-etcd-cases-'));
  for (const name of ['good', 'bad/deep', 'empty']) mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, 'good', 'vote.txt'), 'vote cfg=(1) votes=(y)\n----\nVoteWon\n');
  writeFileSync(join(folder, 'good', 'README.md'), 'not a case');
  writeFileSync(join(folder, 'bad', 'change.txt'), '# one voter\nsimple\nv1\n----\nvoters=(2)\n');
  writeFileSync(join(folder, 'bad', 'deep', 'strange.txt'), 'fly 1\n----\nok\n');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const etcdCases = (...args: readonly string[]): ReturnType<typeof runProgram> => runProgram('etcd-cases/main.ts', args);

test.each([[[]], [['nonesuch']], [['a', 'b']]])('%j is refused with the usage and exit code 2', async (args) => {
  const { code, stderr } = await etcdCases(...args);
  expect(code).toBe(2);
  expect(stderr).toContain('usage: npm run etcd-cases');
});

test('a folder without a case is refused', async () => {
  const { code, stderr } = await etcdCases(join(folder, 'empty'));
  expect([code, stderr]).toEqual([2, expect.stringContaining('there is no .txt file below')]);
});

test('a file that holds is told to pass, and what is no case is left alone', async () => {
  const { code, stdout } = await etcdCases(join(folder, 'good'));
  expect([code, stdout]).toEqual([0, 'vote.txt: passed, 1 directives\n1 passed, 0 failed\n']);
});

test('a state that differs is told with its line, a command that is not known with its name, and both fail', async () => {
  const { code, stdout } = await etcdCases(join(folder, 'bad'));
  expect(code).toBe(1);
  expect(stdout.split('\n')).toEqual([
    'change.txt: differs at line 2, simple: it shows voters=(1), the file voters=(2)',
    'deep/strange.txt: cannot be run: line 1: fly: the command is not known',
    '0 passed, 2 failed',
    '',
  ]);
});
