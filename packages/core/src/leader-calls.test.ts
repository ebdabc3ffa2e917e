import { NodeId } from '@lockstep/contract/ids';
import { expect, test } from 'vitest';
import { type AskOutcome, LeaderCalls } from './leader-calls.ts';
import type { PeerMessage } from './peers/peers.ts';
import { TestCluster } from './raft/test-cluster.fixture.ts';
import { defaultTimings } from './timings.ts';

const [self, other] = [NodeId(1), NodeId(2)];

/** A follower that asks its leader, node 2, which never answers. */
function asking(): { readonly calls: LeaderCalls; readonly sent: PeerMessage[]; readonly clock: { ms: number } } {
  const cluster = new TestCluster([1, 2, 3]);
  cluster.elect(2);
  const clock = { ms: 0 };
  const sent: PeerMessage[] = [];
  const calls = new LeaderCalls(
    {
      id: self,
      core: cluster.raft(1),
      clock: { nowMs: () => clock.ms, wallMs: () => 0, setTimer: () => () => undefined },
      timings: defaultTimings,
      handle: () => expect.unreachable(),
      send: (_to, message) => sent.push(message),
      wake: () => undefined,
    },
    1,
  );
  return { calls, sent, clock };
}

function outcomeOf(
  calls: LeaderCalls,
  steps: readonly { readonly kind: 'remove' | 'add-voter'; readonly node: NodeId }[],
): AskOutcome[] {
  const outcomes: AskOutcome[] = [];
  const change = { transition: 'auto', steps, context: new Uint8Array(0) } as const;
  const ask = { kind: 'change', change, ifMembershipIndex: 0, votersMin: 1 } as const;
  calls.ask(ask, (outcome) => outcomes.push(outcome));
  return outcomes;
}

test('a node that hears that it was removed tells so whoever asked it for just that', () => {
  const { calls, sent } = asking();
  const outcomes = outcomeOf(calls, [{ kind: 'remove', node: self }]);
  calls.drain();
  expect(sent).toMatchObject([{ kind: 'ask' }]);
  calls.removed(7);
  expect(outcomes).toEqual([{ kind: 'changed', index: 7 }]);
});

test('of a change with other steps that word tells nothing: its outcome is unknown', () => {
  const { calls, clock } = asking();
  const outcomes = outcomeOf(calls, [
    { kind: 'remove', node: self },
    { kind: 'add-voter', node: other },
  ]);
  calls.drain();
  calls.removed(7);
  expect(outcomes).toEqual([]);
  clock.ms = defaultTimings.forwardTimeoutMs;
  calls.expire();
  expect(outcomes).toEqual([{ kind: 'unknown' }]);
});
