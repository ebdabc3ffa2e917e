import { dirname } from 'node:path';
import type { Name, Names, Synced } from './sync-journal.ts';

/**
 * Which names a power cut leaves. `journaled`: as ext4 and XFS do, where any sync brings all earlier names along. `strict`: as
 * POSIX promises, where a directory's names are what they were when that directory was last synced; only a file that was synced
 * has its own name, as on every file system of Linux.
 */
export type NameModel = 'journaled' | 'strict';

export function namesLeft(before: Names, synced: readonly Synced[], model: NameModel): Names {
  if (model === 'journaled') return synced.at(-1)?.names ?? before;
  const left = new Map(before);
  for (const one of synced) {
    if (one.kind === 'directory') replaceWithin(left, one.path, one.names);
    else left.set(one.path, { path: one.path, inode: one.inode, isDirectory: false });
  }
  return reachable(left);
}

/** A directory's own entries become what they were; what is below its subdirectories is theirs. */
function replaceWithin(left: Map<string, Name>, directory: string, names: Names): void {
  for (const path of left.keys()) if (dirname(path) === directory) left.delete(path);
  for (const [path, name] of names) if (dirname(path) === directory) left.set(path, name);
}

/** Without the names below a directory that has none itself. */
function reachable(names: Names): Names {
  const hasParents = (path: string): boolean => {
    const parent = dirname(path);
    return parent === '.' || parent === 'data' || (names.get(parent)?.isDirectory === true && hasParents(parent));
  };
  return new Map([...names].filter(([path]) => hasParents(path)));
}
