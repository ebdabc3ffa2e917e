import { describe, expect, test } from 'vitest';
import { dataOf, TestCluster } from './test-cluster.ts';

describe('elections', () => {
  test('three nodes elect one leader when the timer fires', () => {
    const cluster = new TestCluster([1, 2, 3]);
    cluster.tick(40);
    const leaders = [1, 2, 3].filter((id) => cluster.raft(id).role === 'leader');
    expect(leaders).toHaveLength(1);
    expect([1, 2, 3].map((id) => cluster.raft(id).leader)).toEqual([leaders[0], leaders[0], leaders[0]]);
  });

  test('smoke: proposals apply everywhere', () => {
    const cluster = new TestCluster([1, 2, 3]);
    cluster.elect(1);
    expect(cluster.raft(1).propose([dataOf('a'), dataOf('b')])).toMatchObject({ kind: 'appended', firstIndex: 2 });
    cluster.settle();
    expect([1, 2, 3].map((id) => cluster.node(id).values)).toEqual([
      ['a', 'b'],
      ['a', 'b'],
      ['a', 'b'],
    ]);
  });
});
