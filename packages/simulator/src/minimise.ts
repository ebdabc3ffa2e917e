import { minimiseRunsMax } from './limits.ts';
import { active, type Simplified } from './simplify.ts';
import type { SimulationOptions, SimulationResult } from './simulate.ts';
import type { Swarm } from './swarm.ts';

/** What of a run's options can be made less. */
export type Smaller = Pick<SimulationOptions, 'seed' | 'seconds' | 'nodes'> & { readonly simplified: Simplified };

/**
 * Takes one trouble after the other away from a run that breaks a rule, as long as it breaks that rule, and then time, clients and
 * keys: what is left is what the failure needs, or nearly. `simulate` is given, since a mutant may be in it.
 */
export function minimise(
  run: Smaller,
  of: {
    readonly simulate: (options: SimulationOptions) => SimulationResult;
    readonly swarmOf: (run: Smaller) => Swarm;
    readonly say: (line: string) => void;
  },
): Smaller | undefined {
  let runs = 0;
  const failureOf = (tried: Smaller): SimulationResult['failure'] => {
    runs++;
    return of.simulate(tried).failure;
  };
  const first = failureOf(run);
  if (first === undefined) return undefined;
  of.say(`breaks: ${first.rule}, after ${(first.atMs / 1000).toFixed(3)} s`);
  let least = run;
  let atMs = first.atMs;
  const attempt = (what: string, tried: Smaller): boolean => {
    if (runs >= minimiseRunsMax) return false;
    const failure = failureOf(tried);
    if (failure?.rule !== first.rule) return false;
    of.say(`${what}: still, after ${(failure.atMs / 1000).toFixed(3)} s`);
    least = tried;
    atMs = failure.atMs;
    return true;
  };
  for (let isSmaller = true; isSmaller; ) {
    isSmaller = false;
    for (const step of steps(of.swarmOf(least))) {
      const tried = step.less(least, of.swarmOf(least), atMs);
      if (tried !== undefined) isSmaller = attempt(step.what, tried) || isSmaller;
    }
  }
  return least;
}

interface Step {
  readonly what: string;
  /** The run with one thing less; undefined where that is gone already. */
  readonly less: (run: Smaller, swarm: Swarm, atMs: number) => Smaller | undefined;
}

/** Boldest first: a run that fails at once is cheap to shrink further. */
function steps(swarm: Swarm): readonly Step[] {
  return [
    // With a second more the failure is still within the time of faults.
    { what: 'no longer', less: (run, _swarm, atMs) => shorter(run, Math.ceil(atMs / 1000) + 1) },
    { what: 'without everything', less: (run, now) => without(run, active(now)) },
    ...active(swarm).map((name): Step => {
      return {
        what: `without ${name}`,
        less: (run, now) => (active(now).includes(name) ? without(run, [name]) : undefined),
      };
    }),
    { what: '3 nodes', less: (run, now) => (now.nodes > 3 ? { ...run, nodes: 3 } : undefined) },
    ...[1, 2].map((clients): Step => {
      return {
        what: `${clients} client${clients === 1 ? '' : 's'}`,
        less: (run, now) => (now.clients > clients ? simpler(run, { clients }) : undefined),
      };
    }),
    { what: '1 key', less: (run, now) => (now.keys > 1 ? simpler(run, { keys: 1 }) : undefined) },
    // After them, less time with faults may do.
    { what: 'half the time', less: (run) => shorter(run, Math.floor((run.seconds ?? 60) / 2)) },
  ];
}

function shorter(run: Smaller, seconds: number): Smaller | undefined {
  return seconds > 0 && seconds < (run.seconds ?? 60) ? { ...run, seconds } : undefined;
}

function without(run: Smaller, names: readonly string[]): Smaller | undefined {
  return names.length === 0 ? undefined : simpler(run, { without: [...(run.simplified.without ?? []), ...names] });
}

function simpler(run: Smaller, simplified: Simplified): Smaller {
  return { ...run, simplified: { ...run.simplified, ...simplified } };
}
