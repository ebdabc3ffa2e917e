import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { pooledRandom } from '../random.ts';
import { createStaticKey, readStaticKey } from './static-seal.ts';

const random = pooledRandom();
const folder = mkdtempSync(join(tmpdir(), 'lockstep-static-'));
afterAll(() => rmSync(folder, { recursive: true }));
const fileOf = (name: string, size: number, mode = 0o600): string => {
  const path = join(folder, name);
  writeFileSync(path, Buffer.alloc(size, 1), { mode });
  chmodSync(path, mode);
  return path;
};

describe('a static key file', () => {
  it.each([0, 31, 33])('of %d bytes is refused', (size) => {
    expect(() => readStaticKey(fileOf(`size-${size}`, size))).toThrow(
      expect.objectContaining({ code: 'invalid-input', message: expect.stringContaining('exactly 32 bytes') }),
    );
  });

  it('that others may read, that is missing, or that is a folder is refused', () => {
    expect(() => readStaticKey(fileOf('open', 32, 0o640))).toThrow(/group or others/);
    expect(() => readStaticKey(join(folder, 'none'))).toThrow(expect.objectContaining({ code: 'unavailable' }));
    expect(() => readStaticKey(folder)).toThrow(/must be a file/);
  });

  it('is made once, mode 0600, and read back', () => {
    const path = join(folder, 'made');
    const key = createStaticKey({ path, random });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readStaticKey(path).equals(key)).toBe(true);
    expect(() => createStaticKey({ path, random })).toThrow(expect.objectContaining({ code: 'failed-precondition' }));
  });
});
