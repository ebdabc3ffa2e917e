import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { LockstepError } from '@lockstep/contract/errors';
import { freshSeed, integer } from './arguments.ts';
import { seedMax, traceLinesShown } from './limits.ts';
import { mutantOf } from './load-mutant.ts';
import { type RunRecord, recordIn } from './long-run.ts';
import { mutants } from './mutants/mutants.ts';
import { Random } from './random.ts';
import { type Simplified, simplify } from './simplify.ts';
import { drawSwarm } from './swarm.ts';

export const usage: string = `usage: npm run simulate -- [--seed N] [--seeds K] [--seconds S] [--nodes 3|5] [--threads T] [--resume FILE] [--json]
       npm run simulate -- --seed N [--seconds S] [--nodes 3|5] [--trace | --minimise] [--lines L] [--state-trace FILE]
                           [--without NAME,…] [--clients C] [--keys K] [--mutant NAME]

Runs whole clusters on a virtual clock, network and disk, one for each seed, with faults; then heals them and checks that they agree.
  --seed N          the first seed; default: a fresh one, which is printed
  --seeds K         how many; default 1
  --seconds S       simulated seconds with faults for each seed; default 60, with a mutant 20
  --nodes 3|5       nodes that the cluster begins with; default: drawn from the seed
  --threads T       default: one for each core
  --resume FILE     keeps the run in FILE, and goes on with the one that is there
  --json            the result as one JSON object, and nothing else
  --trace           one seed: the last lines of what happened, and what the run came to
  --lines L         with --trace: so many lines; default ${traceLinesShown}
  --state-trace FILE  one seed: writes what each core did in the terms of etcd's TLA+ specification, a line of JSON for each step;
                    the specification knows no crash in a write, no joint membership, and no later term but in a vote or an append
  --minimise        one seed that fails: takes away what the failure does not need, and says how to repeat what is left
  --without NAME,…  without these kinds of faults, and without loss, late, duplicates, reordering, membership, leases, repeats; all
  --clients C       so many clients; --keys K: so many keys; default: drawn from the seed
  --mutant NAME     with this mistake in the source: ${mutants.map(({ name }) => name).join(', ')}
`;

export interface Options {
  readonly seed: number;
  readonly seeds: number;
  readonly seconds: number;
  readonly nodes: number | undefined;
  readonly threads: number;
  readonly resume: string | undefined;
  readonly json: boolean;
  readonly look: 'trace' | 'minimise' | 'state-trace' | undefined;
  readonly lines: number;
  readonly stateTrace: string | undefined;
  readonly simplified: Simplified;
  readonly mutant: string | undefined;
}

const text = { type: 'string' } as const;
const flag = { type: 'boolean', default: false } as const;
const known = {
  seed: text,
  seeds: text,
  seconds: text,
  nodes: text,
  threads: text,
  lines: text,
  resume: text,
  without: text,
  clients: text,
  keys: text,
  mutant: text,
  'state-trace': text,
  json: flag,
  trace: flag,
  minimise: flag,
  help: { ...flag, short: 'h' },
} as const;

export function readOptions(): Options | 'help' {
  const { values } = parseArgs({ options: known });
  if (values.help) return 'help';
  const { mutant, resume, trace, minimise, 'state-trace': stateTrace } = values;
  if (mutant !== undefined) mutantOf(mutant);
  const record = resume === undefined ? undefined : recordIn(resume);
  const seeds = countOf(values, record);
  const simplified = simplifiedIn(values);
  const isOne = trace || minimise || stateTrace !== undefined || Object.keys(simplified).length > 0;
  if (trace && minimise) throw refused('--trace and --minimise can not be had at once');
  if (isOne && (seeds !== 1 || resume !== undefined)) throw refused('that is for one seed, and not for --resume');
  if (minimise && values.seed === undefined) throw refused('--minimise needs a --seed that fails');
  if (minimise && stateTrace !== undefined) throw refused('--state-trace is of one run, not for --minimise');
  if (values.json && (trace || minimise || stateTrace !== undefined))
    throw refused('--json is for seeds, not for --trace, --state-trace or --minimise');
  if (mutant !== undefined && resume !== undefined)
    throw refused('--resume is for the source as it is, not for a mutant');
  return {
    seed: integer('seed', values.seed ?? String(record?.seed ?? freshSeed()), { least: 0, most: seedMax }),
    seeds,
    seconds: integer('seconds', values.seconds ?? String(record?.seconds ?? (mutant === undefined ? 60 : 20)), {
      least: 1,
      most: 1e6,
    }),
    nodes: values.nodes === undefined ? record?.nodes : integer('nodes', values.nodes, { least: 1, most: 9 }),
    threads: integer('threads', values.threads ?? String(availableParallelism()), { least: 1, most: 256 }),
    resume,
    json: values.json,
    look: lookOf(trace, minimise, stateTrace),
    stateTrace,
    lines: integer('lines', values.lines ?? String(traceLinesShown), { least: 1, most: 1e7 }),
    simplified,
    mutant,
  };
}

function lookOf(trace: boolean, minimise: boolean, stateTrace: string | undefined): Options['look'] {
  if (trace) return 'trace';
  if (minimise) return 'minimise';
  return stateTrace === undefined ? undefined : 'state-trace';
}

function countOf(values: { readonly seeds?: string | undefined }, record: RunRecord | undefined): number {
  return integer('seeds', values.seeds ?? String(record?.seeds ?? 1), { least: 1, most: 1e9 });
}

function simplifiedIn(values: {
  readonly without?: string | undefined;
  readonly clients?: string | undefined;
  readonly keys?: string | undefined;
}): Simplified {
  const { without, clients, keys } = values;
  const simplified: Simplified = {
    ...(without === undefined ? {} : { without: without.split(',').filter((name) => name !== '') }),
    ...(clients === undefined ? {} : { clients: integer('clients', clients, { least: 0, most: 100 }) }),
    ...(keys === undefined ? {} : { keys: integer('keys', keys, { least: 1, most: 1_000 }) }),
  };
  // Whatever the seed, the same names are known.
  simplify(drawSwarm(new Random(0), undefined), simplified);
  return simplified;
}

function refused(message: string): LockstepError {
  return new LockstepError('invalid-input', message);
}

/** The command that runs this seed again, alone. */
export function repeatOf(
  of: Pick<Options, 'seconds' | 'nodes' | 'mutant' | 'simplified'> & { readonly seed: number },
  look: '--trace' | '--minimise' = '--trace',
): string {
  const { without, clients, keys } = of.simplified;
  const options = [`--seed ${of.seed}`, `--seconds ${of.seconds}`];
  if (of.nodes !== undefined) options.push(`--nodes ${of.nodes}`);
  if (without !== undefined) options.push(`--without ${without.join(',')}`);
  if (clients !== undefined) options.push(`--clients ${clients}`);
  if (keys !== undefined) options.push(`--keys ${keys}`);
  if (of.mutant !== undefined) options.push(`--mutant ${of.mutant}`);
  return `npm run simulate -- ${options.join(' ')} ${look}`;
}
