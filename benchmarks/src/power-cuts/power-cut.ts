import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type NameModel, namesLeft } from './remains.ts';
import { type Name, type Names, readSyncJournal } from './sync-journal.ts';

/** What was on a node's disk when its power came back: everything, durably. */
export interface Powered {
  readonly names: Names;
  /** Size of each file, by inode. */
  readonly sizes: ReadonlyMap<string, number>;
}

export interface Cut {
  readonly names: NameModel;
  /** Of the bytes after the last sync of each file, this share stays: 0 for none. Drawn anew for each file. */
  readonly tailKept: () => number;
}

export interface CutCounts {
  readonly syncs: number;
  /** Files that were there and are gone, or come back. */
  readonly namesLost: number;
  readonly namesBack: number;
  readonly bytesLost: number;
}

const shadows = 'cut/shadow';
const trash = 'cut/trash';

/** Begins to watch a node that is not running: `home` is the folder of its configuration. */
export function powerOn(home: string): Powered {
  rmSync(join(home, 'cut'), { recursive: true, force: true });
  mkdirSync(join(home, shadows), { recursive: true });
  mkdirSync(join(home, trash), { recursive: true });
  const names = namesNow(home);
  const files = [...names.values()].filter(({ isDirectory }) => !isDirectory);
  return { names, sizes: new Map(files.map(({ path, inode }) => [inode, statSync(join(home, path)).size])) };
}

/** Leaves of a killed node's files what a power cut would have: everything that was not synced is gone. */
export function cutPower(home: string, before: Powered, cut: Cut): CutCounts {
  const journalFile = join(home, 'cut/journal');
  const synced = existsSync(journalFile) ? readSyncJournal(readFileSync(journalFile, 'latin1')) : [];
  const now = namesNow(home);
  const left = namesLeft(before.names, synced, cut.names);
  const rebuilt = join(home, 'cut/rebuilt');
  mkdirSync(join(rebuilt, 'data'), { recursive: true, mode: 0o700 });
  let bytesLost = 0;
  const current = new Map([...now.values()].map((name) => [name.inode, join(home, name.path)]));
  for (const name of [...left.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1))) {
    const target = join(rebuilt, name.path);
    if (name.isDirectory) mkdirSync(target, { recursive: true, mode: 0o700 });
    else bytesLost += writeRemains(home, { name, target, cut, before, current: current.get(name.inode) });
  }
  for (const top of ['data', 'audit.log']) {
    rmSync(join(home, top), { recursive: true, force: true });
    if (existsSync(join(rebuilt, top))) renameSync(join(rebuilt, top), join(home, top));
  }
  return {
    syncs: synced.length,
    namesLost: [...now.keys()].filter((path) => !left.has(path)).length,
    namesBack: [...left.keys()].filter((path) => !now.has(path)).length,
    bytesLost,
  };
}

interface Remains {
  readonly name: Name;
  readonly target: string;
  readonly cut: Cut;
  readonly before: Powered;
  /** Where the file is now; undefined when it has no name any more. */
  readonly current: string | undefined;
}

/** Returns how many bytes were lost. */
function writeRemains(home: string, { name, target, cut, before, current }: Remains): number {
  const { inode } = name;
  const content = current ?? join(home, trash, inode);
  const size = existsSync(content) ? statSync(content).size : 0;
  const shadow = join(home, shadows, inode);
  mkdirSync(dirname(target), { recursive: true });
  let durable = 0;
  if (existsSync(shadow)) {
    cpSync(shadow, target);
    durable = statSync(shadow).size;
  } else if (before.sizes.has(inode)) {
    // It was there when the power came back; what was added since was never synced.
    durable = Math.min(before.sizes.get(inode) ?? 0, size);
    cpSync(content, target);
    truncateSync(target, durable);
  } else writeFileSync(target, '');
  // As nodes make their files.
  chmodSync(target, 0o600);
  if (size <= durable) return 0;
  const kept = Math.floor((size - durable) * cut.tailKept());
  if (kept > 0) writeFileSync(target, readFileSync(content).subarray(durable, durable + kept), { flag: 'a' });
  return size - durable - kept;
}

/** Everything that is tracked: the data, and the audit log. */
function namesNow(home: string): Names {
  const names = new Map<string, Name>();
  const note = (path: string): void => {
    const stat = statSync(join(home, path), { bigint: true });
    names.set(path, { path, inode: String(stat.ino), isDirectory: stat.isDirectory() });
  };
  if (existsSync(join(home, 'audit.log'))) note('audit.log');
  if (!existsSync(join(home, 'data'))) return names;
  for (const below of readdirSync(join(home, 'data'), { recursive: true })) note(join('data', String(below)));
  return names;
}
