import { expect, it } from 'vitest';
import { findCycle } from './find-cycle.ts';

it('a cycle is found, wherever the search begins, and named in order', () => {
  const cyclic = new Map([
    ['a', ['b', 'c']],
    ['b', []],
    ['c', ['d']],
    ['d', ['b', 'c']],
  ]);
  expect(findCycle(cyclic)).toEqual(['c', 'd', 'c']);
  expect(findCycle(new Map([['a', ['a']]]))).toEqual(['a', 'a']);
});

it('two ways to one place are no cycle', () => {
  const diamond = new Map([
    ['a', ['b', 'c']],
    ['b', ['d']],
    ['c', ['d']],
  ]);
  expect(findCycle(diamond)).toBeUndefined();
});
