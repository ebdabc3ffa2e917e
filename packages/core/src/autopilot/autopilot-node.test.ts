import { NodeId } from '@lockstep/contract/ids';
import { describe, expect, test } from 'vitest';
import { autopilotBeginMs, autopilotEveryMs, autopilotRetryMs } from '../limits.ts';
import { change, cluster, diskOf, joined, learn, member, membershipOf, remove } from '../members/test-members.ts';
import type { AutopilotOutcome } from '../port.ts';
import { spaceOf, type TestNode, type TestNodes } from '../test-nodes.ts';
import type { AutopilotHost, StepOutcome } from './autopilot.ts';
import type { AutopilotStep } from './next-step.ts';
import type { AutopilotRules } from './rules.ts';

const minuteMs = 60_000;
const rules: AutopilotRules = {
  lastContactMs: 10_000,
  lagEntriesMax: 1_000,
  stableMs: 10_000,
  removesDead: true,
  deadMs: minuteMs,
  votersMin: 3,
};

/** One for all nodes of a test: whoever leads asks it. */
class Operators implements AutopilotHost {
  inForce: AutopilotRules | undefined;
  readonly stays = new Set<number>();
  heldByRestore: string | undefined;
  readonly begun: AutopilotStep[] = [];
  readonly outcomes: StepOutcome[] = [];
  /** What is done with a step that is due: made at once where nothing else is said. */
  audit: (goOn: (mayBe: boolean) => void) => void = (goOn) => goOn(true);

  constructor(changes: Partial<AutopilotRules> = {}) {
    this.inForce = { ...rules, ...changes };
  }

  readonly rules = (): AutopilotRules | undefined => this.inForce;
  readonly mayVote = (node: NodeId): boolean => !this.stays.has(node);
  readonly heldBy = (): string | undefined => this.heldByRestore;
  readonly begin = (step: AutopilotStep, goOn: (mayBe: boolean) => void): void => {
    this.begun.push(step);
    this.audit(goOn);
  };
  readonly ended = (_step: AutopilotStep, outcome: StepOutcome): void => void this.outcomes.push(outcome);
}

function asked(nodes: TestNodes, by: TestNode): AutopilotOutcome {
  let outcome: AutopilotOutcome | undefined;
  by.node.autopilot((given) => {
    outcome = given;
  });
  nodes.until(() => outcome !== undefined);
  return outcome ?? expect.unreachable();
}

/** Those that don't lead. */
function followers(nodes: TestNodes): readonly TestNode[] {
  const leader = nodes.leader();
  return nodes.running.filter(({ id }) => id !== leader.id);
}

describe('a learner', () => {
  test('becomes a voter once it has been healthy for long enough, and not before', () => {
    const operators = new Operators({ stableMs: 30_000 });
    const nodes = cluster(1, { autopilot: operators });
    joined(nodes, 2, { autopilot: operators });
    const joinedMs = nodes.time.nowMs;
    nodes.until(() => membershipOf(nodes.get(2)).voters.length === 2);
    expect(nodes.time.nowMs - joinedMs).toBeGreaterThanOrEqual(30_000 - autopilotEveryMs);
    expect(nodes.time.nowMs - joinedMs).toBeLessThan(30_000 + 3 * autopilotEveryMs);
    expect(operators.begun).toHaveLength(1);
    expect(operators.outcomes).toEqual([
      { kind: 'changed', index: nodes.get(1).node.status().membership.roster?.index },
    ]);
  });

  test('that is not meant to vote stays one', () => {
    const operators = new Operators();
    operators.stays.add(2);
    const nodes = cluster(1, { autopilot: operators });
    joined(nodes, 2, { autopilot: operators });
    nodes.time.pass(2 * minuteMs);
    expect(membershipOf(nodes.get(1))).toMatchObject({ voters: [1], learners: [2] });
    expect(operators.begun).toEqual([]);
  });

  test('waits for a disk that has room, and for its time anew after that', () => {
    const operators = new Operators();
    const nodes = cluster(1, { autopilot: operators });
    nodes.spaces.set(2, spaceOf('full'));
    joined(nodes, 2, { autopilot: operators });
    nodes.time.pass(minuteMs);
    expect(membershipOf(nodes.get(1)).learners).toEqual([2]);
    nodes.spaces.set(2, spaceOf('ok'));
    const roomyMs = nodes.time.nowMs;
    nodes.until(() => membershipOf(nodes.get(1)).voters.length === 2);
    expect(nodes.time.nowMs - roomyMs).toBeGreaterThanOrEqual(rules.stableMs);
  });

  test('is promoted by the next leader where the first is lost', () => {
    const operators = new Operators({ removesDead: false });
    const nodes = cluster(3, { autopilot: operators });
    joined(nodes, 4, { autopilot: operators });
    nodes.crash(nodes.leader().id);
    nodes.until(() => nodes.running.every((node) => membershipOf(node).voters.length === 4));
    expect(operators.begun).toMatchObject([{ kind: 'promote', node: 4 }]);
  });
});

describe('the dead', () => {
  test('of five are removed one at a time, down to the least number of voters and not further', () => {
    const operators = new Operators();
    const nodes = cluster(5, { autopilot: operators });
    const [first, second, third] = followers(nodes).map(({ id }) => id);
    for (const id of [first, second]) nodes.crash(id ?? 0);
    const crashedMs = nodes.time.nowMs;
    nodes.time.pass(rules.deadMs - 1_000);
    expect(membershipOf(nodes.leader()).voters).toHaveLength(5);
    nodes.until(() => membershipOf(nodes.leader()).voters.length === 3);
    expect(nodes.time.nowMs - crashedMs).toBeGreaterThan(rules.deadMs);
    expect(operators.begun.map(({ kind, node }) => [kind, node])).toEqual([
      ['remove', first],
      ['remove', second],
    ]);
    expect(operators.outcomes.map(({ kind }) => kind)).toEqual(['changed', 'changed']);
    nodes.crash(third ?? 0);
    nodes.time.pass(3 * minuteMs);
    expect(membershipOf(nodes.leader()).voters).toHaveLength(3);
    expect(operators.begun).toHaveLength(2);
  });

  test('stay where they may, and where the settings are not known', () => {
    for (const operators of [new Operators({ removesDead: false }), new Operators()]) {
      const nodes = cluster(5, { autopilot: operators });
      if (operators.inForce?.removesDead === true) operators.inForce = undefined;
      nodes.crash(followers(nodes)[0]?.id ?? 0);
      nodes.time.pass(3 * minuteMs);
      expect(membershipOf(nodes.leader()).voters).toHaveLength(5);
      expect(operators.begun).toEqual([]);
    }
  });

  test('stay while something holds autopilot back, and go after it', () => {
    const operators = new Operators();
    operators.heldByRestore = 'a restore is under way';
    const nodes = cluster(5, { autopilot: operators });
    nodes.crash(followers(nodes)[0]?.id ?? 0);
    nodes.time.pass(3 * minuteMs);
    expect(operators.begun).toEqual([]);
    expect(asked(nodes, nodes.leader())).toMatchObject({ condition: { heldBy: 'a restore is under way' } });
    operators.heldByRestore = undefined;
    nodes.until(() => membershipOf(nodes.leader()).voters.length === 4);
  });

  test('are not those that the leader itself was cut off from', () => {
    const operators = new Operators();
    const nodes = cluster(5, { autopilot: operators });
    const leader = nodes.leader();
    nodes.cutOff.add(leader.id);
    nodes.time.pass(3 * minuteMs);
    // It is the others' dead, and comes back as a stranger; of them none is gone.
    expect(membershipOf(nodes.leader()).voters).toEqual([1, 2, 3, 4, 5].filter((id) => id !== leader.id));
    expect(operators.begun).toMatchObject([{ kind: 'remove', node: leader.id }]);
    expect(membershipOf(leader).voters).toHaveLength(5);
  });

  test('are not those that a paused process did not hear', () => {
    const operators = new Operators();
    const nodes = cluster(3, { autopilot: operators });
    nodes.time.pass(10_000);
    nodes.time.pause(10 * minuteMs);
    nodes.time.pass(30_000);
    expect(operators.begun).toEqual([]);
    expect(membershipOf(nodes.leader()).voters).toHaveLength(3);
  });
});

describe('a step that was begun', () => {
  test('is not made when it is not due any more once it may be', () => {
    const operators = new Operators();
    let goOn: ((mayBe: boolean) => void) | undefined;
    operators.audit = (go) => {
      goOn = go;
    };
    const nodes = cluster(1, { autopilot: operators });
    joined(nodes, 2, { autopilot: operators });
    nodes.until(() => goOn !== undefined);
    operators.stays.add(2);
    goOn?.(true);
    nodes.until(() => operators.outcomes.length === 1);
    expect(operators.outcomes).toEqual([{ kind: 'dropped', text: 'it is not due any more' }]);
    expect(membershipOf(nodes.get(1)).learners).toEqual([2]);
  });

  test('is dropped where it may not be, or nobody says; it is tried again, after a rest', () => {
    const operators = new Operators();
    operators.audit = (goOn) => goOn(false);
    const nodes = cluster(1, { autopilot: operators });
    joined(nodes, 2, { autopilot: operators });
    nodes.until(() => operators.outcomes.length === 1);
    const droppedMs = nodes.time.nowMs;
    operators.audit = () => undefined;
    nodes.until(() => operators.begun.length === 2);
    expect(nodes.time.nowMs - droppedMs).toBeGreaterThanOrEqual(autopilotRetryMs);
    nodes.time.pass(autopilotBeginMs + autopilotRetryMs + 2 * autopilotEveryMs);
    expect(operators.outcomes[1]).toEqual({ kind: 'dropped', text: 'it was not begun in time' });
    expect(membershipOf(nodes.get(1)).voters).toEqual([1]);
  });

  test('is not made by a node that leads no more', () => {
    const operators = new Operators();
    let goOn: ((mayBe: boolean) => void) | undefined;
    operators.audit = (go) => {
      goOn ??= go;
    };
    const nodes = cluster(3, { autopilot: operators });
    joined(nodes, 4, { autopilot: operators });
    nodes.until(() => goOn !== undefined);
    const before = nodes.leader();
    before.node.transferLeader();
    nodes.until(() => nodes.leader().id !== before.id);
    goOn?.(true);
    nodes.until(() => operators.outcomes.length > 0);
    expect(operators.outcomes[0]).toEqual({ kind: 'dropped', text: 'this node leads no more' });
    expect(membershipOf(nodes.leader()).learners).toEqual([4]);
  });

  test('gives way to an operator who was faster', () => {
    const operators = new Operators();
    let goOn: ((mayBe: boolean) => void) | undefined;
    operators.audit = (go) => {
      goOn ??= go;
    };
    const nodes = cluster(5, { autopilot: operators });
    const [dead = 0, alive = 0] = followers(nodes).map(({ id }) => id);
    nodes.crash(dead);
    nodes.time.pass(rules.deadMs - 1_000);
    nodes.until(() => goOn !== undefined);
    expect(change(nodes, nodes.leader(), { steps: [remove(alive)] })).toMatchObject({ kind: 'changed' });
    goOn?.(true);
    nodes.until(() => operators.outcomes.length > 0);
    expect(operators.outcomes).toMatchObject([{ kind: 'dropped' }]);
    expect(membershipOf(nodes.leader()).voters).toHaveLength(4);
  });
});

describe('how the members are', () => {
  test('is told by any node, in the leader’s words', () => {
    const operators = new Operators();
    const nodes = cluster(3, { autopilot: operators });
    const dead = followers(nodes)[0]?.id ?? NodeId(0);
    nodes.crash(dead);
    nodes.time.pass(30_000);
    const { condition, view } = [
      asked(nodes, nodes.leader()),
      ...followers(nodes).map((by) => asked(nodes, by)),
    ].reduce((first, next) => {
      if (first.kind !== 'autopilot' || next.kind !== 'autopilot') throw new Error(JSON.stringify([first, next]));
      expect(next.condition.members.map(({ ailment }) => ailment === '')).toEqual(
        first.condition.members.map(({ ailment }) => ailment === ''),
      );
      return first;
    }) as AutopilotOutcome & { kind: 'autopilot' };
    expect(condition.members.map(({ node }) => node)).toEqual([1, 2, 3]);
    for (const { node, ailment, term, stableMs, unheardMs } of condition.members) {
      if (node === dead) {
        expect(ailment).toMatch(/^it was heard last \d+ ms ago, at most 10000 ms are healthy$/);
        expect([term, stableMs]).toEqual([0, undefined]);
        expect(unheardMs).toBeGreaterThan(29_000);
      } else {
        expect([ailment, term]).toEqual(['', view.term]);
        expect(stableMs).toBeGreaterThan(29_000);
      }
    }
  });

  test('is refused by a leader that has no autopilot, and by one that can’t read its settings', () => {
    const bare = cluster(1);
    expect(asked(bare, bare.get(1))).toMatchObject({
      kind: 'refused',
      reason: 'invalid',
      text: 'the leader has no autopilot',
    });
    const operators = new Operators();
    operators.inForce = undefined;
    const nodes = cluster(1, { autopilot: operators });
    expect(asked(nodes, nodes.get(1))).toMatchObject({ kind: 'refused', reason: 'not-ready' });
  });

  test('counts a member that was added and never came from when it was added', () => {
    const operators = new Operators();
    const nodes = cluster(3, { autopilot: operators });
    nodes.time.pass(3 * minuteMs);
    const added = change(nodes, nodes.leader(), {
      steps: [learn(4)],
      members: [member(4, { incarnation: diskOf(4) })],
    });
    expect(added).toMatchObject({ kind: 'changed' });
    nodes.time.pass(rules.deadMs - 5_000);
    expect(membershipOf(nodes.leader()).learners).toEqual([4]);
    nodes.until(() => membershipOf(nodes.leader()).learners.length === 0);
    expect(operators.begun).toMatchObject([{ kind: 'remove', node: 4 }]);
  });
});
