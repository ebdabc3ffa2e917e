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
const membership = { voters: [NodeId(1)], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
const roster = { index: LogIndex(1), epoch: 0, members: [], removed: [] };
const meta = { id: 's', index: LogIndex(1), term: Term(1), membership: { ...membership, roster } };
const snapshot: PeerMessage = { kind: 'raft', message: { ...head, type: 'snapshot', meta } };
const kindAt = 5;

test('a peer of version 2 is told what a refused vote knows, and who the members are; one of version 1 is not', () => {
  const kinds = (version: number): readonly (number | undefined)[] =>
    [...replies, snapshot].map((message) => encodeMessages(spokenIn(version, [message]))[kindAt]);
  expect(kinds(2)).toEqual([12, 11, 13]);
  expect(kinds(1)).toEqual([4, 2, 9]);
  const plain: PeerMessage = { kind: 'raft', message: { ...head, type: 'snapshot', meta: { ...meta, membership } } };
  expect(spokenIn(1, [snapshot])).toEqual([plain]);
});

test('what is no news to version 1 is left as it is', () => {
  const clock: PeerMessage = { kind: 'clock-ask', from: NodeId(1), id: 1 };
  const timeoutNow: PeerMessage = { kind: 'raft', message: { ...head, type: 'timeout-now' } };
  expect(spokenIn(1, [clock, timeoutNow])).toEqual([clock, timeoutNow]);
});

test('a peer of version 1 is sent nothing about disks, states and who the members are', () => {
  const numbers = {
    run: 5,
    sequence: 1,
    term: 1,
    lastIndex: 2,
    floor: 1,
    freeBytes: 3,
    stopBytes: 4,
    checkpoint: undefined,
  };
  const report: PeerMessage = { kind: 'report', from: NodeId(1), report: { ...numbers, disk: 'ok' } };
  const rolledBack: PeerMessage = { kind: 'rolled-back', from: NodeId(1), term: 1, floor: 1 };
  const ask: PeerMessage = { kind: 'state-ask', from: NodeId(1), minIndex: LogIndex(3) };
  const offer: PeerMessage = { kind: 'state-offer', from: NodeId(1), meta: undefined };
  const told = { index: LogIndex(1), epoch: 0, members: [], removed: [] };
  const care: readonly PeerMessage[] = [
    report,
    rolledBack,
    ask,
    offer,
    { kind: 'roster', from: NodeId(1), roster: told },
  ];
  expect(spokenIn(2, care)).toEqual(care);
  expect(spokenIn(1, care)).toEqual([]);
});
