import { LogIndex, NodeId } from '@lockstep/contract/ids';
import { describe, expect, test } from 'vitest';
import { promotionLagEntriesMax } from '../limits.ts';
import { membershipStepsMax } from '../raft/limits.ts';
import type { HandOverOutcome } from '../port.ts';
import { TestNodes } from '../test-nodes.ts';
import { defaultTimings } from '../timings.ts';
import {
  caughtUp,
  change,
  changing,
  cluster,
  diskOf,
  handOver,
  joined,
  learn,
  member,
  membersAt,
  membershipOf,
  promote,
  remove,
  update,
  write,
} from './test-members.ts';

const textsMax = 'x'.repeat(65);

describe('a change is refused, whichever node is asked,', () => {
  test('when the membership is not the one that it was made for', () => {
    const nodes = cluster(3);
    const { roster } = nodes.get(1).node.status().membership;
    const index = roster?.index ?? expect.unreachable();
    for (const { node } of nodes.nodes) {
      const outcome = change(nodes, nodes.get(1), { steps: [remove(3)], ifMembershipIndex: LogIndex(index - 1) });
      expect(outcome).toMatchObject({ kind: 'refused', reason: 'membership-moved' });
      expect(node.status().membership.voters).toEqual([1, 2, 3]);
    }
    const done = change(nodes, nodes.get(2), { steps: [update(1)], ifMembershipIndex: index });
    expect(done).toEqual({ kind: 'changed', index: index + 1 });
  });

  test('without a leader, after the leader wait', () => {
    const nodes = cluster(3);
    for (const id of [1, 2]) nodes.crash(id);
    nodes.until(() => nodes.get(3).node.status().raft.leader === 0);
    const asked = changing(nodes.get(3), { steps: [remove(1)] });
    nodes.time.pass(defaultTimings.leaderWaitMs - 100);
    expect(asked.outcome).toBeUndefined();
    nodes.time.pass(200);
    expect(asked.outcome).toMatchObject({ kind: 'refused', reason: 'no-leader' });
  });

  test('that would leave no quorum, or fewer voters than are wanted', () => {
    const nodes = cluster(3);
    const leader = nodes.leader();
    const [dead = 0, alive = 0] = nodes.running.map(({ id }) => id).filter((id) => id !== leader.id);
    nodes.crash(dead);
    nodes.time.pass(5_000);
    expect(change(nodes, leader, { steps: [remove(alive)] })).toEqual({
      kind: 'refused',
      reason: 'quorum-lost',
      text: 'of 2 voters 1 would be there, and the quorum is 2',
    });
    const few = change(nodes, leader, { steps: [remove(dead)], votersMin: 3 });
    expect(few).toMatchObject({ reason: 'voters-min', text: '2 voters would be left, at least 3 are to be kept' });
    expect(change(nodes, leader, { steps: [remove(dead)], votersMin: 2 })).toMatchObject({ kind: 'changed' });
  });

  test('that makes a voter of a node that is not caught up, not there, or not a learner', () => {
    const nodes = cluster(1);
    const leader = nodes.leader();
    joined(nodes, 2);
    nodes.cutOff.add(NodeId(2));
    for (let entry = 0; entry <= promotionLagEntriesMax; entry++) {
      leader.node.proposeControl(Buffer.from('x'), () => undefined);
    }
    expect(change(nodes, leader, { steps: [promote(2)] })).toMatchObject({
      reason: 'not-caught-up',
      text: `node 2 is ${promotionLagEntriesMax + 1} entries behind, at most ${promotionLagEntriesMax} are allowed`,
    });
    nodes.time.pass(5_000);
    expect(change(nodes, leader, { steps: [promote(2)] })).toMatchObject({ reason: 'not-caught-up' });
    expect(change(nodes, leader, { steps: [promote(3)] })).toMatchObject({ reason: 'not-member' });
    nodes.cutOff.clear();
    caughtUp(nodes, 2);
    expect(change(nodes, leader, { steps: [promote(2)] })).toMatchObject({ kind: 'changed' });
  });

  test('of the last voter', () => {
    const nodes = cluster(1);
    expect(change(nodes, nodes.get(1), { steps: [remove(1)] })).toMatchObject({ reason: 'last-voter' });
  });

  test('by an error, when it can’t even be written', () => {
    const nodes = cluster(1);
    const { node } = nodes.get(1);
    const steps = Array.from({ length: membershipStepsMax + 1 }, () => update(1));
    const done = (): void => expect.unreachable();
    expect(() => node.changeMembership({ steps, members: [] }, done)).toThrow(`at most ${membershipStepsMax}`);
    const members = [member(1, { name: textsMax })];
    expect(() => node.changeMembership({ steps: [update(1)], members }, done)).toThrow('name is 65 bytes');
  });
});

describe('a cluster grows', () => {
  test('from one node to three, each a learner first, asked at any node', () => {
    const nodes = cluster(1);
    write(nodes, nodes.get(1), 'before');
    joined(nodes, 2);
    // No write since: the snapshot that was taken for node 2 does not know of node 3.
    joined(nodes, 3);
    expect(nodes.time.nowMs).toBeLessThan(10_000);
    expect(membershipOf(nodes.get(3))).toMatchObject({ voters: [1], learners: [2, 3] });
    for (const id of [2, 3])
      expect(change(nodes, nodes.get(3), { steps: [promote(id)] })).toMatchObject({ kind: 'changed' });
    write(nodes, nodes.get(3), 'after');
    nodes.time.pass(200);
    for (const { machine, node } of nodes.nodes) {
      expect(machine.texts.map((text) => text.split(':')[1])).toEqual(['before', 'after']);
      expect(node.status().membership.voters).toEqual([1, 2, 3]);
    }
  });

  test('and dials by what the membership says of a node, not by what was configured', () => {
    const nodes = cluster(1);
    joined(nodes, 2);
    const moved = member(2, { peerAddress: 'elsewhere:1', pin: 'renewed' });
    expect(change(nodes, nodes.get(2), { steps: [update(2)], members: [moved] })).toMatchObject({ kind: 'changed' });
    nodes.time.pass(200);
    for (const { node } of nodes.nodes) expect(node.status().members.at(-1)).toEqual(moved);
  });

  test('a newcomer that restarts before it has a snapshot joins all the same', () => {
    const nodes = cluster(1);
    nodes.cutOff.add(NodeId(2));
    nodes.join(NodeId(2), { incarnation: diskOf(2) });
    expect(change(nodes, nodes.get(1), { steps: [learn(2)], members: [member(2)] })).toMatchObject({ kind: 'changed' });
    const disk = nodes.crash(2);
    nodes.cutOff.clear();
    nodes.join(NodeId(2), { incarnation: diskOf(2), ...disk });
    caughtUp(nodes, 2);
    expect(membershipOf(nodes.get(2))).toMatchObject({ voters: [1], learners: [2] });
    const again = nodes.crash(2);
    nodes.join(NodeId(2), { incarnation: diskOf(2), ...again });
    expect(membershipOf(nodes.get(2))).toMatchObject({ voters: [1], learners: [2] });
  });
});

describe('what a member is', () => {
  test('is learned at the first hello and kept by the membership', () => {
    const nodes = cluster(3);
    for (const { node } of nodes.nodes) {
      expect(node.status().members.map(({ incarnation }) => incarnation)).toEqual([101, 102, 103]);
      expect(node.status().standing).toBe('member');
    }
  });

  test('another member is told by an answer, on every node', () => {
    const nodes = cluster(3);
    nodes.time.pass(1_000);
    for (const by of nodes.nodes) {
      const outcome = membersAt(nodes, by);
      if (outcome.kind !== 'members') return expect.unreachable();
      expect(outcome.view.leader).toBe(nodes.leader().id);
      expect(outcome.view.health.map(({ node }) => node)).toEqual([1, 2, 3]);
      for (const { match, silentMs, isBehindLog } of outcome.view.health) {
        expect(match).toBe(outcome.view.lastIndex);
        expect(silentMs).toBeLessThan(defaultTimings.tickMs * defaultTimings.heartbeatTicks * 2);
        expect(isBehindLog).toBe(false);
      }
    }
  });

  test('is the configuration’s word for a log that was written before', () => {
    const nodes = new TestNodes(3);
    nodes.leader();
    const disk = nodes.crash(2);
    const { roster: _, ...membership } = disk.image.membership;
    const earlier = { ...disk.image, membership: { ...membership, voters: [1, 2, 3].map(NodeId) } };
    nodes.start(NodeId(2), [1, 2, 3].map(NodeId), { ...disk, image: earlier });
    expect(
      nodes
        .get(2)
        .node.status()
        .members.map(({ node, peerAddress }) => [node, peerAddress]),
    ).toEqual([
      [1, '1:1'],
      [2, '2:1'],
      [3, '3:1'],
    ]);
  });
});

describe('who was away while a node that it never knew came to lead', () => {
  /** Node 4 joins the three, is promoted, and leads, while the others hear nothing from `away`. */
  function ledByStranger(nodes: TestNodes, away: NodeId): void {
    nodes.cutOff.add(away);
    joined(nodes, 4);
    expect(change(nodes, nodes.leader(), { steps: [promote(4)] })).toMatchObject({ kind: 'changed' });
    expect(handOver(nodes, nodes.leader(), 4)).toMatchObject({ kind: 'handed-over', to: 4 });
    nodes.time.pass(1_000);
    nodes.cutOff.delete(away);
  }

  test('hears of it by a member that it knows, and catches up', () => {
    const nodes = cluster(3);
    if (nodes.leader().id === 3) handOver(nodes, nodes.leader(), 1);
    ledByStranger(nodes, NodeId(3));
    caughtUp(nodes, 3);
    expect(nodes.leader().id).toBe(4);
  });

  test('does so with more entries of its own than there are, none of which was ever committed', () => {
    const nodes = cluster(3);
    const away = nodes.leader();
    nodes.cutOff.add(away.id);
    for (let entry = 0; entry < 20; entry++) away.node.proposeControl(Buffer.from('x'), () => undefined);
    nodes.until(() => away.node.status().raft.role !== 'leader');
    ledByStranger(nodes, away.id);
    expect(away.node.status().raft.lastIndex).toBeGreaterThan(nodes.leader().node.status().raft.lastIndex);
    caughtUp(nodes, away.id);
    expect(nodes.leader().id).toBe(4);
  });

  test('is told of it once, as the newcomer was, and nobody else is', () => {
    const nodes = cluster(3);
    if (nodes.leader().id === 3) handOver(nodes, nodes.leader(), 1);
    ledByStranger(nodes, NodeId(3));
    caughtUp(nodes, 3);
    nodes.time.pass(10_000);
    const introductions = nodes.nodes.map(({ events }) => events.filter((event) => event === 'introduced').length);
    expect(introductions).toEqual([0, 0, 1, 1]);
  });

  test('and was removed by then, hears that instead', () => {
    const nodes = cluster(3);
    if (nodes.leader().id === 3) handOver(nodes, nodes.leader(), 1);
    nodes.cutOff.add(NodeId(3));
    joined(nodes, 4);
    expect(change(nodes, nodes.leader(), { steps: [promote(4)] })).toMatchObject({ kind: 'changed' });
    expect(change(nodes, nodes.leader(), { steps: [remove(3)] })).toMatchObject({ kind: 'changed' });
    nodes.cutOff.clear();
    nodes.until(() => nodes.get(3).events.includes('removed'));
    expect(nodes.get(3).events).not.toContain('introduced');
  });

  test('does so as a newcomer, too', () => {
    const nodes = cluster(3);
    nodes.join(NodeId(5), { incarnation: diskOf(5) });
    nodes.cutOff.add(NodeId(5));
    const outcome = change(nodes, nodes.leader(), { steps: [learn(5)], members: [member(5)] });
    expect(outcome).toMatchObject({ kind: 'changed' });
    ledByStranger(nodes, NodeId(5));
    caughtUp(nodes, 5);
    expect(nodes.leader().id).toBe(4);
  });
});

describe('a leader', () => {
  test('that is removed hands over before, and the one that was asked goes on with the next', () => {
    const nodes = cluster(3);
    const leader = nodes.leader();
    const { term } = leader.node.status().raft;
    expect(change(nodes, leader, { steps: [remove(leader.id)] })).toMatchObject({ kind: 'changed' });
    const next = nodes.leader();
    expect(next.node.status().raft.term).toBe(term + 1);
    expect(membershipOf(next).voters).toEqual([1, 2, 3].filter((id) => id !== leader.id));
    nodes.until(() => leader.node.status().standing === 'removed');
    expect(leader.events).toContain('removed');
  });

  test('tells of a change only what a crash right then leaves it knowing', () => {
    const nodes = cluster(3);
    const leader = nodes.leader();
    const [leaving = 0] = [1, 2, 3].filter((id) => id !== leader.id);
    let isKept: boolean | undefined;
    leader.node.changeMembership({ steps: [remove(leaving)], members: [] }, () => {
      isKept = !leader.log.durableImage().membership.voters.includes(NodeId(leaving));
    });
    nodes.until(() => isKept !== undefined);
    expect(isKept).toBe(true);
  });

  test('that is the only voter is replaced by two changes: it hands over to the new voter, and leaves', () => {
    const nodes = cluster(1);
    joined(nodes, 2);
    // Only node 1 would know that the change is committed: were it switched off now, node 2 would ask for its vote for ever.
    expect(change(nodes, nodes.get(1), { steps: [promote(2), remove(1)] })).toMatchObject({ reason: 'invalid' });
    for (const steps of [[promote(2)], [remove(1)]])
      expect(change(nodes, nodes.get(1), { steps })).toMatchObject({ kind: 'changed' });
    expect(nodes.leader().id).toBe(2);
    expect(membershipOf(nodes.get(2))).toEqual({ voters: [2], votersOutgoing: [], learners: [] });
    expect(nodes.get(2).node.status().membership.roster?.removed).toEqual([{ node: 1, pin: '' }]);
  });

  test('hands over when it is asked to, at any node, and says to whom', () => {
    const nodes = cluster(3);
    const target = nodes.running.find(({ id }) => id !== nodes.leader().id)?.id ?? expect.unreachable();
    for (const by of nodes.nodes) {
      const outcome = handOver(nodes, by, target);
      if (by.id === 1) expect(outcome).toEqual({ kind: 'handed-over', to: target });
      else expect(outcome).toMatchObject({ reason: 'no-change' });
    }
    const outcome = handOver(nodes, nodes.get(1));
    expect(outcome.kind).toBe('handed-over');
    expect(nodes.leader().id).not.toBe(target);
  });

  test('hands over to no learner, to no stranger, and to nobody where there is nobody', () => {
    const nodes = cluster(1);
    joined(nodes, 2);
    expect(handOver(nodes, nodes.get(2), 2)).toMatchObject({ reason: 'not-member', text: 'node 2 is not a voter' });
    expect(handOver(nodes, nodes.get(2), 9)).toMatchObject({ reason: 'not-member' });
    expect(handOver(nodes, nodes.get(1))).toMatchObject({ reason: 'no-target' });
  });

  test('hands over to no voter that is about to leave', () => {
    const nodes = cluster(3);
    joined(nodes, 4);
    const leader = nodes.leader();
    const leaving = nodes.running.find(({ id }) => id !== leader.id && id !== 4)?.id ?? expect.unreachable();
    changing(leader, { steps: [promote(4), remove(leaving)] });
    nodes.until(() => membershipOf(leader).votersOutgoing.includes(leaving), 1);
    expect(membershipOf(leader).voters).not.toContain(leaving);
    let outcome: HandOverOutcome | undefined;
    leader.node.handOver(leaving, (given) => {
      outcome = given;
    });
    nodes.time.pass(1);
    expect(outcome).toMatchObject({ kind: 'refused', reason: 'not-member', text: `node ${leaving} is not a voter` });
  });

  test('hands over to the first that is heard when nobody has been since the quorum was checked', () => {
    const nodes = cluster(3);
    const leader = nodes.leader();
    const others = nodes.running.filter(({ id }) => id !== leader.id);
    for (const { id } of others) nodes.cutOff.add(id);
    const isAnyHeard = (): boolean => {
      const { progress } = leader.node.status().raft;
      return progress.some(({ node, isRecentlyActive }) => node !== leader.id && isRecentlyActive);
    };
    nodes.until(() => !isAnyHeard());
    expect(leader.node.status().raft.role).toBe('leader');
    let outcome: HandOverOutcome | undefined;
    leader.node.handOver(undefined, (given) => {
      outcome = given;
    });
    nodes.time.pass(20);
    nodes.cutOff.clear();
    nodes.until(() => outcome !== undefined);
    expect(outcome).toEqual({ kind: 'handed-over', to: nodes.leader().id });
    expect(nodes.leader().id).not.toBe(leader.id);
  });

  test('says so when the other does not take over', () => {
    const nodes = cluster(3);
    const leader = nodes.leader();
    const target = nodes.running.find(({ id }) => id !== leader.id)?.id ?? expect.unreachable();
    nodes.cutOff.add(target);
    expect(handOver(nodes, leader, target)).toMatchObject({ kind: 'refused', reason: 'transfer-failed' });
    expect(nodes.leader().id).toBe(leader.id);
  });
});

describe('the outcome of a change', () => {
  test('is unknown when the leader is lost before it answers', () => {
    const nodes = cluster(3);
    const leader = nodes.leader();
    const asked = nodes.running.find(({ id }) => id !== leader.id) ?? expect.unreachable();
    const change3 = changing(asked, { steps: [remove(leader.id === 3 ? 1 : 3)] });
    nodes.time.pass(0);
    nodes.crash(leader.id);
    nodes.until(() => change3.outcome !== undefined);
    expect(change3.outcome).toEqual({ kind: 'unknown' });
  });

  test('of a node’s own removal is told at once when a member says so, while the leader’s answer is still waited for', () => {
    const nodes = cluster(3);
    const leader = nodes.leader();
    const [leaving, other] = nodes.running.filter(({ id }) => id !== leader.id);
    if (leaving === undefined || other === undefined) return expect.unreachable();
    const { lastIndex } = leader.node.status().raft;
    const asked = changing(leaving, { steps: [remove(leaving.id)] });
    nodes.until(() => other.node.status().raft.lastIndex > lastIndex, 1);
    nodes.cutOff.add(leader.id);
    nodes.until(() => leaving.node.status().standing === 'removed');
    expect(asked.outcome).toEqual({ kind: 'changed', index: lastIndex + 1 });
  });

  test('of a node’s own removal is told though the leader’s answer is lost: another member says it', () => {
    const nodes = cluster(3);
    const leader = nodes.leader();
    const leaving = nodes.running.find(({ id }) => id !== leader.id) ?? expect.unreachable();
    const { lastIndex } = leader.node.status().raft;
    const asked = changing(leaving, { steps: [remove(leaving.id)] });
    // The leader gets the request, and is heard no more.
    nodes.until(() => leader.node.status().raft.lastIndex > lastIndex, 1);
    nodes.network.disconnect(leader.id, leaving.id);
    nodes.until(() => asked.outcome !== undefined);
    expect(asked.outcome).toEqual({ kind: 'changed', index: lastIndex + 1 });
    expect(leaving.node.status().standing).toBe('removed');
  });

  test('is unknown where a snapshot brings what followed the change: a later one may have undone it', () => {
    const nodes = cluster(3);
    joined(nodes, 4);
    const old = nodes.leader();
    const gone = old.id === 3 ? 1 : 3;
    const asked = changing(old, { steps: [promote(4), remove(gone)] });
    nodes.until(() => membershipOf(old).votersOutgoing.length > 0, 1);
    nodes.cutOff.add(old.id);
    nodes.until(() => nodes.leader().id !== old.id && membershipOf(nodes.leader()).votersOutgoing.length === 0);
    const next = nodes.leader();
    write(nodes, next, 'after');
    const { appliedIndex } = next.node.status();
    for (const { node } of [next, nodes.get(4)]) node.stateSynced(appliedIndex);
    next.node.compactNow();
    nodes.time.pass(100);
    nodes.cutOff.clear();
    nodes.until(() => old.node.status().snapshotsInstalled > 0);
    const leader = nodes.leader();
    const undone = leader.id === 4 ? next.id : 4;
    expect(change(nodes, leader, { steps: [learn(undone)] })).toMatchObject({ kind: 'changed' });
    nodes.until(() => asked.outcome !== undefined);
    expect(asked.outcome).toEqual({ kind: 'unknown' });
  });

  test('is told of a joint change once it is left', () => {
    const nodes = cluster(3);
    joined(nodes, 4);
    const leader = nodes.leader();
    const gone = leader.id === 3 ? 1 : 3;
    const asked = changing(leader, { steps: [promote(4), remove(gone)] });
    nodes.until(() => asked.outcome !== undefined);
    expect(asked.outcome).toMatchObject({ kind: 'changed' });
    expect(membershipOf(leader).votersOutgoing).toEqual([]);
    expect(membershipOf(leader).voters).toEqual([1, 2, 3, 4].filter((id) => id !== gone));
  });
});
