import { type LoadFnOutput, registerHooks } from 'node:module';
import { LockstepError } from '@lockstep/contract/errors';
import type { Edit, Mutant } from './mutants/mutant.ts';
import { mutants } from './mutants/mutants.ts';

const packages: string = new URL('../../', import.meta.url).href;

/** Refuses a name that no mutant has. */
export function mutantOf(name: string): Mutant {
  const mutant = mutants.find((candidate) => candidate.name === name);
  if (mutant !== undefined) return mutant;
  const names = mutants.map((candidate) => candidate.name).join(', ');
  throw new LockstepError('invalid-input', `mutant "${name}" does not exist; there are ${names}`);
}

/** From now on this thread loads the mutant's files with its mistakes in them. To be called before any of them is imported. */
export function loadMutant(mutant: Mutant): void {
  registerHooks({
    load: (url, context, nextLoad) => {
      const loaded = nextLoad(url, context);
      const edits = mutant.edits.filter((edit) => url === packages + edit.file);
      if (edits.length === 0) return loaded;
      return { ...loaded, source: edits.reduce(withMistake, textOf(loaded.source)) };
    },
  });
}

function textOf(source: LoadFnOutput['source']): string {
  if (typeof source === 'string') return source;
  return source === undefined || source === null ? '' : Buffer.from(source as Uint8Array).toString();
}

/** Refuses an edit whose line is not there exactly once: the source has changed, and the mutant must follow. */
export function withMistake(source: string, edit: Edit): string {
  const parts = source.split(`${edit.from}\n`);
  if (parts.length !== 2) {
    throw new LockstepError(
      'failed-precondition',
      `mutant: the line to change is ${parts.length - 1} times in ${edit.file}, must be once: ${edit.from.trim()}`,
    );
  }
  return parts.join(`${edit.to}\n`);
}
