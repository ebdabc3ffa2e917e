import { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import { describe, expect, test } from 'vitest';
import { entryOverheadBytes } from './limits.ts';
import { Progress } from './progress.ts';
import { dataOf, logOf, membershipOf, TestCluster } from './test-cluster.fixture.ts';
import type { Entry, Message } from './types.ts';

const abc = (cluster: TestCluster): readonly (readonly string[])[] =>
  [...cluster.nodes.values()].map((node) => node.values);

const appendsTo = (cluster: TestCluster, to: number): readonly Extract<Message, { type: 'append' }>[] =>
  cluster.sent.filter((message) => message.type === 'append').filter((message) => message.to === to);

function elected(ids: readonly number[], options: ConstructorParameters<typeof TestCluster>[1] = {}): TestCluster {
  const cluster = new TestCluster(ids, options);
  cluster.elect(1);
  cluster.sent.length = 0;
  return cluster;
}

describe('a proposal is dropped', () => {
  test('by a node that does not lead', () => {
    const cluster = new TestCluster([1, 2, 3]);
    expect(cluster.raft(1).propose([dataOf('a')])).toEqual({ kind: 'dropped', reason: 'no-leader' });
  });

  test('past the bound of bytes that are not applied, and taken at it', () => {
    const cluster = elected([1, 2, 3], { limits: { uncommittedBytesMax: 10 } });
    cluster.partition([1]);
    expect(cluster.raft(1).propose([dataOf('12345')]).kind).toBe('appended');
    expect(cluster.raft(1).propose([dataOf('123456')])).toEqual({ kind: 'dropped', reason: 'uncommitted-limit' });
    expect(cluster.raft(1).propose([dataOf('12345')]).kind).toBe('appended');
    cluster.heal();
    cluster.tick(2);
    expect(cluster.raft(1).propose([dataOf('1234567890')]).kind).toBe('appended');
  });

  test('never for its size alone', () => {
    const cluster = elected([1], { limits: { uncommittedBytesMax: 10 } });
    expect(cluster.raft(1).propose([dataOf('a'.repeat(50))]).kind).toBe('appended');
  });
});

describe('a proposal', () => {
  test('is applied everywhere, in order, with its place told at once', () => {
    const cluster = elected([1, 2, 3]);
    expect(cluster.raft(1).propose([dataOf('a'), dataOf('b')])).toEqual({ kind: 'appended', firstIndex: 2, term: 1 });
    expect(cluster.raft(1).propose([dataOf('c')], 'control')).toEqual({ kind: 'appended', firstIndex: 4, term: 1 });
    cluster.settle();
    expect(abc(cluster)).toEqual([
      ['a', 'b'],
      ['a', 'b'],
      ['a', 'b'],
    ]);
    expect(cluster.node(3).applied.at(-1)).toMatchObject({ type: 'control', index: 4 });
  });

  test('shares one append to each peer with all that came in the same turn', () => {
    const cluster = elected([1, 2, 3]);
    for (const item of ['a', 'b', 'c']) cluster.raft(1).propose([dataOf(item)]);
    cluster.turn(1);
    expect(appendsTo(cluster, 2).map((append) => append.entries.length)).toEqual([3]);
    expect(appendsTo(cluster, 3).map((append) => append.entries.length)).toEqual([3]);
  });

  test('goes in several appends, one after the other, when it is larger than one may be', () => {
    const appendBytesMax = 2 * (entryOverheadBytes + 1);
    const cluster = elected([1, 2, 3], { limits: { appendBytesMax } });
    cluster.raft(1).propose(['a', 'b', 'c', 'd', 'e'].map(dataOf));
    cluster.turn(1);
    expect(appendsTo(cluster, 2).map((append) => append.entries.length)).toEqual([2, 2, 1]);
    cluster.settle();
    expect(cluster.node(2).values).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  test('of one entry that is larger than an append may be goes alone', () => {
    const cluster = elected([1, 2, 3], { limits: { appendBytesMax: 1 } });
    cluster.raft(1).propose(['aaaaaaaaaa', 'b'].map(dataOf));
    cluster.turn(1);
    expect(appendsTo(cluster, 2).map((append) => append.entries.length)).toEqual([1, 1]);
  });

  test('is sent before the leader’s own disk has it, and commits by the others’', () => {
    const cluster = elected([1, 2, 3]);
    cluster.node(1).isDiskSlow = true;
    cluster.raft(1).propose([dataOf('a')]);
    cluster.settle();
    expect(cluster.raft(1).commit).toBe(2);
    expect(cluster.node(1).values).toEqual([]);
    expect(cluster.node(2).values).toEqual(['a']);
    cluster.node(1).sync();
    cluster.settle();
    expect(cluster.node(1).values).toEqual(['a']);
  });

  test('survives the leader’s crash before its own disk has it', () => {
    const cluster = elected([1, 2, 3]);
    cluster.node(1).isDiskSlow = true;
    cluster.raft(1).propose([dataOf('a')]);
    cluster.settle();
    cluster.node(1).crash();
    cluster.tick(60, [2, 3]);
    cluster.node(1).restart();
    cluster.node(1).isDiskSlow = false;
    cluster.tick(5);
    expect(abc(cluster)).toEqual([['a'], ['a'], ['a']]);
  });

  test('of a single node commits as far as its disk has acknowledged, and no further', () => {
    const cluster = elected([1]);
    const node = cluster.node(1);
    node.isDiskSlow = true;
    for (const item of ['a', 'b']) {
      cluster.raft(1).propose([dataOf(item)]);
      cluster.turn(1);
    }
    node.sync(1);
    expect(node.raft.commit).toBe(2);
    node.sync(1);
    expect(node.raft.commit).toBe(3);
  });

  test('of a single node is applied only when its disk has it', () => {
    const cluster = elected([1]);
    cluster.node(1).isDiskSlow = true;
    cluster.raft(1).propose([dataOf('a')]);
    cluster.settle();
    expect(cluster.raft(1).commit).toBe(1);
    cluster.node(1).sync();
    cluster.settle();
    expect(cluster.node(1).values).toEqual(['a']);
  });
});

describe('a follower', () => {
  test('acknowledges only what is durable', () => {
    const cluster = elected([1, 2]);
    cluster.node(2).isDiskSlow = true;
    cluster.raft(1).propose([dataOf('a')]);
    cluster.settle();
    expect(cluster.raft(1).commit).toBe(1);
    for (const message of cluster.node(2).sync()) cluster.send(message);
    cluster.settle();
    expect(cluster.raft(1).commit).toBe(2);
  });

  test('keeps entries 4 and 5 when a shorter message comes after the longer one', () => {
    const cluster = new TestCluster([]);
    cluster.add(2, { membership: membershipOf([1, 2, 3]) });
    const append = (entries: readonly Entry[]): Message => ({
      type: 'append',
      from: NodeId(1),
      to: NodeId(2),
      term: Term(1),
      prevIndex: LogIndex(0),
      prevTerm: Term(0),
      commit: LogIndex(0),
      entries,
    });
    cluster.raft(2).step(append(logOf(1, 1, 1, 1, 1)));
    cluster.raft(2).step(append(logOf(1, 1, 1)));
    cluster.settle();
    expect(cluster.node(2).disk.entries).toHaveLength(5);
  });

  test('commits no further than what a message has shown to match', () => {
    const cluster = new TestCluster([]);
    cluster.add(2, { membership: membershipOf([1, 2, 3]), log: logOf(1, 1, 1, 1, 1) });
    const [first, second] = logOf(1, 1);
    const entries = [first, second].filter((entry) => entry !== undefined);
    const place = { prevIndex: LogIndex(0), prevTerm: Term(0), commit: LogIndex(5), entries };
    cluster.raft(2).step({ type: 'append', from: NodeId(1), to: NodeId(2), term: Term(2), ...place });
    expect(cluster.raft(2).commit).toBe(2);
  });

  test('acknowledges what it has committed to a message from before it, without looking', () => {
    const cluster = new TestCluster([]);
    const hardState = { term: Term(1), vote: NodeId(0), commit: LogIndex(2) };
    cluster.add(2, { membership: membershipOf([1, 2, 3]), log: logOf(1, 1, 1), hardState });
    const place = { prevIndex: LogIndex(1), prevTerm: Term(1), commit: LogIndex(0), entries: logOf(1, 1, 2).slice(1) };
    cluster.raft(2).step({ type: 'append', from: NodeId(1), to: NodeId(2), term: Term(2), ...place });
    cluster.settle();
    expect(cluster.sent.at(-1)).toMatchObject({ type: 'append-reply', index: 2, rejected: false });
    expect(cluster.raft(2)).toMatchObject({ lastIndex: 3, commit: 2 });
  });

  test('stops when the leader has committed more than it holds: its disk was wiped', () => {
    const cluster = elected([1, 2, 3]);
    const wiped = new TestCluster([]);
    wiped.add(2, { membership: membershipOf([1, 2, 3]) });
    const heartbeat: Message = {
      type: 'heartbeat',
      from: NodeId(1),
      to: NodeId(2),
      term: cluster.raft(1).term,
      commit: LogIndex(1),
      readPosition: 0,
    };
    expect(() => wiped.raft(2).step(heartbeat)).toThrow('log lost');
  });

  test('stops at entries that do not follow each other', () => {
    const cluster = new TestCluster([1, 2, 3]);
    const [first, , third] = logOf(1, 1, 1);
    const entries = [first, third].filter((entry) => entry !== undefined);
    const place = { prevIndex: LogIndex(0), prevTerm: Term(0), commit: LogIndex(0) };
    const malformed: Message = { type: 'append', from: NodeId(2), to: NodeId(1), term: Term(1), ...place, entries };
    expect(() => cluster.raft(1).step(malformed)).toThrow('malformed append');
    expect(() => cluster.raft(3).step({ ...malformed, to: NodeId(3), entries: logOf(2) })).toThrow('malformed append');
  });
});

describe('logs that differ', () => {
  /** The logs of the paper’s figure 7, (a) to (f), and the leader’s. */
  const figure7: readonly (readonly number[])[] = [
    [1, 1, 1, 4, 4, 5, 5, 6, 6, 6],
    [1, 1, 1, 4, 4, 5, 5, 6, 6],
    [1, 1, 1, 4],
    [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
    [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
    [1, 1, 1, 4, 4, 4, 4],
    [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
  ];

  test('as in figure 7 all become the leader’s', () => {
    const ids = figure7.map((_, at) => at + 1);
    const cluster = new TestCluster([]);
    figure7.forEach((terms, at) => {
      const hardState = { term: Term(7), vote: NodeId(0), commit: LogIndex(0) };
      cluster.add(at + 1, { membership: membershipOf(ids), log: logOf(...terms), hardState });
    });
    cluster.elect(1);
    for (const id of ids)
      expect(cluster.node(id).disk.entries.map(({ term }) => term)).toEqual([...(figure7[0] ?? []), 8]);
  });

  const many = (count: number, term: number): readonly number[] => Array.from({ length: count }, () => term);
  const cases: readonly (readonly [string, readonly number[], readonly number[]])[] = [
    [
      'the follower’s terms are lower',
      [1, 1, ...many(5000, 4), ...many(5000, 5)],
      [1, 1, ...many(5000, 2), ...many(5000, 3)],
    ],
    [
      'the follower’s terms are higher',
      [1, 1, ...many(5000, 2), ...many(5000, 3)],
      [1, 1, ...many(4000, 4), ...many(4000, 5)],
    ],
    [
      'the follower’s terms lie between',
      [1, 1, ...many(3000, 3), ...many(3000, 5)],
      [1, 1, ...many(3000, 2), ...many(3000, 4)],
    ],
  ];
  for (const [claim, leader, follower] of cases) {
    test(`in thousands of entries take no more probes than there are terms: ${claim}`, () => {
      const membership = membershipOf([1, 2, 3]);
      const hardState = { term: Term(5), vote: NodeId(0), commit: LogIndex(0) };
      const cluster = new TestCluster([]);
      cluster.add(1, { membership, hardState, log: logOf(...leader) });
      cluster.add(2, { membership, hardState, log: logOf(...follower) });
      cluster.add(3, { membership, hardState });
      cluster.elect(1);
      const refusals = cluster.sent.filter(
        (message) => message.type === 'append-reply' && message.rejected && message.from === 2,
      );
      expect(refusals.length).toBeLessThanOrEqual(5);
      expect(cluster.node(2).disk.entries.map(({ term }) => term)).toEqual([...leader, 6]);
    });
  }

  test('by an uncommitted tail of an old leader lose it', () => {
    const cluster = elected([1, 2, 3]);
    cluster.partition([1], [2, 3]);
    cluster.raft(1).propose([dataOf('lost')]);
    cluster.tick(60);
    const leader = [2, 3].find((id) => cluster.raft(id).role === 'leader') ?? 0;
    cluster.raft(leader).propose([dataOf('kept')]);
    cluster.settle();
    cluster.heal();
    cluster.tick(5);
    expect(abc(cluster)).toEqual([['kept'], ['kept'], ['kept']]);
  });
});

describe('the commit index', () => {
  test('does not move by counting an entry of an earlier term (figure 8)', () => {
    const membership = membershipOf([1, 2, 3]);
    const cluster = new TestCluster([]);
    cluster.add(1, {
      membership,
      limits: { appendBytesMax: 1 },
      log: logOf(1, 2),
      hardState: { term: Term(3), vote: NodeId(0), commit: LogIndex(0) },
    });
    cluster.add(2, { membership, log: logOf(1, 2) });
    cluster.add(3, { membership, log: logOf(1) });
    // The first entry of the new term never arrives anywhere, so that node 3 gets entry 2 and no more.
    cluster.drops = (message) => message.type === 'append' && message.entries.some(({ term }) => term === 4);
    const probe = { index: LogIndex(2), rejected: true, hintIndex: LogIndex(1), hintTerm: Term(1) };
    cluster.elect(1);
    cluster.raft(1).step({ type: 'append-reply', from: NodeId(3), to: NodeId(1), term: Term(4), ...probe });
    cluster.settle();
    const { progress } = cluster.raft(1).status();
    expect(progress.map(({ match }) => match)).toEqual([3, 0, 2]);
    expect(cluster.raft(1).commit).toBe(0);
    cluster.heal();
    cluster.tick(3);
    expect(cluster.raft(1).commit).toBe(3);
  });

  test('reaches followers without another proposal', () => {
    const cluster = elected([1, 2, 3]);
    cluster.raft(1).propose([dataOf('a')]);
    cluster.settle();
    expect([2, 3].map((id) => cluster.raft(id).commit)).toEqual([2, 2]);
  });

  test('that was lost is sent again with the acknowledgement that follows a heartbeat, which shows what the peer has', () => {
    const cluster = elected([1, 2, 3]);
    const held: Message[] = [];
    cluster.drops = (message) => {
      if (message.from === 3) held.push(message);
      return message.from === 3 || (message.to === 3 && message.type === 'append' && message.entries.length === 0);
    };
    cluster.raft(1).propose([dataOf('a')]);
    cluster.settle();
    cluster.tick(3, [1]);
    cluster.settle();
    expect([cluster.raft(1).commit, cluster.raft(3).commit]).toEqual([2, 1]);
    cluster.heal();
    const acknowledgement = held.find((message) => message.type === 'append-reply');
    if (acknowledgement !== undefined) cluster.raft(1).step(acknowledgement);
    cluster.settle();
    expect(cluster.raft(3).commit).toBe(2);
  });

  test('in a heartbeat is never more than the peer is known to have', () => {
    const cluster = elected([1, 2, 3]);
    cluster.partition([1, 2], [3]);
    cluster.raft(1).propose([dataOf('a')]);
    cluster.tick(3);
    const heartbeats = cluster.sent
      .filter((message) => message.type === 'heartbeat')
      .filter((message) => message.to === 3);
    expect(heartbeats.map(({ commit }) => commit)).toEqual([1, 1, 1]);
  });
});

describe('a window', () => {
  test('that was lost as a whole is found out by heartbeats, without another proposal', () => {
    const cluster = elected([1, 2, 3], { limits: { inflightMessagesMax: 2 } });
    cluster.drops = (message) => message.to === 3 && message.type === 'append';
    for (let item = 0; item < 5; item += 1) {
      cluster.raft(1).propose([dataOf(`${item}`)]);
      cluster.settle();
    }
    expect(cluster.raft(1).status().progress[2]).toMatchObject({
      state: 'replicate',
      isPaused: true,
      inflightCount: 2,
    });
    cluster.heal();
    cluster.tick(2);
    expect(cluster.node(3).values).toEqual(['0', '1', '2', '3', '4']);
  });

  test('bounds the bytes that a silent peer is sent', () => {
    const cluster = elected([1, 2, 3], { limits: { inflightBytesMax: 200, appendBytesMax: 100 } });
    cluster.drops = (message) => message.from === 3;
    for (let item = 0; item < 50; item += 1) {
      cluster.raft(1).propose([dataOf('a'.repeat(60))]);
      cluster.settle();
    }
    expect(cluster.node(1).core.progress.get(NodeId(3))?.inflights.bytes).toBeLessThanOrEqual(300);
  });
});

describe('entries that are on disk only', () => {
  const options = { limits: { tailBytesMax: 0, appendBytesMax: 200 } };

  test('are fetched for a peer that lags', () => {
    const cluster = elected([1, 2, 3], options);
    cluster.partition([1, 2], [3]);
    const items = Array.from({ length: 30 }, (_, at) => `${at}`);
    for (const item of items) {
      cluster.raft(1).propose([dataOf(item)]);
      cluster.settle();
    }
    cluster.heal();
    cluster.tick(3);
    expect(cluster.node(3).values).toEqual(items);
  });

  test('are fetched for the node itself when its state is behind at start', () => {
    const cluster = elected([1], options);
    cluster.raft(1).propose(['a', 'b', 'c'].map(dataOf));
    cluster.settle();
    const node = cluster.node(1);
    node.applied = node.applied.slice(0, 1);
    node.appliedIndex = LogIndex(1);
    node.restart(0);
    cluster.settle();
    expect(node.values).toEqual(['a', 'b', 'c']);
  });

  test('stay there at a restart, but for as many as the bound allows in memory', () => {
    const tailBytesMax = 2 * (entryOverheadBytes + 1);
    const cluster = elected([1], { limits: { tailBytesMax } });
    for (const item of ['a', 'b', 'c', 'd', 'e']) {
      cluster.raft(1).propose([dataOf(item)]);
      cluster.settle();
    }
    cluster.node(1).restart();
    expect(cluster.raft(1).status()).toMatchObject({
      applied: 6,
      lastIndex: 6,
      tailBytes: tailBytesMax,
      tailFirstIndex: 5,
    });
  });

  test('that come after leadership was lost are not sent', () => {
    const cluster = elected([1, 2, 3], options);
    cluster.partition([1, 2], [3]);
    cluster.raft(1).propose([dataOf('a')]);
    cluster.settle();
    cluster.node(1).isDiskSlow = true;
    cluster.heal();
    cluster.tick(1);
    cluster.raft(1).step({
      type: 'append-reply',
      from: NodeId(2),
      to: NodeId(1),
      term: Term(9),
      index: LogIndex(0),
      rejected: false,
      hintIndex: LogIndex(0),
      hintTerm: Term(0),
    });
    cluster.sent.length = 0;
    cluster.node(1).sync();
    cluster.settle([1]);
    expect(appendsTo(cluster, 3)).toEqual([]);
  });

  test('that were compacted meanwhile make the peer need a snapshot', () => {
    const cluster = elected([1, 2, 3], options);
    cluster.partition([1, 2], [3]);
    for (const item of ['a', 'b', 'c']) cluster.raft(1).propose([dataOf(item)]);
    cluster.settle();
    cluster.node(1).compact();
    cluster.heal();
    cluster.tick(3);
    expect(cluster.node(3).values).toEqual(['a', 'b', 'c']);
    expect(cluster.node(3).batches.some((batch) => batch.snapshot !== undefined)).toBe(true);
  });

  test('that were compacted meanwhile, and that the peer has acknowledged meanwhile, are not missed', () => {
    const cluster = elected([1, 2, 3], options);
    for (const item of ['a', 'b', 'c']) cluster.raft(1).propose([dataOf(item)]);
    cluster.settle();
    const leader = cluster.raft(1);
    const acknowledge = (index: number): void =>
      leader.step({
        type: 'append-reply',
        from: NodeId(3),
        to: NodeId(1),
        term: leader.term,
        index: LogIndex(index),
        rejected: false,
        hintIndex: LogIndex(0),
        hintTerm: Term(0),
      });
    // As a leader that has not heard of it yet.
    cluster
      .node(1)
      .core.progress.set(
        NodeId(3),
        new Progress({ node: NodeId(3), next: LogIndex(2), isLearner: false, max: { messages: 8, bytes: 1_000 } }),
      );
    cluster.node(1).isDiskSlow = true;
    acknowledge(1);
    cluster.settle([1]);
    acknowledge(4);
    cluster.node(1).compact();
    cluster.node(1).sync();
    cluster.settle([1]);
    const peer = leader.status().progress.find(({ node }) => node === 3);
    expect(peer).toMatchObject({ match: 4, next: 5, state: 'replicate' });
    expect(cluster.sent.filter(({ type }) => type === 'snapshot')).toEqual([]);
  });
});

describe('a host that breaks a promise is stopped', () => {
  test('when it says durable what it was not given', () => {
    expect(() => new TestCluster([1]).raft(1).persisted(1)).toThrow('given out');
  });

  test('when it says applied what it was not given', () => {
    expect(() => new TestCluster([1]).raft(1).appliedTo(LogIndex(1))).toThrow('handed out');
  });

  test('when it compacts what it was not given', () => {
    const meta = { id: '', index: LogIndex(1), term: Term(1), membership: membershipOf([1]) };
    expect(() => new TestCluster([1]).raft(1).compacted(meta)).toThrow('handed out');
  });
});

describe('ready', () => {
  test('says that no fsync is owed when only the commit index moved', () => {
    const cluster = elected([1, 2, 3]);
    cluster.raft(1).propose([dataOf('a')]);
    cluster.settle();
    const [last, before] = [cluster.node(1).batches.at(-1), cluster.node(1).batches.at(-2)];
    expect(before).toMatchObject({ mustSync: true, entries: [{ index: 2 }] });
    expect(last).toMatchObject({ mustSync: false, entries: [], hardState: { commit: 2 } });
  });

  test('hands out committed entries in bounded parts, each once', () => {
    const cluster = elected([1], { limits: { committedBytesPerReadyMax: 2 * (entryOverheadBytes + 1) } });
    cluster.raft(1).propose(['a', 'b', 'c', 'd', 'e'].map(dataOf));
    const parts: number[] = [];
    while (cluster.raft(1).hasReady()) {
      const ready = cluster.raft(1).ready();
      if (ready.persist !== undefined) cluster.raft(1).persisted(ready.persist.sequence);
      if (ready.committed.length > 0) parts.push(ready.committed.length);
    }
    expect(parts).toEqual([2, 2, 1]);
  });

  test('gives nothing twice, and nothing that grows later', () => {
    const cluster = elected([1, 2, 3]);
    const ready = cluster.raft(2).ready();
    cluster.raft(1).propose([dataOf('a')]);
    cluster.turn(1);
    cluster.deliver([2]);
    expect([ready.messages, ready.messagesAfterPersist, ready.committed, ready.fetches, ready.snapshotsWanted]).toEqual(
      [[], [], [], [], []],
    );
    expect(cluster.raft(1).hasReady()).toBe(false);
  });
});
