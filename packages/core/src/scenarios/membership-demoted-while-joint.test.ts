import { NodeId } from '@lockstep/contract/ids';
import { expect, test } from 'vitest';
import { dataOf, membershipOf, TestCluster } from '../raft/test-cluster.fixture.ts';
import type { MembershipChange, MembershipStep } from '../raft/types.ts';

const step = (kind: MembershipStep['kind'], node: number): MembershipStep => ({ kind, node: NodeId(node) });
const joint: MembershipChange = {
  transition: 'joint-explicit',
  steps: [step('add-learner', 3), step('add-voter', 4)],
  context: new Uint8Array(0),
};
const leave: MembershipChange = { transition: 'auto', steps: [], context: new Uint8Array(0) };

/** 1, 2 and 3 vote, 1 leads; 3 is being demoted and 4 promoted, and the joint configuration is not left. */
function inJoint(): TestCluster {
  const cluster = new TestCluster([1, 2, 3]);
  cluster.add(4, { membership: membershipOf([]) });
  cluster.elect(1);
  cluster.raft(1).propose([dataOf('a')]);
  cluster.settle();
  cluster.raft(1).proposeMembership({ ...joint, steps: [step('add-learner', 4)], transition: 'auto' });
  cluster.settle();
  cluster.raft(1).proposeMembership(joint);
  cluster.settle();
  expect(cluster.raft(1).status().membership).toMatchObject({
    voters: [1, 2, 4],
    votersOutgoing: [1, 2, 3],
    learners: [],
    learnersNext: [3],
  });
  return cluster;
}

test('a voter that is demoted in a joint configuration votes, and is counted, until that is left', () => {
  const cluster = inJoint();
  // Of the outgoing half 1 and 3, of the incoming 1 and 4: with node 3 a majority of both.
  cluster.partition([1, 3, 4], [2]);
  cluster.raft(1).propose([dataOf('b')]);
  cluster.tick(2);
  expect(cluster.node(1).values).toEqual(['a', 'b']);
  cluster.node(1).crash();
  cluster.partition([2, 3, 4]);
  cluster.tick(60, [2, 3, 4]);
  const leader = [2, 3, 4].find((id) => cluster.raft(id).role === 'leader') ?? expect.unreachable();
  cluster.raft(leader).proposeMembership(leave);
  cluster.tick(2, [2, 3, 4]);
  expect(cluster.raft(leader).status().membership).toEqual(membershipOf([1, 2, 4], [3]));
});

test('what the leader knows of it is not forgotten by the demotion', () => {
  const cluster = inJoint();
  const progressOf3 = (): unknown =>
    cluster
      .raft(1)
      .status()
      .progress.find(({ node }) => node === 3);
  const { lastIndex } = cluster.raft(1);
  expect(progressOf3()).toMatchObject({ match: lastIndex, state: 'replicate', isLearner: false });
  cluster.drops = (message) => message.to === 3 || message.from === 3;
  cluster.raft(1).proposeMembership(leave);
  cluster.settle();
  expect(progressOf3()).toMatchObject({ match: lastIndex, state: 'replicate', isLearner: true });
});
