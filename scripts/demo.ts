// npm run demo: three nodes, certificates, a killed leader, and proof that nothing acknowledged was lost.
import { parseArgs } from 'node:util';
import { runDemo } from '@lockstep/benchmarks/demo/run-demo';

const usage = `usage: npm run demo -- [--rounds N] [--seed N] [--sabotage ack-before-quorum]

  --rounds 1    how often the leader is killed, one kill after the other
  --seed N      chooses the instants of the kills; without it a fresh one, which is printed
  --sabotage ack-before-quorum
                run a build of the node that acknowledges before a quorum has the write: the demo must fail
`;

function fail(message: string): never {
  console.error(`demo: ${message}\n\n${usage}`);
  process.exit(2);
}

function readArguments(): {
  rounds?: string | undefined;
  seed?: string | undefined;
  sabotage?: string | undefined;
  help?: boolean | undefined;
} {
  try {
    return parseArgs({
      options: {
        rounds: { type: 'string' },
        seed: { type: 'string' },
        sabotage: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

const values = readArguments();
if (values.help === true) {
  console.log(usage);
  process.exit(0);
}
if (values.sabotage !== undefined && values.sabotage !== 'ack-before-quorum')
  fail(`there is no sabotage ${values.sabotage}`);
const rounds = Number(values.rounds ?? 1);
if (!Number.isSafeInteger(rounds) || rounds < 1 || rounds > 1000)
  fail('--rounds must be a whole number from 1 to 1000');
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
if (!Number.isSafeInteger(seed) || seed < 0) fail('--seed must be a whole number, not negative');

const startedMs = performance.now();
const report = (line: string): void =>
  console.log(`[${((performance.now() - startedMs) / 1000).toFixed(1).padStart(5)} s] ${line}`);
report(`seed ${seed}`);
const result = await runDemo({ rounds, seed, sabotage: values.sabotage !== undefined }, report).catch(
  (error: unknown) => {
    // Not 1: that it could not be run is no verdict about the cluster.
    console.error(`demo: ${error instanceof Error ? error.message : String(error)}`);
    return process.exit(2);
  },
);
const width = Math.max(...result.rows.map(([name]) => name.length));
console.log(`\n${result.rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`).join('\n')}\n`);
for (const failure of result.failures) console.log(`FAILED: ${failure}`);
console.log(`${result.lost} lost`);
process.exit(result.failures.length === 0 ? 0 : 1);
