import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cacheRowBytes } from './limits.ts';
import { absentCell, PlaintextCache } from './plaintext-cache.ts';
import type { StoredCell } from './stored-value.ts';

const rowBytes = cacheRowBytes + 2 + 10;
const cellOf = (version: number): StoredCell => ({ value: new Uint8Array(10).fill(version), version });
const key = (at: number): string => `k${at}`;

describe('values that were read', () => {
  test('stay, as the same array, while half of the room is enough for them', () => {
    const cache = new PlaintextCache(rowBytes * 8);
    const cells = [1, 2, 3, 4].map(cellOf);
    cells.forEach((cell, at) => cache.add(key(at), cell));
    cells.forEach((cell, at) => expect(cache.get(key(at))).toBe(cell));
    expect(cache.bytes).toBe(rowBytes * 4);
  });

  test('go when others have filled half of the room since they were read last', () => {
    const cache = new PlaintextCache(rowBytes * 8);
    cache.add(key(0), cellOf(1));
    cache.add(key(1), cellOf(2));
    for (let at = 2; at < 10; at++) {
      expect(cache.get(key(0))?.version).toBe(1);
      cache.add(key(at), cellOf(3));
    }
    expect(cache.get(key(0))?.version).toBe(1);
    expect(cache.get(key(1))).toBeUndefined();
  });

  test('are not kept where one alone is larger than half of the room', () => {
    const cache = new PlaintextCache(2 * rowBytes);
    cache.add(key(0), cellOf(1));
    expect(cache.get(key(0))?.version).toBe(1);
    cache.add(key(0), { value: new Uint8Array(11), version: 2 });
    expect(cache.get(key(0))).toBeUndefined();
    expect(cache.bytes).toBe(0);
  });
});

describe('a write', () => {
  test('replaces what is remembered, with a copy, and forgets what is deleted', () => {
    const cache = new PlaintextCache(rowBytes * 8);
    const large = new Uint8Array(1_000).fill(7);
    cache.add(key(0), cellOf(1));
    cache.add(key(1), absentCell);
    cache.written(key(0), { value: large.subarray(0, 10), version: 5 });
    cache.written(key(1), cellOf(6));
    cache.written(key(2), cellOf(7));
    expect(cache.get(key(0))).toEqual({ value: new Uint8Array(10).fill(7), version: 5 });
    expect(cache.get(key(0))?.value.buffer.byteLength).toBe(10);
    expect(cache.get(key(1))?.version).toBe(6);
    expect(cache.get(key(2))).toBeUndefined();
    cache.written(key(0), undefined);
    expect(cache.get(key(0))).toBeUndefined();
  });
});

test('whatever happens, an answer is what was stored last, and the bytes are those of what is kept', () => {
  const step = fc.record({ of: fc.nat(8), does: fc.constantFrom('add', 'read', 'write', 'delete'), size: fc.nat(300) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const cache = new PlaintextCache(rowBytes * 6);
      const stored = new Map<string, StoredCell>();
      steps.forEach(({ of, does, size }, at) => {
        const cell = { value: new Uint8Array(size), version: at + 1 };
        if (does === 'add') cache.add(key(of), cell);
        if (does === 'write') cache.written(key(of), cell);
        if (does === 'delete') cache.written(key(of), undefined);
        if (does === 'delete') stored.delete(key(of));
        else if (does !== 'read') stored.set(key(of), cell);
        const found = cache.get(key(of));
        if (found !== undefined) expect(found).toEqual(stored.get(key(of)));
        expect(cache.bytes).toBeLessThanOrEqual(rowBytes * 6);
      });
      for (let of = 0; of < 9; of++) cache.delete(key(of));
      expect(cache.bytes).toBe(0);
    }),
  );
});
