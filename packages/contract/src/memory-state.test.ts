import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryState } from './memory-state.ts';

const value = (text: string): Uint8Array => Buffer.from(text);

function stateWith(...keys: readonly string[]): MemoryState {
  const state = new MemoryState();
  state.transact(1, (writable) => {
    for (const key of keys) writable.put(key, value(key));
  });
  return state;
}

describe('keys', () => {
  it('come in the order of their UTF-8 bytes, not of their UTF-16 units', async () => {
    // U+FFFD sorts before U+1F600 in bytes and after its surrogates in UTF-16.
    const state = stateWith('k/\u{1f600}', 'k/\ufffd', 'k/Z', 'k/a', 'k/');
    const keys = await state.readable.keys({ prefix: 'k/', limit: 10 });
    expect(keys).toEqual(['k/', 'k/Z', 'k/a', 'k/\ufffd', 'k/\u{1f600}']);
  });

  it('begin with the prefix, from `from` on, at most `limit`', async () => {
    const state = stateWith('a/1', 'a/2', 'a/3', 'a', 'b/1');
    expect(await state.readable.keys({ prefix: 'a/', limit: 2 })).toEqual(['a/1', 'a/2']);
    expect(await state.readable.keys({ prefix: 'a/', from: 'a/2', limit: 2 })).toEqual(['a/2', 'a/3']);
    expect(await state.readable.keys({ prefix: 'a/', from: 'a/20', limit: 2 })).toEqual(['a/3']);
    expect(await state.readable.keys({ prefix: 'a/', from: 'b', limit: 2 })).toEqual([]);
    expect(await state.readable.keys({ prefix: '', limit: 9 })).toHaveLength(5);
    expect(await state.readable.keys({ prefix: 'a/', limit: 0 })).toEqual([]);
  });

  it('and entries agree on the order, whatever was written', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ unit: 'grapheme', maxLength: 6 })), (keys) => {
        const listed = stateWith(...keys)
          .entries()
          .map(([key]) => Buffer.from(key));
        expect(listed).toEqual(listed.toSorted((a, b) => Buffer.compare(a, b)));
        expect(listed).toHaveLength(keys.length);
      }),
    );
  });
});

describe('a transaction', () => {
  it('that throws changes nothing', () => {
    const state = stateWith('a', 'b');
    const before = state.entries();
    expect(() =>
      state.transact(2, (writable) => {
        writable.put('c', value('c'));
        writable.delete('a');
        throw new Error('apply failed');
      }),
    ).toThrow('apply failed');
    expect(state.entries()).toEqual(before);
    expect(state.readable.version('a')).toBe(1);
  });

  it('reads its own writes and deletions', () => {
    const seen = stateWith('a').transact(2, (writable) => {
      writable.put('b', value('new'));
      writable.delete('a');
      return [writable.get('a'), writable.get('b'), writable.get('c')];
    });
    expect(seen).toEqual([undefined, value('new'), undefined]);
  });

  it('gives each key that it wrote its index as version, and none to what it deleted', () => {
    const state = stateWith('a', 'b', 'c');
    state.transact(7, (writable) => {
      writable.put('a', value('a'));
      writable.delete('b');
    });
    expect(['a', 'b', 'c', 'd'].map((key) => state.readable.version(key))).toEqual([7, 0, 1, 0]);
    expect(state.size).toBe(2);
  });

  it('returns what apply returns', () => {
    expect(stateWith().transact(1, () => 42)).toBe(42);
  });
});
