import type { DevNode } from '@lockstep/server/dev/dev-cluster';
import type { Arena } from './arena.ts';
import type { Fault, Injected } from './fault.ts';
import type { ClockFault } from './fault-file.ts';
import { comesTrue, pick } from './wait.ts';

const second = 1_000;
const hour = 3_600 * second;
/** The fault file is read again and again; a busy node may take a moment. */
const seenWithinMs = 5_000;

/** Wall clocks that are wrong. What is measured by the monotonic clock goes on. */
export const clockFaults: readonly Fault[] = [
  jump('clock 10 s ahead', 10 * second),
  jump('clock 10 s behind', -10 * second),
  jump('clock an hour ahead', hour),
  jump('clock an hour behind', -hour),
  jump('clock a day ahead', 24 * hour),
  jump('clock a day behind', -24 * hour),
  {
    name: 'clock strobe',
    isMild: true,
    inject: (arena) => bent(arena, { kind: 'strobe', byMs: 5 * second, everyMs: 200 }),
  },
];

function jump(name: string, byMs: number): Fault {
  return { name, isMild: true, inject: (arena) => bent(arena, { kind: 'off', byMs }) };
}

async function bent(arena: Arena, clock: Exclude<ClockFault, { kind: 'right' }>): Promise<Injected> {
  const node = pick(arena.nodes, arena.random);
  arena.setFaults(node, { clock });
  let offMs: number | undefined;
  const wanted = clock.byMs;
  const isSeen = await comesTrue(seenWithinMs, async () => {
    offMs = await offsetOf(arena, node);
    return offMs !== undefined && Math.abs(offMs - wanted) < 4 * second;
  });
  return {
    target: node.name,
    heal: async () => {
      arena.setFaults(node, {});
      const isRight = await comesTrue(
        seenWithinMs,
        async () => Math.abs((await offsetOf(arena, node)) ?? hour) < 4 * second,
      );
      return isSeen && isRight ? `off by ${Math.round((offMs ?? 0) / second)} s` : undefined;
    },
  };
}

/** How far a node's wall clock is ahead of this process's. */
async function offsetOf(arena: Arena, node: DevNode): Promise<number | undefined> {
  const answer = await arena.cluster.call(node, 'GET', 'sys/health?standbyok=true').catch(() => undefined);
  const seconds = answer?.body['server_time_utc'];
  return typeof seconds === 'number' ? seconds * second - Date.now() : undefined;
}
