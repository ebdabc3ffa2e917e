import { NodeId } from '@lockstep/contract/ids';
import { expect, test } from 'vitest';
import { change, cluster, diskOf, joined, member, remove, update, write } from '../members/test-members.ts';
import type { TestNode, TestNodes } from '../test-nodes.ts';

const ids = [1, 2, 3].map(NodeId);

/** Node 3 comes back under its id, with nothing on its disk. */
function wiped(nodes: TestNodes): TestNode {
  nodes.crash(3);
  return nodes.start(NodeId(3), ids, { incarnation: 999 });
}

function progressOf3(leader: TestNode): unknown {
  return leader.node.status().raft.progress.find(({ node }) => node === 3)?.match;
}

/** A cluster that 1 or 2 leads. */
function ledByOthers(): TestNodes {
  const nodes = cluster(3);
  if (nodes.leader().id === 3) {
    nodes.get(3).node.transferLeader(NodeId(1));
    nodes.until(() => nodes.get(1).node.status().raft.role === 'leader');
  }
  write(nodes, nodes.leader(), 'before');
  return nodes;
}

test('a member whose disk was wiped is refused, and says so: neither its votes nor its acknowledgements count', () => {
  const nodes = ledByOthers();
  const leader = nodes.leader();
  const { term } = leader.node.status().raft;
  const matched = progressOf3(leader);
  const { node, events } = wiped(nodes);
  nodes.until(() => node.status().standing === 'other-disk');
  expect(events).toContain('other-disk');
  // Two of three still are a quorum.
  write(nodes, leader, 'by two');
  nodes.time.pass(10_000);
  expect(progressOf3(leader)).toBe(matched);
  expect(leader.node.status().raft).toMatchObject({ role: 'leader', term });
  expect(node.status().raft).toMatchObject({ role: 'follower', lastIndex: 0 });
  // One of three is none, whatever the wiped node would say.
  const other = leader.id === 1 ? 2 : 1;
  nodes.crash(other);
  nodes.until(() => leader.node.status().raft.role !== 'leader');
  nodes.time.pass(10_000);
  expect(nodes.running.map(({ node: running }) => running.status().raft.role)).not.toContain('leader');
});

test('also when every other node has restarted since', () => {
  const nodes = ledByOthers();
  nodes.crash(3);
  for (const id of [1, 2]) nodes.start(NodeId(id), ids, { incarnation: diskOf(id), ...nodes.crash(id) });
  nodes.leader();
  const back = nodes.start(NodeId(3), ids, { incarnation: 999 });
  nodes.until(() => back.node.status().standing === 'other-disk');
  write(nodes, nodes.leader(), 'after');
  expect(back.machine.texts).toEqual([]);
});

test('the leader takes no other disk for a member, and the node joins under a new id', () => {
  const nodes = ledByOthers();
  wiped(nodes);
  const leader = nodes.leader();
  const other = change(nodes, leader, { steps: [update(3)], members: [member(3, { incarnation: 999 })] });
  expect(other).toMatchObject({
    kind: 'refused',
    reason: 'invalid',
    text: 'node 3 came back with another disk: it must join under a new id',
  });
  expect(change(nodes, leader, { steps: [remove(3)] })).toMatchObject({ kind: 'changed' });
  nodes.crash(3);
  joined(nodes, 4);
  expect(nodes.get(4).machine.texts.map((text) => text.split(':')[1])).toEqual(['before']);
});
