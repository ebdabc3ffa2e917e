import { LockstepError } from '@lockstep/contract/errors';
import type { KnownCommit, Message } from '../raft/types.ts';
import { readAppend, writeAppend } from './append-codec.ts';
import { readAnswer, readAsk, writeAnswer, writeAsk } from './ask-codec.ts';
import { readCareMessage, writeCareMessage } from './care-codec.ts';
import { FrameReader } from './frame-reader.ts';
import { FrameWriter } from './frame-writer.ts';
import { frameBytesMax, frameMessagesMax, proposeTransactionsMax } from './limits.ts';
import type { PeerMessage, RefusedReason } from './peers.ts';
import { readSnapshotMeta, writeSnapshotMeta } from './snapshot-meta-codec.ts';

/*
 * The frame, all integers little-endian, u53 = 8 bytes that hold a safe integer:
 *
 *   messages := 0x4d count:u32 message*
 *
 *   message  := 1..13 from:u53 to:u53 term:u53 body      a Raft message, numbered as in `raftTypes`
 *            |  32 from:u53 id:u53 count:u32 bytes*      propose
 *            |  33 id:u53 (0 index:u53 term:u53 ordinal:u53 | 1 reason:u8)
 *            |  34 from:u53 id:u53                       read-index
 *            |  35 id:u53 (0 index:u53 timeMs:u53 | 1 reason:u8)
 *            |  40 from:u53 id:u53                       clock-ask
 *            |  41 from:u53 id:u53 wallMs:u53            clock
 *            |  42 from:u53 id:u53 ask                   ask, and its answer: ask-codec.ts
 *            |  43 id:u53 answer
 *            |  48..51                                   as in care-codec.ts
 *   11, 12 are a pre-vote-reply and a vote-reply that tell what is committed: rejected:u8 commit:u53 commitTerm:u53
 *   13 is a snapshot with a roster: as a snapshot, and then its roster:bytes (roster-codec.ts)
 *   append's body := prevIndex:u53 prevTerm:u53 commit:u53 count:u32 (type:u8 term:u53 bytes)*
 *                    (an entry's index is its predecessor's plus one, so that a gap can't even be written)
 *   bytes    := length:u32 byte*       str := length:u16 utf8
 *
 * Numbers of kinds, types and reasons are for ever; a new version adds, and is spoken only when both sides' hello allow it
 * (spoken-in.ts).
 */

const frameMessages = 0x4d;
const raftTypes = [
  'pre-vote',
  'pre-vote-reply',
  'vote',
  'vote-reply',
  'append',
  'append-reply',
  'heartbeat',
  'heartbeat-reply',
  'snapshot',
  'timeout-now',
] as const satisfies readonly Message['type'][];
const reasons = ['no-leader', 'sealed', 'busy', 'too-large', 'disk-full'] as const satisfies readonly RefusedReason[];
/** By the kind: a reply that knows nothing of what is committed is written as version 1 wrote it. */
const knowingReplies = { 11: 'pre-vote-reply', 12: 'vote-reply' } as const;
const snapshotRosterKind = 13;
const proposeKind = 32;
const proposedKind = 33;
const readIndexKind = 34;
const readIndexReplyKind = 35;
const clockAskKind = 40;
const clockKind = 41;
const askKind = 42;
const answerKind = 43;

/** Bytes of a frame of messages before its first message. */
export const frameHeadBytes = 5;

/** Encodes one frame. Refuses with `too-large` what `decodeMessages` would refuse. */
export function encodeMessages(messages: readonly PeerMessage[]): Uint8Array {
  let bytes = frameHeadBytes;
  for (const message of messages) bytes += encodedBytes(message);
  if (bytes > frameBytesMax) {
    throw new LockstepError('too-large', `peer frame is ${bytes} bytes, at most ${frameBytesMax} are allowed`);
  }
  const frame = Buffer.allocUnsafeSlow(bytes);
  writeFrame(frame, messages);
  return frame;
}

/** Encodes one frame into bytes of exactly its length: `frameHeadBytes` and the `encodedBytes` of each message. */
export function writeFrame(into: Buffer, messages: readonly PeerMessage[]): void {
  const writer = new FrameWriter(into);
  writeMessages(writer, messages);
  if (writer.length !== into.length)
    throw new Error(`invariant broken: a frame of ${writer.length} bytes was given ${into.length}`);
}

/**
 * Decodes one frame in full or refuses it with `invalid-input`. Entry data and transactions are views of `frame`, except
 * where they would keep much more memory alive than they hold.
 */
export function decodeMessages(frame: Uint8Array): readonly PeerMessage[] {
  const reader = new FrameReader(frame);
  if (frame.length > frameBytesMax)
    throw reader.refusal(`holds ${frame.length} bytes, at most ${frameBytesMax} are allowed`);
  if (reader.u8('kind') !== frameMessages) throw reader.refusal('is not a frame of messages');
  const count = reader.count('messages', frameMessagesMax);
  const messages: PeerMessage[] = [];
  for (let i = 0; i < count; i++) messages.push(readMessage(reader));
  reader.end();
  return messages;
}

/** How many bytes of a frame `message` takes: what a queue counts. */
export function encodedBytes(message: PeerMessage): number {
  const sizing = new FrameWriter(undefined);
  writeMessage(sizing, message);
  return sizing.length;
}

function writeMessages(writer: FrameWriter, messages: readonly PeerMessage[]): void {
  writer.u8(frameMessages);
  writer.count('messages', messages.length, frameMessagesMax);
  for (const message of messages) writeMessage(writer, message);
}

function writeMessage(writer: FrameWriter, message: PeerMessage): void {
  switch (message.kind) {
    case 'raft':
      writeRaft(writer, message.message);
      return;
    case 'propose':
      writePropose(writer, message);
      return;
    case 'proposed':
      writer.u8(proposedKind);
      writer.u53('id', message.id);
      writeProposed(writer, message.outcome);
      return;
    case 'read-index':
      writer.u8(readIndexKind);
      writer.u53('from', message.from);
      writer.u53('id', message.id);
      return;
    case 'read-index-reply':
      writer.u8(readIndexReplyKind);
      writer.u53('id', message.id);
      writeReadOutcome(writer, message.outcome);
      return;
    case 'clock-ask':
      writer.u8(clockAskKind);
      writer.u53('from', message.from);
      writer.u53('id', message.id);
      return;
    case 'clock':
      writer.u8(clockKind);
      writer.u53('from', message.from);
      writer.u53('id', message.id);
      writer.u53('wall clock', message.wallMs);
      return;
    case 'ask':
      writer.u8(askKind);
      writer.u53('from', message.from);
      writer.u53('id', message.id);
      writeAsk(writer, message.ask);
      return;
    case 'answer':
      writer.u8(answerKind);
      writer.u53('id', message.id);
      writeAnswer(writer, message.answer);
      return;
    case 'report':
    case 'rolled-back':
    case 'roster':
    case 'state-ask':
    case 'state-offer':
      writeCareMessage(writer, message);
      return;
    default:
      message satisfies never;
  }
}

function writePropose(writer: FrameWriter, message: Extract<PeerMessage, { kind: 'propose' }>): void {
  writer.u8(proposeKind);
  writer.u53('from', message.from);
  writer.u53('id', message.id);
  writer.count('transactions', message.transactions.length, proposeTransactionsMax);
  for (const transaction of message.transactions) writer.blob(transaction);
}

function writeProposed(writer: FrameWriter, outcome: Extract<PeerMessage, { kind: 'proposed' }>['outcome']): void {
  if (outcome.kind === 'refused') {
    writer.u8(1);
    writer.u8(reasons.indexOf(outcome.reason));
    return;
  }
  writer.u8(0);
  writer.u53('index', outcome.index);
  writer.u53('term', outcome.term);
  writer.u53('first ordinal', outcome.firstOrdinal);
}

function writeReadOutcome(
  writer: FrameWriter,
  outcome: Extract<PeerMessage, { kind: 'read-index-reply' }>['outcome'],
): void {
  if (outcome.kind === 'refused') {
    writer.u8(1);
    writer.u8(reasons.indexOf(outcome.reason));
    return;
  }
  writer.u8(0);
  writer.u53('index', outcome.index);
  writer.u53('time', outcome.timeMs);
}

function writeRaft(writer: FrameWriter, message: Message): void {
  writer.u8(raftKindOf(message));
  writer.u53('from', message.from);
  writer.u53('to', message.to);
  writer.u53('term', message.term);
  switch (message.type) {
    case 'pre-vote':
    case 'vote':
      writer.u53('last index', message.lastIndex);
      writer.u53('last term', message.lastTerm);
      writer.flag(message.transfer);
      return;
    case 'pre-vote-reply':
    case 'vote-reply':
      writer.flag(message.rejected);
      if (!isKnowing(message)) return;
      writer.u53('commit', message.commit);
      writer.u53('commit term', message.commitTerm);
      return;
    case 'append':
      writeAppend(writer, message);
      return;
    case 'append-reply':
      writer.u53('index', message.index);
      writer.flag(message.rejected);
      writer.u53('hint index', message.hintIndex);
      writer.u53('hint term', message.hintTerm);
      return;
    case 'heartbeat':
      writer.u53('commit', message.commit);
      writer.u53('read position', message.readPosition);
      return;
    case 'heartbeat-reply':
      writer.u53('read position', message.readPosition);
      return;
    case 'snapshot':
      writeSnapshotMeta(writer, message.meta);
      return;
    case 'timeout-now':
      return;
    default:
      message satisfies never;
  }
}

type VoteReply = Extract<Message, { type: 'pre-vote-reply' | 'vote-reply' }>;

function isKnowing(reply: VoteReply): reply is VoteReply & Required<KnownCommit> {
  return reply.commit !== undefined && reply.commitTerm !== undefined;
}

function raftKindOf(message: Message): number {
  if (message.type === 'snapshot' && message.meta.membership.roster !== undefined) return snapshotRosterKind;
  const isReply = message.type === 'pre-vote-reply' || message.type === 'vote-reply';
  if (isReply && isKnowing(message)) return message.type === knowingReplies[11] ? 11 : 12;
  return raftTypes.indexOf(message.type) + 1;
}

function readMessage(reader: FrameReader): PeerMessage {
  const kind = reader.u8('message kind');
  switch (kind) {
    case proposeKind:
      return readPropose(reader);
    case proposedKind:
      return { kind: 'proposed', id: reader.u53('id'), outcome: readProposed(reader) };
    case readIndexKind:
      return { kind: 'read-index', from: reader.node('from'), id: reader.u53('id') };
    case readIndexReplyKind:
      return { kind: 'read-index-reply', id: reader.u53('id'), outcome: readReadOutcome(reader) };
    case clockAskKind:
      return { kind: 'clock-ask', from: reader.node('from'), id: reader.u53('id') };
    case clockKind:
      return { kind: 'clock', from: reader.node('from'), id: reader.u53('id'), wallMs: reader.u53('wall clock') };
    case askKind:
      return { kind: 'ask', from: reader.node('from'), id: reader.u53('id'), ask: readAsk(reader) };
    case answerKind:
      return { kind: 'answer', id: reader.u53('id'), answer: readAnswer(reader) };
    default:
      return readCareMessage(reader, kind) ?? { kind: 'raft', message: readRaft(reader, kind) };
  }
}

function readPropose(reader: FrameReader): PeerMessage {
  const from = reader.node('from');
  const id = reader.u53('id');
  const count = reader.count('transactions', proposeTransactionsMax);
  const transactions: Uint8Array[] = [];
  for (let i = 0; i < count; i++) transactions.push(reader.blob('transaction'));
  return { kind: 'propose', from, id, transactions };
}

function readProposed(reader: FrameReader): Extract<PeerMessage, { kind: 'proposed' }>['outcome'] {
  if (reader.flag('refused')) return { kind: 'refused', reason: readReason(reader) };
  return {
    kind: 'appended',
    index: reader.u53('index'),
    term: reader.u53('term'),
    firstOrdinal: reader.u53('first ordinal'),
  };
}

function readReadOutcome(reader: FrameReader): Extract<PeerMessage, { kind: 'read-index-reply' }>['outcome'] {
  if (reader.flag('refused')) return { kind: 'refused', reason: readReason(reader) };
  return { kind: 'confirmed', index: reader.u53('index'), timeMs: reader.u53('time') };
}

function readReason(reader: FrameReader): RefusedReason {
  return reader.oneOf('reason', reasons, 0);
}

function readRaft(reader: FrameReader, kind: number): Message {
  const knowing = kind === 11 || kind === 12 ? knowingReplies[kind] : undefined;
  const type = kind === snapshotRosterKind ? 'snapshot' : (knowing ?? raftTypes[kind - 1]);
  if (type === undefined) throw reader.refusal(`has a message of the unknown kind ${kind}`);
  const head = { from: reader.node('from'), to: reader.node('to'), term: reader.term('term') };
  switch (type) {
    case 'pre-vote':
    case 'vote':
      return {
        ...head,
        type,
        lastIndex: reader.index('last index'),
        lastTerm: reader.term('last term'),
        transfer: reader.flag('transfer'),
      };
    case 'pre-vote-reply':
    case 'vote-reply':
      return { ...head, type, rejected: reader.flag('rejected'), ...(knowing === undefined ? {} : readKnown(reader)) };
    case 'append':
      return readAppend(reader, head);
    case 'append-reply':
      return {
        ...head,
        type,
        index: reader.index('index'),
        rejected: reader.flag('rejected'),
        hintIndex: reader.index('hint index'),
        hintTerm: reader.term('hint term'),
      };
    case 'heartbeat':
      return { ...head, type, commit: reader.index('commit'), readPosition: reader.u53('read position') };
    case 'heartbeat-reply':
      return { ...head, type, readPosition: reader.u53('read position') };
    case 'snapshot':
      return { ...head, type, meta: readSnapshotMeta(reader, kind === snapshotRosterKind) };
    case 'timeout-now':
      return { ...head, type };
    default:
      return type satisfies never;
  }
}

function readKnown(reader: FrameReader): KnownCommit {
  return { commit: reader.index('commit'), commitTerm: reader.term('commit term') };
}
