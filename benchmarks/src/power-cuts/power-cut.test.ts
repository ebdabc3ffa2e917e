import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { compileShim, whyNoShim } from './compile-shim.ts';
import { type Cut, cutPower, type Powered, powerOn } from './power-cut.ts';

// The cut itself is a process that ends itself with SIGKILL: the shim must tell what of its files would have been left.
const directory = realpathSync(mkdtempSync(join(tmpdir(), 'power-cut-')));
const reason = whyNoShim();
let shim: string;
let home: string;
let homes = 0;

beforeAll(() => {
  if (reason === undefined) shim = compileShim(directory);
});
beforeEach((context) => {
  if (reason !== undefined) context.skip(reason);
  home = join(directory, `node-${homes++}`);
  mkdirSync(join(home, 'data'), { recursive: true });
  writeFileSync(join(home, 'config.json'), '{}');
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const strict: Cut = { names: 'strict', tailKept: () => 0 };
const journaled: Cut = { names: 'journaled', tailKept: () => 0 };

/** Runs a script with the shim in `data`, with `fs`, `sync(path)` and `write(path, text)`; it is killed at its end. */
function run(script: string): Powered {
  const before = powerOn(home);
  const program = `
    const fs = require('node:fs');
    process.chdir(${JSON.stringify(join(home, 'data'))});
    const sync = (path) => { const file = fs.openSync(path, 'r'); fs.fsyncSync(file); fs.closeSync(file); };
    const write = (path, text) => fs.appendFileSync(path, text);
    const at = (name) => process.cwd() + '/' + name;
    ${script}
    process.kill(process.pid, 'SIGKILL');`;
  const ended = spawnSync(process.execPath, ['-e', program, '--', '--config', join(home, 'config.json')], {
    env: { LD_PRELOAD: shim },
    encoding: 'utf8',
  });
  expect([ended.signal, ended.stderr]).toEqual(['SIGKILL', '']);
  return before;
}

function left(): { readonly [name: string]: string } {
  const names = readdirSync(join(home, 'data'), { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
  return Object.fromEntries(
    names.map((one) => [
      join(one.parentPath, one.name).slice(home.length + '/data/'.length),
      readFileSync(join(one.parentPath, one.name), 'utf8'),
    ]),
  );
}

test('synced bytes stay, those after them are gone', () => {
  const before = run(`write(at('a'), 'synced'); sync(at('a')); write(at('a'), ' and not');`);
  expect(left()).toEqual({ a: 'synced and not' });
  expect(cutPower(home, before, strict)).toMatchObject({ bytesLost: 8, namesLost: 0 });
  expect(left()).toEqual({ a: 'synced' });
});

test('a share of what was not synced may stay', () => {
  const before = run(`write(at('a'), 'synced'); sync(at('a')); write(at('a'), ' and not');`);
  cutPower(home, before, { names: 'strict', tailKept: () => 0.5 });
  expect(left()).toEqual({ a: 'synced and' });
});

test('a file that was never synced is gone; one whose name alone was is empty', () => {
  const before = run(`write(at('a'), 'name'); sync(at('.')); write(at('b'), 'nothing');`);
  cutPower(home, before, strict);
  expect(left()).toEqual({ a: '' });
});

test('a large file, synced again and again, has what the last sync saw', () => {
  const before = run(`
    for (let n = 0; n < 20; n++) { write(at('a'), String(n % 10).repeat(10_000)); sync(at('a')); }
    write(at('a'), 'x'.repeat(10_000));`);
  cutPower(home, before, strict);
  expect(left()['a']).toBe(Array.from({ length: 20 }, (_, n) => String(n % 10).repeat(10_000)).join(''));
});

test('a rename that was not synced is undone, by the strict model', () => {
  writeFileSync(join(home, 'data', 'current'), 'old');
  const script = `write(at('new'), 'new'); sync(at('new')); fs.renameSync(at('new'), at('current'));`;
  cutPower(home, run(script), strict);
  expect(left()).toEqual({ current: 'old', new: 'new' });
});

test('a rename is kept once its directory is synced', () => {
  writeFileSync(join(home, 'data', 'current'), 'old');
  const script = `write(at('new'), 'new'); sync(at('new')); fs.renameSync(at('new'), at('current')); sync(at('.'));`;
  cutPower(home, run(script), strict);
  expect(left()).toEqual({ current: 'new' });
});

test('a name that was taken away comes back, with its file, unless the directory was synced', () => {
  writeFileSync(join(home, 'data', 'a'), 'kept');
  const before = run(`fs.unlinkSync(at('a'));`);
  expect(left()).toEqual({});
  expect(cutPower(home, before, strict)).toMatchObject({ namesBack: 1 });
  expect(left()).toEqual({ a: 'kept' });
  cutPower(home, run(`fs.unlinkSync(at('a')); sync(at('.'));`), strict);
  expect(left()).toEqual({});
});

test('with a journal any sync brings earlier names along, and none that are later', () => {
  writeFileSync(join(home, 'data', 'a'), '');
  const before = run(`
    fs.renameSync(at('a'), at('b')); write(at('c'), 'c'); sync(at('c')); fs.renameSync(at('b'), at('d'));`);
  cutPower(home, before, journaled);
  expect(left()).toEqual({ b: '', c: 'c' });
});

test('a directory with all that is in it is gone unless its own name is durable', () => {
  const before = run(`fs.mkdirSync(at('new')); write(at('new/a'), 'a'); sync(at('new/a')); sync(at('new'));`);
  cutPower(home, before, strict);
  expect(left()).toEqual({});
  cutPower(home, run(`fs.mkdirSync(at('new')); write(at('new/a'), 'a'); sync(at('new/a')); sync(at('.'));`), strict);
  expect(left()).toEqual({ 'new/a': 'a' });
});

test('what was added to a file from before, and never synced, is gone', () => {
  writeFileSync(join(home, 'audit.log'), 'before');
  const before = run(`write(at('../audit.log'), ' and after');`);
  expect(existsSync(join(home, 'cut/journal'))).toBe(true);
  cutPower(home, before, strict);
  expect(readFileSync(join(home, 'audit.log'), 'utf8')).toBe('before');
});

test('a write to a file that was opened for synced writes stays', () => {
  const before = run(`
    const file = fs.openSync(at('marker'), fs.constants.O_CREAT | fs.constants.O_RDWR | fs.constants.O_DSYNC);
    fs.writeSync(file, Buffer.from('first'), 0, 5, 0);
    fs.writeSync(file, Buffer.from('second'), 0, 6, 0);`);
  cutPower(home, before, strict);
  expect(left()).toEqual({ marker: 'second' });
});
