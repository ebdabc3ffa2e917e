import { LockstepError } from '@lockstep/contract/errors';
import { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { MembersCondition } from '../autopilot/condition.ts';
import type { MembersView } from '../members/members-view.ts';
import type { Entry, Membership, Message, SnapshotMeta } from '../raft/types.ts';
import { framesOf, requireSender } from './frames-of.ts';
import type { LeaderAnswer, LeaderAsk } from './leader-asks.ts';
import {
  appendEntriesMax,
  frameBytesMax,
  frameClusterIdBytesMax,
  frameMembersMax,
  frameMessagesMax,
  frameSnapshotIdBytesMax,
  proposeTransactionsMax,
  reportDigestBytesMax,
  refusalTextBytesMax,
  snapshotChunkBytesMax,
} from './limits.ts';
import { decodeHello, encodeHello } from './hello.ts';
import { decodeMessages, encodedBytes, encodeMessages } from './peer-codec.ts';
import type { NodeReport } from './node-report.ts';
import type { PeerMessage } from './peers.ts';
import { chunkAt, decodeChunk, decodePullRequest, encodeChunk, encodePullRequest } from './snapshot-transfer.ts';

const u53 = fc.maxSafeNat();
const nodeId = u53.map(NodeId);
const term = u53.map(Term);
const index = u53.map(LogIndex);
const bytes = fc.uint8Array({ maxLength: 200 });
const nodes = fc.array(nodeId, { maxLength: 5 });
const aMember = fc.integer({ min: 1, max: 9 }).map((at) => {
  const texts = { name: `n${at}`, peerAddress: 'h:1', apiAddress: '', grpcAddress: '', pin: 'aa' };
  return { node: NodeId(at), incarnation: at, ...texts };
});
const roster = fc.record({
  index,
  epoch: u53,
  members: fc.array(aMember, { maxLength: 3 }),
  removed: fc.array(fc.constant({ node: NodeId(3), pin: 'ab' }), { maxLength: 2 }),
});
const membership: fc.Arbitrary<Membership> = fc.record(
  {
    voters: nodes,
    votersOutgoing: nodes,
    learners: nodes,
    learnersNext: nodes,
    autoLeave: fc.boolean(),
    roster,
  },
  { requiredKeys: ['voters', 'votersOutgoing', 'learners', 'learnersNext', 'autoLeave'] },
);
const meta: fc.Arbitrary<SnapshotMeta> = fc.record({
  id: fc.string({ maxLength: 40, unit: 'grapheme' }),
  index,
  term,
  membership,
});
const head = { from: nodeId, to: nodeId, term };
const entryType = fc.constantFrom<Entry['type'][]>('noop', 'transactions', 'membership', 'control');

const appendMessage: fc.Arbitrary<Message> = fc
  .record({
    ...head,
    prevIndex: fc.nat().map(LogIndex),
    prevTerm: term,
    commit: index,
    entries: fc.array(fc.record({ term, type: entryType, data: bytes }), { maxLength: 8 }),
  })
  .map((message) => ({
    ...message,
    type: 'append',
    entries: message.entries.map((entry, at) => ({ ...entry, index: LogIndex(message.prevIndex + 1 + at) })),
  }));

const raftMessage: fc.Arbitrary<Message> = fc.oneof(
  appendMessage,
  fc.record({
    ...head,
    type: fc.constantFrom('pre-vote' as const, 'vote' as const),
    lastIndex: index,
    lastTerm: term,
    transfer: fc.boolean(),
  }),
  fc.record({
    ...head,
    type: fc.constantFrom('pre-vote-reply' as const, 'vote-reply' as const),
    rejected: fc.boolean(),
  }),
  fc.record({
    ...head,
    type: fc.constantFrom('pre-vote-reply' as const, 'vote-reply' as const),
    rejected: fc.boolean(),
    commit: index,
    commitTerm: term,
  }),
  fc.record({
    ...head,
    type: fc.constant('append-reply' as const),
    index,
    rejected: fc.boolean(),
    hintIndex: index,
    hintTerm: term,
  }),
  fc.record({ ...head, type: fc.constant('heartbeat' as const), commit: index, readPosition: u53 }),
  fc.record({ ...head, type: fc.constant('heartbeat-reply' as const), readPosition: u53 }),
  fc.record({ ...head, type: fc.constant('snapshot' as const), meta }),
  fc.record({ ...head, type: fc.constant('timeout-now' as const) }),
);

const refused = fc.record({
  kind: fc.constant('refused' as const),
  reason: fc.constantFrom(
    'no-leader' as const,
    'sealed' as const,
    'busy' as const,
    'too-large' as const,
    'disk-full' as const,
  ),
});

const report: fc.Arbitrary<NodeReport> = fc.record({
  run: u53,
  sequence: u53,
  term: u53,
  lastIndex: u53,
  floor: u53,
  disk: fc.constantFrom('ok' as const, 'low' as const, 'full' as const, 'exhausted' as const),
  freeBytes: u53,
  stopBytes: u53,
  checkpoint: fc.option(fc.record({ index: u53, digest: fc.uint8Array({ maxLength: reportDigestBytesMax }) }), {
    nil: undefined,
  }),
});
const someText = fc.string({ maxLength: 40, unit: 'grapheme' });
const ask: fc.Arbitrary<LeaderAsk> = fc.oneof(
  fc.record({
    kind: fc.constant('change' as const),
    change: fc.record({
      transition: fc.constantFrom('auto' as const, 'joint-explicit' as const),
      steps: fc.array(fc.constant({ kind: 'remove' as const, node: NodeId(3) }), { maxLength: 3 }),
      context: bytes,
    }),
    ifMembershipIndex: u53,
    votersMin: u53,
  }),
  fc.record({ kind: fc.constant('control' as const), data: bytes }),
  fc.record({ kind: fc.constant('hand-over' as const), to: nodeId }),
  fc.constant({ kind: 'members' as const }),
  fc.constant({ kind: 'autopilot' as const }),
);
const view: fc.Arbitrary<MembersView> = fc.record({
  leader: nodeId,
  term,
  commit: index,
  lastIndex: index,
  membership,
  isReady: fc.boolean(),
  isChangePending: fc.boolean(),
  health: fc.array(
    fc.record({
      node: nodeId,
      match: index,
      silentMs: fc.option(u53, { nil: undefined }),
      isBehindLog: fc.boolean(),
    }),
    { maxLength: 4 },
  ),
});
const condition: fc.Arbitrary<MembersCondition> = fc.record({
  heldBy: someText,
  members: fc.array(
    fc.record({
      node: nodeId,
      ailment: someText,
      term: u53,
      stableMs: fc.option(u53, { nil: undefined }),
      unheardMs: u53,
    }),
    { maxLength: 4 },
  ),
});
const answer: fc.Arbitrary<LeaderAnswer> = fc.oneof(
  fc.record({ kind: fc.constant('changed' as const), index: u53 }),
  fc.record({ kind: fc.constant('appended' as const), index: u53, term: u53 }),
  fc.record({ kind: fc.constant('handed-over' as const), to: nodeId, term: u53 }),
  fc.record({ kind: fc.constant('members' as const), view }),
  fc.record({ kind: fc.constant('autopilot' as const), view, condition }),
  fc.record({
    kind: fc.constant('refused' as const),
    reason: fc.constantFrom('no-leader' as const, 'quorum-lost' as const, 'transfer-failed' as const),
    text: someText,
  }),
);

const peerMessage: fc.Arbitrary<PeerMessage> = fc.oneof(
  fc.record({ kind: fc.constant('ask' as const), from: nodeId, id: u53, ask }),
  fc.record({ kind: fc.constant('answer' as const), id: u53, answer }),
  raftMessage.map((message): PeerMessage => ({ kind: 'raft', message })),
  fc.record({
    kind: fc.constant('propose' as const),
    from: nodeId,
    id: u53,
    transactions: fc.array(bytes, { maxLength: 5 }),
  }),
  fc.record({
    kind: fc.constant('proposed' as const),
    id: u53,
    outcome: fc.oneof(
      refused,
      fc.record({ kind: fc.constant('appended' as const), index: u53, term: u53, firstOrdinal: u53 }),
    ),
  }),
  fc.record({ kind: fc.constant('read-index' as const), from: nodeId, id: u53 }),
  fc.record({ kind: fc.constant('clock-ask' as const), from: nodeId, id: u53 }),
  fc.record({ kind: fc.constant('clock' as const), from: nodeId, id: u53, wallMs: u53 }),
  fc.record({ kind: fc.constant('report' as const), from: nodeId, report }),
  fc.record({ kind: fc.constant('rolled-back' as const), from: nodeId, term: u53, floor: u53 }),
  fc.record({ kind: fc.constant('roster' as const), from: nodeId, roster }),
  fc.record({ kind: fc.constant('state-ask' as const), from: nodeId, minIndex: index }),
  fc.record({ kind: fc.constant('state-offer' as const), from: nodeId, meta: fc.option(meta, { nil: undefined }) }),
  fc.record({
    kind: fc.constant('read-index-reply' as const),
    id: u53,
    outcome: fc.oneof(refused, fc.record({ kind: fc.constant('confirmed' as const), index: u53, timeMs: u53 })),
  }),
);

/** Decodes or refuses with the one error that garbage may cause. */
function refusalOf(decode: () => unknown): string | undefined {
  try {
    decode();
    return undefined;
  } catch (error) {
    if (error instanceof LockstepError && error.code === 'invalid-input') return error.message;
    throw error;
  }
}

const heartbeat = (from = 1, to = 2): PeerMessage => ({
  kind: 'raft',
  message: {
    type: 'heartbeat',
    from: NodeId(from),
    to: NodeId(to),
    term: Term(1),
    commit: LogIndex(0),
    readPosition: 0,
  },
});

function append(count: number, dataBytes: number): PeerMessage {
  const entries = Array.from(
    { length: count },
    (_, at): Entry => ({
      index: LogIndex(at + 1),
      term: Term(1),
      type: 'transactions',
      data: new Uint8Array(dataBytes).fill(at),
    }),
  );
  const prev = { prevIndex: LogIndex(0), prevTerm: Term(0), commit: LogIndex(0) };
  return { kind: 'raft', message: { type: 'append', from: NodeId(1), to: NodeId(2), term: Term(1), ...prev, entries } };
}

function entriesOf(messages: readonly PeerMessage[]): readonly Entry[] {
  return messages.flatMap((one) => (one.kind === 'raft' && one.message.type === 'append' ? one.message.entries : []));
}

describe('a frame is refused', () => {
  test('whatever bytes it is made of: never another error, never a wrong value', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (garbage) => {
        for (const decode of [decodeMessages, decodeHello, decodeChunk, decodePullRequest])
          refusalOf(() => decode(garbage));
        refusalOf(() => decodeMessages(Uint8Array.of(0x4d, 1, 0, 0, 0, ...garbage)));
      }),
    );
  });

  test('when it is cut anywhere, or longer by a byte', () => {
    fc.assert(
      fc.property(fc.array(peerMessage, { minLength: 1, maxLength: 3 }), fc.nat(), (messages, at) => {
        const frame = encodeMessages(messages);
        expect(refusalOf(() => decodeMessages(frame.subarray(0, at % frame.length)))).toMatch(
          /^(peer frame: ends within |membership change |membership context |roster )/,
        );
        expect(refusalOf(() => decodeMessages(Buffer.concat([frame, Buffer.alloc(1)])))).toBe(
          'peer frame: has 1 bytes after its end',
        );
      }),
      { numRuns: 60 },
    );
  });

  test('when a byte is changed, or what it then says is written as it is read', () => {
    fc.assert(
      fc.property(
        fc.array(peerMessage, { minLength: 1, maxLength: 3 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (messages, at, flip) => {
          const frame = Uint8Array.from(encodeMessages(messages));
          frame[at % frame.length] = (frame[at % frame.length] ?? 0) ^ flip;
          let decoded: readonly PeerMessage[] = [];
          if (refusalOf(() => (decoded = decodeMessages(frame))) !== undefined) return;
          expect(Buffer.from(encodeMessages(decoded)).equals(frame)).toBe(true);
        },
      ),
    );
  });

  test.each([
    ['an unknown kind of frame', [0x4e], 'is not a frame of messages'],
    ['an unknown kind of message', [0x4d, 1, 0, 0, 0, 99], 'has a message of the unknown kind 99'],
    ['a message of a version to come', [0x4d, 1, 0, 0, 0, 14], 'has a message of the unknown kind 14'],
    ['kind 0', [0x4d, 1, 0, 0, 0, 0], 'has a message of the unknown kind 0'],
    [
      'more messages than a frame may hold',
      [0x4d, 1, 16, 0, 0],
      `has ${frameMessagesMax + 1} messages, at most ${frameMessagesMax} are allowed`,
    ],
    [
      'an id above the safe integers',
      [0x4d, 1, 0, 0, 0, 34, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0],
      `id is above ${Number.MAX_SAFE_INTEGER}`,
    ],
    [
      'a flag that is neither',
      [0x4d, 1, 0, 0, 0, 33, ...Array.from({ length: 8 }, () => 0), 2],
      'refused must be 0 or 1, is 2',
    ],
    ['an unknown reason', [0x4d, 1, 0, 0, 0, 33, ...Array.from({ length: 8 }, () => 0), 1, 5], 'reason 5 is unknown'],
  ])('%s', (_name, frame, message) => {
    expect(refusalOf(() => decodeMessages(Uint8Array.from(frame)))).toBe(`peer frame: ${message}`);
  });

  test('with text that is not UTF-8', () => {
    const frame = Uint8Array.from(encodePullRequest({ id: 'ab', offset: 0 }));
    frame[3] = 0xff;
    expect(refusalOf(() => decodePullRequest(frame))).toBe('peer frame: snapshot id is not valid UTF-8');
  });

  test('with a chunk that is changed, empty, too long, or past its end', () => {
    const data = Uint8Array.of(1, 2, 3);
    const frame = Uint8Array.from(encodeChunk({ offset: 5, total: 8, data }));
    expect(decodeChunk(frame)).toEqual({ offset: 5, total: 8, data });
    const changed = Uint8Array.from(frame);
    changed[changed.length - 1] = 4;
    expect(refusalOf(() => decodeChunk(changed))).toMatch(/chunk at 5 fails its checksum/);
    const over = (chunk: { offset: number; total: number; data: Uint8Array }): string | undefined =>
      refusalOf(() => decodeChunk(encodeChunk(chunk)));
    expect(over({ offset: 5, total: 7, data })).toMatch(/chunk at 5 ends past the snapshot's 7 bytes/);
    expect(over({ offset: 5, total: 8, data: new Uint8Array() })).toMatch(/chunk at 5 is empty/);
    const total = snapshotChunkBytesMax + 1;
    expect(over({ offset: 0, total, data: new Uint8Array(snapshotChunkBytesMax) })).toBeUndefined();
    expect(over({ offset: 0, total, data: new Uint8Array(snapshotChunkBytesMax + 1) })).toMatch(
      /at most 262144 are allowed/,
    );
  });
});

describe('limits hold at the bound and one past it, on both sides', () => {
  const proposal = (count: number): PeerMessage => ({
    kind: 'propose',
    from: NodeId(1),
    id: 1,
    transactions: Array.from({ length: count }, () => new Uint8Array(1)),
  });
  const snapshot = (id: string, voters: number): PeerMessage => ({
    kind: 'raft',
    message: {
      type: 'snapshot',
      from: NodeId(1),
      to: NodeId(2),
      term: Term(1),
      meta: {
        id,
        index: LogIndex(1),
        term: Term(1),
        membership: {
          voters: Array.from({ length: voters }, (_, at) => NodeId(at + 1)),
          votersOutgoing: [],
          learners: [],
          learnersNext: [],
          autoLeave: false,
        },
      },
    },
  });
  const reporting = (digestBytes: number): PeerMessage => {
    const checkpoint = { index: 1, digest: new Uint8Array(digestBytes) };
    const numbers = { run: 5, sequence: 1, term: 1, lastIndex: 2, floor: 1, freeBytes: 3, stopBytes: 4 };
    return { kind: 'report', from: NodeId(1), report: { ...numbers, disk: 'full', checkpoint } };
  };
  const refusal = (text: string): PeerMessage => ({
    kind: 'answer',
    id: 1,
    answer: { kind: 'refused', reason: 'busy', text },
  });
  const accepted = (messages: readonly PeerMessage[]): void =>
    expect(decodeMessages(encodeMessages(messages))).toEqual(messages);
  const refuses = (messages: readonly PeerMessage[]): void =>
    expect(() => encodeMessages(messages)).toThrow(LockstepError);

  test.each([
    ['messages', frameMessagesMax, (count: number) => Array.from({ length: count }, () => heartbeat())],
    ['entries', appendEntriesMax, (count: number) => [append(count, 0)]],
    ['transactions', proposeTransactionsMax, (count: number) => [proposal(count)]],
    ['bytes of a refusal', refusalTextBytesMax, (count: number) => [refusal('x'.repeat(count))]],
    ['members', frameMembersMax, (count: number) => [snapshot('s', count)]],
    ['bytes of a digest', reportDigestBytesMax, (count: number) => [reporting(count)]],
    ['bytes of a snapshot id', frameSnapshotIdBytesMax, (count: number) => [snapshot('x'.repeat(count), 1)]],
  ])('%s', (_name, max, messages) => {
    accepted(messages(max));
    refuses(messages(max + 1));
  });

  test('bytes of a frame', () => {
    const overhead = encodeMessages([append(1, 0)]).length;
    expect(encodeMessages([append(1, frameBytesMax - overhead)])).toHaveLength(frameBytesMax);
    refuses([append(1, frameBytesMax - overhead + 1)]);
    expect(refusalOf(() => decodeMessages(new Uint8Array(frameBytesMax + 1)))).toMatch(/at most 8388608 are allowed/);
  });

  test('bytes of a cluster id', () => {
    const hello = {
      clusterId: 'c'.repeat(frameClusterIdBytesMax),
      node: 1,
      incarnation: 2,
      versionMin: 1,
      versionMax: 3,
    };
    expect(decodeHello(encodeHello(hello))).toEqual(hello);
    expect(() => encodeHello({ ...hello, clusterId: `${hello.clusterId}c` })).toThrow(LockstepError);
  });

  test('entries with a gap are a broken invariant of the sender', () => {
    const message = append(2, 1);
    const second = entriesOf([message])[1] ?? expect.unreachable();
    const gapped: PeerMessage = {
      kind: 'raft',
      message: {
        ...(message.kind === 'raft' && message.message.type === 'append' ? message.message : expect.unreachable()),
        entries: [second],
      },
    };
    expect(() => encodeMessages([gapped])).toThrow(/entry 2 sent in the place of 1/);
  });
});

describe('a frame', () => {
  test('comes back as it was', () => {
    fc.assert(
      fc.property(fc.array(peerMessage, { maxLength: 6 }), (messages) => {
        const frame = encodeMessages(messages);
        expect(decodeMessages(frame)).toEqual(messages);
        expect(messages.reduce((sum, message) => sum + encodedBytes(message), 5)).toBe(frame.length);
      }),
    );
  });

  test('is cut into as few as its bounds allow, in order', () => {
    const half = append(1, Math.floor(frameBytesMax / 2));
    const tooLarge: number[] = [];
    const frames = framesOf([half, heartbeat(), half, append(1, frameBytesMax), heartbeat()], (_message, size) =>
      tooLarge.push(size),
    );
    expect(frames.map(({ messages }) => decodeMessages(encodeMessages(messages)).length)).toEqual([2, 2]);
    expect(tooLarge).toHaveLength(1);
    const many = Array.from({ length: frameMessagesMax + 1 }, () => heartbeat());
    expect(framesOf(many, () => undefined).map(({ messages }) => messages.length)).toEqual([frameMessagesMax, 1]);
    for (const { messages, bytes } of frames) expect(encodeMessages(messages).length).toBe(bytes);
    expect(framesOf([], () => undefined)).toEqual([]);
  });

  test('lends its memory to large entries, and not to small ones', () => {
    const lent = (messages: readonly PeerMessage[]): boolean => {
      const frame = encodeMessages(messages);
      return entriesOf(decodeMessages(frame)).every(({ data }) => data.buffer === frame.buffer);
    };
    expect(lent([append(3, 5000)])).toBe(true);
    expect(lent([append(3, 100)])).toBe(true);
    expect(lent([append(3, 100), append(1, 5000)])).toBe(false);
    const frame = encodeMessages([append(3, 100), append(1, 5000)]);
    const small = entriesOf(decodeMessages(frame)).slice(0, 3);
    expect(new Set(small.map(({ data }) => data.buffer)).size).toBe(1);
    expect(small.map(({ data }) => data)).toEqual([0, 1, 2].map((at) => new Uint8Array(100).fill(at)));
  });

  test('in another node’s name, or for another node, is denied', () => {
    const link = { from: NodeId(1), to: NodeId(2) };
    requireSender([heartbeat(), { kind: 'proposed', id: 1, outcome: { kind: 'refused', reason: 'busy' } }], link);
    expect(() => requireSender([heartbeat(3)], link)).toThrow('node 1 sent a message in the name of node 3');
    expect(() => requireSender([heartbeat(1, 3)], link)).toThrow('node 1 sent a message for node 3 to node 2');
    for (const kind of ['propose', 'read-index', 'ask'] as const) {
      const message = { kind, from: NodeId(3), id: 1, transactions: [], ask: { kind: 'members' } as const };
      expect(() => requireSender([message], link)).toThrow('in the name of node 3');
    }
  });
});

test('a snapshot source’s answer: bytes, the end, or gone', () => {
  const data = Uint8Array.of(1);
  expect(chunkAt(3, { data, total: 9 })).toEqual({ offset: 3, total: 9, data });
  expect(chunkAt(9, { data: new Uint8Array(), total: 9 })).toBe('end');
  expect(chunkAt(0, { data: new Uint8Array(), total: 0 })).toBe('end');
  expect(chunkAt(10, { data, total: 9 })).toBe('gone');
  expect(chunkAt(3, { data: new Uint8Array(), total: 9 })).toBe('gone');
  expect(chunkAt(3, undefined)).toBe('gone');
});
