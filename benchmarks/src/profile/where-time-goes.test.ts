import { expect, test } from 'vitest';
import { whereTimeGoes } from './where-time-goes.ts';

test("the main thread's time is split by the shares, the other threads stand beside it, nothings are left out", () => {
  const threads = new Map([
    ['main', 2],
    ['libuv-worker', 0.5],
    ['signal', 0],
  ]);
  const shares = new Map([
    ['audit', 0.25],
    ['gc', 0.75],
  ] as const);
  expect(whereTimeGoes([{ name: 'node-1', threads, shares }], 10_000)).toEqual({
    'node-1': { audit: 50, gc: 150, 'thread libuv-worker': 50 },
  });
});
