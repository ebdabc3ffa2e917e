import type { AdminAnswer } from '@lockstep/server/dev/admin-call';
import type { DevNode } from '@lockstep/server/dev/dev-cluster';
import type { Arena } from './arena.ts';
import type { Fault, Injected } from './fault.ts';
import { comesTrue, pause, pick } from './wait.ts';

/** A change waits for a leader, for one that goes before it, and for a learner that must catch up. */
const changedWithinMs = 60_000;
const askAgainMs = 200;
/** In this time after a change was asked for, its entry is on its way. */
const changeUnderWayMs = 60;

/** Changes of who votes and who leads, while everything goes on. */
export const membershipFaults: readonly Fault[] = [
  { name: 'leadership moved about', inject: (arena) => Promise.resolve(movedAbout(arena)) },
  { name: 'follower demoted', inject: async (arena) => await demoted(arena, await follower(arena)) },
  { name: 'leader demoted', inject: async (arena) => await demoted(arena, await arena.cluster.waitForLeader()) },
  { name: 'demoted, the leader killed meanwhile', inject: async (arena) => await demotedByTheDying(arena) },
];

async function follower(arena: Arena): Promise<DevNode> {
  return pick(arena.others(await arena.cluster.waitForLeader()), arena.random);
}

/** Leadership is handed over again and again, to whom the leader chooses. */
function movedAbout(arena: Arena): Injected {
  let isOver = false;
  let moved = 0;
  const moving = async (): Promise<void> => {
    while (!isOver) {
      const answer = await ask(arena, pick(arena.nodes, arena.random), 'transfer', {});
      if (answer?.status === 200) moved++;
      await pause(askAgainMs);
    }
  };
  const moves = moving();
  return {
    target: 'all',
    heal: async () => {
      isOver = true;
      await moves;
      return moved > 0 ? `moved ${moved} times` : undefined;
    },
  };
}

/** A voter becomes a learner, and a voter again. */
async function demoted(arena: Arena, node: DevNode): Promise<Injected> {
  const isLearner = await becomes(arena, node, 'learner');
  return { target: node.name, heal: async () => await promotedAgain(arena, node, isLearner) };
}

/** The leader that is to order the change dies with it: whatever became of it, the cluster must know. */
async function demotedByTheDying(arena: Arena): Promise<Injected> {
  const leader = await arena.cluster.waitForLeader();
  const node = pick(arena.others(leader), arena.random);
  const asked = ask(arena, leader, 'demote', { node: node.name });
  await pause(arena.random() * changeUnderWayMs);
  await arena.kill(leader);
  const answer = await asked;
  return {
    target: `${node.name} by ${leader.name}`,
    heal: async () => {
      arena.start(leader);
      await arena.untilReady(leader);
      const roleAfter = await roleOf(arena, node);
      const shown = await promotedAgain(arena, node, roleAfter !== undefined);
      // What was acknowledged must have been done; what was not may have been.
      if (answer?.status === 200 && roleAfter !== 'learner') return undefined;
      return shown === undefined
        ? undefined
        : `${answer?.status === 200 ? 'acknowledged' : 'not acknowledged'}, then ${roleAfter}`;
    },
  };
}

async function promotedAgain(arena: Arena, node: DevNode, wasSeen: boolean): Promise<string | undefined> {
  const isVoter = await becomes(arena, node, 'voter');
  if (!isVoter) throw new Error(`${node.name} does not become a voter within ${changedWithinMs} ms`);
  return wasSeen ? 'a learner, and a voter again' : undefined;
}

/** Asks, again and again, through any node, until it is so. */
async function becomes(arena: Arena, node: DevNode, role: 'learner' | 'voter'): Promise<boolean> {
  return await comesTrue(changedWithinMs, async () => {
    if ((await roleOf(arena, node)) === role) return true;
    await ask(arena, pick(arena.nodes, arena.random), role === 'voter' ? 'promote' : 'demote', { node: node.name });
    if ((await roleOf(arena, node)) === role) return true;
    await pause(askAgainMs);
    return false;
  });
}

/** As the leader sees it; undefined while nobody answers for it. */
async function roleOf(arena: Arena, node: DevNode): Promise<string | undefined> {
  const answer = await arena.cluster
    .call(pick(arena.nodes, arena.random), 'GET', 'sys/cluster/members')
    .catch(() => undefined);
  const data: unknown = answer?.status === 200 ? answer.body['data'] : undefined;
  if (typeof data !== 'object' || data === null || !('members' in data) || !Array.isArray(data.members))
    return undefined;
  const members: readonly { readonly name: string; readonly role: string }[] = data.members;
  return members.find(({ name }) => name === node.name)?.role;
}

async function ask(
  arena: Arena,
  through: DevNode,
  what: 'transfer' | 'demote' | 'promote',
  body: { readonly node?: string },
): Promise<AdminAnswer | undefined> {
  return await arena.cluster.call(through, 'POST', `sys/cluster/${what}`, { ...body }).catch(() => undefined);
}
