import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NodeId } from '@lockstep/contract/ids';
import type { DiskSpace } from '@lockstep/core/free-space';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openLog } from '../log.ts';
import { Ballast, ballastName } from './ballast.ts';
import { FootprintFile, footprintsName } from './footprint-file.ts';
import { ballastRoom, footprintsBytesMax } from './limits.ts';
import { readQuarantine, writeQuarantine } from './quarantine-file.ts';

let directory: string;
let logged: string[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lockstep-disk-'));
  logged = [];
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const log = openLog({ node: 'n', wallMs: () => 0, write: (line) => logged.push(line) });
const n2 = NodeId(2);

describe('footprints', () => {
  test.each([
    ['no JSON', '{'],
    ['no object', '[1]'],
    ['a row that is none', '{"2":{"term":1}}'],
    ['a negative number', '{"2":{"term":1,"floor":-1}}'],
    ['more than any cluster needs', ' '.repeat(footprintsBytesMax + 1)],
  ])('that can’t be read (%s) are begun anew, and that is logged', async (_name, text) => {
    writeFileSync(join(directory, footprintsName), text);
    const file = new FootprintFile(directory, log);
    expect(file.footprints.size).toBe(0);
    expect(logged.join()).toContain('footprints-unreadable');
    file.remember(n2, { term: 1, floor: 2 });
    await file.close();
    expect(new FootprintFile(directory, log).footprints.get(n2)).toEqual({ term: 1, floor: 2 });
  });

  test('are there after a restart, the newest of each node', async () => {
    const file = new FootprintFile(directory, log);
    file.remember(n2, { term: 1, floor: 2 });
    file.remember(NodeId(3), { term: 4, floor: 9 });
    file.remember(n2, { term: 2, floor: 7 });
    await file.close();
    const again = new FootprintFile(directory, log);
    expect([...again.footprints]).toEqual([
      [2, { term: 2, floor: 7 }],
      [3, { term: 4, floor: 9 }],
    ]);
    expect(readdirSync(directory)).toEqual([footprintsName]);
    expect(logged).toEqual([]);
  });
});

describe('a quarantine', () => {
  test('is kept whole, and read back', () => {
    expect(readQuarantine(directory)).toBeUndefined();
    writeQuarantine(directory, 'its log ends at entry 3');
    expect(readQuarantine(directory)).toBe('its log ends at entry 3');
    expect(readdirSync(directory)).toEqual(['QUARANTINED']);
  });
});

describe('a ballast', () => {
  const bytes = 1_500_000;
  const space = (freeBytes: number): DiskSpace => ({ level: 'ok', freeBytes, warnBytes: 1_000, stopBytes: 500 });
  const enough = 1_000 + ballastRoom * bytes;

  test('is made where there is room for it twice over, and not with a byte less', async () => {
    const ballast = new Ballast({ directory, bytes, log });
    ballast.maybeMake(space(enough - 1));
    await ballast.close();
    expect(readdirSync(directory)).toEqual([]);
    const another = new Ballast({ directory, bytes, log });
    another.maybeMake(space(enough));
    await expect.poll(() => existsSync(join(directory, ballastName)), { timeout: 5_000 }).toBe(true);
    expect(readFileSync(join(directory, ballastName)).length).toBe(bytes);
    await another.close();
    expect(readdirSync(directory)).toEqual([ballastName]);
  });

  test('of no bytes is none', async () => {
    const ballast = new Ballast({ directory, bytes: 0, log });
    ballast.maybeMake(space(2 ** 40));
    await ballast.close();
    expect(readdirSync(directory)).toEqual([]);
  });

  test('that is not finished when the node stops leaves nothing', async () => {
    const ballast = new Ballast({ directory, bytes: 200 * bytes, log });
    ballast.maybeMake(space(2 ** 40));
    await ballast.close();
    expect(readdirSync(directory)).toEqual([]);
  });

  test('that can’t be made is no more than a line in the log', async () => {
    const ballast = new Ballast({ directory: join(directory, 'none'), bytes, log });
    ballast.maybeMake(space(enough));
    await ballast.close();
    expect(logged.join()).toContain('ballast-failed');
  });
});
