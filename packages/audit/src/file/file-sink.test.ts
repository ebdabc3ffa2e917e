import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { removalCheckMs, waitingCharsMax } from '../limits.ts';
import { openFileSink } from './file-sink.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockstep-sink-'));
  file = join(folder, 'audit.log');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const refusal = (message: RegExp): unknown =>
  expect.objectContaining({ code: 'invalid-input', message: expect.stringMatching(message) });

describe('a file sink', () => {
  it('refuses a missing directory, a directory, a symbolic link and a FIFO, each by name', async () => {
    await expect(openFileSink(join(folder, 'none', 'audit.log'))).rejects.toEqual(
      refusal(/none.* directory does not exist/),
    );
    mkdirSync(file);
    await expect(openFileSink(file)).rejects.toEqual(refusal(/is not a regular file/));
    symlinkSync('/etc/hostname', join(folder, 'link'));
    await expect(openFileSink(join(folder, 'link'))).rejects.toEqual(refusal(/is a symbolic link/));
    execFileSync('mkfifo', ['-m', '600', join(folder, 'fifo')]);
    await expect(openFileSink(join(folder, 'fifo'))).rejects.toEqual(refusal(/is not a regular file/));
  });

  it.each([0o640, 0o604, 0o700, 0o602])('refuses a file of mode %o', async (mode) => {
    writeFileSync(file, '');
    chmodSync(file, mode);
    await expect(openFileSink(file)).rejects.toEqual(refusal(/open to its owner only/));
  });

  it('makes a file for its owner only, and appends to one that is there', async () => {
    const umask = process.umask(0);
    const sink = await openFileSink(file).finally(() => process.umask(umask));
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await sink.write('one\n');
    await sink.close();
    const again = await openFileSink(file, { sync: true });
    await Promise.all([again.write('two\n'), again.write('three\n')]);
    await again.close();
    expect(readFileSync(file, 'utf8')).toBe('one\ntwo\nthree\n');
  });

  it('rejects what a full disk does not take, and goes on', async () => {
    const sink = await openFileSink('/dev/full');
    await expect(sink.write('one\n')).rejects.toMatchObject({ code: 'unavailable' });
    await expect(sink.write('two\n')).rejects.toMatchObject({ code: 'unavailable' });
    await sink.close();
  });

  it('closed with lines waiting holds them first, and takes none after', async () => {
    const sink = await openFileSink(file);
    const written = sink.write('one\n');
    await sink.close();
    await written;
    expect(readFileSync(file, 'utf8')).toBe('one\n');
    await expect(sink.write('two\n')).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('after a reopen writes to the new file, and lines before it went to the old', async () => {
    const sink = await openFileSink(file);
    const before = sink.write('before\n');
    renameSync(file, `${file}.1`);
    await sink.reopen();
    await sink.write('after\n');
    await before;
    const both = [readFileSync(`${file}.1`, 'utf8'), readFileSync(file, 'utf8')];
    expect(both.join('')).toBe('before\nafter\n');
    const moved = `${folder}-moved`;
    renameSync(folder, moved);
    await expect(sink.reopen()).rejects.toEqual(refusal(/directory does not exist/));
    // What it had stays in use.
    await sink.write('still\n');
    await sink.close();
    expect(readFileSync(join(moved, 'audit.log'), 'utf8')).toContain('still\n');
    rmSync(moved, { recursive: true });
  });

  it('whose file was removed refuses what comes next, and goes on once the file can be made again', async () => {
    let nowMs = 0;
    const sink = await openFileSink(file, { nowMs: () => nowMs });
    await sink.write('one\n');
    rmSync(folder, { recursive: true });
    nowMs += removalCheckMs - 1;
    await sink.write('lost\n');
    nowMs += 1;
    const refused = { code: 'unavailable', cause: expect.objectContaining({ message: 'the file was removed' }) };
    await expect(sink.write('two\n')).rejects.toMatchObject(refused);
    await expect(sink.write('three\n')).rejects.toMatchObject({ cause: refusal(/directory does not exist/) });
    mkdirSync(folder);
    await sink.write('four\n');
    await sink.close();
    expect(readFileSync(file, 'utf8')).toBe('four\n');
  });

  it('takes waitingCharsMax characters at once and refuses more', async () => {
    const sink = await openFileSink('/dev/null');
    const half = 'x'.repeat(waitingCharsMax / 2);
    const writes = [sink.write(half), sink.write(half)];
    await expect(sink.write('x')).rejects.toMatchObject({ code: 'unavailable' });
    await Promise.all(writes);
    await sink.write('x');
    await sink.close();
  });

  it('that fails half-way through a line leaves no part of it behind', () => {
    // A file size limit stands for a full disk: the kernel takes part of a write, then none.
    const child = `
      import { openFileSink } from ${JSON.stringify(new URL('./file-sink.ts', import.meta.url).href)};
      const sink = await openFileSink(${JSON.stringify(file)});
      let held = 0;
      for (let n = 0; n < 200; n++) await sink.write(String(n).padStart(99, '0') + '\\n').then(() => held++, () => undefined);
      await sink.close();
      console.log(held);`;
    const script = 'ulimit -f 9 && exec "$0" --input-type=module -e "$1"';
    const held = Number(execFileSync('sh', ['-c', script, process.execPath, child], { encoding: 'utf8' }));
    const content = readFileSync(file, 'utf8');
    expect(held).toBeGreaterThan(10);
    expect(held).toBeLessThan(200);
    expect(content).toBe(Array.from({ length: held }, (_, n) => `${String(n).padStart(99, '0')}\n`).join(''));
  });
});
