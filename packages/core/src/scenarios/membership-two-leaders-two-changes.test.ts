import { NodeId } from '@lockstep/contract/ids';
import { expect, test } from 'vitest';
import { membershipOf, TestCluster } from '../raft/test-cluster.fixture.ts';
import type { MembershipChange, MembershipStep } from '../raft/types.ts';

const change = (kind: MembershipStep['kind'], node: number): MembershipChange => ({
  transition: 'auto',
  steps: [{ kind, node: NodeId(node) }],
  context: new Uint8Array(0),
});

/** Ongaro, "bug in single-server membership changes", raft-dev, 10 July 2015. */
test('two leaders in a row each want another change: the second is refused until an entry of its term is committed', () => {
  const cluster = new TestCluster([1, 2, 3, 4]);
  cluster.add(5, { membership: membershipOf([]) });
  cluster.elect(1);
  // The first leader appends its change, and nobody hears of it.
  cluster.partition([1], [2, 3, 4], [5]);
  expect(cluster.raft(1).proposeMembership(change('add-voter', 5)).kind).toBe('appended');
  cluster.tick(1, [1]);
  // The second leads without it, but has committed nothing yet.
  cluster.drops = (message) => message.type === 'append' || message.from === 1 || message.to === 1;
  cluster.tick(30, [2, 3, 4]);
  const second = [2, 3, 4].find((id) => cluster.raft(id).role === 'leader') ?? expect.unreachable();
  const { lastIndex } = cluster.raft(second);
  expect(cluster.raft(second).proposeMembership(change('remove', 1))).toEqual({
    kind: 'dropped',
    reason: 'membership-pending',
  });
  expect(cluster.raft(second).lastIndex).toBe(lastIndex);
  // Once its no-op is committed, the first leader’s change can be no more, and the second’s may be.
  cluster.partition([1], [2, 3, 4], [5]);
  cluster.tick(2, [2, 3, 4]);
  expect(cluster.raft(second).proposeMembership(change('remove', 1)).kind).toBe('appended');
  cluster.tick(2, [2, 3, 4]);
  expect(cluster.raft(second).status().membership).toEqual(membershipOf([2, 3, 4]));
  cluster.heal();
  cluster.tick(60);
  for (const id of [2, 3, 4]) expect(cluster.raft(id).status().membership).toEqual(membershipOf([2, 3, 4]));
  expect(cluster.node(1).memberships).toHaveLength(1);
  expect([2, 3, 4].filter((id) => cluster.raft(id).role === 'leader')).toHaveLength(1);
});
