import { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import { describe, expect, test } from 'vitest';
import { Lease } from './lease.ts';
import { dataOf, membershipOf, TestCluster } from './test-cluster.fixture.ts';
import type { Message } from './types.ts';

const electionTicks = 10;
const lengthMs = 90;

/** Ticks are ten milliseconds apart here. */
class Timed {
  nowMs = 0;
  readonly cluster: TestCluster;

  constructor(voters: readonly number[]) {
    this.cluster = new TestCluster(voters, { electionTicks, lease: { nowMs: () => this.nowMs, lengthMs } });
  }

  tick(count: number, only?: readonly number[]): void {
    for (let tick = 0; tick < count; tick += 1) {
      this.nowMs += 10;
      this.cluster.tick(1, only);
    }
  }

  get leader(): number {
    const leaders = [...this.cluster.nodes.values()].filter(({ raft }) => raft.role === 'leader');
    return leaders.toSorted((a, b) => b.raft.term - a.raft.term)[0]?.id ?? 0;
  }

  leaseOf(id: number): number | undefined {
    return this.cluster.raft(id).leaseIndex();
  }
}

/** A cluster that has elected somebody and runs for a while. */
function running(voters: readonly number[]): Timed & { readonly first: number } {
  const timed = new Timed(voters);
  timed.tick(4 * electionTicks);
  expect(timed.leader).not.toBe(0);
  return Object.assign(timed, { first: timed.leader });
}

describe('there is no lease', () => {
  test('where it was not asked for', () => {
    const cluster = new TestCluster([1, 2, 3]);
    cluster.elect(1);
    cluster.tick(5);
    expect(cluster.raft(1).leaseIndex()).toBeUndefined();
  });

  test('on a follower', () => {
    const timed = running([1, 2, 3]);
    for (const id of [1, 2, 3]) if (id !== timed.first) expect(timed.leaseOf(id)).toBeUndefined();
  });

  test('once a quorum has been silent for its length, counted from the sending', () => {
    const timed = running([1, 2, 3]);
    timed.cluster.partition([timed.first]);
    timed.nowMs += lengthMs - 1;
    expect(timed.leaseOf(timed.first)).toBeDefined();
    timed.nowMs += 1;
    expect(timed.leaseOf(timed.first)).toBeUndefined();
  });

  test('by an answer that came late: the lease counts from when its heartbeat was sent', () => {
    const timed = running([1, 2, 3]);
    const held: Message[] = [];
    timed.cluster.drops = (message) => message.type === 'heartbeat-reply' && held.push(message) > 0;
    timed.nowMs += lengthMs;
    timed.cluster.tick(1, [timed.first]);
    timed.cluster.settle();
    timed.nowMs += lengthMs;
    timed.cluster.heal();
    for (const message of held) timed.cluster.send(message);
    timed.cluster.settle();
    expect(held).toHaveLength(2);
    expect(timed.leaseOf(timed.first)).toBeUndefined();
  });

  test('before an entry of its own term is committed', () => {
    const timed = new Timed([1, 2, 3]);
    timed.cluster.drops = (message) => message.type === 'append';
    timed.tick(4 * electionTicks);
    expect(timed.leader).not.toBe(0);
    expect(timed.leaseOf(timed.leader)).toBeUndefined();
  });

  test('once leadership is being handed over, and not again in this term: the other may be told late', () => {
    const timed = running([1, 2, 3]);
    const to = [1, 2, 3].find((id) => id !== timed.first) ?? 0;
    timed.cluster.drops = (message) => message.type === 'timeout-now';
    timed.cluster.raft(timed.first).transferLeader(NodeId(to));
    timed.cluster.settle();
    expect(timed.leaseOf(timed.first)).toBeUndefined();
    timed.tick(2 * electionTicks);
    expect(timed.cluster.raft(timed.first).role).toBe('leader');
    expect(timed.leaseOf(timed.first)).toBeUndefined();
  });

  test('between a change of the voters and the next heartbeats', () => {
    const timed = running([1, 2, 3]);
    timed.cluster.add(4, {
      membership: membershipOf([]),
      electionTicks,
      lease: { nowMs: () => timed.nowMs, lengthMs },
    });
    const raft = timed.cluster.raft(timed.first);
    const step = { kind: 'add-voter', node: NodeId(4) } as const;
    raft.proposeMembership({ transition: 'auto', steps: [step], context: new Uint8Array(0) });
    timed.cluster.settle();
    expect(raft.status().membership.voters).toContain(4);
    expect(timed.leaseOf(timed.first)).toBeUndefined();
    timed.tick(2);
    expect(timed.leaseOf(timed.first)).toBeDefined();
  });
});

describe('a lease', () => {
  test('is at the commit index', () => {
    const timed = running([1, 2, 3]);
    timed.cluster.raft(timed.first).propose([dataOf('a')]);
    timed.cluster.settle();
    expect(timed.leaseOf(timed.first)).toBe(2);
  });

  test('is held by a lone voter', () => {
    const timed = running([1]);
    expect(timed.leaseOf(1)).toBe(1);
  });

  test('lasts longer than any member is free to vote: one that restarts waits an election timeout first', () => {
    const timed = running([1, 2, 3]);
    const { cluster, first } = timed;
    const [near = 0, far = 0] = [1, 2, 3].filter((id) => id !== first);
    // `far` is cut off and its timer has run out; `near`, which has just heard the leader, restarts and remembers nothing of it.
    cluster.partition([first, near]);
    timed.tick(3 * electionTicks);
    cluster.node(near).crash();
    cluster.node(near).restart();
    cluster.partition([near, far]);
    cluster.raft(far).campaign();
    cluster.settle([near, far]);
    expect(cluster.raft(far).role).not.toBe('leader');
    expect(timed.leaseOf(first)).toBeDefined();
    for (let tick = 0; tick < 5 * electionTicks && timed.leader === first; tick += 1) {
      timed.tick(1, [near, far]);
      const isOther = [near, far].some((id) => cluster.raft(id).role === 'leader');
      if (isOther) expect(timed.leaseOf(first)).toBeUndefined();
    }
    expect([near, far]).toContain(timed.leader);
  });

  test('holds against a later term that a member met on its way: its promise is to any leader', () => {
    const timed = running([1, 2, 3]);
    const { cluster, first } = timed;
    const [near = 0, far = 0] = [1, 2, 3].filter((id) => id !== first);
    const term = cluster.raft(first).term;
    // An old answer of a later term makes `near` forget its leader at once.
    cluster.node(near).raft.forgetLeader();
    cluster.send({
      type: 'append-reply',
      from: NodeId(far),
      to: NodeId(near),
      term: Term(term + 5),
      index: LogIndex(0),
      rejected: false,
      hintIndex: LogIndex(0),
      hintTerm: Term(0),
    });
    cluster.deliver([near]);
    expect(cluster.raft(near).term).toBe(term + 5);
    cluster.send({
      type: 'vote',
      from: NodeId(far),
      to: NodeId(near),
      term: Term(term + 6),
      lastIndex: LogIndex(99),
      lastTerm: Term(term + 5),
      transfer: false,
    });
    cluster.settle([near]);
    expect(
      cluster.sent.filter((message) => message.type === 'vote-reply' && message.from === near && message.term > term),
    ).toEqual([]);
  });
});

describe('the record of what was sent', () => {
  test('keeps no more than what can still be of use', () => {
    let nowMs = 0;
    const lease = new Lease({ nowMs: () => nowMs, lengthMs: 10 });
    for (let position = 1; position <= 1000; position += 1) {
      nowMs += 0.5;
      lease.sending(position);
    }
    lease.echoed(900);
    expect(lease.isHeld).toBe(false);
    lease.echoed(999);
    expect(lease.isHeld).toBe(true);
  });
});
