// npm run chaos: real processes under load and faults, held to everything that they said.
import { parseArgs } from 'node:util';
import { anyBasePort } from '@lockstep/server/dev/free-ports';
import { runChaos } from './run-chaos.ts';
import { writeReport } from '../write-report.ts';
import { isSabotage, sabotages } from './sabotages.ts';

const usage = `usage: npm run chaos -- [--minutes M] [--seed N] [--nodes 3|5] [--only TEXT] [--sabotage NAME] [--keep] [--json FILE]

  --minutes 3   how long faults go on; every kind comes once before any comes again
  --seed N      chooses faults, nodes and instants; without it a fresh one, which is printed
  --nodes 3     how many nodes
  --only TEXT   only faults whose names contain it
  --sabotage NAME
                run a build that is wrong on purpose, and must be found out: ${Object.keys(sabotages).join(', ')}
  --keep        leave the cluster's folder for a look at its logs
  --json FILE   write what the run showed there, too
`;

function fail(message: string): never {
  process.stderr.write(`chaos: ${message}\n\n${usage}`);
  process.exit(2);
}

function readArguments(): { readonly [name: string]: string | boolean | undefined } {
  try {
    return parseArgs({
      options: {
        minutes: { type: 'string' },
        seed: { type: 'string' },
        nodes: { type: 'string' },
        only: { type: 'string' },
        sabotage: { type: 'string' },
        keep: { type: 'boolean' },
        json: { type: 'string' },
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
const minutes = Number(values['minutes'] ?? 3);
if (!(minutes > 0 && minutes <= 24 * 60)) fail('--minutes must be a number above 0, at most 1440');
const seed = Number(values['seed'] ?? Date.now() % 2 ** 31);
if (!Number.isSafeInteger(seed) || seed < 0) fail('--seed must be a whole number, not negative');
const nodes = Number(values['nodes'] ?? 3);
if (nodes !== 3 && nodes !== 5) fail('--nodes must be 3 or 5');
const only = typeof values['only'] === 'string' ? values['only'] : undefined;
const sabotage = values['sabotage'];
if (sabotage !== undefined && !isSabotage(sabotage)) fail(`there is no sabotage ${sabotage}`);

const startedMs = performance.now();
const report = (line: string): void =>
  console.log(`[${((performance.now() - startedMs) / 1000).toFixed(1).padStart(6)} s] ${line}`);
report(`seed ${seed}`);
const keep = values['keep'] === true;
const result = await runChaos({ minutes, seed, nodes, basePort: anyBasePort(), only, sabotage, keep }, report);
const width = Math.max(...result.faults.map(({ name }) => name.length));
console.log(`\n  ${'fault'.padEnd(width)}  injected  shown`);
for (const { name, injected, shown, unavailable } of result.faults)
  console.log(
    `  ${name.padEnd(width)}${String(injected).padStart(10)}${String(shown).padStart(7)}${unavailable === undefined ? '' : `  (${unavailable})`}`,
  );
console.log('');
for (const [name, value] of result.rows) console.log(`  ${name.padEnd(width)}  ${value}`);
console.log('');
for (const violation of result.violations.slice(0, 20)) console.log(`FAILED: ${violation}`);
console.log(`${result.violations.length} violations, seed ${seed}`);
const json = values['json'];
if (typeof json === 'string') {
  const faults = result.faults.filter(({ unavailable }) => unavailable === undefined);
  writeReport(json, { run: 'chaos', options: { nodes, minutes, seed }, ...result, faults });
}
process.exit(result.violations.length === 0 ? 0 : 1);
