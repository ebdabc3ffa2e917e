import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';

export const quarantineName = 'QUARANTINED';

/** Why the node whose data lies in `directory` must take no part; undefined where it may. */
export function readQuarantine(directory: string): string | undefined {
  const path = join(directory, quarantineName);
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined;
}

/** Keeps it for every later run, durably before it returns: what this node has forgotten it must not act on after a restart either. */
export function writeQuarantine(directory: string, why: string): void {
  const path = join(directory, quarantineName);
  const file = openSync(`${path}.new`, 'w', 0o600);
  try {
    writeSync(file, `${why}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.new`, path);
  const folder = openSync(directory, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
