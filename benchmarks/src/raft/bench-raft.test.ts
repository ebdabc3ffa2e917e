import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { benchRaft } from './bench-raft.ts';

// Real processes: short, since it only shows that every figure is measured.
test('every figure of the raft benchmark is measured, and the nodes end with equal states', {
  timeout: 60_000,
}, async () => {
  const lines: string[] = [];
  const times = { diskMs: 10, warmUpMs: 20, measureMs: 80 };
  const options = { nodes: 3, times, rounds: 1, bytes: 256, directory: tmpdir() };
  const result = await benchRaft(options, (line) => lines.push(line));
  expect(lines).toHaveLength(11);
  expect(result).toMatchObject({
    bench: 'raft',
    figures: {
      'bare pipeline, 64 in flight': { refused: 0, unknown: 0 },
      'commits, 64 in flight on the leader': { refused: 0, unknown: 0 },
      'commits, 64 in flight on followers': { refused: 0, unknown: 0 },
      'reads, 256 in flight on followers': { refused: 0, unknown: 0 },
    },
    targets: [{ least: 200 }, { least: 9_000 }, { least: 18_000 }, { least: 20_000 }],
  });
});
