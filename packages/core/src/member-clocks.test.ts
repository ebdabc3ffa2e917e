import { NodeId } from '@lockstep/contract/ids';
import { describe, expect, test } from 'vitest';
import { clockOffMsMax } from './limits.ts';
import type { ReadOutcome } from './port.ts';
import { TestNodes } from './test-nodes.ts';

const year = 365 * 24 * 3_600_000;

/** Three nodes of which the first one leads. */
function led(ahead: Readonly<Record<number, number>> = {}): TestNodes {
  const nodes = new TestNodes(3);
  for (const [id, ms] of Object.entries(ahead)) nodes.aheadMs.set(NodeId(Number(id)), ms);
  nodes.get(1).node.campaign();
  nodes.time.pass(500);
  return nodes;
}

/** The log's time by the leader, as milliseconds after the right one. */
function timeOff(nodes: TestNodes, at = 1): number | string {
  let outcome: ReadOutcome | undefined;
  nodes.get(at).node.readIndex((result) => {
    outcome = result;
  });
  nodes.time.pass(100);
  if (outcome?.kind !== 'confirmed') return outcome?.reason ?? 'no answer';
  return Math.round((outcome.timeMs - 1_000_000 - nodes.time.nowMs) / 100) * 100;
}

function leaderOf(nodes: TestNodes): number {
  return nodes.nodes.find(({ node }) => node.status().raft.role === 'leader')?.id ?? 0;
}

describe('log time', () => {
  test('is the clock of a lone node', () => {
    const nodes = new TestNodes(1);
    nodes.time.pass(3_000);
    expect(timeOff(nodes)).toBe(-100);
  });

  test.each([
    ['ahead', { 1: year }],
    ['behind', { 1: -900_000 }],
  ])('is not the leader’s own where that is %s of the others’', (_, ahead) => {
    expect(Math.abs(Number(timeOff(led(ahead))))).toBeLessThanOrEqual(100);
  });

  test('is not moved by a follower’s clock that jumps', () => {
    const nodes = led();
    nodes.aheadMs.set(NodeId(2), year);
    nodes.time.pass(5_000);
    expect(Math.abs(Number(timeOff(nodes)))).toBeLessThanOrEqual(100);
  });

  test('is not moved by the leader’s own clock that jumps, not even until it is noticed', () => {
    const nodes = led();
    nodes.aheadMs.set(NodeId(1), year);
    expect(Math.abs(Number(timeOff(nodes)))).toBeLessThanOrEqual(100);
  });

  test('follows the clocks where most of them move', () => {
    const nodes = led();
    for (const id of [1, 2]) nodes.aheadMs.set(NodeId(id), 30_000);
    nodes.time.pass(3_000);
    expect(Math.abs(Number(timeOff(nodes)) - 30_000)).toBeLessThanOrEqual(100);
  });

  test('of two nodes that differ is the earlier one: to expire late is safer', () => {
    const nodes = new TestNodes(2);
    nodes.aheadMs.set(NodeId(2), 30_000);
    nodes.get(1).node.campaign();
    nodes.time.pass(500);
    expect(Math.abs(Number(timeOff(nodes)))).toBeLessThanOrEqual(100);
  });

  test('never goes back, even where most of the clocks do', () => {
    const nodes = led();
    const before = Number(timeOff(nodes)) + nodes.time.nowMs;
    for (const id of [1, 2, 3]) nodes.aheadMs.set(NodeId(id), -900_000);
    nodes.time.pass(3_000);
    expect(Number(timeOff(nodes)) + nodes.time.nowMs).toBeGreaterThanOrEqual(before - 200);
  });
});

describe('a leader whose clock is off', () => {
  test(`by less than ${clockOffMsMax / 1000} s leads on`, () => {
    const nodes = led({ 1: clockOffMsMax - 1_000 });
    nodes.time.pass(5_000);
    expect(leaderOf(nodes)).toBe(1);
    expect(nodes.get(1).node.status().clockOffMs).toBe(clockOffMsMax - 1_000);
  });

  test.each([['ahead'], ['behind']])('by more, %s, says so and hands over to one whose clock is right', (way) => {
    const nodes = led();
    const far = (clockOffMsMax + 1_000) * (way === 'ahead' ? 1 : -1);
    nodes.aheadMs.set(NodeId(1), far);
    nodes.time.pass(5_000);
    expect(leaderOf(nodes)).toBeGreaterThan(1);
    expect(nodes.get(1).events).toContain('clock-off');
  });

  test('hands over to nobody whose clock is off too', () => {
    const nodes = new TestNodes(5);
    nodes.get(1).node.campaign();
    nodes.time.pass(500);
    for (const id of [1, 2]) nodes.aheadMs.set(NodeId(id), year);
    nodes.time.pass(5_000);
    expect(leaderOf(nodes)).toBeGreaterThan(2);
  });
});

test('the next leader goes by the clocks that are left to it', () => {
  const nodes = led({ 1: year });
  // Nobody answers the leader from here on: it is replaced by one that asks anew.
  nodes.cutOff.add(NodeId(1));
  nodes.time.pass(6_000);
  const leader = leaderOf(nodes) === 1 ? 0 : leaderOf(nodes);
  const next = nodes.nodes.find(({ id, node }) => id !== 1 && node.status().raft.role === 'leader')?.id ?? leader;
  expect(next).toBeGreaterThan(1);
  expect(Math.abs(Number(timeOff(nodes, next)))).toBeLessThanOrEqual(100);
});
