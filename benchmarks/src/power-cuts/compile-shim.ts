import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const source = fileURLToPath(new URL('./unsynced.c', import.meta.url));

/** Why there can be no shim here; undefined where there can. */
export function whyNoShim(): string | undefined {
  if (process.platform !== 'linux') return 'the shim is for Linux';
  return spawnSync('cc', ['--version']).status === 0 ? undefined : 'there is no C compiler (cc) to build the shim with';
}

/** Builds the shim in a folder; resolves with the file to preload. */
export function compileShim(folder: string): string {
  const library = join(folder, 'unsynced.so');
  const built = spawnSync('cc', ['-O2', '-shared', '-fPIC', '-o', library, source, '-ldl', '-pthread'], {
    encoding: 'utf8',
  });
  if (built.status !== 0) throw new Error(`the shim could not be built: ${built.stderr}`);
  return library;
}
