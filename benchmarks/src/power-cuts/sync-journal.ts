/** One name below a node's folder, and the inode that it leads to. */
export interface Name {
  readonly path: string;
  readonly inode: string;
  readonly isDirectory: boolean;
}

/** All names at one instant, by path. */
export type Names = ReadonlyMap<string, Name>;

/** A sync that has returned, and the names that were there before it began. */
export type Synced =
  | { readonly kind: 'file'; readonly path: string; readonly inode: string; readonly names: Names }
  | { readonly kind: 'directory'; readonly path: string; readonly names: Names };

/**
 * Reads what unsynced.c has noted. A process that was killed may leave half a record at the end, and another may follow it in the
 * same file: each begins with a line of its own.
 */
export function readSyncJournal(text: string): readonly Synced[] {
  const lines = text.split('\n').values();
  const synced: Synced[] = [];
  let trees = new Map<string, Names>();
  for (const line of lines) {
    const [kind, first = '', second = '', ...rest] = line.split(' ');
    const names = trees.get(first);
    if (kind === 'P') trees = new Map();
    else if (kind === 'T') trees.set(first, readNames(lines, Number(second)));
    else if (kind === 'D' && names !== undefined) synced.push({ kind: 'directory', path: pathOf(second, rest), names });
    else if (kind === 'S' && names !== undefined)
      synced.push({ kind: 'file', inode: second, path: rest.join(' '), names });
  }
  return synced;
}

function readNames(lines: Iterator<string>, count: number): Names {
  const names = new Map<string, Name>();
  for (let read = 0; read < count; read++) {
    const next = lines.next();
    const [kind, inode = '', ...rest] = next.done === true ? [] : next.value.split(' ');
    const path = rest.join(' ');
    names.set(path, { path, inode, isDirectory: kind === 'd' });
  }
  return names;
}

function pathOf(first: string, rest: readonly string[]): string {
  return [first, ...rest].join(' ');
}
