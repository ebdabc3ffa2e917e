import { describe, expect, it } from 'vitest';
import { LogIndex, NodeId, Term, TimeMs } from './ids.ts';

describe.each([
  ['log index', LogIndex],
  ['term', Term],
  ['node id', NodeId],
  ['time', TimeMs],
])('a %s', (name, make) => {
  it('is a safe integer that is not negative', () => {
    expect(make(0)).toBe(0);
    expect(make(Number.MAX_SAFE_INTEGER)).toBe(Number.MAX_SAFE_INTEGER);
    for (const wrong of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, Number.MAX_SAFE_INTEGER + 1]) {
      expect(() => make(wrong)).toThrow(`${name} must be a safe integer, not negative`);
    }
  });
});
