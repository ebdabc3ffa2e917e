import { LogIndex, NodeId } from '@lockstep/contract/ids';
import { describe, expect, test } from 'vitest';
import type { PeerMessage } from '../peers/peers.ts';
import type { Membership, Roster } from '../raft/types.ts';
import { withIntroduced } from './founding.ts';
import { Introductions, isNews } from './introductions.ts';
import { member } from './test-members.ts';

const [n1, n2, n3, n4] = [NodeId(1), NodeId(2), NodeId(3), NodeId(4)];

function roster(index: number, changes: Partial<Roster> = {}): Roster {
  return { index: LogIndex(index), epoch: 1, members: [member(1), member(2), member(3)], removed: [], ...changes };
}

const membership: Membership = {
  voters: [n1, n2],
  votersOutgoing: [],
  learners: [n3],
  learnersNext: [],
  autoLeave: false,
  roster: roster(5),
};

/** What node 1 answers a node that tells how far it certainly has come. */
function answers(from: NodeId, floor: number, known: Membership = membership): readonly PeerMessage[] {
  const sent: PeerMessage[] = [];
  const send = (to: NodeId, message: PeerMessage): void => {
    expect(to).toBe(from);
    sent.push(message);
  };
  new Introductions({ id: n1, membership: () => known, send }).reported(from, { floor });
  return sent;
}

describe('who the members are', () => {
  test('is told to a voter or learner that lacks the last change of them, and to no other', () => {
    const told = [{ kind: 'roster', from: n1, roster: roster(5) }];
    expect([answers(n2, 4), answers(n3, 0)]).toEqual([told, told]);
    expect([answers(n2, 5), answers(n3, 9), answers(n4, 4)]).toEqual([[], [], []]);
  });

  test('is not told by a node that does not know it', () => {
    const { roster: _, ...nameless } = membership;
    expect(answers(n2, 0, nameless)).toEqual([]);
  });

  test('is news to a member that knows an earlier entry, or an earlier epoch, or nothing', () => {
    const isNewsTo = (known: Roster | undefined): boolean => isNews(roster(5), { id: n2, known });
    expect([roster(4), roster(9, { epoch: 0 }), undefined].map(isNewsTo)).toEqual([true, true, true]);
    expect([roster(5), roster(6), roster(1, { epoch: 2 })].map(isNewsTo)).toEqual([false, false, false]);
  });

  test('is no news to a node that it does not name', () => {
    expect(isNews(roster(5), { id: n4, known: undefined })).toBe(false);
  });
});

describe('whom a node talks to, once it was introduced,', () => {
  const known = [n2, n3].map((node) => ({ node, address: `old${node}:1`, pin: `old${node}` }));
  const introduced = (changes: Partial<Roster>, removed: Roster['removed'] = []): string[] =>
    withIntroduced(known, { id: n1, roster: roster(5, changes), removed }).map(
      ({ node, address }) => `${node} ${address}`,
    );

  test('are those that it knew and those that are new, each where the later word says', () => {
    expect(introduced({ members: [member(1), member(3), member(4)] })).toEqual(['2 old2:1', '3 n3:1', '4 n4:1']);
  });

  test('is nobody whose address is not told, and nobody whose removal it knows of', () => {
    expect(introduced({ members: [member(1), member(4, { peerAddress: '' })] })).toEqual(['2 old2:1', '3 old3:1']);
    expect(introduced({ members: [member(1), member(4)] }, [{ node: n4, pin: 'pin4' }])).toEqual([
      '2 old2:1',
      '3 old3:1',
    ]);
  });
});
