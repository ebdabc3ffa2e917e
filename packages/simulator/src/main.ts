import { randomInt } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { LockstepError } from '@lockstep/contract/errors';
import { freshSeedMax, mutantSeedsMax, progressMs, seedMax } from './limits.ts';
import { mutantOf } from './load-mutant.ts';
import { type Mutant, mutants } from './mutants.ts';
import { simulateSeeds } from './seeds.ts';
import type { SimulationResult } from './simulate.ts';
import { showRun } from './show-run.ts';

const usage = `usage: npm run simulate -- [--seed N] [--seeds K] [--seconds S] [--nodes 3|5] [--threads T] [--mutant NAME] [--json] [--trace]
       npm run simulate -- --mutants [NAME …] [--seed N] [--seeds K] [--seconds S]

Runs whole clusters on a virtual clock, network and disk, one for each seed, with faults; then heals them and checks that they agree.
  --seed N       the first seed; default: a fresh one, which is printed
  --seeds K      how many; default 1, with --mutants ${mutantSeedsMax}
  --seconds S    simulated seconds with faults for each seed; default 60, with a mutant 20
  --nodes 3|5    default: drawn from the seed
  --threads T    default: one for each core
  --mutant NAME  with this mistake in the source: ${mutants.map(({ name }) => name).join(', ')}
  --mutants      every mutant, or those that are named, in turn, until each is caught
  --json         the result as one JSON object, and nothing else
  --trace        with one seed: the last lines of what happened
`;

interface Arguments {
  readonly seed: number;
  readonly seeds: number;
  readonly seconds: number;
  readonly nodes: number | undefined;
  readonly threads: number;
  readonly mutant: string | undefined;
  readonly mutants: readonly Mutant[];
  readonly json: boolean;
  readonly trace: boolean;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function readArguments(): Arguments | 'help' {
  const number = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seed: number,
      seeds: number,
      seconds: number,
      nodes: number,
      threads: number,
      mutant: { type: 'string' },
      mutants: flag,
      json: flag,
      trace: flag,
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 'help';
  const { mutant } = values;
  if (positionals.length > 0 && !values.mutants)
    throw new LockstepError('invalid-input', `"${positionals[0]}" is not an option`);
  if (mutant !== undefined) mutantOf(mutant);
  const isMutated = mutant !== undefined || values.mutants;
  const nodes = values.nodes === undefined ? undefined : integer('nodes', values.nodes, { least: 1, most: 9 });
  return {
    seed: integer('seed', values.seed ?? String(randomInt(freshSeedMax)), { least: 0, most: seedMax }),
    seeds: integer('seeds', values.seeds ?? (values.mutants ? String(mutantSeedsMax) : '1'), { least: 1, most: 1e9 }),
    seconds: integer('seconds', values.seconds ?? (isMutated ? '20' : '60'), { least: 1, most: 1e6 }),
    nodes,
    threads: integer('threads', values.threads ?? String(availableParallelism()), { least: 1, most: 256 }),
    mutant,
    mutants: !values.mutants ? [] : positionals.length === 0 ? mutants : positionals.map(mutantOf),
    json: values.json,
    trace: values.trace,
  };
}

function integer(name: string, text: string, range: { readonly least: number; readonly most: number }): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= range.least && value <= range.most) return value;
  throw new LockstepError(
    'invalid-input',
    `--${name} must be an integer from ${range.least} to ${range.most}, is "${text}"`,
  );
}

/** The command that runs this seed again, alone. */
function repeat(args: Arguments, seed: number): string {
  const options = [`--seed ${seed}`, `--seconds ${args.seconds}`];
  if (args.nodes !== undefined) options.push(`--nodes ${args.nodes}`);
  if (args.mutant !== undefined) options.push(`--mutant ${args.mutant}`);
  return `npm run simulate -- ${options.join(' ')} --trace`;
}

async function runSeeds(args: Arguments): Promise<number> {
  const totals = {
    passed: 0,
    failed: 0,
    simulatedMs: 0,
    events: 0,
    committed: 0,
    crashes: 0,
    elections: 0,
    installs: 0,
    changes: 0,
  };
  const failures: SimulationResult[] = [];
  const startMs = performance.now();
  let saidMs = startMs;
  const onResult = (result: SimulationResult): boolean => {
    count(totals, result);
    if (result.failure !== undefined) {
      failures.push(result);
      if (!args.json) sayFailure(args, result);
    }
    if (!args.json && performance.now() - saidMs > progressMs) {
      saidMs = performance.now();
      say(
        `${totals.passed + totals.failed} of ${args.seeds} seeds, ${Math.round(totals.simulatedMs / 1000)} simulated s`,
      );
    }
    return true;
  };
  await simulateSeeds({ ...args, first: args.seed, count: args.seeds, onResult });
  const elapsedS = (performance.now() - startMs) / 1000;
  const speed = Math.round(totals.simulatedMs / 1000 / elapsedS);
  if (args.json) {
    say(JSON.stringify({ seed: args.seed, seeds: args.seeds, ...totals, elapsedS, speed, failures }));
  } else {
    say(
      `${totals.committed} entries committed, ${totals.elections} elections, ${totals.crashes} crashes, ${totals.installs} snapshots installed, ${totals.changes} changes of membership`,
    );
    say(
      `${Math.round(totals.simulatedMs / 1000)} simulated s in ${elapsedS.toFixed(1)} s: ${speed} simulated seconds a second`,
    );
    say(`${totals.passed} passed, ${totals.failed} failed`);
  }
  return totals.failed === 0 ? 0 : 1;
}

function count(
  totals: {
    passed: number;
    failed: number;
    simulatedMs: number;
    events: number;
    committed: number;
    crashes: number;
    elections: number;
    installs: number;
    changes: number;
  },
  result: SimulationResult,
): void {
  if (result.failure === undefined) totals.passed++;
  else totals.failed++;
  totals.simulatedMs += result.simulatedMs;
  totals.events += result.events;
  totals.committed += result.committed;
  totals.crashes += result.crashes;
  totals.elections += result.elections;
  totals.installs += result.snapshotsInstalled;
  totals.changes += result.membershipChanges;
}

function sayFailure(args: Arguments, { seed, failure, nodes }: SimulationResult): void {
  if (failure === undefined) return;
  say(`FAILED seed ${seed} (${nodes} nodes) after ${(failure.atMs / 1000).toFixed(3)} s`);
  say(`  broken: ${failure.rule}`);
  say(`  ${failure.message}`);
  say(`  repeat: ${repeat(args, seed)}`);
}

/** Runs every mutant until it is caught. It counts the seeds that took. */
async function runMutants(args: Arguments): Promise<number> {
  const rows: { readonly name: string; readonly seeds: number; readonly caught: string | undefined }[] = [];
  for (const { name, what } of args.mutants) {
    let seeds = 0;
    let caught: string | undefined;
    const onResult = ({ failure }: SimulationResult): boolean => {
      if (caught === undefined) seeds++;
      caught ??= failure?.rule;
      return caught === undefined;
    };
    await simulateSeeds({ ...args, mutant: name, first: args.seed, count: args.seeds, onResult });
    rows.push({ name, seeds, caught });
    if (!args.json)
      say(
        `${name.padEnd(22)} ${caught === undefined ? `NOT caught in ${seeds} seeds` : `caught after ${seeds} seeds by: ${caught}`}  (${what})`,
      );
  }
  const missed = rows.filter((row) => row.caught === undefined).length;
  if (args.json) say(JSON.stringify({ seed: args.seed, mutants: rows }));
  else say(`${rows.length - missed} passed, ${missed} failed`);
  return missed === 0 ? 0 : 1;
}

async function main(): Promise<number> {
  const args = readArguments();
  if (args === 'help') {
    process.stdout.write(usage);
    return 0;
  }
  if (!args.json)
    say(`seed ${args.seed}, ${args.seeds} seed${args.seeds === 1 ? '' : 's'} of ${args.seconds} simulated s`);
  if (args.mutants.length > 0) return runMutants(args);
  if (args.trace) return showRun(args, say);
  return runSeeds(args);
}

try {
  process.exitCode = await main();
} catch (error) {
  const isUsage = error instanceof TypeError || (error instanceof LockstepError && error.code === 'invalid-input');
  process.stderr.write(
    isUsage
      ? `${error.message}\n\n${usage}`
      : `${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  process.exitCode = isUsage ? 2 : 1;
}
