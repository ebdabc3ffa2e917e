import { LogIndex, NodeId } from '@lockstep/contract/ids';
import { describe, expect, test } from 'vitest';
import { quorumIndex, type Voters, voteResult } from './quorum.ts';

const voters = (incoming: readonly number[], outgoing: readonly number[] = []): Voters => ({
  incoming: incoming.map(NodeId),
  outgoing: outgoing.map(NodeId),
});

describe('the index that a quorum has', () => {
  const cases: readonly (readonly [string, Voters, { readonly [node: number]: number }, number])[] = [
    ['is what the only voter has', voters([1]), { 1: 7 }, 7],
    ['is the lower of two', voters([1, 2]), { 1: 7, 2: 3 }, 3],
    ['is the middle one of three', voters([1, 2, 3]), { 1: 9, 2: 1, 3: 5 }, 5],
    ['is the third of four', voters([1, 2, 3, 4]), { 1: 9, 2: 8, 3: 5, 4: 1 }, 5],
    ['is the third of five', voters([1, 2, 3, 4, 5]), { 1: 1, 2: 2, 3: 3, 4: 4, 5: 5 }, 3],
    ['counts what was not heard of as 0', voters([1, 2, 3]), { 1: 9 }, 0],
    ['does not count those who are no voters', voters([1, 2, 3]), { 1: 9, 4: 9, 5: 9, 6: 9 }, 0],
    ['needs both halves of a joint configuration', voters([1, 2, 3], [3, 4, 5]), { 1: 9, 2: 9, 3: 9, 4: 2 }, 2],
    ['can be held back by the incoming half', voters([1, 2, 3], [3, 4, 5]), { 3: 9, 4: 9, 5: 9, 1: 1 }, 1],
  ];
  for (const [claim, of, acknowledged, expected] of cases) {
    test(claim, () => expect(quorumIndex(of, (node) => LogIndex(acknowledged[node] ?? 0))).toBe(expected));
  }

  test('is that of a sort, for any voters', () => {
    for (let count = 1; count <= 9; count += 1) {
      const ids = Array.from({ length: count }, (_, at) => at + 1);
      const indexes = ids.map((id) => (id * 7919) % 23);
      const expected = indexes.toSorted((a, b) => b - a)[Math.floor(count / 2)];
      expect(quorumIndex(voters(ids), (node) => LogIndex(indexes[node - 1] ?? 0))).toBe(expected);
    }
  });
});

describe('a vote', () => {
  const cases: readonly (readonly [string, Voters, { readonly [node: number]: boolean }, string])[] = [
    ['is won by a majority', voters([1, 2, 3]), { 1: true, 2: true }, 'won'],
    ['is open without one', voters([1, 2, 3]), { 1: true }, 'pending'],
    ['is lost when a majority can’t be had', voters([1, 2, 3]), { 1: true, 2: false, 3: false }, 'lost'],
    ['is lost by one of two', voters([1, 2]), { 1: true, 2: false }, 'lost'],
    ['is not won by those who are no voters', voters([1, 2, 3]), { 1: true, 4: true, 5: true }, 'pending'],
    ['needs both halves', voters([1, 2, 3], [4, 5, 6]), { 1: true, 2: true, 4: true }, 'pending'],
    ['is lost in one half', voters([1, 2, 3], [4, 5, 6]), { 1: true, 2: true, 4: false, 5: false }, 'lost'],
    ['is won in both halves', voters([1, 2, 3], [3, 4, 5]), { 2: true, 3: true, 4: true }, 'won'],
  ];
  for (const [claim, of, votes, expected] of cases) {
    test(claim, () => expect(voteResult(of, (node) => votes[node])).toBe(expected));
  }
});
