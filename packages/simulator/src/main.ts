import { runProgram } from './arguments.ts';
import { readOptions, usage } from './options.ts';
import { runSeeds } from './run-seeds.ts';
import { showRun } from './show-run.ts';

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function main(): Promise<number> {
  const options = readOptions();
  if (options === 'help') {
    process.stdout.write(usage);
    return 0;
  }
  const { seed, seeds, seconds, json, look } = options;
  if (!json) say(`seed ${seed}, ${seeds} seed${seeds === 1 ? '' : 's'} of ${seconds} simulated s`);
  return look === undefined ? runSeeds(options, say) : showRun(options, say);
}

await runProgram(main, usage);
