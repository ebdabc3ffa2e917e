import { NodeId } from '@lockstep/contract/ids';
import { describe, expect, test } from 'vitest';
import { changeMembership } from './membership.ts';
import { membershipOf } from './test-cluster.fixture.ts';
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

function changed(membership: Membership, by: MembershipChange): Membership {
  const outcome = changeMembership(membership, by);
  if (outcome.kind === 'refused') throw new Error(outcome.rule);
  return outcome.membership;
}

describe('a membership change is refused', () => {
  const three = membershipOf([1, 2, 3]);
  const joint = changed(three, change('joint-explicit', add(4)));
  const cases: readonly (readonly [string, Membership, MembershipChange, string])[] = [
    ['that removes the last voter', membershipOf([1]), change('auto', remove(1)), 'at least one voter'],
    ['that makes the last voter a learner', membershipOf([1]), change('auto', learn(1)), 'at least one voter'],
    ['that replaces all voters by none', three, change('auto', remove(1), remove(2), remove(3)), 'at least one voter'],
    ['in a joint configuration', joint, change('auto', add(5)), 'must be left'],
    ['that is joint, in a joint configuration', joint, change('joint-implicit', add(5), add(6)), 'must be left'],
    ['that leaves what is not joint', three, leave, 'only a joint configuration'],
    [
      'that makes a configuration without voters joint',
      membershipOf([]),
      change('joint-explicit', add(1)),
      'without voters',
    ],
  ];
  for (const [claim, membership, by, rule] of cases) {
    test(claim, () =>
      expect(changeMembership(membership, by)).toMatchObject({ kind: 'refused', rule: expect.stringContaining(rule) }),
    );
  }
});

describe('a membership change', () => {
  test('of one step is made at once', () => {
    expect(changed(membershipOf([1, 2]), change('auto', add(3)))).toEqual(membershipOf([1, 2, 3]));
    expect(changed(membershipOf([1, 2, 3]), change('auto', remove(1)))).toEqual(membershipOf([2, 3]));
  });

  test('of several steps is joint, and leaves by itself', () => {
    const joint = changed(membershipOf([1, 2, 3]), change('auto', remove(1), add(4)));
    expect(joint).toMatchObject({ voters: [2, 3, 4], votersOutgoing: [1, 2, 3], autoLeave: true });
    expect(changed(joint, leave)).toEqual(membershipOf([2, 3, 4]));
  });

  test('of one step is joint when asked, and stays so when asked', () => {
    expect(changed(membershipOf([1]), change('joint-implicit', add(2)))).toMatchObject({
      votersOutgoing: [1],
      autoLeave: true,
    });
    expect(changed(membershipOf([1]), change('joint-explicit', add(2)))).toMatchObject({
      votersOutgoing: [1],
      autoLeave: false,
    });
  });

  test('lets a demoted voter vote until the joint configuration is left', () => {
    const joint = changed(membershipOf([1, 2, 3]), change('joint-explicit', learn(3), add(4)));
    expect(joint).toMatchObject({ voters: [1, 2, 4], votersOutgoing: [1, 2, 3], learners: [], learnersNext: [3] });
    expect(changed(joint, leave)).toEqual(membershipOf([1, 2, 4], [3]));
  });

  test('promotes a learner', () => {
    expect(changed(membershipOf([1], [2]), change('auto', add(2)))).toEqual(membershipOf([1, 2]));
  });

  test('that updates an address, adds a member or removes a stranger changes nothing', () => {
    const three = membershipOf([1, 2, 3]);
    expect(changed(three, change('auto', { kind: 'update', node: NodeId(2) }))).toEqual(three);
    expect(changed(three, change('auto', add(2)))).toEqual(three);
    expect(changed(three, change('auto', remove(9)))).toEqual(three);
  });

  test('keeps nodes in the order of their ids', () => {
    expect(changed(membershipOf([20, 100]), change('auto', add(3))).voters).toEqual([3, 20, 100]);
  });
});
