import { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import { describe, expect, test } from 'vitest';
import { dataOf, logOf, membershipOf, TestCluster } from './test-cluster.fixture.ts';
import type { Message } from './types.ts';

const leadersOf = (cluster: TestCluster): readonly number[] =>
  [...cluster.nodes.keys()].filter((id) => cluster.raft(id).role === 'leader');

const sentBy = (cluster: TestCluster, id: number, type: Message['type']): readonly Message[] =>
  cluster.sent.filter((message) => message.from === id && message.type === type);

describe('an election', () => {
  test('gives one leader, whom all know', () => {
    const cluster = new TestCluster([1, 2, 3]);
    cluster.tick(40);
    const [leader, ...others] = leadersOf(cluster);
    expect(others).toEqual([]);
    expect([1, 2, 3].map((id) => cluster.raft(id).leader)).toEqual([leader, leader, leader]);
  });

  test('of a single node needs only its own disk', () => {
    const cluster = new TestCluster([1]);
    cluster.node(1).isDiskSlow = true;
    cluster.raft(1).campaign();
    cluster.settle();
    expect(cluster.raft(1).role).toBe('candidate');
    cluster.node(1).sync();
    expect(cluster.raft(1).role).toBe('leader');
    expect(cluster.raft(1).commit).toBe(0);
    cluster.settle();
    cluster.node(1).sync();
    expect(cluster.raft(1).commit).toBe(1);
  });

  test('is not won by the others’ votes before its own is durable', () => {
    const cluster = new TestCluster([1, 2, 3]);
    cluster.node(1).isDiskSlow = true;
    cluster.raft(1).campaign();
    cluster.settle();
    expect(cluster.raft(1).role).toBe('candidate');
    for (const message of cluster.node(1).sync()) cluster.send(message);
    expect(cluster.raft(1).role).toBe('leader');
  });

  test('is not won by one voter’s answer given three times', () => {
    const cluster = new TestCluster([1, 2, 3, 4, 5], { preVote: false });
    cluster.raft(1).campaign();
    cluster.turn(1);
    const reply: Message = { type: 'vote-reply', from: NodeId(2), to: NodeId(1), term: Term(1), rejected: false };
    for (let times = 0; times < 3; times += 1) cluster.raft(1).step(reply);
    expect(cluster.raft(1).role).toBe('candidate');
  });

  test('is not won by an answer of an earlier term', () => {
    const cluster = new TestCluster([1, 2, 3], { preVote: false });
    for (let times = 0; times < 2; times += 1) {
      cluster.raft(1).campaign();
      cluster.turn(1);
    }
    cluster.raft(1).step({ type: 'vote-reply', from: NodeId(2), to: NodeId(1), term: Term(1), rejected: false });
    expect(cluster.raft(1)).toMatchObject({ role: 'candidate', term: 2 });
  });

  test('that ties is decided by the timeouts, drawn anew', () => {
    const cluster = new TestCluster([1, 2]);
    cluster.tick(200);
    expect(leadersOf(cluster)).toHaveLength(1);
  });

  test('is won by the later last term, not by the longer log', () => {
    const cluster = new TestCluster([]);
    cluster.add(1, { membership: membershipOf([1, 2, 3]), log: logOf(1, 1, 1, 1, 1) });
    cluster.add(2, { membership: membershipOf([1, 2, 3]), log: logOf(1, 1, 2) });
    cluster.add(3, { membership: membershipOf([1, 2, 3]), log: logOf(1, 1, 2) });
    cluster.raft(1).campaign();
    cluster.settle();
    expect(cluster.raft(1).role).toBe('follower');
    cluster.elect(2);
    expect(cluster.node(1).disk.entries.map(({ term }) => term)).toEqual([1, 1, 2, 3]);
  });
});

describe('a vote', () => {
  test('is sent only when it is durable', () => {
    const cluster = new TestCluster([1, 2, 3], { preVote: false });
    cluster.node(2).isDiskSlow = true;
    cluster.raft(1).campaign();
    cluster.settle([1, 2]);
    expect(sentBy(cluster, 2, 'vote-reply')).toEqual([]);
    expect(cluster.node(2).disk.hardState.vote).toBe(0);
    expect(cluster.node(2).sync()).toMatchObject([{ type: 'vote-reply', rejected: false }]);
    expect(cluster.node(2).disk.hardState).toMatchObject({ term: 1, vote: 1 });
  });

  test('is given once in a term, over a restart too', () => {
    const cluster = new TestCluster([1, 2, 3], { preVote: false });
    cluster.partition([1, 2], [3]);
    cluster.drops = (message) => message.type === 'vote-reply';
    cluster.raft(1).campaign();
    cluster.settle();
    cluster.node(2).restart();
    cluster.raft(2).step({
      type: 'vote',
      from: NodeId(3),
      to: NodeId(2),
      term: Term(1),
      lastIndex: LogIndex(9),
      lastTerm: Term(1),
      transfer: false,
    });
    cluster.settle();
    expect(sentBy(cluster, 2, 'vote-reply').at(-1)).toMatchObject({ to: 3, rejected: true });
  });

  test('is refused while a leader is heard from, without an answer', () => {
    const cluster = new TestCluster([1, 2, 3], { preVote: false });
    cluster.elect(1);
    cluster.raft(3).campaign();
    cluster.settle();
    expect(cluster.raft(1)).toMatchObject({ role: 'leader', term: 1 });
    expect(cluster.raft(2).term).toBe(1);
  });

  test('is given by a learner that is asked: it may have been promoted without knowing yet', () => {
    const cluster = new TestCluster([]);
    cluster.add(1, { membership: membershipOf([1, 2]) });
    cluster.add(2, { membership: membershipOf([1], [2]) });
    cluster.elect(1);
  });
});

describe('a pre-vote', () => {
  test('changes nobody’s term, vote or timer', () => {
    const cluster = new TestCluster([1, 2, 3]);
    cluster.partition([1]);
    for (let times = 0; times < 5; times += 1) {
      cluster.raft(1).campaign();
      cluster.settle();
    }
    expect(cluster.raft(1)).toMatchObject({ role: 'pre-candidate', term: 0 });
    cluster.heal();
    const ticked = cluster.node(2).core;
    ticked.electionElapsed = 7;
    cluster.raft(2).step({
      type: 'pre-vote',
      from: NodeId(1),
      to: NodeId(2),
      term: Term(1),
      lastIndex: LogIndex(0),
      lastTerm: Term(0),
      transfer: false,
    });
    expect(ticked).toMatchObject({ term: 0, vote: 0, electionElapsed: 7 });
  });

  test('keeps a node that was cut off from disturbing the leader', () => {
    const cluster = new TestCluster([1, 2, 3]);
    cluster.elect(1);
    cluster.partition([1, 2], [3]);
    cluster.tick(100);
    cluster.heal();
    cluster.tick(20);
    expect(cluster.raft(1)).toMatchObject({ role: 'leader', term: 1 });
    expect(cluster.raft(3)).toMatchObject({ role: 'follower', term: 1, leader: 1 });
  });

  test('that is refused in a later term makes the asker enter that term', () => {
    const cluster = new TestCluster([1, 2]);
    cluster.raft(1).campaign();
    cluster.raft(1).step({ type: 'pre-vote-reply', from: NodeId(2), to: NodeId(1), term: Term(5), rejected: true });
    expect(cluster.raft(1)).toMatchObject({ role: 'follower', term: 5 });
  });
});

describe('check-quorum', () => {
  test('a leader that hears from nobody steps down within two timeouts', () => {
    const cluster = new TestCluster([1, 2, 3]);
    cluster.elect(1);
    cluster.partition([1]);
    cluster.tick(20, [1]);
    expect(cluster.raft(1)).toMatchObject({ role: 'follower', leader: 0 });
  });

  test('a leader that can send but not hear makes way for another', () => {
    const cluster = new TestCluster([1, 2, 3]);
    cluster.elect(1);
    cluster.drops = (message) => message.to === 1;
    cluster.tick(100);
    expect(leadersOf(cluster)).toHaveLength(1);
    expect(cluster.raft(1).role).not.toBe('leader');
  });

  test('nodes 4 and 5 that each reach one other do not unseat anybody', () => {
    const cluster = new TestCluster([1, 2, 3, 4, 5]);
    const links = ['1-2', '1-3', '2-3', '2-4', '3-5'];
    cluster.drops = ({ from, to }) => !links.includes(from < to ? `${from}-${to}` : `${to}-${from}`);
    cluster.tick(60);
    const [leader] = leadersOf(cluster);
    const term = cluster.raft(leader ?? 0).term;
    cluster.tick(1000);
    expect(leadersOf(cluster)).toEqual([leader]);
    expect(cluster.raft(leader ?? 0).term).toBe(term);
  });
});

describe('a node stuck in a later term', () => {
  test('is taken in: the leader learns of the term and is elected again', () => {
    const cluster = new TestCluster([]);
    for (const id of [1, 2]) cluster.add(id, { membership: membershipOf([1, 2, 3]) });
    cluster.add(3, {
      membership: membershipOf([1, 2, 3]),
      hardState: { term: Term(40), vote: NodeId(0), commit: LogIndex(0) },
    });
    cluster.partition([1, 2], [3]);
    cluster.elect(1);
    cluster.heal();
    cluster.tick(60);
    const [leader = 0] = leadersOf(cluster);
    expect(cluster.raft(leader).term).toBeGreaterThan(40);
    expect(cluster.raft(3).leader).toBe(leader);
  });
});

describe('a node that may not lead', () => {
  test('asks its host once for each timeout, and stops following a silent leader', () => {
    let asked = 0;
    const cluster = new TestCluster([1, 2, 3]);
    const vetoed = cluster.add(3, { membership: membershipOf([1, 2, 3]), isElectable: () => (asked += 1) === 0 });
    cluster.elect(1);
    cluster.partition([3]);
    const { electionTimeout } = vetoed.core;
    cluster.tick(electionTimeout, [3]);
    expect(asked).toBe(1);
    expect(vetoed.raft).toMatchObject({ role: 'follower', leader: 0, term: 1 });
    cluster.tick(9, [3]);
    expect(asked).toBe(1);
    cluster.tick(11, [3]);
    expect(asked).toBe(2);
  });

  test('gives its vote to those who may, however long it was vetoed', () => {
    const cluster = new TestCluster([1, 2]);
    cluster.add(3, { membership: membershipOf([1, 2, 3]), isElectable: () => false });
    for (const id of [1, 2]) cluster.add(id, { membership: membershipOf([1, 2, 3]) });
    cluster.elect(1);
    cluster.node(1).crash();
    cluster.tick(60, [2, 3]);
    expect(cluster.raft(2).role).toBe('leader');
  });

  test('a learner never campaigns', () => {
    const cluster = new TestCluster([]);
    cluster.add(1, { membership: membershipOf([2], [1]) });
    cluster.tick(100);
    cluster.raft(1).campaign();
    expect(cluster.raft(1)).toMatchObject({ role: 'follower', term: 0 });
  });
});

describe('a transfer of leadership', () => {
  test('moves it at once to a voter that has the whole log, without a pre-vote', () => {
    const cluster = new TestCluster([1, 2, 3]);
    cluster.elect(1);
    cluster.raft(1).transferLeader(NodeId(3));
    expect(cluster.raft(1).propose([dataOf('x')])).toEqual({ kind: 'dropped', reason: 'transferring' });
    cluster.settle();
    expect(cluster.raft(3)).toMatchObject({ role: 'leader', term: 2 });
    expect(sentBy(cluster, 3, 'pre-vote')).toEqual([]);
  });

  test('waits until the voter has caught up', () => {
    const cluster = new TestCluster([1, 2, 3]);
    cluster.elect(1);
    cluster.partition([1, 2], [3]);
    cluster.raft(1).propose([dataOf('x'), dataOf('y')]);
    cluster.settle();
    cluster.raft(1).transferLeader(NodeId(3));
    cluster.settle();
    expect(cluster.raft(1).role).toBe('leader');
    cluster.heal();
    cluster.tick(2);
    expect(cluster.raft(3).role).toBe('leader');
    expect(cluster.node(3).values).toEqual(['x', 'y']);
  });

  test('is given up after an election timeout, and proposals are taken again', () => {
    const cluster = new TestCluster([1, 2, 3]);
    cluster.elect(1);
    cluster.drops = (message) => message.to === 3;
    cluster.raft(1).transferLeader(NodeId(3));
    cluster.tick(9);
    expect(cluster.raft(1).propose([dataOf('x')]).kind).toBe('dropped');
    cluster.tick(1);
    expect(cluster.raft(1).propose([dataOf('x')]).kind).toBe('appended');
  });

  test('to itself, a learner, a stranger, or from a follower does nothing', () => {
    const cluster = new TestCluster([]);
    for (const id of [1, 2, 3]) cluster.add(id, { membership: membershipOf([1, 2], [3]) });
    cluster.elect(1);
    for (const to of [1, 3, 9]) cluster.raft(1).transferLeader(NodeId(to));
    cluster.raft(2).transferLeader(NodeId(2));
    cluster.settle();
    expect(cluster.raft(1).role).toBe('leader');
    expect(cluster.raft(1).propose([dataOf('x')]).kind).toBe('appended');
  });
});

describe('messages', () => {
  test('for another node, from itself or without a term are ignored', () => {
    const cluster = new TestCluster([1, 2, 3]);
    const vote = { type: 'vote', lastIndex: LogIndex(9), lastTerm: Term(9), transfer: true } as const;
    cluster.raft(1).step({ ...vote, from: NodeId(2), to: NodeId(3), term: Term(9) });
    cluster.raft(1).step({ ...vote, from: NodeId(1), to: NodeId(1), term: Term(9) });
    cluster.raft(1).step({ ...vote, from: NodeId(2), to: NodeId(1), term: Term(0) });
    expect(cluster.raft(1).hasReady()).toBe(false);
  });

  test('from a node that is no member are not counted', () => {
    const cluster = new TestCluster([1, 2, 3], { preVote: false });
    cluster.raft(1).campaign();
    cluster.settle([1]);
    for (const from of [8, 9]) {
      cluster.raft(1).step({ type: 'vote-reply', from: NodeId(from), to: NodeId(1), term: Term(1), rejected: false });
    }
    expect(cluster.raft(1).role).toBe('candidate');
  });
});
