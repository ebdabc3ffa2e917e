import { LockstepError } from '@lockstep/contract/errors';
import { NodeId } from '@lockstep/contract/ids';
import type { PullHandlers } from '@lockstep/core/peers/snapshot-transfer';
import type { Membership } from '@lockstep/core/raft/types';
import { expect, test } from 'vitest';
import { receiptName } from './restores.ts';
import { spreadToQuorum } from './spread.ts';

const id = 'ab'.repeat(32);
const voters = (...nodes: number[]): Membership => ({
  voters: nodes.map(NodeId),
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
});

/** A network in which a test answers for the others. Node 1 is the leader. */
function spread(membership: Membership) {
  const asked = new Map<number, PullHandlers>();
  const names: string[] = [];
  const timers: (() => void)[] = [];
  const cancelled: number[] = [];
  const gone = new AbortController();
  let current = membership;
  const done = spreadToQuorum({
    id,
    self: NodeId(1),
    membership: () => current,
    pull: (from, name, _offset, handlers) => {
      names.push(name);
      asked.set(from, handlers);
      return { cancel: () => void cancelled.push(from) };
    },
    setTimer: (_ms, run) => {
      timers.push(run);
      return () => void timers.splice(timers.indexOf(run), 1);
    },
    signal: gone.signal,
  });
  let result: boolean | undefined;
  void done.then((isSpread) => (result = isSpread));
  return {
    done,
    asked,
    names,
    timers,
    cancelled,
    gone,
    result: async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return result;
    },
    holds: (node: number) => asked.get(node)?.onChunk(Uint8Array.of(1), 0, 1, () => asked.get(node)?.onEnd()),
    fails: (node: number) => asked.get(node)?.onEnd(new LockstepError('unavailable', 'the stream broke')),
    change: (next: Membership) => (current = next),
  };
}

test('no quorum, no order: it ends when the caller goes away, and asks nobody any more', async () => {
  const { holds, result, gone, done, cancelled } = spread(voters(1, 2, 3, 4, 5));
  holds(2);
  expect(await result()).toBeUndefined();
  gone.abort();
  expect(await done).toBe(false);
  expect(cancelled.length).toBeGreaterThan(0);
});

test('a caller that is gone already asks nobody', async () => {
  const gone = new AbortController();
  gone.abort();
  const pull = (): never => expect.unreachable();
  const options = { id, self: NodeId(1), membership: () => voters(1, 2), pull, setTimer: pull, signal: gone.signal };
  expect(await spreadToQuorum(options)).toBe(false);
});

test('a majority of the voters is a quorum, the leader among them; each is asked for a receipt', async () => {
  const { holds, done, names, asked } = spread(voters(1, 2, 3));
  expect([[...asked.keys()], new Set(names)]).toEqual([[2, 3], new Set([receiptName(id)])]);
  holds(3);
  expect(await done).toBe(true);
});

test('a cluster of one has its quorum', async () => {
  expect(await spread(voters(1)).done).toBe(true);
});

test('who broke off is asked again', async () => {
  const { fails, holds, timers, result, done, names } = spread(voters(1, 2, 3));
  fails(2);
  fails(3);
  expect([await result(), timers.length, names.length]).toEqual([undefined, 2, 2]);
  for (const run of timers.splice(0)) run();
  expect(names).toHaveLength(4);
  holds(2);
  expect(await done).toBe(true);
});

test('a joint membership needs a majority of both its sets', async () => {
  const joint = { ...voters(1, 2, 3), votersOutgoing: [1, 4, 5].map(NodeId) };
  const { holds, asked, result, done, gone } = spread(joint);
  expect([...asked.keys()]).toEqual([2, 3, 4, 5]);
  holds(2);
  expect(await result()).toBeUndefined();
  holds(4);
  expect(await done).toBe(true);
  gone.abort();
});
