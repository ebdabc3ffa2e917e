import { NodeId } from '@lockstep/contract/ids';
import { expect, test } from 'vitest';
import { unfitTimeoutsMax } from './limits.ts';
import type { ProposeOutcome, ReadOutcome } from './port.ts';
import { type TestNode, TestNodes } from './test-nodes.ts';
import { defaultTimings } from './timings.ts';

// A sealed node stores and votes. Where nobody else can lead it leads, orders nothing for clients, and hands over as soon as it can.
const electionMs = defaultTimings.tickMs * defaultTimings.electionTicks;

function propose(at: TestNode, text: string): { outcome: ProposeOutcome | undefined } {
  const result: { outcome: ProposeOutcome | undefined } = { outcome: undefined };
  at.node.propose(Buffer.from(text), (outcome) => {
    result.outcome = outcome;
  });
  return result;
}

function read(at: TestNode): { outcome: ReadOutcome | undefined } {
  const result: { outcome: ReadOutcome | undefined } = { outcome: undefined };
  at.node.readIndex((outcome) => {
    result.outcome = outcome;
  });
  return result;
}

const roles = (nodes: TestNodes): readonly string[] => nodes.nodes.map(({ node }) => node.status().raft.role);
const leads = (nodes: TestNodes, id: number): boolean => nodes.get(id).node.status().raft.role === 'leader';

/** Passes time until it is so; fails after a minute of it. */
function passUntil(nodes: TestNodes, isSo: () => boolean): number {
  const startMs = nodes.time.nowMs;
  while (!isSo()) {
    nodes.time.pass(10);
    if (nodes.time.nowMs - startMs > 60_000) throw new Error(`not within a minute: ${roles(nodes).join(', ')}`);
  }
  return nodes.time.nowMs - startMs;
}

/** Node 1 led unsealed, and was cut off; the other two are sealed, and one of them leads by now. */
function ledBySealed(): { readonly nodes: TestNodes; readonly leader: TestNode; readonly leaderlessMs: number } {
  const nodes = new TestNodes(3);
  nodes.get(1).node.campaign();
  nodes.time.pass(200);
  propose(nodes.get(1), 'before');
  nodes.time.pass(200);
  for (const id of [2, 3]) nodes.get(id).machine.isSealed = true;
  nodes.cutOff.add(NodeId(1));
  const leaderlessMs = passUntil(nodes, () => leads(nodes, 2) || leads(nodes, 3));
  return { nodes, leader: nodes.get(leads(nodes, 2) ? 2 : 3), leaderlessMs };
}

test('a sealed voter campaigns only after three leaderless timeouts', () => {
  const { leaderlessMs } = ledBySealed();
  expect(unfitTimeoutsMax).toBe(3);
  expect(leaderlessMs).toBeGreaterThan(unfitTimeoutsMax * electionMs);
});

test('as leader it commits its no-op, and orders no transaction', () => {
  const { nodes, leader } = ledBySealed();
  nodes.time.pass(200);
  const { term, commit, lastIndex } = leader.node.status().raft;
  expect(commit).toBe(lastIndex);
  const [write, question] = [propose(leader, 'sealed'), read(leader)];
  nodes.time.pass(defaultTimings.readDeadlineMs + 1000);
  expect([write.outcome, question.outcome?.kind]).toEqual([{ kind: 'refused', reason: 'sealed' }, 'refused']);
  expect(leader.node.status().raft).toMatchObject({ role: 'leader', term, lastIndex });
});

test('it catches an unsealed voter up, with what only a sealed leader ordered, and hands over without an election timeout', () => {
  const { nodes, leader } = ledBySealed();
  for (let n = 0; n < 20; n++) leader.node.proposeControl(Buffer.from(`seal configuration ${n}`), () => undefined);
  nodes.time.pass(500);
  const { lastIndex, term } = leader.node.status().raft;
  const unsealed = nodes.get(1);
  expect(unsealed.node.status().raft.lastIndex).toBeLessThan(lastIndex);
  nodes.cutOff.clear();
  // A client of the unsealed node asks for as long as it is refused.
  let asked = propose(unsealed, 'after');
  const handedOverMs = passUntil(nodes, () => {
    if (asked.outcome?.kind === 'refused') asked = propose(unsealed, 'after');
    return asked.outcome?.kind === 'appended';
  });
  expect(leads(nodes, 1)).toBe(true);
  expect(unsealed.node.status().raft.term).toBe(term + 1);
  expect(handedOverMs).toBeLessThan(2 * electionMs);
  nodes.time.pass(200);
  expect(unsealed.machine.texts.map((text) => text.replace(/^\d+:/, ''))).toEqual(['before', 'after']);
  expect(unsealed.machine.controls).toHaveLength(20);
  // The sealed ones hold it all, and take it once they are unsealed.
  for (const id of [2, 3]) {
    nodes.get(id).machine.isSealed = false;
    nodes.get(id).node.resumeApply();
  }
  nodes.time.pass(200);
  for (const id of [2, 3]) expect(nodes.get(id).machine.texts).toEqual(unsealed.machine.texts);
});

test('a leader that is sealed while it leads hands over to one that is not, and the transaction goes on there', () => {
  const nodes = new TestNodes(3);
  nodes.get(1).node.campaign();
  nodes.time.pass(200);
  nodes.get(1).machine.isSealed = true;
  let asked = propose(nodes.get(2), 'a');
  passUntil(nodes, () => {
    if (asked.outcome?.kind === 'refused') asked = propose(nodes.get(2), 'a');
    return asked.outcome?.kind === 'appended';
  });
  nodes.time.pass(200);
  expect(leads(nodes, 1)).toBe(false);
  expect(nodes.get(2).machine.texts.map((text) => text.replace(/^\d+:/, ''))).toEqual(['a']);
});
