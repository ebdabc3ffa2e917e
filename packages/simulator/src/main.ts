// npm run simulate: whole clusters from seeds. Prints the seed of whatever breaks, and the command that repeats it.
import { parseArgs } from 'node:util';
import { simulate } from './simulate.ts';

const usage = `usage: npm run simulate -- [--seed N] [--seeds K] [--seconds S] [--nodes 3|5]

  --seed N      the first seed; without it a fresh one, which is printed
  --seeds 1     how many seeds, one after the other
  --seconds 60  simulated seconds with faults for each seed
  --nodes N     nodes of each cluster; without it drawn from the seed
`;
/** A line of progress at least this often. */
const progressEveryMs = 5_000;

function fail(message: string): never {
  process.stderr.write(`simulate: ${message}\n\n${usage}`);
  process.exit(2);
}

function whole(name: string, text: string, bounds: { readonly min: number; readonly max: number }): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < bounds.min || value > bounds.max)
    fail(`--${name} must be a whole number from ${bounds.min} to ${bounds.max}`);
  return value;
}

function readArguments(): {
  seed?: string | undefined;
  seeds?: string | undefined;
  seconds?: string | undefined;
  nodes?: string | undefined;
  help?: boolean | undefined;
} {
  try {
    return parseArgs({
      options: {
        seed: { type: 'string' },
        seeds: { type: 'string' },
        seconds: { type: 'string' },
        nodes: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

const values = readArguments();
if (values.help === true) {
  process.stdout.write(usage);
  process.exit(0);
}
const first = whole('seed', values.seed ?? String(process.hrtime.bigint() % 2n ** 31n), { min: 0, max: 2 ** 32 });
const count = whole('seeds', values.seeds ?? '1', { min: 1, max: 1_000_000 });
const seconds = whole('seconds', values.seconds ?? '60', { min: 1, max: 86_400 });
const nodes = values.nodes === undefined ? undefined : whole('nodes', values.nodes, { min: 1, max: 9 });

/** Runs the seeds one after the other; answers how many failed. */
function runSeeds(): number {
  let passed = 0;
  let failed = 0;
  let simulatedMs = 0;
  let reportedMs = performance.now();
  const startedMs = performance.now();
  process.stdout.write(`seeds ${first} to ${first + count - 1}, ${seconds} simulated seconds each\n`);
  for (let seed = first; seed < first + count; seed++) {
    const result = simulate({ seed, seconds, ...(nodes === undefined ? {} : { nodes }) });
    simulatedMs += result.simulatedMs;
    if (result.failure === undefined) passed += 1;
    else {
      failed += 1;
      const { rule, message, atMs } = result.failure;
      process.stdout.write(
        `FAILED seed ${seed} at ${(atMs / 1000).toFixed(3)} s: ${rule}: ${message}\n  again: npm run simulate -- --seed ${seed} --seconds ${seconds}\n`,
      );
    }
    if (performance.now() - reportedMs < progressEveryMs) continue;
    reportedMs = performance.now();
    process.stdout.write(`${passed + failed} of ${count} seeds\n`);
  }
  const ratio = simulatedMs / (performance.now() - startedMs);
  process.stdout.write(
    `${(simulatedMs / 3_600_000).toFixed(2)} simulated hours, ${ratio.toFixed(0)} simulated seconds a second\n`,
  );
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  return failed;
}

process.exit(runSeeds() === 0 ? 0 : 1);
