import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { LockstepError } from '@lockstep/contract/errors';
import { freshSeed, integer, runProgram } from '../arguments.ts';
import { mutantScoreMin, mutantSeconds, mutantSeedsMax, seedMax } from '../limits.ts';
import { mutantOf } from '../load-mutant.ts';
import { playScenario, simulateSeeds } from '../seeds.ts';
import type { SimulationResult } from '../simulate.ts';
import type { Mutant } from './mutant.ts';
import { mutants } from './mutants.ts';

const usage = `usage: npm run mutants -- [NAME … | --listed] [--seed N] [--seeds K] [--seconds S] [--threads T] [--json]

Puts one classic mistake after the other into a copy of the source while it is loaded, and simulates seeds until it is noticed, or
plays the scenario that shows it. Those with a number are the thirty of the list; exits with 0 if all that were asked for, or at
least ${mutantScoreMin} of the thirty, were noticed.
  --listed       the thirty alone
  --seed N       the first seed; default: a fresh one, which is printed
  --seeds K      how many each may take; default ${mutantSeedsMax}
  --seconds S    simulated seconds with faults for each seed; default ${mutantSeconds}
  --threads T    default: one for each core
  --json         the result as one JSON object, and nothing else
`;

interface Arguments {
  readonly mutants: readonly Mutant[];
  readonly isAll: boolean;
  readonly seed: number;
  readonly seeds: number;
  readonly seconds: number;
  readonly threads: number;
  readonly json: boolean;
}

interface Row {
  readonly name: string;
  readonly listed: number | undefined;
  /** Seeds that it took, or that were tried in vain; 0 for a scenario. */
  readonly seeds: number;
  /** The rule that was broken; undefined: it was not noticed. */
  readonly caught: string | undefined;
  /** The seed that shows it. */
  readonly seed: number | undefined;
}

function readArguments(): Arguments | 'help' {
  const text = { type: 'string' } as const;
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seed: text,
      seeds: text,
      seconds: text,
      threads: text,
      listed: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 'help';
  if (values.listed && positionals.length > 0) throw new LockstepError('invalid-input', '--listed is without names');
  const all = values.listed ? mutants.filter(({ listed }) => listed !== undefined) : mutants;
  return {
    mutants: positionals.length === 0 ? all : positionals.map(mutantOf),
    isAll: positionals.length === 0,
    seed: integer('seed', values.seed ?? freshSeed(), { least: 0, most: seedMax }),
    seeds: integer('seeds', values.seeds ?? String(mutantSeedsMax), { least: 1, most: 1e6 }),
    seconds: integer('seconds', values.seconds ?? String(mutantSeconds), { least: 1, most: 1e4 }),
    threads: integer('threads', values.threads ?? String(availableParallelism()), { least: 1, most: 256 }),
    json: values.json,
  };
}

async function rowOf(mutant: Mutant, args: Arguments): Promise<Row> {
  const { name, listed, scenario } = mutant;
  if (scenario !== undefined)
    return { name, listed, seeds: 0, caught: await playScenario(scenario, name), seed: undefined };
  for (let first = args.seed; first < args.seed + args.seeds; ) {
    const lowest = await lowestFailing(mutant.name, first, args);
    if (lowest === undefined) break;
    // What fails without the mistake as well says nothing of it.
    if (!(await isFailing(lowest.seed, args)))
      return { name, listed, seeds: lowest.seed - args.seed + 1, caught: lowest.failure?.rule, seed: lowest.seed };
    first = lowest.seed + 1;
  }
  return { name, listed, seeds: args.seeds, caught: undefined, seed: undefined };
}

/** The first seed from `first` on that fails with this mistake. */
async function lowestFailing(mutant: string, first: number, args: Arguments): Promise<SimulationResult | undefined> {
  const { seed, seeds, seconds, threads } = args;
  const failed: SimulationResult[] = [];
  const onResult = (result: SimulationResult): boolean => {
    if (result.failure !== undefined) failed.push(result);
    return failed.length === 0;
  };
  const left = Array.from({ length: seed + seeds - first }, (_, at) => first + at).values();
  await simulateSeeds({ left, seconds, threads, nodes: undefined, mutant, onResult });
  // Seeds are begun in order, so that all below the lowest that failed have passed, whichever thread was faster.
  return failed.toSorted((a, b) => a.seed - b.seed)[0];
}

async function isFailing(seed: number, { seconds }: Arguments): Promise<boolean> {
  let isFailed = false;
  const onResult = ({ failure }: SimulationResult): boolean => {
    isFailed = failure !== undefined;
    return true;
  };
  await simulateSeeds({ left: [seed].values(), seconds, threads: 1, nodes: undefined, mutant: undefined, onResult });
  return isFailed;
}

function lineOf({ name, listed, seeds, caught, seed }: Row, what: string): string {
  const number = (listed === undefined ? '' : `M${listed}`).padEnd(4);
  const took = seeds === 0 ? 'by its scenario' : `after ${seeds} seed${seeds === 1 ? '' : 's'}`;
  const outcome =
    caught === undefined
      ? `NOT noticed in ${seeds} seeds`
      : `noticed ${took}${seed === undefined ? '' : ` (${seed})`}: ${caught}`;
  return `${number}${name.padEnd(26)}${outcome}\n      ${what}\n`;
}

async function main(): Promise<number> {
  const args = readArguments();
  if (args === 'help') {
    process.stdout.write(usage);
    return 0;
  }
  const { json, seed, seconds } = args;
  if (!json) process.stdout.write(`seed ${seed}, at most ${args.seeds} seeds of ${seconds} simulated s each\n`);
  const rows: Row[] = [];
  for (const mutant of args.mutants) {
    const row = await rowOf(mutant, args);
    rows.push(row);
    if (!json) process.stdout.write(lineOf(row, mutant.what));
  }
  const noticed = rows.filter((row) => row.caught !== undefined);
  const listed = rows.filter((row) => row.listed !== undefined);
  const score = noticed.filter((row) => row.listed !== undefined).length;
  if (json) process.stdout.write(`${JSON.stringify({ seed, seconds, score, of: listed.length, mutants: rows })}\n`);
  else {
    process.stdout.write(`score: ${score} of the ${listed.length} that are listed\n`);
    process.stdout.write(`${noticed.length} passed, ${rows.length - noticed.length} failed\n`);
  }
  return noticed.length === rows.length || (args.isAll && score >= mutantScoreMin) ? 0 : 1;
}

await runProgram(main, usage);
