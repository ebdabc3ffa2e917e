// npm run revocation: what was revoked or tightened holds at once, on every node, paused and lagging ones included.
import { parseArgs } from 'node:util';
import { hindrances } from './hindrance.ts';
import { runRevocationTrials } from './run-trials.ts';

const usage = `usage: npm run revocation -- [--trials N] [--seed N] [--sabotage stale-reads]

  --trials 1000   how often a token or a policy is taken away
  --seed N        chooses nodes and instants; without it a fresh one, which is printed
  --sabotage stale-reads
                  run a build of the node that reads without asking the leader: the trials must fail
`;

function fail(message: string): never {
  process.stderr.write(`revocation: ${message}\n\n${usage}`);
  process.exit(2);
}

function readArguments(): { readonly [name: string]: string | boolean | undefined } {
  try {
    return parseArgs({
      options: {
        trials: { type: 'string' },
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
if (values['help'] === true) {
  process.stdout.write(usage);
  process.exit(0);
}
const trials = Number(values['trials'] ?? 1_000);
if (!Number.isSafeInteger(trials) || trials < 1 || trials > 1_000_000)
  fail('--trials must be a whole number from 1 to 1000000');
const seed = Number(values['seed'] ?? Date.now() % 2 ** 31);
if (!Number.isSafeInteger(seed) || seed < 0) fail('--seed must be a whole number, not negative');

const sabotage = values['sabotage'];
if (sabotage !== undefined && sabotage !== 'stale-reads') fail(`there is no sabotage ${sabotage}`);

const startedMs = performance.now();
const report = (line: string): void =>
  console.log(`[${((performance.now() - startedMs) / 1000).toFixed(1).padStart(5)} s] ${line}`);
report(`seed ${seed}`);
const { tallies, gotThrough, failedTrials } = await runRevocationTrials(
  { trials, seed, basePort: 19_200, sabotage: sabotage !== undefined },
  report,
);
const columns = ['trials', 'asked', 'denied', 'unserved', 'served'] as const;
const row = (name: string, cells: readonly (string | number)[]): string =>
  `  ${name.padEnd(16)}${cells.map((cell) => String(cell).padStart(10)).join('')}`;
console.log(`\n${row('hindered', columns)}`);
for (const hindrance of hindrances) {
  const tally = tallies.get(hindrance);
  if (tally !== undefined)
    console.log(
      row(
        hindrance,
        columns.map((column) => tally[column]),
      ),
    );
}
console.log('');
for (const line of gotThrough.slice(0, 10)) console.log(`FAILED: ${line}`);
console.log(`${failedTrials} of ${trials} got through`);
process.exit(gotThrough.length === 0 ? 0 : 1);
