import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { DevNode } from '@lockstep/server/dev/dev-cluster';
import type { Arena } from './arena.ts';
import type { Fault, Injected } from './fault.ts';
import { exitOfRefusal } from './damage-faults.ts';
import { comesTrue, pause, pick } from './wait.ts';

/** What a node must have written for its older copy to be one that has forgotten something: more than comes while it is being stopped. */
const forgottenEntries = 100;
const writtenWithinMs = 60_000;
/** Nodes tell each other each second what they hold. */
const toldWithinMs = 1_500;
const recognisedWithinMs = 15_000;

/** Disks that are sound, but not the ones that the cluster knows: it must take note, and not count them. */
export const forgetfulDiskFaults: readonly Fault[] = [
  { name: 'disk set back to an older copy', inject: async (arena) => await setBack(arena) },
  { name: 'disk wiped', inject: async (arena) => await wiped(arena) },
];

/** A node that gets back what it had some writes ago has forgotten what it acknowledged, and perhaps a vote. */
async function setBack(arena: Arena): Promise<Injected> {
  const { node, data, kept, older } = await chosen(arena);
  const lastIndex = async (): Promise<number> => (await arena.metric(node, 'lockstep_raft_last_index')) ?? 0;
  const before = await lastIndex();
  await arena.stop(node);
  copyInto(data, older);
  arena.start(node);
  await arena.untilReady(node);
  await comesTrue(writtenWithinMs, async () => (await lastIndex()) >= before + forgottenEntries);
  await pause(toldWithinMs);
  await arena.kill(node);
  copyInto(data, kept);
  copyInto(older, data);
  return recognised(arena, { node, sign: /"event":"quarantined".*|a backup of an older time.*/, by: [node] });
}

/** A node whose disk was replaced by an empty one. */
async function wiped(arena: Arena): Promise<Injected> {
  const { node, data, kept } = await chosen(arena);
  await arena.kill(node);
  copyInto(data, kept);
  empty(data);
  return recognised(arena, {
    node,
    sign: /came back with another disk[^"]*|another incarnation[^"]*|data directory \S+ is not whole[^"\n]*/,
    by: arena.nodes,
  });
}

interface Sign {
  readonly node: DevNode;
  readonly sign: RegExp;
  /** In whose logs. */
  readonly by: readonly DevNode[];
}

/** Starts the node. A node that was not recognised keeps what it has: set back once more it would forget that, too. */
function recognised(arena: Arena, { node, sign, by }: Sign): Injected {
  const logged = by.map((one) => ({ one, bytes: arena.logBytes(one) }));
  arena.mayExit(node, [exitOfRefusal]);
  arena.start(node);
  return {
    target: node.name,
    heal: async () => {
      let shown: string | undefined;
      await comesTrue(recognisedWithinMs, () => {
        shown ??= logged.map(({ one, bytes }) => sign.exec(arena.logSince(one, bytes))?.[0]).find((one) => one);
        return shown !== undefined;
      });
      const { data, kept } = foldersOf(node);
      if (shown !== undefined) {
        await arena.kill(node);
        copyInto(kept, data);
        arena.start(node);
      }
      arena.mayExit(node, []);
      await arena.untilReady(node);
      return shown?.slice(0, 120);
    },
  };
}

async function chosen(arena: Arena): Promise<Folders & { readonly node: DevNode }> {
  const node = pick(arena.others(await arena.cluster.waitForLeader()), arena.random);
  return { node, ...foldersOf(node) };
}

interface Folders {
  readonly data: string;
  readonly kept: string;
  readonly older: string;
}

function foldersOf(node: DevNode): Folders {
  const home = dirname(node.configFile);
  return { data: join(home, 'data'), kept: join(home, 'data.kept'), older: join(home, 'data.older') };
}

/** What is in it, not the folder itself: that may be a file system of its own. */
function empty(folder: string): void {
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
}

function copyInto(from: string, to: string): void {
  if (existsSync(to)) empty(to);
  else mkdirSync(to, { mode: 0o700 });
  cpSync(from, to, { recursive: true, preserveTimestamps: true });
}
