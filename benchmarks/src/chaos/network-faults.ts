import type { DevNode } from '@lockstep/server/dev/dev-cluster';
import type { Arena } from './arena.ts';
import type { Fault, Injected } from './fault.ts';
import type { Weather } from './half-pipe.ts';
import { pause, pick, shuffled } from './wait.ts';

const cut: Weather = { kind: 'cut' };

/** Every partition that a few nodes can have, and links that are slow, lossy, flapping or reset. */
export const networkFaults: readonly Fault[] = [
  around('leader cut off', 'both', true),
  around('follower cut off', 'both', false),
  around('leader can only send', 'to', true),
  around('leader can only receive', 'from', true),
  around('follower can only send', 'to', false),
  around('follower can only receive', 'from', false),
  { name: 'halves', inject: (arena) => Promise.resolve(halves(arena)) },
  { name: 'bridge', inject: async (arena) => bridge(arena, await arena.cluster.waitForLeader()) },
  {
    name: 'ring',
    unavailable: ({ nodes }) => (nodes.length < 4 ? 'a ring of three is whole' : undefined),
    inject: (arena) => Promise.resolve(ring(arena)),
  },
  { name: 'flapping link', inject: async (arena) => flapping(arena, await arena.cluster.waitForLeader()) },
  everywhere('delay', { kind: 'delay', ms: 20, spreadMs: 180 }, 'delayed'),
  everywhere('loss', { kind: 'loss', chance: 0.05, stallMs: 200 }, 'lost'),
  { name: 'resets', isMild: true, inject: (arena) => Promise.resolve(resets(arena)) },
];

/** All links of one node, in one direction or both. */
function around(name: string, ways: 'to' | 'from' | 'both', isLeader: boolean): Fault {
  return {
    name,
    inject: async (arena) => {
      const leader = await arena.cluster.waitForLeader();
      const node = isLeader ? leader : pick(arena.others(leader), arena.random);
      return held(arena, node.name, () => arena.network.setAround(node.name, ways, cut));
    },
  };
}

/** Nothing passes between two groups, neither of which is empty. */
function halves(arena: Arena): Injected {
  const [few, many] = split(arena);
  return held(arena, few.map(({ name }) => name).join('+'), () => between(arena, few, many));
}

/** Two groups that only one node, which is not the leader, can reach both of. */
function bridge(arena: Arena, leader: DevNode): Injected {
  const between_ = pick(arena.others(leader), arena.random);
  const rest = shuffled(arena.others(between_), arena.random);
  const middle = Math.ceil(rest.length / 2);
  return held(arena, `over ${between_.name}`, () => between(arena, rest.slice(0, middle), rest.slice(middle)));
}

/** Each node reaches its two neighbours, so that no two see the same majority. */
function ring(arena: Arena): Injected {
  const order = shuffled(arena.nodes, arena.random);
  return held(arena, order.map(({ name }) => name).join('-'), () => {
    order.forEach((node, at) => {
      const neighbours = [order.at((at + 1) % order.length), order.at(at - 1)];
      for (const other of order)
        if (other !== node && !neighbours.includes(other)) arena.network.set(node.name, other.name, cut);
    });
  });
}

/** A link of the leader's that comes and goes: two followers have little to say to each other. */
function flapping(arena: Arena, one: DevNode): Injected {
  const other = pick(arena.others(one), arena.random);
  let isOver = false;
  const flap = async (): Promise<void> => {
    for (let isCut = true; !isOver; isCut = !isCut) {
      const weather: Weather = isCut ? cut : { kind: 'fair' };
      arena.network.set(one.name, other.name, weather);
      arena.network.set(other.name, one.name, weather);
      await pause(100 + arena.random() * 300);
    }
  };
  const before = arena.network.counts.held;
  const flaps = flap();
  return {
    target: `${one.name}-${other.name}`,
    heal: async () => {
      isOver = true;
      await flaps;
      arena.network.heal();
      return shown('held', arena.network.counts.held - before);
    },
  };
}

function everywhere(name: string, weather: Weather, counted: 'delayed' | 'lost'): Fault {
  return {
    name,
    isMild: true,
    inject: ({ nodes, network }) => {
      const before = network.counts[counted];
      for (const { name: node } of nodes) network.setAround(node, 'both', weather);
      const heal = (): Promise<string | undefined> => {
        network.heal();
        return Promise.resolve(shown(counted, network.counts[counted] - before));
      };
      return Promise.resolve({ target: 'all', heal });
    },
  };
}

/** Connections break again and again, at random places. */
function resets({ nodes, network, random }: Arena): Injected {
  let isOver = false;
  const before = network.counts.resets;
  const resetting = async (): Promise<void> => {
    while (!isOver) {
      const [one = unreachable(), other = unreachable()] = shuffled(nodes, random);
      network.reset(one.name, other.name);
      await pause(100 + random() * 400);
    }
  };
  const reset = resetting();
  return {
    target: 'all',
    heal: async () => {
      isOver = true;
      await reset;
      return shown('reset', network.counts.resets - before);
    },
  };
}

/** Cuts links now, and shows by the chunks that were held back that they were cut. */
function held(arena: Arena, target: string, begin: () => void): Injected {
  const before = arena.network.counts.held;
  begin();
  return {
    target,
    heal: () => {
      arena.network.heal();
      return Promise.resolve(shown('held', arena.network.counts.held - before));
    },
  };
}

function between(arena: Arena, some: readonly DevNode[], rest: readonly DevNode[]): void {
  for (const one of some) {
    for (const other of rest) {
      arena.network.set(one.name, other.name, cut);
      arena.network.set(other.name, one.name, cut);
    }
  }
}

/** A minority of at least one, and the rest. */
function split(arena: Arena): readonly [readonly DevNode[], readonly DevNode[]] {
  const order = shuffled(arena.nodes, arena.random);
  const few = 1 + Math.floor(arena.random() * arena.minority);
  return [order.slice(0, few), order.slice(few)];
}

function shown(what: string, count: number): string | undefined {
  return count > 0 ? `${count} chunks ${what}` : undefined;
}

function unreachable(): never {
  throw new Error('a cluster has more nodes than that');
}
