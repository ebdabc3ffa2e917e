import { crc32 } from 'node:zlib';
import { LockstepError } from '@lockstep/contract/errors';
import { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import { bool, bytes, type MessageCodec, message, repeatedUint, text, uint, WireError } from '@lockstep/contract/wire';
import { decodeRoster, encodeRoster } from '@lockstep/core/raft/roster-codec';
import type { SnapshotMeta } from '@lockstep/core/raft/types';

// What the state says about itself can't be sealed, for a sealed node reads it too. A checksum finds flipped bits, which LevelDB
// would hand over as they are:   record := crc32(4) message

/** The control entry in force, with the index that it was committed at. */
export interface ControlRecord {
  readonly index: LogIndex;
  readonly data: Uint8Array;
}

export interface StateIdentity {
  readonly format: number;
  readonly clusterId: string;
}

/** How the state came from a saved snapshot. */
export interface RestoredRecord {
  /** Where in the log it was put in place. */
  readonly index: LogIndex;
  readonly savedId: string;
  /** The log's time is no earlier from there on. */
  readonly timeMs: number;
  /** Added to an index to get the version of a value written at it. */
  readonly versionOffset: number;
}

export interface RestoredWire {
  readonly index: number;
  readonly savedId: string;
  readonly timeMs: number;
  readonly versionOffset: number;
}

interface InstalledWire {
  readonly id: string;
  readonly index: number;
  readonly term: number;
  readonly voters: readonly number[];
  readonly votersOutgoing: readonly number[];
  readonly learners: readonly number[];
  readonly learnersNext: readonly number[];
  readonly autoLeave: boolean;
  /** As consensus writes it; empty in records of earlier versions. */
  readonly roster: Uint8Array;
}

interface RecordCodec<T> {
  readonly encode: (value: T) => Buffer;
  readonly decode: (stored: Uint8Array) => T;
}

// The tables of protos/lockstep/log/v1/state.proto.
export const stateIdentityWire: MessageCodec<StateIdentity> = message({ format: uint(1), clusterId: text(2) });
export const appliedIndexWire: MessageCodec<{ readonly index: number }> = message({ index: uint(1) });
export const controlRecordWire: MessageCodec<{ readonly index: number; readonly data: Uint8Array }> = message({
  index: uint(1),
  data: bytes(2),
});
export const installedSnapshotWire: MessageCodec<InstalledWire> = message({
  id: text(1),
  index: uint(2),
  term: uint(3),
  voters: repeatedUint(4),
  votersOutgoing: repeatedUint(5),
  learners: repeatedUint(6),
  learnersNext: repeatedUint(7),
  autoLeave: bool(8),
  roster: bytes(9),
});

export const restoredWire: MessageCodec<RestoredWire> = message({
  index: uint(1),
  savedId: text(2),
  timeMs: uint(3),
  versionOffset: uint(4),
});

export const stateDigestWire: MessageCodec<{ readonly digest: Uint8Array; readonly index: number }> = message({
  digest: bytes(1),
  index: uint(2),
});

export const identityRecord: RecordCodec<StateIdentity> = checked('identity', stateIdentityWire);

export const appliedRecord: RecordCodec<LogIndex> = {
  encode: (index) => appliedCodec.encode({ index }),
  decode: (stored) => LogIndex(appliedCodec.decode(stored).index),
};
const appliedCodec = checked('applied index', appliedIndexWire);

export const controlRecord: RecordCodec<ControlRecord> = {
  encode: (record) => controlCodec.encode(record),
  decode: (stored) => {
    const { index, data } = controlCodec.decode(stored);
    return { index: LogIndex(index), data };
  },
};
const controlCodec = checked('control record', controlRecordWire);

export const restoredRecord: RecordCodec<RestoredRecord> = {
  encode: (record) => restoredCodec.encode(record),
  decode: (stored) => restoredOf(restoredCodec.decode(stored)),
};
const restoredCodec = checked('restored snapshot', restoredWire);

export function restoredOf(wire: RestoredWire): RestoredRecord {
  return { ...wire, index: LogIndex(wire.index) };
}

export const installedRecord: RecordCodec<SnapshotMeta> = {
  encode: ({ id, index, term, membership: { roster, ...membership } }) => {
    const told = roster === undefined ? new Uint8Array(0) : encodeRoster(roster);
    return installedCodec.encode({ id, index, term, ...membership, roster: told });
  },
  decode: (stored) => {
    const { id, index, term, autoLeave, roster, ...lists } = installedCodec.decode(stored);
    const membership = {
      voters: lists.voters.map(NodeId),
      votersOutgoing: lists.votersOutgoing.map(NodeId),
      learners: lists.learners.map(NodeId),
      learnersNext: lists.learnersNext.map(NodeId),
      autoLeave,
      ...(roster.length === 0 ? {} : { roster: decodeRoster(roster) }),
    };
    return { id, index: LogIndex(index), term: Term(term), membership };
  },
};
const installedCodec = checked('installed snapshot', installedSnapshotWire);

/** The digest of the state as of an entry. It says nothing where the state has applied another since: a version without digests may have. */
export const digestRecord: RecordCodec<{ readonly digest: Uint8Array; readonly index: number }> = checked(
  'digest',
  stateDigestWire,
);

function checked<T>(what: string, codec: RecordCodec<T>): RecordCodec<T> {
  const damaged = (cause?: unknown): LockstepError =>
    new LockstepError('damaged', `state: the record of its ${what} is damaged`, { cause });
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
