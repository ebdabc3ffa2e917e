import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { counterValue, readCounter } from './counter.ts';

describe('a counter', () => {
  it('that was never written is 0', () => {
    expect(readCounter(undefined)).toBe(0);
  });

  it('is eight bytes, big-endian', () => {
    expect([...counterValue(258)]).toEqual([0, 0, 0, 0, 0, 0, 1, 2]);
  });

  it('comes back whole, from the middle of a larger buffer too', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (count) => {
        const within = Buffer.concat([Buffer.alloc(3, 0xff), counterValue(count), Buffer.alloc(2, 0xff)]);
        expect(readCounter(within.subarray(3, 11))).toBe(count);
      }),
    );
  });

  it.each([-1, 0.5, Number.NaN, Number.MAX_SAFE_INTEGER + 1])('refuses to hold %d', (count) => {
    expect(() => counterValue(count)).toThrow('a counter must be a safe integer, not negative');
  });
});
