import { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import { describe, expect, test } from 'vitest';
import { dataOf, membershipOf, TestCluster } from './test-cluster.fixture.ts';
import type { Membership, MembershipChange, MembershipStep } from './types.ts';

const change = (transition: MembershipChange['transition'], ...steps: readonly MembershipStep[]): MembershipChange => ({
  transition,
  steps,
  context: new Uint8Array(0),
});
const add = (node: number): MembershipStep => ({ kind: 'add-voter', node: NodeId(node) });
const learn = (node: number): MembershipStep => ({ kind: 'add-learner', node: NodeId(node) });
const remove = (node: number): MembershipStep => ({ kind: 'remove', node: NodeId(node) });
const leave = change('auto');

/** Node 1 leads 1, 2 and 3; 4 and 5 have joined nothing yet. */
function elected(): TestCluster {
  const cluster = new TestCluster([1, 2, 3]);
  for (const id of [4, 5]) cluster.add(id, { membership: membershipOf([]) });
  cluster.elect(1);
  return cluster;
}

const membershipAt = (cluster: TestCluster, id: number): Membership => cluster.raft(id).status().membership;

describe('a change is refused, with nothing appended,', () => {
  function refusal(cluster: TestCluster, by: MembershipChange, id = 1): string {
    const { lastIndex } = cluster.raft(id);
    const proposed = cluster.raft(id).proposeMembership(by);
    expect(cluster.raft(id).lastIndex).toBe(lastIndex);
    return proposed.kind === 'dropped' ? proposed.reason : proposed.kind;
  }

  test('by a follower', () => expect(refusal(elected(), change('auto', add(4)), 2)).toBe('no-leader'));

  test('while another is pending', () => {
    const cluster = elected();
    expect(cluster.raft(1).proposeMembership(change('auto', add(4))).kind).toBe('appended');
    expect(refusal(cluster, change('auto', add(5)))).toBe('membership-pending');
    cluster.settle();
    expect(cluster.raft(1).proposeMembership(change('auto', add(5))).kind).toBe('appended');
  });

  test('before an entry of the term has committed (two leaders in a row: Ongaro 2015)', () => {
    const cluster = new TestCluster([1, 2, 3, 4]);
    cluster.drops = (message) => message.type === 'append';
    cluster.elect(1);
    expect(refusal(cluster, change('auto', remove(4)))).toBe('membership-pending');
    cluster.heal();
    cluster.tick(2);
    expect(cluster.raft(1).proposeMembership(change('auto', remove(4))).kind).toBe('appended');
  });

  test('in a joint configuration, but for leaving it', () => {
    const cluster = elected();
    cluster.raft(1).proposeMembership(change('joint-explicit', add(4), remove(2)));
    cluster.settle();
    expect(refusal(cluster, change('auto', add(5)))).toBe('membership-pending');
    expect(cluster.raft(1).proposeMembership(leave).kind).toBe('appended');
  });

  test('that could not be made', () => {
    expect(refusal(elected(), leave)).toBe('membership-invalid');
    expect(refusal(elected(), change('auto', remove(1), remove(2), remove(3)))).toBe('membership-invalid');
  });

  test('during a transfer of leadership', () => {
    const cluster = elected();
    cluster.drops = () => true;
    cluster.raft(1).transferLeader(NodeId(2));
    expect(refusal(cluster, change('auto', add(4)))).toBe('transferring');
  });
});

describe('a change', () => {
  test('takes effect where it is applied, on every node', () => {
    const cluster = elected();
    cluster.raft(1).proposeMembership(change('auto', add(4)));
    cluster.settle();
    for (const id of [1, 2, 3, 4]) expect(membershipAt(cluster, id)).toEqual(membershipOf([1, 2, 3, 4]));
  });

  test('counts over the old members until it is committed', () => {
    const cluster = new TestCluster([1]);
    cluster.elect(1);
    cluster.raft(1).proposeMembership(change('auto', add(2)));
    cluster.settle();
    expect(membershipAt(cluster, 1)).toEqual(membershipOf([1, 2]));
    cluster.raft(1).propose([dataOf('a')]);
    cluster.settle();
    expect(cluster.node(1).values).toEqual([]);
  });

  test('that makes the quorum smaller commits what the smaller one has', () => {
    const cluster = new TestCluster([1, 2, 3, 4]);
    cluster.elect(1);
    cluster.raft(1).proposeMembership(change('auto', remove(4)));
    cluster.turn(1);
    cluster.raft(1).propose([dataOf('a')]);
    // Node 3 acknowledges the change only: of four voters two have what follows, of three it is a majority.
    cluster.drops = (message) =>
      message.to !== 2 && message.type === 'append' && message.entries.some(({ type }) => type === 'transactions');
    cluster.settle();
    expect(cluster.node(1).values).toEqual(['a']);
  });

  test('that brings new members gives them the time to be heard', () => {
    const cluster = new TestCluster([1]);
    cluster.elect(1);
    cluster.tick(9);
    cluster.raft(1).proposeMembership(change('joint-explicit', add(2), add(3)));
    cluster.settle();
    cluster.tick(1);
    expect(cluster.raft(1).role).toBe('leader');
    cluster.tick(10);
    expect(cluster.raft(1).role).not.toBe('leader');
  });

  test('that the host refused changes nothing', () => {
    const cluster = new TestCluster([1]);
    cluster.elect(1);
    cluster.raft(1).proposeMembership(change('auto', add(2)));
    const { raft } = cluster.node(1);
    while (raft.hasReady()) {
      const ready = raft.ready();
      if (ready.persist !== undefined) raft.persisted(ready.persist.sequence);
      for (const { index, type } of ready.committed) {
        if (type === 'membership') expect(raft.applyMembership(undefined, index)).toEqual(membershipOf([1]));
      }
    }
    expect(raft.proposeMembership(change('auto', add(3))).kind).toBe('appended');
  });

  test('is not applied before it is handed out, and not twice', () => {
    const cluster = new TestCluster([1]);
    cluster.elect(1);
    cluster.raft(1).proposeMembership(change('auto', learn(2)));
    expect(() => cluster.raft(1).applyMembership(change('auto', learn(2)), cluster.raft(1).lastIndex)).toThrow(
      'handed out',
    );
    cluster.settle();
    expect(cluster.raft(1).applyMembership(change('auto', learn(3)), cluster.raft(1).lastIndex)).toEqual(
      membershipOf([1], [2]),
    );
  });

  test('a newcomer gets the founding membership by a snapshot, though the log is whole', () => {
    const cluster = elected();
    cluster.raft(1).propose([dataOf('a')]);
    cluster.settle();
    expect(cluster.raft(1).status().firstIndex).toBe(1);
    cluster.raft(1).proposeMembership(change('auto', learn(4)));
    cluster.settle();
    expect(cluster.node(4).batches.some((batch) => batch.snapshot !== undefined)).toBe(true);
    expect(membershipAt(cluster, 4)).toEqual(membershipOf([1, 2, 3], [4]));
    expect(cluster.node(4).values).toEqual(['a']);
  });

  test('of two voters at once is joint, and left by itself', () => {
    const cluster = elected();
    cluster.raft(1).proposeMembership(change('auto', add(4), remove(3)));
    cluster.settle();
    expect(membershipAt(cluster, 1)).toEqual(membershipOf([1, 2, 4]));
    expect(cluster.node(1).memberships.map(({ membership }) => membership.votersOutgoing.length)).toEqual([0, 3, 0]);
  });

  test('that is joint needs a majority of both halves', () => {
    const cluster = elected();
    cluster.raft(1).proposeMembership(change('joint-explicit', add(4), add(5), remove(2), remove(3)));
    cluster.settle();
    cluster.partition([1, 4, 5], [2, 3]);
    cluster.raft(1).propose([dataOf('a')]);
    cluster.tick(3);
    expect(cluster.node(1).values).toEqual([]);
    cluster.heal();
    cluster.tick(3);
    expect(cluster.node(1).values).toEqual(['a']);
  });

  test('a new leader leaves a joint configuration that the old one entered', () => {
    const cluster = elected();
    cluster.drops = ({ type, ...message }) =>
      type === 'append' &&
      'entries' in message &&
      message.entries.some((entry) => entry.type === 'membership' && entry.data[2] === 0);
    cluster.raft(1).proposeMembership(change('auto', add(4), remove(3)));
    cluster.settle();
    expect(membershipAt(cluster, 2)).toMatchObject({ autoLeave: true });
    cluster.node(1).crash();
    cluster.heal();
    cluster.tick(200, [2, 3, 4]);
    expect(membershipAt(cluster, 2)).toEqual(membershipOf([1, 2, 4]));
  });

  test('a joint configuration is left after a transfer that failed', () => {
    const cluster = elected();
    cluster.drops = (message) => message.type === 'timeout-now';
    cluster.raft(1).proposeMembership(change('auto', add(4), remove(3)));
    cluster.raft(1).transferLeader(NodeId(2));
    cluster.tick(9);
    expect(membershipAt(cluster, 1)).toMatchObject({ votersOutgoing: [1, 2, 3], autoLeave: true });
    cluster.tick(2);
    expect(membershipAt(cluster, 1)).toEqual(membershipOf([1, 2, 4]));
  });
});

describe('a learner', () => {
  test('counts for nothing', () => {
    const cluster = new TestCluster([]);
    for (const id of [1, 2, 3, 4]) cluster.add(id, { membership: membershipOf([1, 2], [3, 4]) });
    cluster.elect(1);
    cluster.partition([1, 3, 4], [2]);
    cluster.raft(1).propose([dataOf('a')]);
    cluster.tick(3);
    expect(cluster.node(1).values).toEqual([]);
    cluster.raft(1).readIndex(7);
    cluster.tick(3);
    expect(cluster.node(1).reads).toEqual([]);
    cluster.tick(20);
    expect(cluster.raft(1).role).not.toBe('leader');
  });

  test('has everything that voters have', () => {
    const cluster = elected();
    cluster.raft(1).proposeMembership(change('auto', learn(4)));
    cluster.settle();
    cluster.raft(1).propose([dataOf('a')]);
    cluster.settle();
    expect(cluster.node(4).values).toEqual(['a']);
  });

  test('that was a voter keeps voting until the joint configuration is left', () => {
    const cluster = elected();
    cluster.raft(1).proposeMembership(change('joint-explicit', learn(3), add(4)));
    cluster.settle();
    expect(membershipAt(cluster, 1)).toMatchObject({ learners: [], learnersNext: [3] });
    cluster.raft(1).proposeMembership(leave);
    cluster.settle();
    expect(membershipAt(cluster, 3)).toEqual(membershipOf([1, 2, 4], [3]));
  });
});

describe('a removed node', () => {
  test('that led gives up, and another takes over', () => {
    const cluster = elected();
    cluster.raft(1).proposeMembership(change('auto', remove(1)));
    cluster.settle();
    expect(cluster.raft(1)).toMatchObject({ role: 'follower', leader: 0 });
    cluster.tick(60);
    expect([2, 3].filter((id) => cluster.raft(id).role === 'leader')).toHaveLength(1);
    expect(cluster.raft(1).role).toBe('follower');
    expect(cluster.raft(1).propose([dataOf('a')]).kind).toBe('dropped');
  });

  test('that led does not count itself for what it still has to commit', () => {
    const cluster = new TestCluster([1, 2, 3], { stepDownOnRemoval: false });
    cluster.elect(1);
    cluster.raft(1).proposeMembership(change('auto', remove(1)));
    cluster.settle();
    expect(cluster.raft(1).role).toBe('leader');
    expect(cluster.raft(1).propose([dataOf('a')])).toEqual({ kind: 'dropped', reason: 'not-member' });
    expect(
      cluster
        .raft(1)
        .status()
        .progress.map(({ node }) => node),
    ).toEqual([2, 3]);
  });

  test('that led, and whose last word of the commit was lost, does not block those who stay', () => {
    const cluster = new TestCluster([1, 2]);
    cluster.elect(1);
    cluster.raft(1).proposeMembership(change('auto', remove(1)));
    cluster.turn(1);
    // The longer log: node 2 can't get this node's vote, and needs it as long as it does not know that the change is committed.
    cluster.raft(1).propose([dataOf('a')]);
    cluster.drops = (message) =>
      message.type === 'append' && (message.commit > 1 || message.entries.some(({ type }) => type === 'transactions'));
    cluster.settle();
    expect(cluster.raft(1)).toMatchObject({ role: 'follower', commit: 2, lastIndex: 3 });
    expect(cluster.raft(2)).toMatchObject({ commit: 1, lastIndex: 2 });
    cluster.heal();
    cluster.tick(60);
    expect(cluster.raft(2).role).toBe('leader');
    expect(membershipAt(cluster, 2)).toEqual(membershipOf([2]));
  });

  test('that led and is gone does not block who stays, as long as a learner heard of the commit', () => {
    const cluster = new TestCluster([1, 2]);
    cluster.add(3, { membership: membershipOf([]) });
    cluster.elect(1);
    cluster.raft(1).proposeMembership(change('auto', learn(3)));
    cluster.settle();
    const { commit } = cluster.raft(1);
    cluster.drops = (message) => message.to === 2 && message.type === 'append' && message.commit > commit;
    cluster.raft(1).proposeMembership(change('auto', remove(1)));
    cluster.settle();
    expect(cluster.raft(2)).toMatchObject({ commit, lastIndex: commit + 1 });
    expect(cluster.raft(3).commit).toBe(commit + 1);
    cluster.node(1).crash();
    cluster.heal();
    cluster.tick(60, [2, 3]);
    expect(cluster.raft(2).role).toBe('leader');
    expect(cluster.raft(3).term).toBe(cluster.raft(2).term);
  });

  test('that does not know yet disturbs nobody', () => {
    const cluster = elected();
    cluster.partition([1, 2], [3]);
    cluster.raft(1).proposeMembership(change('auto', remove(3)));
    cluster.settle();
    expect(membershipAt(cluster, 1)).toEqual(membershipOf([1, 2]));
    cluster.heal();
    const { term } = cluster.raft(1);
    cluster.tick(200);
    expect(cluster.raft(1)).toMatchObject({ role: 'leader', term });
  });

  test('has a transfer to it given up', () => {
    const cluster = elected();
    cluster.raft(1).proposeMembership(change('auto', remove(3)));
    cluster.drops = (message) => message.to === 3;
    cluster.raft(1).transferLeader(NodeId(3));
    cluster.settle();
    expect(cluster.raft(1).propose([dataOf('a')]).kind).toBe('appended');
  });

  test('leaves reads that now have a quorum confirmed', () => {
    const cluster = new TestCluster([1, 2]);
    cluster.elect(1);
    cluster.raft(1).proposeMembership(change('auto', remove(2)));
    cluster.drops = (message) => message.type === 'heartbeat-reply';
    cluster.raft(1).readIndex(7);
    cluster.settle();
    expect(membershipAt(cluster, 1)).toEqual(membershipOf([1]));
    expect(cluster.node(1).reads).toEqual([{ id: 7, index: 1 }]);
  });
});

describe('a campaign', () => {
  test('ends when the members change under it', () => {
    const cluster = elected();
    cluster.raft(1).proposeMembership(change('auto', add(4)));
    cluster.drops = (message) => message.to === 3 && message.type === 'append' && message.commit > 1;
    cluster.settle();
    cluster.raft(3).campaign();
    expect(cluster.raft(3).role).toBe('pre-candidate');
    const reply = {
      from: NodeId(2),
      to: NodeId(3),
      term: cluster.raft(3).term,
      rejected: true,
      commit: LogIndex(2),
      commitTerm: Term(1),
    };
    cluster.raft(3).step({ type: 'pre-vote-reply', ...reply });
    cluster.settle([3]);
    expect(membershipAt(cluster, 3)).toEqual(membershipOf([1, 2, 3, 4]));
    expect(cluster.raft(3).role).toBe('follower');
  });

  test('learns by a vote that it gets that it needs the vote of a removed node no more', () => {
    const cluster = new TestCluster([1, 2]);
    for (const id of [3, 4]) cluster.add(id, { membership: membershipOf([]) });
    cluster.elect(1);
    for (const steps of [[learn(3)], [learn(4)], [add(3), add(4), remove(1), learn(2)]]) {
      cluster.raft(1).proposeMembership(change(steps.length > 1 ? 'joint-explicit' : 'auto', ...steps));
      cluster.settle();
      cluster.tick(2);
    }
    // Node 3 takes the last change, and does not hear that it is committed; then the leader, which it removes, is gone.
    const { commit } = cluster.raft(1);
    cluster.drops = (message) =>
      message.to === 3 && (message.type === 'heartbeat' || (message.type === 'append' && message.commit > commit));
    cluster.raft(1).proposeMembership(leave);
    cluster.settle();
    cluster.heal();
    expect([3, 4].map((id) => membershipAt(cluster, id).votersOutgoing)).toEqual([[1, 2], []]);
    for (const id of [2, 3, 4]) cluster.raft(id).forgetLeader();
    cluster.raft(3).campaign();
    cluster.settle([2, 3, 4]);
    expect(membershipAt(cluster, 3)).toEqual(membershipAt(cluster, 4));
    cluster.raft(3).campaign();
    cluster.settle([2, 3, 4]);
    expect(cluster.raft(3).role).toBe('leader');
  });

  test('learns nothing of a commit that its own log does not hold', () => {
    const cluster = elected();
    cluster.raft(3).campaign();
    const reply = { from: NodeId(2), to: NodeId(3), term: Term(1), rejected: true } as const;
    cluster.raft(3).step({ type: 'pre-vote-reply', ...reply, commit: LogIndex(9), commitTerm: Term(1) });
    cluster.raft(3).step({ type: 'pre-vote-reply', ...reply, commit: LogIndex(1), commitTerm: Term(7) });
    expect(cluster.raft(3).commit).toBe(1);
  });
});

describe('a node with a committed change that has not taken effect', () => {
  test('does not campaign', () => {
    const cluster = elected();
    cluster.raft(1).proposeMembership(change('auto', add(4)));
    cluster.settle([1, 2]);
    const node = cluster.node(3);
    node.isDiskSlow = true;
    cluster.deliver();
    cluster.turn(3);
    cluster.tick(2, [1, 3]);
    expect(node.raft.commit).toBeGreaterThanOrEqual(2);
    expect(node.appliedIndex).toBe(1);
    node.raft.campaign();
    expect(node.raft.role).toBe('follower');
    node.sync();
    cluster.settle();
    node.raft.campaign();
    expect(node.raft.role).toBe('pre-candidate');
  });
});
