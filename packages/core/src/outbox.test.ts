import { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import { expect, test } from 'vitest';
import { Outbox } from './outbox.ts';
import type { PeerMessage, Peers } from './peers/peers.ts';
import type { Entry, Message } from './raft/types.ts';

const [n1, n2, n3] = [NodeId(1), NodeId(2), NodeId(3)];

function raft(message: Message): PeerMessage {
  return { kind: 'raft', message };
}

function entry(index: number): Entry {
  return { index: LogIndex(index), term: Term(1), type: 'transactions', data: new Uint8Array(1) };
}

/** From node 1, to node 2. */
function append(of: { prev: number; commit: number; entries?: readonly Entry[]; term?: number }): PeerMessage {
  const { prev, commit, entries = [], term = 1 } = of;
  const place = { prevIndex: LogIndex(prev), prevTerm: Term(1), commit: LogIndex(commit) };
  return raft({ type: 'append', from: n1, to: n2, term: Term(term), ...place, entries });
}

function reply(index: number, of: { rejected?: boolean; term?: number } = {}): PeerMessage {
  const { rejected = false, term = 1 } = of;
  const hints = { hintIndex: LogIndex(0), hintTerm: Term(0) };
  return raft({ type: 'append-reply', from: n1, to: n2, term: Term(term), index: LogIndex(index), rejected, ...hints });
}

const readIndex: PeerMessage = { kind: 'read-index', from: n1, id: 7 };

function peersThat(send: Peers['send']): Peers {
  return { send, setPeers: () => undefined, close: () => Promise.resolve() };
}

/** What leaves for node 2 in one turn. */
function flushed(
  outbox: Outbox,
  messages: readonly PeerMessage[],
  what: 'news' | 'all' = 'news',
): readonly PeerMessage[] {
  for (const message of messages) outbox.add(n2, message);
  const sent: PeerMessage[] = [];
  outbox.flush(
    peersThat((_to, together) => sent.push(...together)),
    what,
  );
  return sent;
}

const kept: readonly (readonly [why: string, messages: readonly PeerMessage[]])[] = [
  ['entries', [append({ prev: 3, commit: 2, entries: [entry(4)] }), append({ prev: 4, commit: 3 })]],
  ['an append at another place', [append({ prev: 3, commit: 2 }), append({ prev: 4, commit: 2, entries: [entry(5)] })]],
  ['a later commit index', [append({ prev: 3, commit: 3 }), append({ prev: 3, commit: 2, entries: [entry(4)] })]],
  ['an append of another term', [append({ prev: 3, commit: 2 }), append({ prev: 3, commit: 2, term: 2 })]],
  ['a refusal', [reply(3, { rejected: true }), reply(4)]],
  ['an acknowledgement before a refusal', [reply(3), reply(4, { rejected: true })]],
  ['a later acknowledgement', [reply(4), reply(3)]],
  ['what something else follows', [append({ prev: 3, commit: 2 }), readIndex, append({ prev: 3, commit: 3 })]],
];
test.each(kept)('%s is not left out', (_why, messages) => {
  expect(flushed(new Outbox(), messages)).toEqual(messages);
});

test('a commit index alone is left out when entries follow that carry it', () => {
  const entries = append({ prev: 3, commit: 3, entries: [entry(4)] });
  expect(flushed(new Outbox(), [append({ prev: 3, commit: 2 }), entries])).toEqual([entries]);
});

test('of several acknowledgements the last is enough', () => {
  expect(flushed(new Outbox(), [reply(3), reply(4), reply(6)])).toEqual([reply(6)]);
});

test('an acknowledgement that repeats the last one waits for company', () => {
  const outbox = new Outbox();
  expect(flushed(outbox, [reply(3)])).toEqual([reply(3)]);
  expect(flushed(outbox, [reply(3)])).toEqual([]);
  expect(flushed(outbox, [readIndex])).toEqual([readIndex, reply(3)]);
  expect(flushed(outbox, [readIndex])).toEqual([readIndex]);
});

test('and no longer than for a tick', () => {
  const outbox = new Outbox();
  flushed(outbox, [reply(3)]);
  expect(flushed(outbox, [reply(3)])).toEqual([]);
  expect(flushed(outbox, [], 'all')).toEqual([reply(3)]);
  expect(flushed(outbox, [], 'all')).toEqual([]);
});

test('and not at all when a later one leaves', () => {
  const outbox = new Outbox();
  flushed(outbox, [reply(3)]);
  expect(flushed(outbox, [reply(3), reply(4)])).toEqual([reply(4)]);
  expect(flushed(outbox, [], 'all')).toEqual([]);
});

test.each([
  ['in another term', (outbox: Outbox) => flushed(outbox, [reply(3, { term: 2 })]), [reply(3, { term: 2 })]],
  [
    'after a refusal',
    (outbox: Outbox) => [...flushed(outbox, [reply(9, { rejected: true })]), ...flushed(outbox, [reply(3)])],
    [reply(9, { rejected: true }), reply(3)],
  ],
  [
    'after the stream broke',
    (outbox: Outbox) => {
      outbox.disconnected(n2);
      return flushed(outbox, [reply(3)]);
    },
    [reply(3)],
  ],
] as const)('an acknowledgement %s is no repetition', (_when, act, sent) => {
  const outbox = new Outbox();
  flushed(outbox, [reply(3)]);
  expect(act(outbox)).toEqual(sent);
});

test('peers are kept apart', () => {
  const outbox = new Outbox();
  outbox.add(n2, append({ prev: 3, commit: 2 }));
  outbox.add(n3, append({ prev: 3, commit: 3 }));
  const sent = new Map<NodeId, readonly PeerMessage[]>();
  outbox.flush(
    peersThat((to, messages) => sent.set(to, messages)),
    'news',
  );
  expect(sent).toEqual(
    new Map([
      [n2, [append({ prev: 3, commit: 2 })]],
      [n3, [append({ prev: 3, commit: 3 })]],
    ]),
  );
});

const entries = append({ prev: 3, commit: 3, entries: [entry(4)] });
const committed = append({ prev: 4, commit: 4 });

function proposed(index: number): PeerMessage {
  return { kind: 'proposed', id: 1, outcome: { kind: 'appended', index, term: 1, firstOrdinal: 0 } };
}

function confirmed(index: number): PeerMessage {
  return { kind: 'read-index-reply', id: 1, outcome: { kind: 'confirmed', index, timeMs: 1 } };
}

test('a commit index that nobody there waits for waits for company', () => {
  const outbox = new Outbox();
  expect(flushed(outbox, [entries])).toEqual([entries]);
  expect(flushed(outbox, [committed])).toEqual([]);
  expect(flushed(outbox, [readIndex])).toEqual([readIndex, committed]);
  expect(flushed(outbox, [readIndex], 'all')).toEqual([readIndex]);
});

test('and no longer than for a tick, and the last one is enough', () => {
  const outbox = new Outbox();
  flushed(outbox, [append({ prev: 3, commit: 2, entries: [entry(4)] })]);
  expect(flushed(outbox, [append({ prev: 4, commit: 3 }), committed])).toEqual([]);
  expect(flushed(outbox, [], 'all')).toEqual([committed]);
  expect(flushed(outbox, [], 'all')).toEqual([]);
});

test('and not at all when entries follow that carry it', () => {
  const outbox = new Outbox();
  flushed(outbox, [entries]);
  expect(flushed(outbox, [committed])).toEqual([]);
  const next = append({ prev: 4, commit: 4, entries: [entry(5)] });
  expect(flushed(outbox, [next], 'all')).toEqual([next]);
  expect(flushed(outbox, [], 'all')).toEqual([]);
});

test.each([
  ['its own proposal', proposed(4)],
  ['what a read of its own waits for', confirmed(4)],
])('a commit index leaves at once for a peer that was told the place of %s', (_what, answer) => {
  const outbox = new Outbox();
  flushed(outbox, [entries]);
  expect(flushed(outbox, [answer])).toEqual([answer]);
  expect(flushed(outbox, [committed])).toEqual([committed]);
  const after = append({ prev: 4, commit: 5 });
  expect(flushed(outbox, [after])).toEqual([]);
});

test('of several places that a peer was told each commit index leaves at once, until the last', () => {
  const outbox = new Outbox();
  flushed(outbox, [append({ prev: 3, commit: 3, entries: [entry(4), entry(5)] })]);
  flushed(outbox, [proposed(4)]);
  flushed(outbox, [proposed(5)]);
  for (const commit of [4, 5]) {
    const told = append({ prev: 5, commit });
    expect(flushed(outbox, [told])).toEqual([told]);
  }
  expect(flushed(outbox, [append({ prev: 5, commit: 6 })])).toEqual([]);
});

test('one that waits leaves with the answer that makes the peer wait for it', () => {
  const outbox = new Outbox();
  flushed(outbox, [entries]);
  flushed(outbox, [committed]);
  expect(flushed(outbox, [confirmed(4)])).toEqual([confirmed(4), committed]);
  expect(flushed(outbox, [append({ prev: 4, commit: 5 })])).toEqual([]);
});

test.each([
  ['that brings no news, and so asks where the logs agree', (): PeerMessage => append({ prev: 4, commit: 3 })],
  ['at another place than the end of what was sent', () => append({ prev: 3, commit: 4 })],
  ['of another term', () => append({ prev: 4, commit: 4, term: 2 })],
])('an empty append %s leaves at once', (_which, made) => {
  const outbox = new Outbox();
  flushed(outbox, [entries]);
  expect(flushed(outbox, [made()])).toEqual([made()]);
});

test('a commit index leaves at once on a new stream', () => {
  const outbox = new Outbox();
  flushed(outbox, [entries]);
  flushed(outbox, [append({ prev: 4, commit: 4 })]);
  outbox.disconnected(n2);
  expect(flushed(outbox, [], 'all')).toEqual([]);
  const after = append({ prev: 4, commit: 5 });
  expect(flushed(outbox, [after])).toEqual([after]);
});
