import { LogIndex } from '@lockstep/contract/ids';
import { describe, expect, test } from 'vitest';
import { refetchAskMs, reportMs } from './limits.ts';
import { type TestNode, TestNodes } from './test-nodes.ts';
import { defaultTimings } from './timings.ts';

/** Until a commit is applied on every node: who does not wait for it may hear of it with the next tick. */
const everywhereMs = 2 * defaultTimings.tickMs;
const electionMs = defaultTimings.tickMs * defaultTimings.electionTicks;

function write(nodes: TestNodes, ...texts: readonly string[]): void {
  for (const text of texts) {
    leaderOf(nodes).node.propose(Buffer.from(text), () => undefined);
    nodes.time.pass(everywhereMs);
  }
}

function led(count = 3): TestNodes {
  const nodes = new TestNodes(count);
  nodes.get(1).node.campaign();
  nodes.time.pass(300);
  return nodes;
}

function leaderOf(nodes: TestNodes): TestNode {
  const leaders = nodes.nodes.filter(({ node }) => node.status().raft.role === 'leader');
  return leaders.toSorted((a, b) => b.node.status().raft.term - a.node.status().raft.term)[0] ?? nodes.get(1);
}

const textsOf = (node: TestNode): readonly string[] =>
  node.machine.texts.map((text) => text.slice(text.indexOf(':') + 1));

/** As a host does that finds its state damaged. */
function damage(node: TestNode): void {
  node.machine.isStateDamaged = true;
  node.node.refetchState();
}

describe('a damaged state', () => {
  test('takes no entry, is replaced by another node’s, and goes on from its own log', () => {
    const nodes = led();
    write(nodes, 'a', 'b');
    const follower = nodes.get(3);
    damage(follower);
    follower.machine.applied = [];
    const { firstIndex } = follower.node.status().raft;
    leaderOf(nodes).node.propose(Buffer.from('c'), () => undefined);
    while (leaderOf(nodes).node.status().appliedIndex < 4) nodes.time.pass(1);
    expect(textsOf(follower)).toEqual([]);
    expect(follower.node.status().isStateRefetching).toBe(true);
    nodes.time.pass(refetchAskMs + 500);
    write(nodes, 'd');
    expect(textsOf(follower)).toEqual(['a', 'b', 'c', 'd']);
    expect(follower.node.status()).toMatchObject({ isStateRefetching: false, statesRefetched: 1 });
    // The log was not touched: it is as long as the others'.
    expect(follower.node.status().raft.firstIndex).toBe(firstIndex);
    expect(follower.errors).toEqual([]);
  });

  test('may be replaced by one of an earlier entry: the rest comes from the log', () => {
    const nodes = led();
    write(nodes, 'a', 'b');
    const [leader, other] = [nodes.get(1), nodes.get(2)];
    // The only one that can be asked is behind.
    other.machine.isSealed = true;
    write(nodes, 'c', 'd');
    other.machine.isSealed = false;
    const follower = nodes.get(3);
    expect(textsOf(follower)).toEqual(['a', 'b', 'c', 'd']);
    damage(leader);
    damage(follower);
    follower.machine.applied = [];
    nodes.time.pass(3 * refetchAskMs + 2 * electionMs);
    expect(textsOf(follower)).toEqual(['a', 'b', 'c', 'd']);
    expect(follower.machine.installed?.index).toBe(3);
    expect([leader.errors, follower.errors]).toEqual([[], []]);
  });

  test('on the leader makes it hand over, and no candidate of it', () => {
    const nodes = led();
    write(nodes, 'a');
    damage(nodes.get(1));
    nodes.time.pass(electionMs);
    expect(leaderOf(nodes).id).not.toBe(1);
    nodes.time.pass(refetchAskMs + 500);
    write(nodes, 'b');
    expect(textsOf(nodes.get(1))).toEqual(['a', 'b']);
    expect(nodes.get(1).node.status().isStateRefetching).toBe(false);
  });

  test('is replaced after a restart too, though it holds less than the log begins after', () => {
    const nodes = led();
    write(nodes, 'a', 'b', 'c');
    const follower = nodes.get(3);
    follower.node.stateSynced(LogIndex(4));
    expect(follower.node.compactNow()).toBe(4);
    nodes.time.pass(50);
    write(nodes, 'd');
    const image = follower.log.durableImage();
    expect(image.snapshot.index).toBe(4);
    nodes.network.leave(follower.id);
    void follower.node.close();
    const { machine } = new TestNodes(3).get(3);
    const ids = nodes.nodes.map(({ id }) => id);
    expect(() => new TestNodes(3).start(follower.id, ids, { image, machine })).toThrow();
    machine.isStateDamaged = true;
    const again = nodes.start(follower.id, ids, { image, machine });
    nodes.time.pass(2 * refetchAskMs);
    write(nodes, 'e');
    expect(textsOf(again)).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(again.errors).toEqual([]);
  });

  test('keeps its log from being compacted past what may come', () => {
    const nodes = led();
    write(nodes, 'a', 'b', 'c');
    const follower = nodes.get(3);
    follower.node.stateSynced(LogIndex(4));
    damage(follower);
    nodes.time.pass(1);
    expect(follower.node.compactNow()).toBe(0);
    nodes.time.pass(refetchAskMs + 500);
    // What was fsynced before was of the state that is gone.
    write(nodes, 'd');
    expect(follower.node.compactNow()).toBe(follower.machine.installed?.index);
  });

  test('is replaced though the others take longer to make a snapshot than it waits before it asks again', () => {
    const nodes = led();
    write(nodes, 'a', 'b');
    const takeMs = refetchAskMs + 500;
    let takes = 0;
    for (const id of [1, 2])
      nodes.get(id).machine.onTake = (taken) => {
        takes++;
        nodes.time.after(takeMs, taken);
      };
    const follower = nodes.get(3);
    damage(follower);
    nodes.time.pass(4 * takeMs);
    write(nodes, 'c');
    expect(textsOf(follower)).toEqual(['a', 'b', 'c']);
    // The first that was asked, and the one that was asked meanwhile.
    expect(takes).toBe(2);
  });

  test('is not offered to others, and goes on asking until one has another', () => {
    const nodes = led();
    write(nodes, 'a');
    for (const node of nodes.nodes) damage(node);
    nodes.time.pass(4 * refetchAskMs);
    expect(nodes.nodes.map(({ node }) => node.status().isStateRefetching)).toEqual([true, true, true]);
    expect(nodes.nodes.every(({ machine }) => machine.installed === undefined)).toBe(true);
  });
});

describe('states are compared', () => {
  /** Node 3 has something in its state that the others have not, from the next entry on. */
  function withOddity(count: number): TestNodes {
    const nodes = led(count);
    write(nodes, 'a');
    nodes.get(count).machine.oddity = '!';
    write(nodes, 'b');
    nodes.time.pass(2 * reportMs + 200);
    return nodes;
  }

  test('and where all are the same nothing is found', () => {
    const nodes = led();
    write(nodes, 'a', 'b', 'c');
    nodes.time.pass(5 * reportMs);
    expect(nodes.nodes.flatMap(({ machine }) => machine.found)).toEqual([]);
  });

  test('one that differs from what most have is told that it is wrong; the others are not', () => {
    const nodes = withOddity(3);
    expect(nodes.get(3).machine.found.some(({ isOutvoted }) => isOutvoted)).toBe(true);
    for (const id of [1, 2]) expect(nodes.get(id).machine.found).toEqual([{ index: 3, node: 3, isOutvoted: false }]);
    damage(nodes.get(3));
    nodes.time.pass(refetchAskMs + 500);
    write(nodes, 'c');
    nodes.time.pass(3 * reportMs);
    expect(textsOf(nodes.get(3))).toEqual(['a', 'b', 'c']);
    const before = nodes.get(1).machine.found.length;
    nodes.time.pass(3 * reportMs);
    expect(nodes.get(1).machine.found.length).toBe(before);
  });

  test('of two that differ nobody can tell which is right: both are told, once', () => {
    const nodes = withOddity(2);
    nodes.time.pass(5 * reportMs);
    expect(nodes.get(1).machine.found).toEqual([{ index: 3, node: 2, isOutvoted: false }]);
    expect(nodes.get(2).machine.found).toEqual([{ index: 3, node: 1, isOutvoted: false }]);
  });
});
