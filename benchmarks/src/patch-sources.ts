import { registerHooks } from 'node:module';

/** One change to a module's source, made as the module is loaded. */
export interface SourcePatch {
  /** The end of the module's address. */
  readonly module: string;
  /** Must stand in the source: a patch that no longer fits must not pass for an honest build. */
  readonly from: string;
  readonly to: string;
}

/** Turns the process into another build of the program: for harnesses that must show that they can tell. */
export function patchSources(patches: readonly SourcePatch[]): void {
  const left = new Set(patches);
  process.once('exit', () => {
    if (left.size === 0) return;
    process.stderr.write(`sabotage: not loaded, so not changed: ${[...left].map(({ module }) => module).join(', ')}\n`);
    process.exitCode = 1;
  });
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      const fitting = patches.filter(({ module }) => url.endsWith(module));
      if (fitting.length === 0) return loaded;
      let source = textOf(loaded.source);
      for (const patch of fitting) {
        const { module, from, to } = patch;
        if (!source.includes(from)) throw new Error(`sabotage: ${module} no longer holds the line to change`);
        source = source.replace(from, to);
        left.delete(patch);
      }
      return { ...loaded, source };
    },
  });
}

function textOf(source: string | ArrayBuffer | NodeJS.TypedArray | undefined): string {
  return source === undefined || typeof source === 'string' ? (source ?? '') : new TextDecoder().decode(source);
}
