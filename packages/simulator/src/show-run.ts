import { traceLinesShown } from './limits.ts';
import { loadMutant, mutantOf } from './load-mutant.ts';

/** Runs one seed in this thread and shows the end of what happened in it. Answers the exit code. */
export async function showRun(
  args: {
    readonly seed: number;
    readonly seconds: number;
    readonly nodes: number | undefined;
    readonly mutant: string | undefined;
  },
  say: (line: string) => void,
): Promise<number> {
  const { seed, seconds, nodes, mutant } = args;
  if (mutant !== undefined) loadMutant(mutantOf(mutant));
  // Only now, so that the mutant's files are loaded with its mistakes.
  const { simulate } = await import('./simulate.ts');
  const lines: string[] = [];
  const watch = (line: string): void => {
    lines.push(line);
    if (lines.length > traceLinesShown) lines.shift();
  };
  const result = simulate(nodes === undefined ? { seed, seconds, watch } : { seed, seconds, nodes, watch });
  for (const line of lines) say(line);
  say(JSON.stringify(result, undefined, 2));
  say(result.failure === undefined ? '1 passed, 0 failed' : '0 passed, 1 failed');
  return result.failure === undefined ? 0 : 1;
}
