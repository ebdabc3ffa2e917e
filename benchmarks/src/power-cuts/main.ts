// npm run power-cuts: every byte that was not synced is dropped, on the whole cluster at once; nothing acknowledged may be lost.
import { parseArgs } from 'node:util';
import { anyBasePort } from '@lockstep/server/dev/free-ports';
import { writeReport } from '../write-report.ts';
import { whyNoShim } from './compile-shim.ts';
import { runPowerCuts } from './run-power-cuts.ts';

const usage = `usage: npm run power-cuts -- [--cuts N] [--seed N] [--nodes 3] [--sabotage no-fsync|late-fsync] [--keep]
                             [--json FILE]

  --cuts 100    how often the power goes, under load
  --seed N      chooses the instants, and what of the unsynced is dropped; without it a fresh one, which is printed
  --nodes 3     how many nodes
  --sabotage no-fsync|late-fsync
                run a build of the node that never syncs its log, or only after the answer: the cuts must tell
  --keep        leave the cluster's folder for a look at it
  --json FILE   write what the run showed there, too

Needs Linux and a C compiler (cc): syncs are watched by a library that is preloaded into the nodes.
`;

function fail(message: string): never {
  process.stderr.write(`power-cuts: ${message}\n\n${usage}`);
  process.exit(2);
}

function readArguments(): { readonly [name: string]: string | boolean | undefined } {
  try {
    return parseArgs({
      options: {
        cuts: { type: 'string' },
        seed: { type: 'string' },
        nodes: { type: 'string' },
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

function count(name: string, text: string, range: { readonly min: number; readonly max: number }): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < range.min || value > range.max)
    fail(`--${name} must be a whole number from ${range.min} to ${range.max}`);
  return value;
}

function sabotageOf(name: string | boolean | undefined): 'no-fsync' | 'late-fsync' | undefined {
  if (name === undefined || name === 'no-fsync' || name === 'late-fsync') return name;
  return fail(`there is no sabotage ${name}`);
}

const values = readArguments();
if (values['help'] === true) {
  process.stdout.write(usage);
  process.exit(0);
}
const cuts = count('cuts', String(values['cuts'] ?? 100), { min: 1, max: 100_000 });
const nodes = count('nodes', String(values['nodes'] ?? 3), { min: 1, max: 7 });
const seed = count('seed', String(values['seed'] ?? Date.now() % 2 ** 31), { min: 0, max: Number.MAX_SAFE_INTEGER });
const sabotage = sabotageOf(values['sabotage']);
const reason = whyNoShim();
if (reason !== undefined) fail(reason);

const startedMs = performance.now();
const report = (line: string): void =>
  console.log(`[${((performance.now() - startedMs) / 1000).toFixed(1).padStart(6)} s] ${line}`);
report(`seed ${seed}`);
const keep = values['keep'] === true;
const options = { cuts, seed, nodes, basePort: anyBasePort(), sabotage, keep };
const { rows, violations } = await runPowerCuts(options, report);
const width = Math.max(...rows.map(([name]) => name.length));
console.log(`\n${rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`).join('\n')}\n`);
for (const violation of violations.slice(0, 20)) console.log(`FAILED: ${violation}`);
console.log(`${violations.length} violations, seed ${seed}`);
const json = values['json'];
if (typeof json === 'string')
  writeReport(json, { run: 'power-cuts', options: { nodes, cuts, seed }, rows, violations });
process.exit(violations.length === 0 ? 0 : 1);
