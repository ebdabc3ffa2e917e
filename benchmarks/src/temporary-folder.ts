import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atEnd } from './at-end.ts';

export interface TemporaryFolder {
  /** Without symbolic links. */
  readonly path: string;
  readonly remove: () => void;
  /** Leaves it, whatever comes. */
  readonly keep: () => void;
}

/** A new folder, which goes with this process unless it is kept. */
export function temporaryFolder(prefix: string): TemporaryFolder {
  const path = realpathSync(mkdtempSync(join(tmpdir(), prefix)));
  const remove = (): void => rmSync(path, { recursive: true, force: true });
  const forget = atEnd(remove);
  return {
    path,
    keep: forget,
    remove: () => {
      forget();
      remove();
    },
  };
}
