import { LogIndex, NodeId } from '@lockstep/contract/ids';
import { describe, expect, test } from 'vitest';
import { Reads } from './reads.ts';
import { dataOf, TestCluster } from './test-cluster.fixture.ts';
import type { Message } from './types.ts';

function elected(ids: readonly number[], options: ConstructorParameters<typeof TestCluster>[1] = {}): TestCluster {
  const cluster = new TestCluster(ids, options);
  cluster.elect(1);
  cluster.sent.length = 0;
  return cluster;
}

describe('a read is dropped', () => {
  test('by a follower', () => {
    const cluster = elected([1, 2, 3]);
    cluster.raft(2).readIndex(7);
    cluster.settle();
    expect(cluster.node(2).readsDropped).toEqual([7]);
  });

  test('past the bound, and taken at it', () => {
    const cluster = elected([1, 2, 3], { limits: { readsWaitingMax: 2 } });
    cluster.partition([1]);
    for (const id of [1, 2, 3]) cluster.raft(1).readIndex(id);
    cluster.settle();
    expect(cluster.node(1).readsDropped).toEqual([3]);
    cluster.heal();
    cluster.tick(1);
    expect(cluster.node(1).reads.map(({ id }) => id)).toEqual([1, 2]);
    cluster.raft(1).readIndex(4);
    cluster.settle();
    expect(cluster.node(1).reads.map(({ id }) => id)).toEqual([1, 2, 4]);
  });

  test('when leadership is lost, whether it was asked about or waited', () => {
    const cluster = elected([1, 2, 3]);
    cluster.partition([1]);
    cluster.raft(1).readIndex(1);
    cluster.settle();
    cluster.raft(1).readIndex(2);
    cluster.tick(20, [1]);
    expect(cluster.raft(1).role).not.toBe('leader');
    expect(cluster.node(1)).toMatchObject({ reads: [], readsDropped: [1, 2] });
  });

  test('when leadership is lost before the leader could ask about it', () => {
    const cluster = new TestCluster([1, 2, 3]);
    cluster.drops = (message) => message.type === 'append';
    cluster.elect(1);
    cluster.raft(1).readIndex(7);
    cluster.partition([1]);
    cluster.tick(20, [1]);
    expect(cluster.node(1)).toMatchObject({ reads: [], readsDropped: [7] });
  });

  test('while leadership is handed over', () => {
    const cluster = elected([1, 2, 3]);
    cluster.drops = (message) => message.to === 3;
    cluster.raft(1).transferLeader(NodeId(3));
    cluster.raft(1).readIndex(1);
    cluster.settle();
    expect(cluster.node(1).readsDropped).toEqual([1]);
  });
});

describe('a read', () => {
  test('is confirmed by a quorum, at the commit index', () => {
    const cluster = elected([1, 2, 3]);
    cluster.raft(1).propose([dataOf('a')]);
    cluster.settle();
    cluster.raft(1).readIndex(7);
    cluster.settle([1, 2]);
    expect(cluster.node(1).reads).toEqual([{ id: 7, index: 2 }]);
  });

  test('is not confirmed without a quorum', () => {
    const cluster = elected([1, 2, 3]);
    cluster.partition([1]);
    cluster.raft(1).readIndex(7);
    cluster.tick(5, [1]);
    expect(cluster.node(1).reads).toEqual([]);
  });

  test('of a single node needs nobody', () => {
    const cluster = elected([1]);
    cluster.raft(1).readIndex(7);
    cluster.settle();
    expect(cluster.node(1).reads).toEqual([{ id: 7, index: 1 }]);
  });

  test('waits for the first commit of the leader’s term', () => {
    const cluster = new TestCluster([1, 2, 3]);
    cluster.drops = (message) => message.type === 'append';
    cluster.elect(1);
    cluster.raft(1).readIndex(7);
    cluster.tick(3);
    expect(cluster.node(1)).toMatchObject({ reads: [], readsDropped: [] });
    cluster.heal();
    cluster.tick(3);
    expect(cluster.node(1).reads).toEqual([{ id: 7, index: 1 }]);
  });

  test('shares a round of heartbeats with all that were asked in the same turn', () => {
    const cluster = elected([1, 2, 3]);
    for (let id = 1; id <= 100; id += 1) cluster.raft(1).readIndex(id);
    cluster.settle();
    expect(cluster.node(1).reads).toHaveLength(100);
    expect(cluster.sent.filter(({ type }) => type === 'heartbeat')).toHaveLength(2);
  });

  test('whose heartbeats were lost is asked about again by the next ones', () => {
    const cluster = elected([1, 2, 3]);
    cluster.drops = (message) => message.type === 'heartbeat';
    cluster.raft(1).readIndex(7);
    cluster.settle();
    cluster.heal();
    cluster.tick(1);
    expect(cluster.node(1).reads).toEqual([{ id: 7, index: 1 }]);
  });

  test('is not confirmed by an answer to an earlier heartbeat', () => {
    const cluster = elected([1, 2, 3]);
    cluster.drops = (message) => message.type === 'heartbeat-reply';
    cluster.tick(1);
    const early = cluster.sent.filter(({ type }) => type === 'heartbeat-reply');
    expect(early).toHaveLength(2);
    cluster.raft(1).readIndex(7);
    cluster.settle();
    for (const reply of early) cluster.raft(1).step(reply);
    cluster.settle([1]);
    expect(cluster.node(1).reads).toEqual([]);
  });

  test('with an id that is used again is not confirmed by answers of an earlier term (etcd #20418)', () => {
    const cluster = elected([1, 2, 3]);
    cluster.drops = (message) => message.type === 'heartbeat-reply';
    cluster.raft(1).readIndex(7);
    cluster.settle();
    const early: readonly Message[] = cluster.sent.filter(({ type }) => type === 'heartbeat-reply');
    cluster.raft(1).transferLeader(NodeId(2));
    cluster.settle();
    cluster.raft(2).transferLeader(NodeId(1));
    cluster.settle();
    expect(cluster.raft(1)).toMatchObject({ role: 'leader', term: 3 });
    cluster.raft(1).readIndex(7);
    cluster.settle();
    for (const reply of early) cluster.raft(1).step(reply);
    cluster.settle([1]);
    expect(cluster.node(1)).toMatchObject({ reads: [], readsDropped: [7] });
  });

  test('at a leader that was replaced without knowing is not answered', () => {
    const cluster = elected([1, 2, 3]);
    cluster.partition([1], [2, 3]);
    cluster.tick(60, [2, 3]);
    const leader = [2, 3].find((id) => cluster.raft(id).role === 'leader') ?? 0;
    cluster.raft(leader).propose([dataOf('new')]);
    cluster.settle([2, 3]);
    cluster.raft(1).readIndex(7);
    cluster.settle([1]);
    cluster.heal();
    cluster.tick(5);
    expect(cluster.node(1)).toMatchObject({ reads: [], readsDropped: [7] });
  });
});

describe('rounds of reads', () => {
  test('are not confirmed by an echo of an earlier one', () => {
    const reads = new Reads(10);
    const voters = { incoming: [1, 2, 3].map(NodeId), outgoing: [] };
    for (const id of [1, 2]) {
      reads.ask(id);
      reads.beginRound(LogIndex(id));
    }
    reads.echoed(NodeId(3), 1);
    reads.confirm(voters, NodeId(1));
    expect(reads.takeConfirmed()).toEqual([{ id: 1, index: 1 }]);
  });

  test('are confirmed by both halves of a joint configuration', () => {
    const reads = new Reads(10);
    const voters = { incoming: [1, 2, 3].map(NodeId), outgoing: [1, 4, 5].map(NodeId) };
    reads.ask(7);
    reads.beginRound(LogIndex(3));
    reads.echoed(NodeId(2), 1);
    reads.confirm(voters, NodeId(1));
    expect(reads.takeConfirmed()).toEqual([]);
    reads.echoed(NodeId(5), 1);
    reads.confirm(voters, NodeId(1));
    expect(reads.takeConfirmed()).toEqual([{ id: 7, index: 3 }]);
  });

  test('are not confirmed by an echo of what was never sent', () => {
    const reads = new Reads(10);
    const voters = { incoming: [1, 2, 3].map(NodeId), outgoing: [] };
    reads.ask(7);
    reads.beginRound(LogIndex(3));
    reads.echoed(NodeId(2), 9);
    reads.confirm(voters, NodeId(1));
    expect(reads.takeConfirmed()).toEqual([]);
  });

  test('are confirmed together by an echo of the newest', () => {
    const reads = new Reads(10);
    const voters = { incoming: [1, 2, 3].map(NodeId), outgoing: [] };
    for (const [id, commit] of [
      [1, 3],
      [2, 4],
    ] as const) {
      reads.ask(id);
      reads.beginRound(LogIndex(commit));
    }
    reads.echoed(NodeId(3), 2);
    reads.confirm(voters, NodeId(1));
    expect(reads.takeConfirmed()).toEqual([
      { id: 1, index: 3 },
      { id: 2, index: 4 },
    ]);
  });
});
