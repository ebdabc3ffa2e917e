import { NodeId } from '@lockstep/contract/ids';
import { expect, test } from 'vitest';
import { MemoryLog, type MemoryLogImage } from '../log/memory-log.ts';
import { forcedMembership } from '../members/force-membership.ts';
import { changing, cluster, diskOf, joined, membershipOf, promote, remove, write } from '../members/test-members.ts';
import type { TestNodes } from '../test-nodes.ts';

const ids = [1, 2, 3].map(NodeId);

/** What the operator's tool leaves on the disk. */
function forced(image: MemoryLogImage, id: number): MemoryLogImage {
  const log = new MemoryLog(image, { schedule: () => undefined, now: () => 0 });
  const { after: membership, place, hardState } = forcedMembership(log.stored(), NodeId(id));
  const entries = [...image.entries, { ...place, type: 'control' as const, data: new Uint8Array(0) }];
  return { ...image, hardState, membership, appliedMembershipIndex: place.index, entries };
}

function restart(nodes: TestNodes, id: number, disk: ReturnType<TestNodes['crash']>): void {
  nodes.start(NodeId(id), ids, { incarnation: diskOf(id), ...disk });
}

const textsAt = (nodes: TestNodes, id: number): readonly (string | undefined)[] =>
  nodes.get(id).machine.texts.map((text) => text.split(':')[1]);

test('a joint configuration whose outgoing majority dies makes no progress; by force it does, and the dead are refused when they return', () => {
  const nodes = cluster(3);
  for (const id of [4, 5]) joined(nodes, id);
  const leader = nodes.leader();
  const others = ids.filter((id) => id !== leader.id);
  write(nodes, leader, 'acknowledged');
  changing(leader, { steps: [promote(4), promote(5), ...others.map((id) => remove(id))] });
  nodes.until(() => membershipOf(leader).votersOutgoing.length > 0, 1);
  const dead = others.map((id) => [id, nodes.crash(id)] as const);
  nodes.until(() => leader.node.status().raft.role !== 'leader');
  nodes.time.pass(20_000);
  expect(nodes.running.map(({ node }) => node.status().raft.role)).not.toContain('leader');
  expect(membershipOf(leader).votersOutgoing).toEqual([1, 2, 3]);
  // Nothing else helps: the operator stops what is left, and goes on with one node.
  for (const id of [4, 5]) nodes.crash(id);
  const disk = nodes.crash(leader.id);
  restart(nodes, leader.id, { ...disk, image: forced(disk.image, leader.id) });
  expect(nodes.leader().id).toBe(leader.id);
  write(nodes, nodes.leader(), 'alone');
  expect(textsAt(nodes, leader.id)).toEqual(['acknowledged', 'alone']);
  for (const [id, image] of dead) restart(nodes, id, image);
  nodes.until(() => others.every((id) => nodes.get(id).node.status().standing === 'left-behind'));
  nodes.time.pass(10_000);
  expect(nodes.running.filter(({ node }) => node.status().raft.role === 'leader').map(({ id }) => id)).toEqual([
    leader.id,
  ]);
  for (const id of others) expect(textsAt(nodes, id)).not.toContain('alone');
});

/** Node 1 went on alone; 2 and 3, a majority of what they know, come back. */
function recovered(): TestNodes {
  const nodes = cluster(3);
  write(nodes, nodes.leader(), 'acknowledged');
  nodes.time.pass(200);
  const dead = [2, 3].map((id) => [id, nodes.crash(id)] as const);
  const disk = nodes.crash(1);
  restart(nodes, 1, { ...disk, image: forced(disk.image, 1) });
  nodes.until(() => nodes.get(1).node.status().raft.role === 'leader');
  for (const [id, image] of dead) restart(nodes, id, image);
  nodes.until(() => [2, 3].every((id) => nodes.get(id).node.status().standing === 'left-behind'));
  return nodes;
}

test('a majority that was left behind leads no more once it is told, and neither after a restart without the node that told it', () => {
  const nodes = recovered();
  for (const id of [2, 3]) expect(nodes.get(id).events).toContain('left-behind');
  nodes.cutOff.add(NodeId(1));
  for (const id of [2, 3]) restart(nodes, id, nodes.crash(id));
  nodes.time.pass(20_000);
  for (const id of [2, 3])
    expect(nodes.get(id).node.status()).toMatchObject({
      standing: 'left-behind',
      raft: { role: 'follower', leader: 0 },
    });
});

test('the word of those who were left behind counts for nothing', () => {
  const nodes = recovered();
  const leader = nodes.get(1);
  const { term } = leader.node.status().raft;
  nodes.time.pass(10_000);
  expect(leader.node.status()).toMatchObject({ standing: 'member', raft: { role: 'leader', term } });
  expect(leader.node.status().membership.roster).toMatchObject({ epoch: 1, removed: [{ node: 2 }, { node: 3 }] });
});

test('the cluster grows again, with new ids', () => {
  const nodes = recovered();
  for (const id of [2, 3]) nodes.crash(id);
  joined(nodes, 4);
  expect(textsAt(nodes, 4)).toEqual(['acknowledged']);
  expect(nodes.get(4).node.status().membership.roster).toMatchObject({ epoch: 1 });
});
