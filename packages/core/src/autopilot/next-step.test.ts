import fc from 'fast-check';
import { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import { describe, expect, test } from 'vitest';
import { autopilotGapMsMax } from '../limits.ts';
import type { MembersView } from '../members/members-view.ts';
import { defaultRules } from '../members/plan-change.ts';
import { changeMembership } from '../raft/membership.ts';
import { member } from '../members/test-members.ts';
import type { OwnReport } from '../member-reports.ts';
import { defaultTimings } from '../timings.ts';
import { type AutopilotStep, nextStep } from './next-step.ts';
import type { AutopilotRules } from './rules.ts';
import { type MembersWatch, watchMembers } from './watch-members.ts';

const hourMs = 3_600_000;
const nowMs = 100 * hourMs;
const lastIndex = 10_000;
const rules: AutopilotRules = {
  lastContactMs: 10_000,
  lagEntriesMax: 1_000,
  stableMs: 10_000,
  removesDead: true,
  deadMs: 24 * hourMs,
  votersMin: 3,
};

interface Seen {
  /** Undefined: never. */
  readonly silentMs?: number | undefined;
  readonly lag?: number;
  readonly term?: number;
  readonly disk?: OwnReport['disk'];
  readonly tellsNothing?: boolean;
  readonly isBehindLog?: boolean;
}

interface Sketch {
  readonly voters: readonly number[];
  readonly learners?: readonly number[];
  readonly outgoing?: readonly number[];
  readonly seen?: { readonly [node: number]: Seen };
  readonly isReady?: boolean;
  readonly isChangePending?: boolean;
}

const dead: Seen = { silentMs: 25 * hourMs };

/** Node 1 leads, in term 3, by the membership of entry 7. */
function viewOf({ voters, learners = [], outgoing = [], seen = {}, ...more }: Sketch): MembersView {
  const nodes = [...new Set([...voters, ...outgoing, ...learners])].toSorted((a, b) => a - b);
  return {
    leader: NodeId(1),
    term: Term(3),
    commit: LogIndex(lastIndex),
    lastIndex: LogIndex(lastIndex),
    membership: {
      voters: voters.map(NodeId),
      votersOutgoing: outgoing.map(NodeId),
      learners: learners.map(NodeId),
      learnersNext: [],
      autoLeave: outgoing.length > 0,
      roster: { index: LogIndex(7), epoch: 0, members: nodes.map((node) => member(node)), removed: [] },
    },
    isReady: more.isReady ?? true,
    isChangePending: more.isChangePending ?? false,
    health: nodes.map((node) => ({
      node: NodeId(node),
      match: LogIndex(lastIndex - (seen[node]?.lag ?? 0)),
      silentMs: node === 1 ? 0 : 'silentMs' in (seen[node] ?? {}) ? seen[node]?.silentMs : 50,
      isBehindLog: seen[node]?.isBehindLog ?? false,
    })),
  };
}

/** As a leader finds them that has been looking for `watchedMs`, at members that were so all the time. */
function watched(sketch: Sketch, watchedMs: number, by: AutopilotRules = rules): MembersWatch {
  const reportOf = (node: number): Pick<OwnReport, 'term' | 'disk'> | undefined => {
    const { term = 3, disk = 'ok', tellsNothing = false } = sketch.seen?.[node] ?? {};
    return tellsNothing ? undefined : { term, disk };
  };
  const of = { view: viewOf(sketch), reportOf, rules: by };
  const first = watchMembers(undefined, of, nowMs - watchedMs);
  // What is between the looks is of no account here.
  return watchMembers({ ...first, atMs: nowMs - 1_000 }, of, nowMs);
}

function due(
  sketch: Sketch,
  by: Partial<AutopilotRules> = {},
  more: { readonly watchedMs?: number; readonly stays?: readonly number[] } = {},
): AutopilotStep | undefined {
  const inForce = { ...rules, ...by };
  return nextStep({
    view: viewOf(sketch),
    watch: watched(sketch, more.watchedMs ?? 50 * hourMs, inForce),
    rules: inForce,
    changeRules: defaultRules(defaultTimings),
    mayVote: (node) => !(more.stays ?? []).includes(node),
  });
}

const four: Sketch = { voters: [1, 2, 3], learners: [4] };
const five: Sketch = { voters: [1, 2, 3, 4, 5] };

describe('nothing is due', () => {
  test.each<[string, AutopilotStep | undefined]>([
    ['where all is well', due(five)],
    ['before an entry of the term is committed', due({ ...four, isReady: false })],
    ['while a change is under way', due({ ...four, isChangePending: true })],
    ['in a joint configuration', due({ ...four, outgoing: [1, 2, 5] })],
    ['for a learner that is not meant to vote', due(four, {}, { stays: [4] })],
    ['for a learner that was healthy for a moment less than it must be', due(four, {}, { watchedMs: 9_999 })],
    ['for a learner that is one entry too far behind', due({ ...four, seen: { 4: { lag: 1_001 } } })],
    [
      'for a learner further behind than any voter may begin',
      due({ ...four, seen: { 4: { lag: 1_001 } } }, { lagEntriesMax: 5_000 }),
    ],
    ['for a learner that is being sent a snapshot', due({ ...four, seen: { 4: { isBehindLog: true } } })],
    ['for a learner in another term', due({ ...four, seen: { 4: { term: 2 } } })],
    ['for a learner whose disk is full', due({ ...four, seen: { 4: { disk: 'full' } } })],
    ['for a learner that tells nothing of itself', due({ ...four, seen: { 4: { tellsNothing: true } } })],
    [
      'for a learner that was never heard',
      due({ ...four, seen: { 4: { silentMs: undefined } } }, { removesDead: false }),
    ],
    ['for a learner while the voters are no quorum', due({ ...four, seen: { 2: dead, 3: dead } })],
    ['for the dead where they may stay', due({ ...five, seen: { 5: dead } }, { removesDead: false })],
    ['for one that was silent just as long as it may be', due({ ...five, seen: { 5: { silentMs: 24 * hourMs } } })],
    ['for the dead of before this leader looked', due({ ...five, seen: { 5: dead } }, {}, { watchedMs: 24 * hourMs })],
    ['for the dead where too few voters would be left', due({ ...five, seen: { 5: dead } }, { votersMin: 5 })],
    ['for a dead voter of three, of which three are to be kept', due({ voters: [1, 2, 3], seen: { 3: dead } })],
    ['for the dead where the healthy are no quorum before', due({ ...five, seen: { 3: dead, 4: dead, 5: dead } })],
    ['where the healthy would be no quorum after', due({ voters: [1, 2, 3, 4], seen: { 3: { term: 2 }, 4: dead } })],
    ['for the only node, whatever ails it', due({ voters: [1], seen: { 1: { disk: 'exhausted' } } }, { votersMin: 1 })],
  ])('%s', (_, step) => {
    expect(step).toBeUndefined();
  });
});

describe('one step is due', () => {
  test.each<[string, AutopilotStep | undefined, { readonly kind: string; readonly node: number }]>([
    ['a learner that was healthy long enough', due(four, {}, { watchedMs: 10_000 }), { kind: 'promote', node: 4 }],
    ['at the bound of what is behind', due({ ...four, seen: { 4: { lag: 1_000 } } }), { kind: 'promote', node: 4 }],
    ['the first of two learners', due({ ...four, learners: [4, 5] }), { kind: 'promote', node: 4 }],
    ['at once where no time is asked', due(four, { stableMs: 0 }, { watchedMs: 1_000 }), { kind: 'promote', node: 4 }],
    ['a second voter for a lone one', due({ voters: [1], learners: [2] }), { kind: 'promote', node: 2 }],
    ['the ready before the dead', due({ ...five, learners: [6], seen: { 5: dead } }), { kind: 'promote', node: 6 }],
    ['a dead voter of five', due({ ...five, seen: { 5: dead } }), { kind: 'remove', node: 5 }],
    [
      'a dead learner before a dead voter',
      due({ ...five, learners: [6], seen: { 2: dead, 6: dead } }),
      { kind: 'remove', node: 6 },
    ],
    ['a learner that never came', due({ ...four, seen: { 4: { silentMs: undefined } } }), { kind: 'remove', node: 4 }],
    [
      'the longest dead of two voters',
      due({ ...five, seen: { 2: { silentMs: 26 * hourMs }, 3: { silentMs: 27 * hourMs } } }),
      { kind: 'remove', node: 3 },
    ],
  ])('%s', (_, step, { kind, node }) => {
    expect(step).toMatchObject({ kind, node, membershipIndex: 7 });
    expect(step?.reason).toMatch(new RegExp(`^node ${node} has`));
  });
});

describe('a watch begins anew', () => {
  const sketch: Sketch = { ...four, seen: { 3: dead } };
  const of = { view: viewOf(sketch), reportOf: () => ({ term: 3, disk: 'ok' as const }), rules };
  const before = watched(sketch, 50 * hourMs);

  test('after a pause in which nobody looked, and not before', () => {
    const goesOn = watchMembers(before, of, before.atMs + autopilotGapMsMax);
    expect(goesOn.sinceMs).toBe(before.sinceMs);
    const anew = watchMembers(before, of, before.atMs + autopilotGapMsMax + 1);
    expect(anew.sinceMs).toBe(anew.atMs);
    for (const { healthyMs, heardMs } of anew.members) {
      expect([undefined, anew.atMs]).toContain(healthyMs);
      expect(heardMs).toBe(anew.atMs);
    }
  });

  test('in another term', () => {
    const view = { ...of.view, term: Term(4) };
    expect(watchMembers(before, { ...of, view }, before.atMs + 1_000)).toMatchObject({ sinceMs: before.atMs + 1_000 });
  });

  test('for a member that was ill in between', () => {
    const ill = watchMembers(
      before,
      { ...of, view: viewOf({ ...sketch, seen: { 4: { lag: 2_000 } } }) },
      nowMs + 1_000,
    );
    const well = watchMembers(ill, { ...of, view: viewOf(sketch) }, nowMs + 2_000);
    const healthyMs = (watch: MembersWatch): number | undefined =>
      watch.members.find(({ node }) => node === 4)?.healthyMs;
    expect([healthyMs(before), healthyMs(ill), healthyMs(well)]).toEqual([
      nowMs - 50 * hourMs,
      undefined,
      nowMs + 2_000,
    ]);
  });
});

const seen: fc.Arbitrary<Seen> = fc.record(
  {
    silentMs: fc.constantFrom(undefined, 0, 50, 2_000, 2_001, 10_001, 24 * hourMs, 24 * hourMs + 1, 60 * hourMs),
    lag: fc.constantFrom(0, 1, 1_000, 1_001),
    term: fc.constantFrom(2, 3),
    disk: fc.constantFrom<OwnReport['disk']>('ok', 'low', 'full', 'exhausted'),
    tellsNothing: fc.boolean(),
    isBehindLog: fc.boolean(),
  },
  { requiredKeys: [] },
);

const roles = fc.constantFrom('voter', 'voter', 'learner', 'none');
const sketches: fc.Arbitrary<Sketch> = fc
  .tuple(
    fc.array(roles, { minLength: 0, maxLength: 8 }),
    fc.array(fc.oneof(fc.constant({}), seen), { minLength: 9, maxLength: 9 }),
  )
  .map(([others, all]) => {
    const nodes = ['voter', ...others].map((role, at) => ({ role, node: at + 1 }));
    const of = (role: string): readonly number[] => nodes.flatMap((one) => (one.role === role ? [one.node] : []));
    const byNode = Object.fromEntries(all.map((one, at) => [at + 1, one]));
    return { voters: of('voter'), learners: of('learner'), seen: byNode };
  });
const anyRules: fc.Arbitrary<AutopilotRules> = fc.record({
  lastContactMs: fc.constantFrom(1_000, 10_000, 100 * hourMs),
  lagEntriesMax: fc.constantFrom(1, 1_000, 5_000),
  stableMs: fc.constantFrom(0, 10_000, 49 * hourMs),
  removesDead: fc.boolean(),
  deadMs: fc.constantFrom(60_000, 24 * hourMs),
  votersMin: fc.constantFrom(0, 1, 3, 5),
});

test('whatever the members are like, the healthy voters are a quorum before and after the step, and it keeps to the settings', () => {
  fc.assert(
    fc.property(
      sketches,
      anyRules,
      fc.array(fc.nat(9)),
      fc.constantFrom(0, 30_000, 50 * hourMs),
      (sketch, by, stays, watchedMs) => {
        const step = due(sketch, by, { stays, watchedMs });
        if (step === undefined) return;
        const view = viewOf(sketch);
        const { kind, node } = step;
        const made = changeMembership(
          view.membership,
          {
            transition: 'auto',
            steps: [{ kind: kind === 'promote' ? 'add-voter' : 'remove', node }],
            context: new Uint8Array(0),
          },
          LogIndex(8),
        );
        if (made.kind !== 'changed') throw new Error(made.rule);
        const watch = watched(sketch, watchedMs, by);
        const of = (one: number): MembersWatch['members'][number] => {
          const found = watch.members.find((member) => member.node === one);
          if (found === undefined) throw new Error(`node ${one} is not watched`);
          return found;
        };
        for (const { voters } of [view.membership, made.membership]) {
          const healthy = voters.filter((voter) => of(voter).ailment === undefined);
          expect(2 * healthy.length).toBeGreaterThan(voters.length);
        }
        expect(node).not.toBe(view.leader);
        if (kind === 'promote') {
          expect(view.membership.learners).toContain(node);
          expect(stays).not.toContain(node);
          expect(watch.atMs - (of(node).healthyMs ?? watch.atMs + 1)).toBeGreaterThanOrEqual(by.stableMs);
          return;
        }
        expect(by.removesDead).toBe(true);
        expect(of(node).ailment).toBeDefined();
        expect(watch.atMs - of(node).heardMs).toBeGreaterThan(by.deadMs);
        if (view.membership.voters.includes(node))
          expect(made.membership.voters.length).toBeGreaterThanOrEqual(by.votersMin);
      },
    ),
    { numRuns: 2_000 },
  );
});

test('the healthy get somewhere: among the cases of the property above are many of either step', () => {
  const steps = fc
    .sample(sketches, { numRuns: 600, seed: 7 })
    .map((sketch) => due(sketch, { stableMs: 0, votersMin: 1 }));
  expect(steps.filter((step) => step?.kind === 'promote').length).toBeGreaterThan(20);
  expect(steps.filter((step) => step?.kind === 'remove').length).toBeGreaterThan(20);
});
