import { crc32 } from 'node:zlib';
import { LockstepError } from '@lockstep/contract/errors';
import { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import { bool, bytes, message, repeatedUint, text, uint, WireError } from '@lockstep/contract/wire';
import type { SnapshotMeta } from '@lockstep/core/raft/types';

// What the state says about itself can't be sealed, for a sealed node reads it too. A checksum finds flipped bits, which LevelDB
// would hand over as they are:   record := crc32(4) message

/** The control entry in force, with the index that it was committed at. */
export interface ControlRecord {
  readonly index: LogIndex;
  readonly data: Uint8Array;
}

interface RecordCodec<T> {
  readonly encode: (value: T) => Buffer;
  readonly decode: (stored: Uint8Array) => T;
}

const identityWire = message({ format: uint(1), clusterId: text(2) });
const appliedWire = message({ index: uint(1) });
const controlWire = message({ index: uint(1), data: bytes(2) });
const installedWire = message({
  id: text(1),
  index: uint(2),
  term: uint(3),
  voters: repeatedUint(4),
  votersOutgoing: repeatedUint(5),
  learners: repeatedUint(6),
  learnersNext: repeatedUint(7),
  autoLeave: bool(8),
});

export const identityRecord: RecordCodec<{ readonly format: number; readonly clusterId: string }> = checked(
  'identity',
  identityWire,
);

export const appliedRecord: RecordCodec<LogIndex> = {
  encode: (index) => appliedCodec.encode({ index }),
  decode: (stored) => LogIndex(appliedCodec.decode(stored).index),
};
const appliedCodec = checked('applied index', appliedWire);

export const controlRecord: RecordCodec<ControlRecord> = {
  encode: (record) => controlCodec.encode(record),
  decode: (stored) => {
    const { index, data } = controlCodec.decode(stored);
    return { index: LogIndex(index), data };
  },
};
const controlCodec = checked('control record', controlWire);

export const installedRecord: RecordCodec<SnapshotMeta> = {
  encode: ({ id, index, term, membership }) => installedCodec.encode({ id, index, term, ...membership }),
  decode: (stored) => {
    const { id, index, term, autoLeave, ...lists } = installedCodec.decode(stored);
    const membership = {
      voters: lists.voters.map(NodeId),
      votersOutgoing: lists.votersOutgoing.map(NodeId),
      learners: lists.learners.map(NodeId),
      learnersNext: lists.learnersNext.map(NodeId),
      autoLeave,
    };
    return { id, index: LogIndex(index), term: Term(term), membership };
  },
};
const installedCodec = checked('installed snapshot', installedWire);

function checked<T>(what: string, codec: RecordCodec<T>): RecordCodec<T> {
  const damaged = (cause?: unknown): LockstepError =>
    new LockstepError('failed-precondition', `state: the record of its ${what} is damaged`, { cause });
  return {
    encode: (value) => {
      const body = codec.encode(value);
      const record = Buffer.allocUnsafe(4 + body.length);
      record.writeUInt32BE(crc32(body));
      record.set(body, 4);
      return record;
    },
    decode: (stored) => {
      const record = Buffer.from(stored);
      const body = record.subarray(4);
      if (record.length < 4 || record.readUInt32BE() !== crc32(body)) throw damaged();
      try {
        return codec.decode(body);
      } catch (cause) {
        if (!(cause instanceof WireError)) throw cause;
        throw damaged(cause);
      }
    },
  };
}
