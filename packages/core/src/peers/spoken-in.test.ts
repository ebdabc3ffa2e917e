import { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import { expect, test } from 'vitest';
import { encodeMessages } from './peer-codec.ts';
import type { PeerMessage } from './peers.ts';
import { spokenIn } from './spoken-in.ts';

const head = { from: NodeId(1), to: NodeId(2), term: Term(3) };
const knowing = { rejected: true, commit: LogIndex(7), commitTerm: Term(2) };
const replies: readonly PeerMessage[] = [
  { kind: 'raft', message: { ...head, type: 'vote-reply', ...knowing } },
  { kind: 'raft', message: { ...head, type: 'pre-vote-reply', ...knowing } },
];
const kindAt = 5;

test('a peer of version 2 is told what a refused vote knows, one of version 1 only that it is refused', () => {
  const kinds = (version: number): readonly (number | undefined)[] =>
    replies.map((reply) => encodeMessages(spokenIn(version, [reply]))[kindAt]);
  expect(kinds(2)).toEqual([12, 11]);
  expect(kinds(1)).toEqual([4, 2]);
});

test('what is no news to version 1 is left as it is', () => {
  const clock: PeerMessage = { kind: 'clock-ask', from: NodeId(1), id: 1 };
  const timeoutNow: PeerMessage = { kind: 'raft', message: { ...head, type: 'timeout-now' } };
  expect(spokenIn(1, [clock, timeoutNow])).toEqual([clock, timeoutNow]);
});
