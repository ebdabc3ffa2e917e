import { cpSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { DevNode } from '@lockstep/server/dev/dev-cluster';
import type { Arena } from './arena.ts';
import type { Fault, Injected } from './fault.ts';
import { comesTrue, pick } from './wait.ts';

const outcomeWithinMs = 20_000;
/** How a node that refuses its data ends: they are damaged, or not whole. */
export const exitOfRefusal = 65;

/** Files of a stopped node that were changed while it was down. It must refuse them and say why, or lose nothing by them. */
export const damageFaults: readonly Fault[] = [
  damage('flipped bit in the log', 'data/log', /^\d+\.log$/, flipBit),
  damage('truncated log', 'data/log', /^\d+\.log$/, truncateHalf),
  damage('lost log file', 'data/log', /^(\d+\.log|CURRENT|MANIFEST-\d+)$/, (file) => rmSync(file)),
  damage('flipped bit in the state', 'data/state', /^\d+\.(log|ldb)$|^MANIFEST-\d+$/, flipBit),
  damage('truncated state', 'data/state', /^\d+\.(log|ldb)$/, truncateHalf),
];

type Change = (file: string, random: () => number) => void;

function damage(name: string, folder: string, files: RegExp, change: Change): Fault {
  return { name, inject: async (arena) => await damaged(arena, { folder, files, change }) };
}

/** Stops a node, damages a file of it, and starts it: it must refuse, and then gets its files back, or go on. */
async function damaged(
  arena: Arena,
  how: { readonly folder: string; readonly files: RegExp; readonly change: Change },
): Promise<Injected> {
  const node = pick(arena.nodes, arena.random);
  await arena.stop(node);
  const home = dirname(node.configFile);
  const [data, kept] = [join(home, 'data'), join(home, 'data.kept')];
  cpSync(data, kept, { recursive: true, preserveTimestamps: true });
  const file = pick(filesBelow(join(home, how.folder), how.files), arena.random);
  how.change(file, arena.random);
  const logged = arena.logBytes(node);
  arena.mayExit(node, [exitOfRefusal]);
  if (how.folder === 'data/state') arena.mayComeUponDamage(node);
  const before = arena.exitsOf(node, exitOfRefusal);
  arena.start(node);
  const isRefused = (): boolean => arena.exitsOf(node, exitOfRefusal) > before;
  return {
    target: `${node.name}, ${file.slice(home.length + 1)}`,
    heal: async () => {
      await comesTrue(outcomeWithinMs, async () => isRefused() || (await isReady(arena, node)));
      const reason = isRefused() ? /^lockstep: (.*)$/m.exec(arena.logSince(node, logged))?.[1] : undefined;
      // A node that took part on what was left must not be set back: it would have forgotten votes.
      if (isRefused()) await restore(arena, node, { data, kept });
      rmSync(kept, { recursive: true });
      arena.mayExit(node, []);
      await arena.untilReady(node);
      if (isRefused()) return reason === undefined ? undefined : `refused: ${reason}`;
      const isFetched = arena.logSince(node, logged).includes('"event":"state-refetch"');
      return isFetched ? 'started, and fetches its state anew' : 'started: it has not come upon the damage';
    },
  };
}

async function restore(
  arena: Arena,
  node: DevNode,
  { data, kept }: { readonly data: string; readonly kept: string },
): Promise<void> {
  await arena.stop(node);
  // What is in it, not the folder itself: that may be a file system of its own.
  for (const name of readdirSync(data)) rmSync(join(data, name), { recursive: true });
  cpSync(kept, data, { recursive: true, preserveTimestamps: true });
  arena.start(node);
}

async function isReady(arena: Arena, node: DevNode): Promise<boolean> {
  const answer = await arena.cluster.call(node, 'GET', 'sys/health?standbyok=true').catch(() => undefined);
  return answer?.status === 200;
}

function filesBelow(folder: string, names: RegExp): readonly string[] {
  const found = readdirSync(folder, { recursive: true, withFileTypes: true });
  return found
    .filter((entry) => entry.isFile() && names.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => statSync(file).size > 0);
}

function flipBit(file: string, random: () => number): void {
  const bytes = readFileSync(file);
  const at = Math.floor(random() * bytes.length);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8));
  writeFileSync(file, bytes);
}

function truncateHalf(file: string, random: () => number): void {
  truncateSync(file, Math.floor(statSync(file).size * random()));
}
