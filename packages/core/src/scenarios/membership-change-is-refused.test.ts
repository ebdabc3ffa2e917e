import { NodeId } from '@lockstep/contract/ids';
import { expect, test } from 'vitest';
import {
  change,
  changing,
  cluster,
  joined,
  learn,
  member,
  membershipOf,
  promote,
  remove,
} from '../members/test-members.ts';

test('while another is pending: one of two asked at once is made, the log holds no second', () => {
  const nodes = cluster(3);
  const leader = nodes.leader();
  const { lastIndex } = leader.node.status().raft;
  const asked = [4, 5].map((id) => changing(leader, { steps: [learn(id)], members: [member(id)] }));
  nodes.until(() => asked.every(({ outcome }) => outcome !== undefined));
  expect(asked.map(({ outcome }) => outcome)).toEqual([
    { kind: 'changed', index: lastIndex + 1 },
    { kind: 'refused', reason: 'change-pending', text: 'another change of the membership has not taken effect yet' },
  ]);
  expect(leader.node.status().raft.lastIndex).toBe(lastIndex + 1);
  expect(membershipOf(leader).learners).toEqual([4]);
});

test('while joint: the log holds no half change, and the joint one is finished', () => {
  const nodes = cluster(3);
  joined(nodes, 4);
  const leader = nodes.leader();
  const others = nodes.running.map(({ id }) => id).filter((id) => id !== leader.id && id < 4);
  const [gone = NodeId(0), stays = NodeId(0)] = others;
  const joint = changing(leader, { steps: [promote(4), remove(gone)] });
  nodes.until(() => membershipOf(leader).votersOutgoing.length > 0, 1);
  // Nobody acknowledges that it is left.
  for (const id of [gone, stays, 4]) nodes.cutOff.add(NodeId(id));
  nodes.time.pass(100);
  const { lastIndex } = leader.node.status().raft;
  expect(change(nodes, leader, { steps: [learn(5)], members: [member(5)] })).toMatchObject({
    kind: 'refused',
    reason: 'joint',
  });
  expect(leader.node.status().raft.lastIndex).toBe(lastIndex);
  nodes.cutOff.clear();
  nodes.until(
    () => joint.outcome !== undefined && nodes.running.every((node) => membershipOf(node).votersOutgoing.length === 0),
  );
  expect(membershipOf(nodes.leader()).voters).toEqual([leader.id, stays, 4].sort((a, b) => a - b));
});

test('that leaves what is not joint', () => {
  const nodes = cluster(3);
  const leader = nodes.leader();
  const { lastIndex } = leader.node.status().raft;
  expect(change(nodes, leader, { steps: [] })).toEqual({
    kind: 'refused',
    reason: 'invalid',
    text: 'only a joint configuration can be left',
  });
  expect(leader.node.status().raft.lastIndex).toBe(lastIndex);
});
