import { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import { describe, expect, test } from 'vitest';
import type { MembershipStep, Roster } from '../raft/types.ts';
import type { MembersView } from './members-view.ts';
import { type ChangePlan, type ChangeRules, planChange, type WantedChange } from './plan-change.ts';
import { learn, member, promote, remove, update } from './test-members.ts';

const silentMsMax = 2_000;
const lagEntriesMax = 10;
const lastIndex = 100;
const rules: ChangeRules = { ifMembershipIndex: undefined, votersMin: 1, lagEntriesMax, silentMsMax };

interface Sketch {
  readonly voters: readonly number[];
  readonly learners?: readonly number[];
  readonly outgoing?: readonly number[];
  /** Heard too long ago. */
  readonly dead?: readonly number[];
  readonly neverHeard?: readonly number[];
  readonly behind?: { readonly [node: number]: number };
  readonly snapshotting?: readonly number[];
  readonly removed?: readonly number[];
  readonly isReady?: boolean;
  readonly isChangePending?: boolean;
}

/** Node 1 leads. */
function viewOf(sketch: Sketch): MembersView {
  const { voters, learners = [], outgoing = [], dead = [], neverHeard = [], behind = {}, snapshotting = [] } = sketch;
  const nodes = [...new Set([...voters, ...outgoing, ...learners])].sort((a, b) => a - b);
  const roster: Roster = {
    index: LogIndex(7),
    epoch: 0,
    members: nodes.map((node) => member(node)),
    removed: (sketch.removed ?? []).map((node) => ({ node: NodeId(node), pin: '' })),
  };
  const silent = (node: number): number | undefined =>
    neverHeard.includes(node) ? undefined : dead.includes(node) ? silentMsMax + 1 : silentMsMax;
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
      roster,
    },
    isReady: sketch.isReady ?? true,
    isChangePending: sketch.isChangePending ?? false,
    health: nodes.map((node) => ({
      node: NodeId(node),
      match: LogIndex(lastIndex - (behind[node] ?? 0)),
      silentMs: node === 1 ? 0 : silent(node),
      isBehindLog: snapshotting.includes(node),
    })),
  };
}

function plan(
  sketch: Sketch,
  steps: readonly MembershipStep[],
  more: Partial<ChangeRules & WantedChange> = {},
): ChangePlan {
  const { members = [], ...changed } = more;
  return planChange(viewOf(sketch), { steps, members }, { ...rules, ...changed });
}

const three: Sketch = { voters: [1, 2, 3] };

describe('a change is refused', () => {
  const cases: readonly (readonly [string, ChangePlan, string, string])[] = [
    [
      'for another membership',
      plan(three, [remove(3)], { ifMembershipIndex: LogIndex(6) }),
      'membership-moved',
      'the membership is that of entry 7, not that of entry 6: look at it again',
    ],
    [
      'by a new leader',
      plan({ ...three, isReady: false, isChangePending: true }, [remove(3)]),
      'not-ready',
      'the leader is new: no entry of its term is committed yet',
    ],
    [
      'while another is pending',
      plan({ ...three, isChangePending: true }, [remove(3)]),
      'change-pending',
      'another change of the membership has not taken effect yet',
    ],
    [
      'while joint',
      plan({ voters: [1, 2], outgoing: [1, 3] }, [remove(2)]),
      'joint',
      'another change is half made: the joint configuration must be left first',
    ],
    [
      'that brings back a removed node',
      plan({ ...three, removed: [4] }, [learn(4)]),
      'removed',
      'node 4 was removed: it must join under a new id',
    ],
    ['that removes a stranger', plan(three, [remove(4)]), 'not-member', 'node 4 is not a member'],
    ['that speaks of a stranger', plan(three, [update(4)]), 'not-member', 'node 4 is not a member'],
    [
      'that makes a voter of a stranger',
      plan(three, [promote(4)]),
      'not-member',
      'node 4 is not a member: a voter is a learner first',
    ],
    ['that makes a voter of a voter', plan(three, [promote(3)]), 'no-change', 'node 3 is a voter already'],
    [
      'that makes a learner of a learner',
      plan({ ...three, learners: [4] }, [learn(4)]),
      'no-change',
      'node 4 is a learner already',
    ],
    [
      'that promotes the silent',
      plan({ ...three, learners: [4], dead: [4] }, [promote(4)]),
      'not-caught-up',
      'node 4 has not been heard for 2000 ms',
    ],
    [
      'that promotes who was never heard',
      plan({ ...three, learners: [4], neverHeard: [4] }, [promote(4)]),
      'not-caught-up',
      'node 4 has not been heard for 2000 ms',
    ],
    [
      'that promotes who is sent a snapshot',
      plan({ ...three, learners: [4], snapshotting: [4] }, [promote(4)]),
      'not-caught-up',
      'node 4 is still being sent a snapshot',
    ],
    [
      'that promotes one entry too early',
      plan({ ...three, learners: [4], behind: { 4: 11 } }, [promote(4)]),
      'not-caught-up',
      'node 4 is 11 entries behind, at most 10 are allowed',
    ],
    [
      'that removes the last voter',
      plan({ voters: [1], learners: [2] }, [remove(1)]),
      'last-voter',
      'a cluster keeps at least one voter',
    ],
    [
      'that demotes the last voter',
      plan({ voters: [1] }, [learn(1)]),
      'last-voter',
      'a cluster keeps at least one voter',
    ],
    [
      'that leaves too few voters',
      plan(three, [remove(3)], { votersMin: 3 }),
      'voters-min',
      '2 voters would be left, at least 3 are to be kept',
    ],
    [
      'that loses the quorum',
      plan({ ...three, dead: [3] }, [remove(2)]),
      'quorum-lost',
      'of 2 voters 1 would be there, and the quorum is 2',
    ],
    [
      'that demotes away the quorum',
      plan({ ...three, dead: [3] }, [learn(2)]),
      'quorum-lost',
      'of 2 voters 1 would be there, and the quorum is 2',
    ],
    [
      'that can’t be made',
      plan(three, [update(2)], { members: [member(2, { incarnation: 9 })] }),
      'invalid',
      'node 2 came back with another disk: it must join under a new id',
    ],
  ];
  test.each(cases)('%s', (_claim, { refusals }, reason, text) => {
    expect(refusals).toEqual([{ reason, text }]);
  });

  test('for every reason there is', () => {
    const { refusals } = plan({ ...three, dead: [2, 3], isReady: false }, [promote(4), remove(1)], {
      ifMembershipIndex: LogIndex(1),
      votersMin: 5,
    });
    expect(refusals.map(({ reason }) => reason)).toEqual([
      'membership-moved',
      'not-ready',
      'not-member',
      'quorum-lost',
    ]);
  });
});

describe('a change is not refused', () => {
  test.each([
    ['for the membership that it was made for', three, [remove(3)], { ifMembershipIndex: LogIndex(7) }],
    ['that removes the dead', { ...three, dead: [3] }, [remove(3)], {}],
    ['that removes the dead, of two', { voters: [1, 2], dead: [2] }, [remove(2)], {}],
    ['that removes the dead among many', { voters: [1, 2, 3, 4, 5], dead: [4, 5] }, [remove(5)], {}],
    ['that leaves as many voters as are wanted', three, [remove(3)], { votersMin: 2 }],
    ['that changes no voter, though there are too few', three, [learn(4)], { votersMin: 5 }],
    ['that adds a voter where there are too few', { voters: [1], learners: [2] }, [promote(2)], { votersMin: 3 }],
    ['that promotes at the bound', { ...three, learners: [4], behind: { 4: 10 } }, [promote(4)], {}],
    ['that removes a learner, dead or not', { ...three, learners: [4], dead: [4] }, [remove(4)], {}],
    [
      'that tells of an address while the quorum is lost',
      { ...three, dead: [2, 3] },
      [update(2)],
      { members: [member(2, { peerAddress: 'x:1' })] },
    ],
  ] as const)('%s', (_claim, sketch, steps, more) => {
    expect(plan(sketch, steps, more).refusals).toEqual([]);
  });
});

describe('a plan', () => {
  test('says what the quorum is before and after', () => {
    const { before, after, isJoint, membershipIndex } = plan({ ...three, learners: [4], dead: [3] }, [promote(4)]);
    expect(membershipIndex).toBe(7);
    expect(isJoint).toBe(false);
    expect(before).toEqual({
      voters: [1, 2, 3],
      learners: [4],
      quorum: 2,
      reachable: 2,
      failuresTolerated: 1,
      failuresLeft: 0,
    });
    expect(after).toEqual({
      voters: [1, 2, 3, 4],
      learners: [],
      quorum: 3,
      reachable: 3,
      failuresTolerated: 1,
      failuresLeft: 0,
    });
  });

  test('tells of what is refused, too', () => {
    const { after, refusals } = plan({ ...three, dead: [3] }, [remove(2)]);
    expect(refusals).toHaveLength(1);
    expect(after).toMatchObject({ voters: [1, 3], quorum: 2, reachable: 1, failuresTolerated: 0, failuresLeft: -1 });
  });

  test('of several steps is joint, and tolerates as much at its end', () => {
    const replaced = plan({ ...three, learners: [4] }, [promote(4), remove(3)]);
    expect(replaced).toMatchObject({ isJoint: true, refusals: [] });
    expect(replaced.after).toMatchObject({ voters: [1, 2, 4], failuresTolerated: 1 });
  });

  test('of a joint configuration tells the worse half', () => {
    const { before } = plan({ voters: [1, 4, 5], outgoing: [1, 2, 3], dead: [2, 3] }, [remove(5)]);
    expect(before).toMatchObject({ voters: [1, 2, 3], reachable: 1, failuresLeft: -1 });
  });

  test('tells when the leader leaves, removed or demoted', () => {
    expect(plan(three, [remove(1)]).isLeaderLeaving).toBe(true);
    expect(plan(three, [learn(1)]).isLeaderLeaving).toBe(true);
    expect(plan(three, [remove(2)]).isLeaderLeaving).toBe(false);
  });

  test('by which the leader leaves needs a voter that stays: one that becomes a voter by it is not enough', () => {
    const sketch = { voters: [1, 2], learners: [3] };
    expect(plan(sketch, [promote(3), remove(1)]).refusals).toEqual([]);
    expect(plan(sketch, [promote(3), remove(1), remove(2)]).refusals).toEqual([
      {
        reason: 'invalid',
        text: 'node 1 leads, and no voter that stays could lead after it: make it two changes, the new voter first',
      },
    ]);
  });
});
