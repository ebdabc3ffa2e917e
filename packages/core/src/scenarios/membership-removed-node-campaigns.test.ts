import { NodeId } from '@lockstep/contract/ids';
import { expect, test } from 'vitest';
import {
  change,
  cluster,
  diskOf,
  joined,
  learn,
  member,
  membershipOf,
  promote,
  remove,
  write,
} from '../members/test-members.ts';
import type { TestNodes } from '../test-nodes.ts';

/** One that does not lead. */
function follower(nodes: TestNodes): number {
  return nodes.running.find(({ id }) => id !== nodes.leader().id)?.id ?? expect.unreachable();
}

test('a removed node that keeps campaigning with the old membership in hand disturbs nobody, and is told', () => {
  const nodes = cluster(3);
  const gone = follower(nodes);
  nodes.cutOff.add(NodeId(gone));
  expect(change(nodes, nodes.leader(), { steps: [remove(gone)] })).toMatchObject({ kind: 'changed' });
  const leader = nodes.leader();
  const { term } = leader.node.status().raft;
  // It hears nobody, and wants to be elected again and again.
  nodes.time.pass(10_000);
  nodes.cutOff.clear();
  const { node, events } = nodes.get(gone);
  nodes.until(() => node.status().standing === 'removed');
  expect(events).toContain('removed');
  const { electionsStarted } = node.status();
  nodes.time.pass(20_000);
  expect(node.status()).toMatchObject({ electionsStarted, standing: 'removed', raft: { role: 'follower' } });
  expect(leader.node.status().raft).toMatchObject({ role: 'leader', term });
  write(nodes, leader, 'undisturbed');
});

test('is told again after a restart, and can’t come back but under a new id', () => {
  const nodes = cluster(3);
  const gone = follower(nodes);
  nodes.cutOff.add(NodeId(gone));
  change(nodes, nodes.leader(), { steps: [remove(gone)] });
  const disk = nodes.crash(gone);
  nodes.cutOff.clear();
  const ids = [1, 2, 3].map(NodeId);
  const back = nodes.start(NodeId(gone), ids, { incarnation: diskOf(gone), ...disk });
  nodes.until(() => back.node.status().standing === 'removed');
  for (const step of [learn(gone), promote(gone)]) {
    const outcome = change(nodes, nodes.leader(), { steps: [step], members: [member(gone)] });
    expect(outcome).toMatchObject({
      kind: 'refused',
      reason: 'removed',
      text: `node ${gone} was removed: it must join under a new id`,
    });
  }
  nodes.crash(gone);
  joined(nodes, 4);
  expect(change(nodes, nodes.leader(), { steps: [promote(4)] })).toMatchObject({ kind: 'changed' });
  expect(membershipOf(nodes.leader()).voters).toHaveLength(3);
});

test('of two nodes one is removed, and the other goes on alone', () => {
  const nodes = cluster(2);
  const leader = nodes.leader();
  const other = follower(nodes);
  expect(change(nodes, leader, { steps: [remove(other)] })).toMatchObject({ kind: 'changed' });
  nodes.until(() => nodes.get(other).node.status().standing === 'removed');
  nodes.crash(other);
  write(nodes, leader, 'alone');
});
