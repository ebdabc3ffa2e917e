import { expect, test } from 'vitest';
import { runRevocationTrials } from './run-trials.ts';
import { anyBasePort } from '@lockstep/server/dev/free-ports';

// `npm run revocation` makes a thousand of these.
test('of 30 tokens and policies that were taken away none gets through any node, paused and lagging ones included', async () => {
  const result = await runRevocationTrials({ trials: 30, seed: 7, basePort: anyBasePort() }, () => undefined);
  expect(result.gotThrough).toEqual([]);
  const asked = [...result.tallies].map(([hindrance, tally]) => [hindrance, tally.trials]);
  expect(asked).toEqual([
    ['none', 10],
    ['paused', 10],
    ['paused leader', 1],
    ['lagging', 9],
    ['lagging leader', 0],
  ]);
  // A refusal for want of a leader proves nothing: nearly every question must have been answered.
  const tallies = [...result.tallies.values()];
  const sum = (name: 'asked' | 'denied'): number => tallies.reduce((total, tally) => total + tally[name], 0);
  expect(sum('denied')).toBeGreaterThan(sum('asked') * 0.9);
}, 120_000);
