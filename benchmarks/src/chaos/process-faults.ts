import type { DevNode } from '@lockstep/server/dev/dev-cluster';
import type { Arena } from './arena.ts';
import type { Fault, Injected } from './fault.ts';
import { isStopped } from './process-state.ts';
import { comesTrue, pause, pick, shuffled } from './wait.ts';

const startedWithinMs = 30_000;
const compactAnswersWithinMs = 5_000;
const crashes = 5;
/** Twice what a node takes to open its files and to catch up. */
const crashAfterMsMax = 3_000;
/** What a node must miss before its log is no use any more. */
const missedMs = 1_000;

/** Processes that are killed, paused, and restarted in turn. */
export const processFaults: readonly Fault[] = [
  { name: 'leader killed', inject: async (arena) => await killed(arena, [await arena.cluster.waitForLeader()]) },
  { name: 'follower killed', inject: async (arena) => await killed(arena, [await follower(arena)]) },
  {
    name: 'minority killed',
    unavailable: ({ minority }) => (minority < 2 ? 'one node is a minority already' : undefined),
    inject: async (arena) => await killed(arena, shuffled(arena.nodes, arena.random).slice(0, arena.minority)),
  },
  { name: 'killed, back by a snapshot', inject: async (arena) => await leftBehind(arena) },
  { name: 'crash loop', inject: async (arena) => await crashLoop(arena, { isBehind: false }) },
  { name: 'crash loop on the way to a snapshot', inject: async (arena) => await crashLoop(arena, { isBehind: true }) },
  { name: 'all killed', inject: async (arena) => await killed(arena, arena.nodes) },
  { name: 'leader paused', inject: async (arena) => await paused([await arena.cluster.waitForLeader()]) },
  { name: 'follower paused', inject: async (arena) => await paused([await follower(arena)]) },
  {
    name: 'all but one paused',
    inject: async (arena) => await paused(shuffled(arena.nodes, arena.random).slice(1)),
  },
  { name: 'rolling restart', inject: async (arena) => await rolling(arena) },
];

async function follower(arena: Arena): Promise<DevNode> {
  return pick(arena.others(await arena.cluster.waitForLeader()), arena.random);
}

async function killed(arena: Arena, nodes: readonly DevNode[]): Promise<Injected> {
  const pids = nodes.map((node) => node.process.pid);
  await Promise.all(nodes.map((node) => arena.kill(node)));
  return {
    target: names(nodes),
    heal: async () => {
      for (const node of nodes) arena.start(node);
      await ready(arena, nodes);
      const isAnother = nodes.every((node, at) => node.process.pid !== pids[at]);
      return isAnother ? `${nodes.length} new processes` : undefined;
    },
  };
}

/** The others compact their logs past the dead node's, so that it can only come back by a snapshot. */
async function leftBehind(arena: Arena): Promise<Injected> {
  const node = await follower(arena);
  await arena.kill(node);
  return {
    target: node.name,
    heal: async () => {
      await compactOthers(arena, node);
      arena.start(node);
      await ready(arena, [node]);
      let installed = 0;
      await comesTrue(startedWithinMs, async () => {
        installed = (await arena.metric(node, 'lockstep_raft_snapshots_installed_total')) ?? 0;
        return installed > 0;
      });
      return installed > 0 ? `${installed} snapshots installed` : undefined;
    },
  };
}

async function compactOthers(arena: Arena, node: DevNode): Promise<void> {
  for (const other of arena.others(node))
    await Promise.race([
      arena.cluster.call(other, 'POST', 'sys/storage/raft/compact', {}).catch(() => undefined),
      pause(compactAnswersWithinMs),
    ]);
}

/** A node that is killed again and again while it opens its files, catches up, or installs a snapshot. */
async function crashLoop(arena: Arena, { isBehind }: { readonly isBehind: boolean }): Promise<Injected> {
  const node = await follower(arena);
  await arena.kill(node);
  const loop = async (): Promise<void> => {
    if (isBehind) await pause(missedMs);
    for (let crash = 0; crash < crashes; crash++) {
      if (isBehind) await compactOthers(arena, node);
      arena.start(node);
      await pause(arena.random() * crashAfterMsMax);
      await arena.kill(node);
    }
  };
  const looping = loop();
  return {
    target: node.name,
    heal: async () => {
      await looping;
      arena.start(node);
      await ready(arena, [node]);
      return `${crashes + 1} kills`;
    },
  };
}

async function paused(nodes: readonly DevNode[]): Promise<Injected> {
  for (const node of nodes) node.process.pause();
  const areStopped = await comesTrue(startedWithinMs, () =>
    nodes.every((node) => node.process.pid !== undefined && isStopped(node.process.pid)),
  );
  return {
    target: names(nodes),
    heal: () => {
      for (const node of nodes) node.process.resume();
      return Promise.resolve(areStopped ? `${nodes.length} processes stopped` : undefined);
    },
  };
}

async function rolling(arena: Arena): Promise<Injected> {
  const pids = arena.nodes.map((node) => node.process.pid);
  for (const node of arena.nodes) {
    await arena.stop(node);
    arena.start(node);
    await ready(arena, [node]);
  }
  const isAnother = arena.nodes.every((node, at) => node.process.pid !== pids[at]);
  const shown = isAnother ? `${arena.nodes.length} new processes` : undefined;
  return { target: 'all in turn', holdMs: 0, heal: () => Promise.resolve(shown) };
}

async function ready(arena: Arena, nodes: readonly DevNode[]): Promise<void> {
  await Promise.all(nodes.map((node) => arena.untilReady(node)));
}

function names(nodes: readonly DevNode[]): string {
  return nodes.map(({ name }) => name).join('+');
}
