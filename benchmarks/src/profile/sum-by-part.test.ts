import type { Profiler } from 'node:inspector';
import { expect, test } from 'vitest';
import { sumByPart } from './sum-by-part.ts';

type Row = readonly [id: number, functionName: string, url: string, children: readonly number[], microseconds: number];

function profileOf(rows: readonly Row[]): Profiler.Profile {
  return {
    startTime: 0,
    endTime: 0,
    nodes: rows.map(([id, functionName, url, children]) => ({
      id,
      callFrame: { functionName, url, scriptId: '0', lineNumber: 0, columnNumber: 0 },
      children: [...children],
    })),
    samples: rows.map(([id]) => id),
    timeDeltas: rows.map(([, , , , microseconds]) => microseconds),
  };
}

const file = (path: string): string => `file:///a%20folder/packages/${path}.ts`;

test('what Node does for a part counts towards it; idle time and the inspector count for nothing', () => {
  const shares = sumByPart(
    profileOf([
      [1, '(root)', '', [2, 5, 6, 7], 0],
      [2, 'record', file('audit/src/trail'), [3], 10],
      [3, 'hash', 'node:internal/crypto/hash', [4], 20],
      [4, 'oneShotDigest', '', [], 20],
      [5, '(idle)', '', [], 1_000],
      [6, 'post', 'node:inspector', [], 1_000],
      [7, '(garbage collector)', '', [], 50],
    ]),
  );
  expect(Object.fromEntries(shares)).toEqual({ other: 0, audit: 0.5, gc: 0.5 });
});

test('a library that two parts use counts towards the one that called it', () => {
  const grpc = '/node_modules/@grpc/grpc-js/build/src/call.js';
  const shares = sumByPart(
    profileOf([
      [1, '(root)', '', [2, 4], 0],
      [2, 'send', file('core/src/peers/sending-stream'), [3], 0],
      [3, 'write', grpc, [], 30],
      [4, 'onread', 'node:internal/http2/core', [5], 0],
      [5, 'received', grpc, [], 70],
    ]),
  );
  expect(shares.get('peers')).toBeCloseTo(0.3);
  expect(shares.get('door grpc')).toBeCloseTo(0.7);
});

test('a profile without samples has no shares', () => {
  expect(sumByPart(profileOf([[1, '(idle)', '', [], 5]])).size).toBe(0);
});
