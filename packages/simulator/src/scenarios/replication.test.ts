import { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import { entryOverheadBytes } from '@lockstep/core/raft/limits';
import { dataOf, logOf, membershipOf, TestCluster } from '@lockstep/core/raft/test-cluster.fixture';
import type { Message } from '@lockstep/core/raft/types';
import { describe, expect, test } from 'vitest';
import { Stage } from './stage.fixture.ts';

type Append = Extract<Message, { type: 'append' }>;

/** Terms of a log, each with how many entries it has. */
function terms(...runs: readonly (readonly [term: number, count: number])[]): readonly number[] {
  return runs.flatMap(([term, count]) => Array.from({ length: count }, () => term));
}

describe('replication', () => {
  test('with tails of ten thousand entries that differ as in figure 7 finds where logs agree in few probes', () => {
    const tail = 10_000;
    const logs = [
      terms([1, 3], [4, 2], [5, 2], [6, 3]),
      terms([1, 3], [4, 2], [5, 2], [6, 2]),
      terms([1, 3], [4, 1]),
      terms([1, 3], [4, 2], [5, 2], [6, tail]),
      terms([1, 3], [4, 2], [5, 2], [6, 3], [7, tail]),
      terms([1, 3], [4, tail]),
      terms([1, 3], [2, 3], [3, tail]),
    ];
    const ids = logs.map((_log, at) => at + 1);
    const membership = membershipOf(ids);
    const cluster = new TestCluster([]);
    logs.forEach((log, at) => {
      const term = Term(at === 0 ? 7 : (log.at(-1) ?? 0));
      cluster.add(at + 1, {
        membership,
        log: logOf(...log),
        hardState: { term, vote: NodeId(0), commit: LogIndex(0) },
      });
    });
    // Whoever has the longer log of a later term would win; the leader of the figure has the votes of the rest.
    cluster.raft(1).campaign();
    cluster.settle();
    expect(cluster.raft(1).role).toBe('leader');
    for (let tick = 0; tick < 6; tick++) cluster.tick(1);
    const isProbe = (message: Message): message is Append =>
      message.type === 'append' && message.from === 1 && message.prevIndex + message.entries.length < 12;
    for (const id of ids.slice(1)) {
      expect(cluster.raft(id).status()).toMatchObject({ lastIndex: 11, lastTerm: 8, commit: 11 });
      const probes = cluster.sent.filter((message) => message.to === id && isProbe(message)).length;
      expect({ id, isFew: probes <= new Set(logs[id - 1]).size + 3 + 6 }).toEqual({ id, isFew: true });
    }
  });

  test('of other entries below the commit index cuts nothing, and is answered with what is committed', () => {
    const cluster = new TestCluster([]);
    const hardState = { term: Term(1), vote: NodeId(0), commit: LogIndex(3) };
    cluster.add(1, { membership: membershipOf([1, 2, 3]), log: logOf(1, 1, 1), hardState });
    const entry = { index: LogIndex(2), term: Term(2), type: 'noop', data: new Uint8Array(0) } as const;
    const from = { type: 'append', from: NodeId(2), to: NodeId(1), term: Term(2), commit: LogIndex(3) } as const;
    cluster.raft(1).step({ ...from, prevIndex: LogIndex(1), prevTerm: Term(1), entries: [entry] });
    cluster.settle();
    expect(cluster.raft(1).status()).toMatchObject({ commit: 3, lastIndex: 3, lastTerm: 1 });
    expect(cluster.sent.at(-1)).toMatchObject({ type: 'append-reply', index: 3, rejected: false });
  });

  test('of an entry of exactly the largest append goes in one message, and one byte more goes alone', () => {
    const limits = { appendBytesMax: 200 };
    const cluster = new TestCluster([1, 2, 3], { limits });
    cluster.elect(1);
    const exact = new Uint8Array(limits.appendBytesMax - entryOverheadBytes);
    for (const data of [exact, new Uint8Array(exact.length + 1)]) {
      cluster.sent.length = 0;
      cluster.raft(1).propose([data, dataOf('next')]);
      cluster.settle();
      const appends = cluster.sent.filter(
        (message): message is Append => message.type === 'append' && message.to === 2,
      );
      expect(appends.map(({ entries }) => entries.length).filter((count) => count > 0)).toEqual([1, 1]);
    }
  });

  test('that waits for entries from the disk is forgotten when leadership was lost and came back with another log', () => {
    const cluster = new TestCluster([1, 2, 3], { limits: { tailBytesMax: 0 } });
    cluster.elect(1);
    for (const item of ['a', 'b', 'c']) {
      cluster.raft(1).propose([dataOf(item)]);
      cluster.settle();
    }
    cluster.partition([1], [2, 3]);
    cluster.raft(1).propose([dataOf('lost')]);
    cluster.settle();
    // It asks its disk for what a peer lacks, and the answer is held until it leads again.
    const { raft } = cluster.node(1);
    const before = raft.term;
    cluster.tick(25, [2, 3]);
    cluster.heal();
    cluster.tick(3);
    cluster.raft(1).campaign();
    cluster.tick(30);
    expect(cluster.raft(1).term).toBeGreaterThan(before);
    const stale = { index: LogIndex(5), term: Term(before), type: 'transactions', data: dataOf('lost') } as const;
    cluster.sent.length = 0;
    for (let id = 1; id < 50; id++) raft.entriesFetched(id, [stale]);
    cluster.settle();
    const texts = cluster.sent.flatMap((message) => (message.type === 'append' ? message.entries : []));
    expect(texts.some(({ index, term }) => index === 5 && term === before)).toBe(false);
    expect(new Set([1, 2, 3].map((id) => cluster.node(id).values.join())).size).toBe(1);
  });

  test('on a single node acknowledges only what a power cut right after leaves', () => {
    using stage = new Stage(1);
    const node = stage.leader();
    for (let count = 0; count < 20; count++) {
      expect(stage.answered(stage.write(node, `${count}`))).toMatchObject({ kind: 'applied' });
      node.crash();
      node.start();
      stage.leader();
      expect(stage.answered(stage.read(node))).toMatchObject({ found: { value: `${count}`, version: count + 1 } });
    }
    stage.end();
  });
});
