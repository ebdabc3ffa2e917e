import { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import { describe, expect, test } from 'vitest';
import { dataOf, logOf, membershipOf, TestCluster } from './test-cluster.fixture.ts';
import type { Membership, Message } from './types.ts';

/** Node 1 leads and has compacted everything; node 3 has nothing of it. */
function behind(items: readonly string[] = ['a', 'b']): TestCluster {
  const cluster = new TestCluster([1, 2, 3]);
  cluster.elect(1);
  cluster.partition([1, 2], [3]);
  cluster.raft(1).propose(items.map(dataOf));
  cluster.settle();
  cluster.node(1).compact();
  cluster.sent.length = 0;
  return cluster;
}

const snapshot = (index: number, term: number, membership: Membership = membershipOf([1, 2, 3])): Message => ({
  type: 'snapshot',
  from: NodeId(1),
  to: NodeId(2),
  term: Term(5),
  meta: { id: '', index: LogIndex(index), term: Term(term), membership },
});

const stateAt = (cluster: TestCluster, node: number): string | undefined =>
  cluster
    .raft(1)
    .status()
    .progress.find((peer) => peer.node === node)?.state;

describe('a snapshot is refused', () => {
  function offered(message: Message, commit = 2): TestCluster {
    const cluster = new TestCluster([]);
    const hardState = { term: Term(1), vote: NodeId(0), commit: LogIndex(commit) };
    cluster.add(2, { membership: membershipOf([1, 2, 3]), log: logOf(1, 1, 1), hardState });
    cluster.raft(2).step(message);
    cluster.settle();
    return cluster;
  }

  test('at or before the commit index', () => {
    for (const index of [1, 2]) {
      const cluster = offered(snapshot(index, 1));
      expect(cluster.node(2).batches.some((batch) => batch.snapshot !== undefined)).toBe(false);
      expect(cluster.sent.at(-1)).toMatchObject({ type: 'append-reply', index: 2, rejected: false });
    }
  });

  test('before the beginning of the log', () => {
    const cluster = behind();
    cluster.heal();
    cluster.tick(3);
    const meta = { id: '', index: LogIndex(1), term: Term(1), membership: membershipOf([1, 2, 3]) };
    cluster.raft(3).step({ type: 'snapshot', from: NodeId(1), to: NodeId(3), term: cluster.raft(1).term, meta });
    cluster.settle();
    expect(cluster.raft(3)).toMatchObject({ commit: 3, lastIndex: 3 });
  });

  test('whose membership leaves this node out', () => {
    const cluster = offered(snapshot(9, 4, membershipOf([1, 3])));
    expect(cluster.raft(2)).toMatchObject({ commit: 2, lastIndex: 3 });
  });

  test('whose position is in the log already: only the commit index moves', () => {
    const cluster = offered(snapshot(3, 1));
    expect(cluster.node(2).batches.some((batch) => batch.snapshot !== undefined)).toBe(false);
    expect(cluster.raft(2).commit).toBe(3);
  });

  test('of an earlier term', () => {
    const cluster = offered({ ...snapshot(9, 1), term: Term(0) });
    expect(cluster.raft(2).commit).toBe(2);
  });
});

describe('a snapshot', () => {
  test('that conflicts drops every entry that is not committed', () => {
    const cluster = new TestCluster([]);
    cluster.add(2, { membership: membershipOf([1, 2, 3]), log: logOf(1, 1, 1, 1, 1) });
    cluster.raft(2).step(snapshot(4, 3, membershipOf([1, 2], [3])));
    cluster.settle();
    expect(cluster.node(2).disk).toMatchObject({ entries: [], snapshot: { index: 4, term: 3 } });
    expect(cluster.raft(2).status()).toMatchObject({ firstIndex: 5, lastIndex: 4, commit: 4, stable: 4, lastTerm: 3 });
    expect(cluster.raft(2).status().membership).toEqual(membershipOf([1, 2], [3]));
  });

  test('is acknowledged only when it is durable, and until then its node does not campaign', () => {
    const cluster = new TestCluster([]);
    cluster.add(2, { membership: membershipOf([1, 2, 3]) }).isDiskSlow = true;
    cluster.raft(2).step(snapshot(4, 3));
    cluster.settle();
    expect(cluster.sent.filter(({ type }) => type === 'append-reply')).toEqual([]);
    cluster.raft(2).campaign();
    expect(cluster.raft(2).role).toBe('follower');
    expect(cluster.node(2).sync()).toMatchObject([{ type: 'append-reply', index: 4 }]);
    cluster.raft(2).campaign();
    expect(cluster.raft(2).role).toBe('pre-candidate');
  });

  test('does not let entries be acknowledged that came in the same turn and are written after it', () => {
    const cluster = new TestCluster([]);
    const node = cluster.add(2, { membership: membershipOf([1, 2, 3]) });
    node.isDiskSlow = true;
    node.raft.step(snapshot(4, 3));
    const entries = logOf(3, 3, 3, 3, 5).slice(4);
    const place = { prevIndex: LogIndex(4), prevTerm: Term(3), commit: LogIndex(4), entries };
    node.raft.step({ type: 'append', from: NodeId(1), to: NodeId(2), term: Term(5), ...place });
    cluster.settle();
    expect(node.sync(1)).toEqual([]);
    expect(node.disk).toMatchObject({ snapshot: { index: 4 }, entries: [] });
    expect(node.sync()).toMatchObject([{ index: 4 }, { index: 5 }]);
  });

  test('brings a follower that is behind the log into the flow again', () => {
    const cluster = behind();
    cluster.heal();
    cluster.tick(3);
    expect(cluster.node(3).values).toEqual(['a', 'b']);
    cluster.raft(1).propose([dataOf('c')]);
    cluster.settle();
    expect(cluster.node(3).values).toEqual(['a', 'b', 'c']);
    expect(stateAt(cluster, 3)).toBe('replicate');
  });

  test('is not offered to a peer that nothing was heard from', () => {
    const cluster = behind();
    cluster.tick(12);
    cluster.raft(1).reportUnreachable(NodeId(3));
    cluster.raft(1).propose([dataOf('c')]);
    cluster.settle();
    expect(cluster.sent.filter(({ type }) => type === 'snapshot')).toEqual([]);
    cluster.heal();
    cluster.tick(1);
    expect(cluster.sent.filter(({ type }) => type === 'snapshot')).toHaveLength(1);
  });

  test('whose offer was lost is wanted again when the host gives up on it', () => {
    const cluster = behind();
    cluster.drops = (message) => message.type === 'snapshot';
    cluster.tick(3);
    expect(stateAt(cluster, 3)).toBe('snapshot');
    cluster.heal();
    cluster.tick(3);
    expect(cluster.node(3).values).toEqual([]);
    cluster.raft(1).snapshotFailed(NodeId(3));
    cluster.tick(3);
    expect(cluster.node(3).values).toEqual(['a', 'b']);
  });

  test('that the log was compacted past meanwhile is followed by another', () => {
    const cluster = behind();
    cluster.drops = (message) => message.from === 3 && message.type === 'append-reply' && !message.rejected;
    cluster.tick(3);
    cluster.raft(1).propose([dataOf('c'), dataOf('d')]);
    cluster.settle();
    cluster.node(1).compact();
    expect(stateAt(cluster, 3)).toBe('snapshot');
    cluster.heal();
    cluster.raft(1).step({
      type: 'append-reply',
      from: NodeId(3),
      to: NodeId(1),
      term: cluster.raft(1).term,
      index: LogIndex(3),
      rejected: false,
      hintIndex: LogIndex(0),
      hintTerm: Term(0),
    });
    cluster.tick(3);
    expect(cluster.node(3).values).toEqual(['a', 'b', 'c', 'd']);
  });

  test('that the host offers unasked is not sent', () => {
    const cluster = behind();
    cluster.raft(1).snapshotOffered(NodeId(2), cluster.node(1).takeSnapshot());
    cluster.settle();
    expect(cluster.sent.filter(({ type }) => type === 'snapshot')).toEqual([]);
  });

  test('that is no longer needed once the host has it is not sent: the log goes on', () => {
    const cluster = new TestCluster([1, 2, 3]);
    cluster.partition([1, 2], [3]);
    cluster.elect(1);
    cluster.raft(1).propose([dataOf('a')]);
    cluster.settle();
    cluster.node(1).compact();
    const has = (index: number): void =>
      cluster.raft(1).step({
        type: 'append-reply',
        from: NodeId(3),
        to: NodeId(1),
        term: cluster.raft(1).term,
        index: LogIndex(index),
        rejected: false,
        hintIndex: LogIndex(0),
        hintTerm: Term(0),
      });
    // The answer to a leader of an earlier term overtakes the one to the append.
    has(0);
    expect(cluster.raft(1).ready().snapshotsWanted).toMatchObject([{ to: 3 }]);
    has(2);
    cluster.raft(1).snapshotOffered(NodeId(3), cluster.node(1).takeSnapshot());
    cluster.settle();
    expect(stateAt(cluster, 3)).toBe('replicate');
    expect(cluster.sent.filter(({ type }) => type === 'snapshot')).toEqual([]);
  });

  test('is installed by a restart in between: the log begins after it', () => {
    const cluster = behind();
    cluster.heal();
    cluster.tick(3);
    cluster.node(3).restart();
    cluster.raft(1).propose([dataOf('c')]);
    cluster.tick(3);
    expect(cluster.node(3).values).toEqual(['a', 'b', 'c']);
  });
});
