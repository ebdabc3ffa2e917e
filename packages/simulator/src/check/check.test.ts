import { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import { emptyMemoryLogImage } from '@lockstep/core/log/memory-log';
import { changeMembership } from '@lockstep/core/raft/membership';
import type { Entry, Membership, MembershipChange, Message, PersistBatch } from '@lockstep/core/raft/types';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkAcknowledgement, checkVote } from './acknowledgements.ts';
import { Committed } from './committed.ts';
import { checkCrashImage } from './disk-images.ts';
import { Elections } from './elections.ts';
import { changed, votingText } from './membership-model.ts';
import { becameDurable, newNodeView, type NodeView } from './node-view.ts';
import { hasQuorum, quorumsMeet } from './quorums.ts';
import { ReadRounds } from './read-rounds.ts';

const [n1, n2, n3, n4] = [NodeId(1), NodeId(2), NodeId(3), NodeId(4)];

function membership(voters: readonly NodeId[], votersOutgoing: readonly NodeId[] = []): Membership {
  return { voters, votersOutgoing, learners: [], learnersNext: [], autoLeave: false };
}

const three = membership([n1, n2, n3]);

function entry(term: number, index: number): Entry {
  return { term: Term(term), index: LogIndex(index), type: 'noop', data: new Uint8Array([term]) };
}

function batch(of: Partial<PersistBatch>): PersistBatch {
  return {
    sequence: 1,
    hardState: undefined,
    truncateFrom: undefined,
    entries: [],
    snapshot: undefined,
    mustSync: true,
    ...of,
  };
}

/** A node that has this in memory and, as far as it was synced, on its disk. */
function node(...writes: readonly { readonly write: Partial<PersistBatch>; readonly isSynced: boolean }[]): NodeView {
  const view = newNodeView({ id: n1, run: 1, applied: 0 }, emptyMemoryLogImage(three));
  for (const { write, isSynced } of writes) {
    view.log.apply(batch(write));
    if (isSynced) becameDurable(view, batch(write));
    else view.unsynced.push(batch(write));
  }
  return view;
}

const inTerm = (term: number, vote: NodeId = NodeId(0)): PersistBatch['hardState'] => ({
  term: Term(term),
  vote,
  commit: LogIndex(0),
});

function acknowledges(index: number, term: number): Extract<Message, { type: 'append-reply' }> {
  const none = { hintIndex: LogIndex(0), hintTerm: Term(0), rejected: false };
  return { type: 'append-reply', from: n1, to: n2, term: Term(term), index: LogIndex(index), ...none };
}

describe('an acknowledgement is a violation', () => {
  const first = { hardState: inTerm(1), entries: [entry(1, 1), entry(1, 2)] };

  test('before its entry is on the disk', () => {
    const view = node({ write: { hardState: inTerm(1) }, isSynced: true }, { write: first, isSynced: false });
    expect(() => checkAcknowledgement(view, acknowledges(2, 1), 1)).toThrow('node 1 acknowledged 2');
    expect(() => checkAcknowledgement(view, acknowledges(2, 1), undefined)).toThrow('node 1 acknowledged 2');
  });

  test('before its term is', () => {
    const view = node({ write: first, isSynced: true });
    expect(() => checkAcknowledgement(view, acknowledges(2, 2), 1)).toThrow('answered in term 2');
  });

  test('when the disk has another entry there than the leader', () => {
    const view = node({ write: first, isSynced: true }, { write: { hardState: inTerm(2) }, isSynced: true });
    expect(() => checkAcknowledgement(view, acknowledges(2, 2), 2)).toThrow('acknowledged 2 (term 2)');
  });

  test('when the disk is in a later term and never had the entry', () => {
    const view = node({ write: { hardState: inTerm(3) }, isSynced: true });
    expect(() => checkAcknowledgement(view, acknowledges(2, 2), 2)).toThrow('never had it on its disk');
  });

  test('and none when the disk had it until a later leader’s entry came, or has it while memory has that one', () => {
    const replaced = { hardState: inTerm(2), truncateFrom: LogIndex(2), entries: [entry(2, 2)] };
    const gone = node({ write: first, isSynced: true }, { write: replaced, isSynced: true });
    expect(() => checkAcknowledgement(gone, acknowledges(2, 1), 1)).not.toThrow();
    const going = node({ write: first, isSynced: true }, { write: replaced, isSynced: false });
    expect(() => checkAcknowledgement(going, acknowledges(2, 1), undefined)).not.toThrow();
    expect(() => checkAcknowledgement(going, acknowledges(3, 1), undefined)).toThrow('acknowledged 3');
  });
});

test('a vote that is not on the disk is a violation, one of a term that the disk has left is not', () => {
  const view = node({ write: { hardState: inTerm(2, n2) }, isSynced: true });
  expect(() => checkVote(view, { term: 2, to: n3 })).toThrow('on its disk: term 2, vote 2');
  expect(() => checkVote(view, { term: 3, to: n2 })).toThrow('gave its vote of term 3');
  expect(() => checkVote(view, { term: 2, to: n2 })).not.toThrow();
  expect(() => checkVote(view, { term: 1, to: n3 })).not.toThrow();
});

describe('a crash is a violation', () => {
  const first = { hardState: inTerm(1), entries: [entry(1, 1), entry(1, 2)] };
  const cut = { truncateFrom: LogIndex(2), entries: [] };

  test('when it loses what was fsynced', () => {
    const view = node({ write: first, isSynced: true });
    expect(() => checkCrashImage(view, emptyMemoryLogImage(three))).toThrow('after a crash term 0');
  });

  test('when it keeps an entry without its term', () => {
    const image = { ...emptyMemoryLogImage(three), entries: [entry(1, 1)] };
    expect(() => checkCrashImage(node(), image)).toThrow('an entry of term 1');
  });

  test('and none when it keeps some of what was not fsynced', () => {
    const image = { ...emptyMemoryLogImage(three), hardState: inTerm(1) ?? missing(), entries: [entry(1, 1)] };
    const writes = [
      { write: first, isSynced: true },
      { write: cut, isSynced: false },
      { write: { hardState: inTerm(2) }, isSynced: false },
    ];
    expect(() => checkCrashImage(node(...writes), image)).not.toThrow();
  });
});

describe('an election is a violation', () => {
  test('when a node votes twice in a term', () => {
    const elections = new Elections();
    elections.voted(n1, 1, n2);
    expect(() => elections.voted(n1, 1, n3)).toThrow('node 1 voted for 2 and for 3 in term 1');
    expect(() => elections.voted(n1, 2, n3)).not.toThrow();
  });

  test('when a term has two leaders, or one that was elected twice', () => {
    const elections = new Elections();
    for (const voter of [n1, n2]) elections.voted(voter, 1, n1);
    elections.elected({ node: n1, run: 1 }, 1, three);
    expect(() => elections.elected({ node: n1, run: 2 }, 1, three)).toThrow(
      'term 1 is led by 1 (run 1) and by 1 (run 2)',
    );
    expect(() => elections.spoke({ node: n2, run: 1 }, 1)).toThrow('node 2 speaks as the leader of term 1');
  });

  test('when the votes are of learners, of strangers, or of one half of a joint configuration only', () => {
    const elections = new Elections();
    for (const voter of [n1, n4]) elections.voted(voter, 1, n1);
    const leader = { node: n1, run: 1 };
    expect(() => elections.elected(leader, 1, three)).toThrow('node 1 leads term 1 by 1,1; 4,1');
    for (const voter of [n1, n2]) elections.voted(voter, 2, n1);
    expect(() => elections.elected(leader, 2, membership([n1, n2], [n3, n4]))).toThrow('leads term 2');
  });

  test('when a node enters a term in which nobody is a candidate', () => {
    const elections = new Elections();
    elections.began(2);
    expect(() => elections.entered(n1, 2)).not.toThrow();
    expect(() => elections.entered(n1, 3)).toThrow('enters term 3, in which nobody is a candidate');
  });
});

describe('a read that is confirmed is a violation', () => {
  const heartbeat = (term: number, readPosition: number): Message => ({
    type: 'heartbeat',
    from: n1,
    to: n2,
    term: Term(term),
    commit: LogIndex(0),
    readPosition,
  });
  const echo = (term: number, readPosition: number): Message => ({
    type: 'heartbeat-reply',
    from: n2,
    to: n1,
    term: Term(term),
    readPosition,
  });
  const by = { self: n1, voting: three };

  test('when nobody heard a heartbeat that was sent after it was asked', () => {
    const reads = new ReadRounds();
    reads.sent(heartbeat(1, 1));
    reads.asked(7);
    reads.received(echo(1, 1));
    expect(() => reads.confirmed(7, by)).toThrow('read 7 on node 1, term 1: heard by ');
  });

  test('when the echo is of an earlier term', () => {
    const reads = new ReadRounds();
    reads.asked(7);
    reads.sent(heartbeat(1, 1));
    reads.sent(heartbeat(2, 1));
    reads.received(echo(1, 1));
    expect(() => reads.confirmed(7, by)).toThrow('read 7 on node 1');
  });

  test('when it was never asked', () => {
    expect(() => new ReadRounds().confirmed(7, by)).toThrow('read 7 on node 1');
  });

  test('and none when a quorum echoed a heartbeat that left after it', () => {
    const reads = new ReadRounds();
    reads.asked(7);
    reads.sent(heartbeat(1, 1));
    reads.received(echo(1, 1));
    expect(() => reads.confirmed(7, by)).not.toThrow();
  });
});

describe('the checker’s own membership', () => {
  const step = fc.record({
    kind: fc.constantFrom('add-voter', 'add-learner', 'remove', 'update'),
    node: fc.integer({ min: 1, max: 6 }).map((id) => NodeId(id)),
  });
  const change = fc.record({
    transition: fc.constantFrom('auto', 'joint-implicit', 'joint-explicit'),
    steps: fc.array(step, { maxLength: 4 }),
    context: fc.constant(new Uint8Array(0)),
  });

  test('goes the core’s way, whatever the changes', () => {
    const goesTheSameWay = (changes: readonly MembershipChange[]): void => {
      let core = three;
      let own: ReturnType<typeof changed> = three;
      for (const one of changes) {
        const outcome = changeMembership(core, one);
        if (outcome.kind === 'changed') core = outcome.membership;
        own = changed(own, one);
        expect(votingText(own)).toBe(votingText(core));
      }
    };
    fc.assert(fc.property(fc.array(change, { maxLength: 12 }), goesTheSameWay), { numRuns: 300 });
  });

  test('keeps the quorums of neighbours together', () => {
    expect(quorumsMeet(three, membership([n1, n2, n3, n4]))).toBe(true);
    expect(quorumsMeet(three, membership([n3, n4]))).toBe(false);
    expect(quorumsMeet(three, membership([n3, n4], [n1, n2, n3]))).toBe(true);
    expect(hasQuorum(membership([n1], [n2]), (voter) => voter === n1)).toBe(false);
  });
});

test('an entry that two nodes have differently is noticed', () => {
  const committed = new Committed();
  committed.committed(1, { term: 1, hash: 1, countedIn: 1 }, undefined);
  const other = { term: 2, hash: 1, countedIn: 2 };
  expect(() => committed.committed(1, other, undefined)).toThrow('index 1 was committed with term 1');
  expect(() => committed.committed(3, other, undefined)).toThrow('index 3 was committed after 1');
});

test('what a later leader must have is what was counted in earlier terms, whatever the entry’s own', () => {
  const committed = new Committed();
  committed.committed(1, { term: 1, hash: 1, countedIn: 1 }, undefined);
  committed.committed(2, { term: 1, hash: 1, countedIn: 3 }, undefined);
  expect([1, 2, 3, 4].map((term) => committed.lastBefore(term))).toEqual([0, 1, 1, 2]);
});

function missing(): never {
  throw new Error('there is none');
}
