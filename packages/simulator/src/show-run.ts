import { closeSync, openSync, writeSync } from 'node:fs';
import { LockstepError } from '@lockstep/contract/errors';
import { loadMutant, mutantOf } from './load-mutant.ts';
import { minimise } from './minimise.ts';
import { type Options, repeatOf } from './options.ts';
import type { SimulationOptions } from './simulate.ts';

/** Runs one seed in this thread and shows the end of what happened in it, or shrinks it. Answers the exit code. */
export async function showRun(options: Options, say: (line: string) => void): Promise<number> {
  const { mutant } = options;
  if (mutant !== undefined) loadMutant(mutantOf(mutant));
  // Only now, so that the mutant's files are loaded with its mistakes.
  const { simulate, swarmOf } = await import('./simulate.ts');
  if (options.look === 'minimise') {
    const least = minimise(runOf(options), { simulate, swarmOf, say });
    if (least === undefined) {
      say(`seed ${options.seed} breaks nothing`);
      return 1;
    }
    say(`repeat: ${repeatOf({ ...options, ...least, seconds: least.seconds ?? options.seconds, nodes: least.nodes })}`);
    return 0;
  }
  const lines: string[] = [];
  const watch = (line: string): void => {
    lines.push(line);
    if (lines.length > options.lines) lines.shift();
  };
  const { stateTrace } = options;
  const file = stateTrace === undefined ? undefined : openedFor(stateTrace);
  const tell = file === undefined ? {} : { stateTrace: (line: string) => void writeSync(file, `${line}\n`) };
  const result = simulate({ ...runOf(options), watch, ...tell });
  if (file !== undefined) closeSync(file);
  if (options.look === 'trace') for (const line of lines) say(line);
  say(JSON.stringify(result, undefined, 2));
  say(result.failure === undefined ? '1 passed, 0 failed' : '0 passed, 1 failed');
  return result.failure === undefined ? 0 : 1;
}

function openedFor(stateTrace: string): number {
  try {
    return openSync(stateTrace, 'w');
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LockstepError('invalid-input', `--state-trace: ${stateTrace} can't be written: ${why}`, { cause });
  }
}

type Run = Pick<SimulationOptions, 'seed' | 'seconds'> & Required<Pick<SimulationOptions, 'simplified'>>;

function runOf({ seed, seconds, nodes, simplified }: Options): Run & Pick<SimulationOptions, 'nodes'> {
  return { seed, seconds, simplified, ...(nodes === undefined ? {} : { nodes }) };
}
