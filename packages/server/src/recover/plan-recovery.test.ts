import { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import { forcedMembership } from '@lockstep/core/members/force-membership';
import type { Member, Membership, SnapshotMeta } from '@lockstep/core/raft/types';
import { describe, expect, test } from 'vitest';
import { encodeControlEntry } from '../control-entry.ts';
import { type FoundDisk, planRecovery } from './plan-recovery.ts';

const ids = (...nodes: readonly number[]): readonly NodeId[] => nodes.map((node) => NodeId(node));

function member(id: number): Member {
  const addresses = { peerAddress: `n${id}:8201`, apiAddress: '', grpcAddress: '' };
  return { node: NodeId(id), name: `node-${id}`, ...addresses, pin: `pin${id}`, incarnation: 100 + id };
}

function membership(of: Partial<Membership> = {}): Membership {
  const roster = { index: LogIndex(3), epoch: 0, members: [1, 2, 3, 4, 5].map(member), removed: [] };
  return { voters: ids(1, 2, 3), votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false, roster, ...of };
}

const node = NodeId(1);

/** A log of entries 11 to 20, of which 17 are known to be committed, and a state that holds 15. */
function disk(change: Partial<FoundDisk> & { readonly membership?: Membership } = {}): FoundDisk {
  const { membership: members = membership(), ...more } = change;
  const stored = {
    hardState: { term: Term(6), vote: NodeId(2), commit: LogIndex(17) },
    snapshot: { id: '', index: LogIndex(10), term: Term(4), membership: members },
    membership: members,
    appliedMembershipIndex: LogIndex(3),
    firstIndex: LogIndex(11),
    lastIndex: LogIndex(20),
    termRuns: [{ firstIndex: LogIndex(11), term: Term(5) }],
    tail: [],
  };
  return {
    node,
    stored,
    forced: forcedMembership(stored, node),
    controls: [],
    state: { applied: LogIndex(15), control: { index: LogIndex(2), data: new Uint8Array(0) }, installed: undefined },
    damage: undefined,
    holds: () => false,
    ...more,
  };
}

const installed = (index: number, term: number): SnapshotMeta => ({
  id: 's',
  index: LogIndex(index),
  term: Term(term),
  membership: membership(),
});
const savedId = 'ab'.repeat(32);
const restore = (index: number): FoundDisk['controls'][number] => ({
  index: LogIndex(index),
  term: Term(5),
  type: 'control',
  data: encodeControlEntry({
    seal: undefined,
    founding: new Uint8Array(0),
    restore: { savedId, timeMs: 1, versionOffset: 1 },
  }),
});
const state = (of: Partial<FoundDisk['state']>): Pick<FoundDisk, 'state'> => ({ state: { ...disk().state, ...of } });
const joint = membership({ voters: ids(1, 4, 5), votersOutgoing: ids(1, 2, 3) });

describe('a recovery is refused', () => {
  test.each<readonly [string, FoundDisk, readonly string[], RegExp]>([
    ['where two of three survive', disk(), ['node-2'], /^1, 2 are a quorum of the voters/],
    ['where the others are a quorum without it', disk(), ['2', '3'], /are a quorum/],
    ['where both halves of a joint membership survive', disk({ membership: joint }), ['4', '2'], /are a quorum/],
    ['of a damaged state', disk({ damage: 'a value was moved' }), [], /copy of the state is damaged \(a value was/],
    [
      'of a state ahead of the log',
      disk(state({ applied: LogIndex(21) })),
      [],
      /holds entry 21, but the log ends at 20/,
    ],
    [
      'of a state behind the log',
      disk(state({ applied: LogIndex(9) })),
      [],
      /ends at entry 9, but the log begins after 10/,
    ],
    [
      'of a snapshot half installed, beyond the log',
      disk(state({ installed: installed(30, 6) })),
      [],
      /being installed/,
    ],
    [
      'of a snapshot half installed, of another term',
      disk(state({ installed: installed(19, 6) })),
      [],
      /being installed/,
    ],
    ['of a restore whose file is elsewhere', disk({ controls: [restore(16)] }), [], /put it there as restores\/abab/],
    [
      'of a log that does not say who this is',
      disk({
        membership: {
          ...membership(),
          roster: { ...joint.roster, index: LogIndex(1), epoch: 0, members: [], removed: [] },
        },
      }),
      [],
      /give --config/,
    ],
  ])('%s', (_, found, surviving, why) => {
    expect(planRecovery(found, surviving).refusals).toEqual([expect.stringMatching(why)]);
  });

  test('for a survivor that is no member', () => {
    expect(() => planRecovery(disk(), ['node-9'])).toThrow('surviving: "node-9" is no member: 1, 2, 3 are');
  });
});

describe('a recovery is allowed', () => {
  test.each<readonly [string, FoundDisk, readonly string[]]>([
    ['where it is the only one', disk(), []],
    ['where it names itself', disk(), ['node-1']],
    ['where one of four others survives', disk({ membership: membership({ voters: ids(1, 2, 3, 4, 5) }) }), ['5']],
    ['where learners survive', disk({ membership: membership({ learners: ids(4, 5) }) }), ['4', '5']],
    ['where one half of a joint membership survives', disk({ membership: joint }), ['2', '3']],
    ['after an installation that the log has', disk(state({ installed: installed(10, 4) })), []],
    ['after an installation that the log holds the entry of', disk(state({ installed: installed(19, 5) })), []],
    ['of a restore whose file is here', disk({ controls: [restore(16)], holds: (id) => id === savedId }), []],
    ['of a restore that is in place', disk({ controls: [restore(2)] }), []],
  ])('%s', (_, found, surviving) => {
    expect(planRecovery(found, surviving).refusals).toEqual([]);
  });

  test('and tells who goes on, what is kept, and whom it leaves behind', () => {
    const { self, forced, unconfirmed, stateApplied } = planRecovery(disk(), []);
    expect([self, unconfirmed, stateApplied]).toEqual([member(1), 3, 15]);
    expect(forced.after).toMatchObject({ voters: [1], roster: { epoch: 1, index: 21, members: [member(1)] } });
    expect(forced.after.roster?.removed).toEqual([
      { node: 2, pin: 'pin2' },
      { node: 3, pin: 'pin3' },
    ]);
  });
});
