import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LockstepError } from '@lockstep/contract/errors';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openClusterFiles } from './dev/cluster-files.ts';
import { anyBasePort } from './dev/free-ports.ts';
import { startFailure } from './start-failure.ts';

const system = (code: string): Error =>
  Object.assign(new Error(`${code}: it says so, write`), { code, syscall: 'write' });
const levelDb = (words: string): Error =>
  new LockstepError('failed-precondition', `log can't be opened: ${words}`, {
    cause: new Error('Database failed to open', {
      cause: Object.assign(new Error(`IO error: /data/log/000007.ldb: ${words}`), { code: 'LEVEL_IO_ERROR' }),
    }),
  });

describe('a node that does not start', () => {
  test.each([
    ['a full disk', system('ENOSPC')],
    ['a quota that is used up', system('EDQUOT')],
    ['a file that may not grow', system('EFBIG')],
    ['a disk that fails', system('EIO')],
    ['a file system that became read-only', system('EROFS')],
    ['a full disk, in LevelDB\u2019s words', levelDb('No space left on device')],
    ['a quota, in LevelDB\u2019s words', levelDb('Disk quota exceeded')],
    ['a limit, in LevelDB\u2019s words', levelDb('File too large')],
    ['a failing disk, in LevelDB\u2019s words', levelDb('Input/output error')],
    ['a failing disk, in LevelDB\u2019s words with musl', levelDb('I/O error')],
    ['a read-only file system, in LevelDB\u2019s words', levelDb('Read-only file system')],
    ['a table that was cut, in LevelDB\u2019s words', levelDb('Invalid argument')],
  ])('because of %s ends with 74, as docs/disk.md promises, and says what to do', (_what, error) => {
    const { exitCode, message } = startFailure(error);
    expect(exitCode).toBe(74);
    expect(message).toContain(error.message);
    expect(message).toMatch(/the disk is full or fails: .*start the node again/);
    expect(message).not.toMatch(/\n\s+at /);
  });

  test.each([
    ['a port that is taken', system('EADDRINUSE')],
    ['a folder that it may not write', system('EACCES')],
    ['a log that another process has open', levelDb('Resource temporarily unavailable')],
    ['a wrong configuration', new LockstepError('invalid-input', 'node.id must be a number')],
    ['a fault of the program', new TypeError('x is not a function')],
  ])('because of %s ends with 1, and no word of the disk', (_what, error) => {
    const { exitCode, message } = startFailure(error);
    expect(exitCode).toBe(1);
    expect(message).not.toContain('the disk is full');
  });

  test('because its data are damaged ends with 65', () => {
    expect(startFailure(new LockstepError('damaged', 'the log is damaged')).exitCode).toBe(65);
  });
});

const hasPrlimit = spawnSync('prlimit', ['--version']).status === 0;

describe('a node that is started on a full disk', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'lockstep-start-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  // LevelDB's first files are larger than 30 bytes; our own pointer to them is not.
  test.for([0, 30])('with room for %i bytes a file, ends with 74 and names the file', async (bytes, context) => {
    if (!hasPrlimit) context.skip('there is no prlimit command to fill a disk with');
    const files = await openClusterFiles({ directory, nodes: 1, basePort: anyBasePort(), plainHttp: true });
    const configFile = files.nodes[0]?.configFile ?? '';
    // Without a handler SIGXFSZ ends the process before the write can fail.
    const deaf = `data:text/javascript,process.on('SIGXFSZ', () => undefined)`;
    const main = join(import.meta.dirname, 'main.ts');
    const node = [process.execPath, '--import', deaf, main, '--config', configFile];
    const run = spawnSync('prlimit', [`--fsize=${bytes}`, ...node], { encoding: 'utf8', timeout: 20_000 });
    expect(run.stderr).toMatch(/^lockstep: .*the disk is full or fails: /m);
    expect(run.status).toBe(74);
  });
});
