import { spawnSync } from 'node:child_process';
import type { DevNode } from '@lockstep/server/dev/dev-cluster';
import { exitDiskFailed } from '@lockstep/server/exit-codes';
import type { Arena } from './arena.ts';
import type { Fault, Injected } from './fault.ts';
import { comesTrue, pick } from './wait.ts';

/** No file may grow past this, so every write that appends fails. */
const fullBytes = 4_096;
/** A disk that is full has at most this left. */
const leftBytesMax = 256 * 1024;
const showsWithinMs = 10_000;
/** Above half of the shortest election timeout a disk counts as stalled. */
const slowMs = 250;

/** Disks that are full, that fail, that are slow and that hang. */
export const diskFaults: readonly Fault[] = [
  {
    name: 'full disk',
    unavailable: () => (spawnSync('prlimit', ['--version']).status === 0 ? undefined : 'there is no prlimit command'),
    inject: async (arena) => full(arena, await anyNode(arena)),
  },
  {
    name: 'disk fills up',
    unavailable: ({ smallDisk }) =>
      smallDisk === undefined ? 'no file system of its own can be mounted here' : undefined,
    inject: (arena) => Promise.resolve(fillsUp(arena)),
  },
  { name: 'failing fsync', inject: async (arena) => failing(arena, await anyNode(arena)) },
  { name: 'slow fsync', inject: async (arena) => slow(arena, await anyNode(arena)) },
  { name: 'stalled fsync on the leader', inject: async (arena) => stalled(arena, await arena.cluster.waitForLeader()) },
];

/** The leader as often as not. */
async function anyNode(arena: Arena): Promise<DevNode> {
  const leader = await arena.cluster.waitForLeader();
  return arena.random() < 0.5 ? leader : pick(arena.others(leader), arena.random);
}

function full(arena: Arena, node: DevNode): Injected {
  arena.mayExit(node, [exitDiskFailed]);
  const before = arena.exitsOf(node, exitDiskFailed);
  arena.limitFileSizes(node, fullBytes);
  return ending(arena, { node, before, end: () => arena.limitFileSizes(node, undefined) });
}

/** ENOSPC itself, on the node whose data has a file system of its own: it gives up what needs room, and ends at a write that fails. */
function fillsUp(arena: Arena): Injected {
  const { smallDisk } = arena;
  const node = arena.nodes.find(({ name }) => name === smallDisk?.node);
  if (smallDisk === undefined || node === undefined) throw new Error('no node has a small disk');
  arena.mayExit(node, [exitDiskFailed]);
  const before = arena.exitsOf(node, exitDiskFailed);
  smallDisk.disk.fill(Math.floor(arena.random() * leftBytesMax));
  return ending(arena, { node, before, sign: /"disk":"exhausted"/, end: () => smallDisk.disk.free() });
}

function failing(arena: Arena, node: DevNode): Injected {
  arena.mayExit(node, [exitDiskFailed]);
  const before = arena.exitsOf(node, exitDiskFailed);
  arena.setFaults(node, { disk: { kind: 'failing-sync' } });
  return ending(arena, { node, before, end: () => arena.setFaults(node, {}) });
}

interface Ending {
  readonly node: DevNode;
  readonly before: number;
  readonly end: () => void;
  /** In the node's log, where it can see the fault coming. */
  readonly sign?: RegExp;
}

/** Such a fault shows by the process's end, at the first write that needs the disk. */
function ending(arena: Arena, { node, before, end, sign }: Ending): Injected {
  const logged = arena.logBytes(node);
  const exits = (): number => arena.exitsOf(node, exitDiskFailed) - before;
  const isSeen = (): boolean => sign?.test(arena.logSince(node, logged)) === true;
  return {
    target: node.name,
    heal: async () => {
      await comesTrue(showsWithinMs, () => exits() > 0 || isSeen());
      end();
      await arena.untilReady(node);
      arena.mayExit(node, []);
      if (exits() > 0) return `${exits()} exits with ${exitDiskFailed}`;
      return isSeen() ? 'the node saw it and took no more entries' : undefined;
    },
  };
}

function slow(arena: Arena, node: DevNode): Injected {
  arena.setFaults(node, { disk: { kind: 'slow-sync', ms: slowMs } });
  let slowest = 0;
  return {
    target: node.name,
    heal: async () => {
      await comesTrue(showsWithinMs, async () => {
        slowest = (await arena.metric(node, 'lockstep_log_last_sync_seconds')) ?? 0;
        return slowest * 1_000 >= slowMs;
      });
      arena.setFaults(node, {});
      return slowest * 1_000 >= slowMs ? `a sync took ${Math.round(slowest * 1_000)} ms` : undefined;
    },
  };
}

/** The node must give its leadership up by itself. */
function stalled(arena: Arena, node: DevNode): Injected {
  const logged = arena.logBytes(node);
  const sinceMs = performance.now();
  arena.setFaults(node, { disk: { kind: 'stalled-sync' } });
  return {
    target: node.name,
    heal: async () => {
      const hasMoved = await comesTrue(showsWithinMs, async () => {
        const leader = await arena.cluster.leader();
        return leader !== undefined && leader !== node;
      });
      const movedMs = Math.round(performance.now() - sinceMs);
      arena.setFaults(node, {});
      const isLogged = arena.logSince(node, logged).includes('disk-stalled');
      return hasMoved && isLogged ? `another led after at most ${movedMs} ms` : undefined;
    },
  };
}
