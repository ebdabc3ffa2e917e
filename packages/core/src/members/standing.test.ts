import { LogIndex, NodeId } from '@lockstep/contract/ids';
import { describe, expect, test } from 'vitest';
import type { Membership, Roster } from '../raft/types.ts';
import { isSilenced, leftBehind, standingAfter, standingIn } from './standing.ts';
import { member } from './test-members.ts';

const roster: Roster = {
  index: LogIndex(5),
  epoch: 2,
  members: [member(1), member(2)],
  removed: [{ node: NodeId(3), pin: 'p' }],
};
const membership: Membership = {
  voters: [NodeId(1), NodeId(2)],
  votersOutgoing: [],
  learners: [NodeId(4)],
  learnersNext: [],
  autoLeave: false,
  roster,
};

test('what a node is, by the membership', () => {
  expect([1, 4, 3, 9].map((node) => standingIn(membership, NodeId(node)))).toEqual([
    'member',
    'member',
    'removed',
    'joining',
  ]);
});

describe('a member’s word', () => {
  test('of an earlier epoch says nothing, of this one that it was removed, of a later one that it was left behind', () => {
    const told = [1, 2, 3].map((epoch) => standingAfter({ kind: 'removed', epoch, index: 9 }, roster));
    expect(told).toEqual([undefined, 'removed', 'left-behind']);
    expect(standingAfter({ kind: 'removed', epoch: 0, index: 9 }, undefined)).toBe('removed');
  });

  test('of another disk silences it', () => {
    expect(standingAfter({ kind: 'other-disk' }, roster)).toBe('other-disk');
    expect((['joining', 'member', 'removed', 'left-behind', 'other-disk'] as const).filter(isSilenced)).toEqual([
      'left-behind',
      'other-disk',
    ]);
  });

  test('of being left behind is kept, and holds after a restart', () => {
    const kept = leftBehind(membership, NodeId(2), 3);
    expect(standingIn(kept, NodeId(2))).toBe('left-behind');
    expect(kept).toMatchObject({
      voters: [1, 2],
      roster: { index: 5, epoch: 3, removed: [{ node: 2, pin: 'pin2' }, { node: 3 }] },
    });
    expect(standingAfter({ kind: 'removed', epoch: 2, index: 9 }, kept.roster)).toBeUndefined();
  });

  test('is kept by who knew nobody yet', () => {
    const { roster: _, ...nobody } = { ...membership, voters: [], learners: [] };
    expect(standingIn(leftBehind(nobody, NodeId(9), 1), NodeId(9))).toBe('removed');
  });
});
