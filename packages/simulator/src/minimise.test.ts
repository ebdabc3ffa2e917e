import { expect, test } from 'vitest';
import { minimiseRunsMax } from './limits.ts';
import { minimise, type Smaller } from './minimise.ts';
import { active } from './simplify.ts';
import { simulate, type SimulationOptions, type SimulationResult, swarmOf } from './simulate.ts';

const passed = simulate({ seed: 1, seconds: 1 });
const seed = 3;
const run: Smaller = { seed, seconds: 40, simplified: {} };

/** A run that fails while this holds. */
function failing(
  isBroken: (options: SimulationOptions) => string | undefined,
): (o: SimulationOptions) => SimulationResult {
  return (options) => {
    const rule = isBroken(options);
    return rule === undefined ? passed : { ...passed, failure: { rule, message: '', atMs: 7_500 } };
  };
}

const shrink = (isBroken: (options: SimulationOptions) => string | undefined): Smaller | undefined =>
  minimise(run, { simulate: failing(isBroken), swarmOf, say: () => undefined });

test('everything that a failure does not need is taken away', () => {
  const [needed = ''] = active(swarmOf(run));
  const least = shrink((options) => (active(swarmOf(options)).includes(needed) ? 'a' : undefined));
  expect(least).toMatchObject({ seed, seconds: 1, simplified: { clients: 1, keys: 1 } });
  expect(active(swarmOf(least ?? run))).toEqual([needed]);
});

test('what breaks another rule is not taken for it', () => {
  const least = shrink((options) => ((options.simplified?.without ?? []).length > 0 ? 'another' : 'a'));
  expect(least?.simplified.without).toBeUndefined();
});

test('a run that breaks nothing has nothing to shrink', () => {
  expect(shrink(() => undefined)).toBeUndefined();
});

test('shrinking ends at its bound', () => {
  let runs = 0;
  shrink(() => {
    runs++;
    return 'a';
  });
  expect(runs).toBeLessThanOrEqual(minimiseRunsMax);
});
