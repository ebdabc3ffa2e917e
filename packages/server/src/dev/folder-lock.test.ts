import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockFolder } from './folder-lock.ts';

let parent: string;
let directory: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'lockstep-lock-'));
  directory = join(parent, 'not there yet');
});
afterEach(() => rmSync(parent, { recursive: true }));

test('a folder that is in use is refused, naming who has it, until it is released', () => {
  const release = lockFolder(directory);
  const refusal = { code: 'failed-precondition', message: expect.stringContaining(`in use by process ${process.pid}`) };
  expect(() => lockFolder(directory)).toThrow(expect.objectContaining(refusal));
  release();
  lockFolder(directory)();
  expect(readdirSync(directory)).toEqual([]);
});

test.each([
  ['a process that is gone', () => String(spawnSync(process.execPath, ['--version']).pid)],
  ['nobody', () => ''],
  ['a group of processes', () => '0'],
])('what %s has left behind counts for nothing', (_who, pid) => {
  lockFolder(directory)();
  writeFileSync(join(directory, 'dev.lock'), pid());
  lockFolder(directory)();
});
