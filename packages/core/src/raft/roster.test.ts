import { LogIndex, NodeId } from '@lockstep/contract/ids';
import { describe, expect, test } from 'vitest';
import { rosterMembersMax, tombstonesMax } from './limits.ts';
import { changeMembership } from './membership.ts';
import { encodeMembers } from './roster-codec.ts';
import { membershipOf } from './test-cluster.fixture.ts';
import type { Member, Membership, MembershipChange, MembershipStep, Roster } from './types.ts';

const at = LogIndex(7);
const add = (node: number): MembershipStep => ({ kind: 'add-voter', node: NodeId(node) });
const learn = (node: number): MembershipStep => ({ kind: 'add-learner', node: NodeId(node) });
const update = (node: number): MembershipStep => ({ kind: 'update', node: NodeId(node) });
const remove = (node: number): MembershipStep => ({ kind: 'remove', node: NodeId(node) });

function member(node: number, changes: Partial<Member> = {}): Member {
  const address = `n${node}:1`;
  const addresses = { peerAddress: address, apiAddress: `https://${address}`, grpcAddress: address };
  return { node: NodeId(node), name: `n${node}`, ...addresses, pin: `pin${node}`, incarnation: 100 + node, ...changes };
}

function rosterOf(members: readonly Member[], changes: Partial<Roster> = {}): Roster {
  return { index: LogIndex(1), epoch: 0, members, removed: [], ...changes };
}

const three: Membership = { ...membershipOf([1, 2, 3]), roster: rosterOf([member(1), member(2), member(3)]) };

function change(steps: readonly MembershipStep[], ...said: readonly Member[]): MembershipChange {
  return { transition: 'auto', steps, context: encodeMembers(said) };
}

function changed(membership: Membership, by: MembershipChange, index: LogIndex = at): Membership {
  const outcome = changeMembership(membership, by, index);
  if (outcome.kind === 'refused') throw new Error(outcome.rule);
  return outcome.membership;
}

describe('a change is refused, on every node,', () => {
  const buried = changed(three, change([remove(3)]));
  const unreadable = { transition: 'auto', steps: [update(1)], context: Uint8Array.of(9) } as const;
  const full: Membership = {
    ...membershipOf(
      [1],
      Array.from({ length: rosterMembersMax - 1 }, (_, n) => n + 2),
    ),
    roster: rosterOf(Array.from({ length: rosterMembersMax }, (_, n) => member(n + 1))),
  };
  const cases: readonly (readonly [string, Membership, MembershipChange, string])[] = [
    [
      'that brings a removed node back',
      buried,
      change([learn(3)], member(3)),
      'node 3 was removed: it must join under a new id',
    ],
    ['that brings it back without a word', buried, change([add(3)]), 'node 3 was removed'],
    ['that speaks of nobody', three, change([update(1)], member(4)), 'speaks of node 4, which is no member'],
    ['that speaks of whom it removes', three, change([remove(3)], member(3)), 'speaks of node 3, which is no member'],
    [
      'that gives a member another disk',
      three,
      change([update(2)], member(2, { incarnation: 9 })),
      'node 2 came back with another disk',
    ],
    [
      'that forgets a member’s disk',
      three,
      change([update(2)], member(2, { incarnation: 0 })),
      'node 2 came back with another disk',
    ],
    [
      'that gives two members one key',
      three,
      change([learn(4)], member(4, { pin: 'pin2' })),
      'may not have the same key',
    ],
    ['that can’t be read', three, unreadable, 'has format 9'],
    [
      'that makes more members than may be',
      full,
      change([learn(999)], member(999)),
      `at most ${rosterMembersMax} members`,
    ],
  ];
  test.each(cases)('%s', (_claim, membership, by, rule) => {
    expect(changeMembership(membership, by, at)).toMatchObject({
      kind: 'refused',
      rule: expect.stringContaining(rule),
    });
  });
});

describe('who the members are', () => {
  test('is what the change says of them, at the place of the change', () => {
    const { roster } = changed(three, change([learn(4)], member(4)));
    expect(roster).toEqual(rosterOf([member(1), member(2), member(3), member(4)], { index: at }));
  });

  test('stays as it is where a change says nothing, but for the place', () => {
    const learner = changed(three, change([learn(4)], member(4)));
    const voter = changed(learner, change([add(4)]), LogIndex(9));
    expect(voter.roster).toEqual({ ...learner.roster, index: 9 });
  });

  test('is learned later: an address, a renewed key, and once an incarnation', () => {
    const founded = { ...membershipOf([1]), roster: rosterOf([member(1, { incarnation: 0 })]) };
    const known = changed(founded, change([update(1)], member(1)));
    expect(known.roster?.members).toEqual([member(1)]);
    const moved = member(1, { peerAddress: 'elsewhere:1', pin: 'new' });
    expect(changed(known, change([update(1)], moved)).roster?.members).toEqual([moved]);
    expect(known.voters).toEqual([1]);
  });

  test('begins with the first word about anybody', () => {
    expect(changed(membershipOf([1]), change([add(2)]))).toEqual(membershipOf([1, 2]));
    expect(changed(membershipOf([1]), change([add(2)], member(2))).roster).toEqual(
      rosterOf([member(2)], { index: at }),
    );
  });

  test('ends with a tombstone, when the last half of a joint configuration is left', () => {
    const joint = changed(three, change([add(4), remove(3)], member(4)));
    expect(joint.roster?.members.map(({ node }) => node)).toEqual([1, 2, 3, 4]);
    expect(joint.roster?.removed).toEqual([]);
    const left = changed(joint, change([]), LogIndex(8));
    expect(left.roster?.members.map(({ node }) => node)).toEqual([1, 2, 4]);
    expect(left.roster?.removed).toEqual([{ node: 3, pin: 'pin3' }]);
  });

  test('is kept of a voter that becomes a learner', () => {
    expect(changed(three, change([learn(3)])).roster).toEqual({ ...three.roster, index: at });
  });
});

test('of more removed nodes than are remembered, the ones removed first are forgotten', () => {
  const removed = Array.from({ length: tombstonesMax }, (_, n) => ({ node: NodeId(1000 + n), pin: '' }));
  const before = { ...three, roster: rosterOf([member(1), member(2), member(3)], { removed: removed.slice(1) }) };
  const once = changed(before, change([remove(3)]));
  expect(once.roster?.removed).toHaveLength(tombstonesMax);
  const twice = changed(once, change([remove(2)]));
  expect(twice.roster?.removed.map(({ node }) => node)).toEqual([
    2,
    3,
    ...removed.slice(1, -1).map(({ node }) => node),
  ]);
});
