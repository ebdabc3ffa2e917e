import { crc32 } from 'node:zlib';
import { LockstepError } from '@lockstep/contract/errors';
import { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import { decodeRoster, encodeRoster } from '../raft/roster-codec.ts';
import type { HardState, Membership, Roster, SnapshotMeta } from '../raft/types.ts';
import { clusterIdBytesMax, snapshotIdBytesMax, storedMembersMax } from './limits.ts';

/*
 * The log database. Integers are little-endian in values, u53 = 8 bytes that hold a safe integer; each value begins with
 * the CRC-32 of its key and of all that follows, so that a value is neither changed nor moved unnoticed.
 *
 *   'h'              crc:u32 term:u53 vote:u53 commit:u53
 *   'm'              crc:u32 format:u8 meta                     (as JSON, small and written rarely; rosters in base64)
 *   'l' index:u64be  one or more entries from that index on (entry-records.ts)
 */

/** Format 1 had a record for each entry; since 2 one may hold several. What format 1 wrote is read, and goes on as format 2. */
export const logFormat = 2;
export const logFormatMin = 1;

export const hardStateKey: Uint8Array = Buffer.from('h');
export const metaKey: Uint8Array = Buffer.from('m');
const entryKeyBytes = 9;
const hardStateBytes = 28;

/** Whose log this is. */
export interface LogIdentity {
  readonly clusterId: string;
  readonly node: NodeId;
  /** Drawn when the disk was formatted: another value under the same node id is a lost disk, and must not vote. */
  readonly incarnation: number;
}

/** What the `m` key holds. The log begins at `snapshot.index + 1`. */
export interface LogMeta {
  readonly identity: LogIdentity;
  readonly snapshot: SnapshotMeta;
  /** What the first record of the log names as its predecessor: 0 where the log began anew after a snapshot. */
  readonly chain: number;
  readonly membership: Membership;
  readonly appliedMembershipIndex: LogIndex;
}

/** Writes an entry's key into a buffer that the caller keeps; LevelDB copies it at once. */
export class EntryKey {
  readonly bytes: Buffer = Buffer.alloc(entryKeyBytes, 'l');

  of(index: number): Uint8Array {
    this.bytes.writeUInt32BE(Math.floor(index / 0x1_0000_0000), 1);
    this.bytes.writeUInt32BE(index % 0x1_0000_0000, 5);
    return this.bytes;
  }
}

export function indexOfKey(key: Uint8Array): LogIndex {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  if (key.length !== entryKeyBytes) throw damaged('log entry key', `is ${key.length} bytes, not ${entryKeyBytes}`);
  const index = view.getUint32(1) * 0x1_0000_0000 + view.getUint32(5);
  if (!Number.isSafeInteger(index)) throw damaged('log entry key', 'holds an index that is not a safe integer');
  return LogIndex(index);
}

export function encodeHardState(state: HardState): Uint8Array {
  const value = Buffer.alloc(hardStateBytes);
  writeU53(value, state.term, 4);
  writeU53(value, state.vote, 12);
  writeU53(value, state.commit, 20);
  return sealed(hardStateKey, value);
}

export function decodeHardState(value: Uint8Array): HardState {
  const bytes = opened(hardStateKey, value, 'hard state');
  if (bytes.length !== hardStateBytes) throw damaged('hard state', `is ${bytes.length} bytes, not ${hardStateBytes}`);
  return {
    term: Term(readU53(bytes, 4, 'hard state')),
    vote: NodeId(readU53(bytes, 12, 'hard state')),
    commit: LogIndex(readU53(bytes, 20, 'hard state')),
  };
}

export function encodeMeta(meta: LogMeta): Uint8Array {
  const { membership, snapshot } = meta;
  const json = Buffer.from(
    JSON.stringify({
      ...meta,
      membership: storedMembership(membership),
      snapshot: { ...snapshot, membership: storedMembership(snapshot.membership) },
    }),
  );
  const value = Buffer.alloc(5 + json.length);
  value.writeUInt8(logFormat, 4);
  value.set(json, 5);
  // What could not be read back must not be written.
  decodeMeta(sealed(metaKey, value));
  return value;
}

/** The format that a log's meta record was written in. */
export function formatOf(value: Uint8Array): number | undefined {
  return value[4];
}

export function decodeMeta(value: Uint8Array): LogMeta {
  const bytes = opened(metaKey, value, 'log meta');
  const format = formatOf(bytes);
  if (format === undefined || format < logFormatMin || format > logFormat) {
    throw new LockstepError(
      'failed-precondition',
      `log has format ${format}, this program knows ${logFormatMin} to ${logFormat}`,
    );
  }
  const fields = fieldsOf(JSON.parse(bytes.toString('utf8', 5)), 'log meta');
  const identity = fieldsOf(fields['identity'], 'identity');
  return {
    identity: {
      clusterId: textOf(identity['clusterId'], 'cluster id', clusterIdBytesMax),
      node: NodeId(numberOf(identity['node'], 'node')),
      incarnation: numberOf(identity['incarnation'], 'incarnation'),
    },
    snapshot: snapshotOf(fields['snapshot']),
    chain: numberOf(fields['chain'], 'chain'),
    membership: membershipOf(fields['membership']),
    appliedMembershipIndex: LogIndex(numberOf(fields['appliedMembershipIndex'], 'membership index')),
  };
}

/** The error that stops a node from starting on a log that lost something: it must not vote. */
export function damaged(what: string, how: string, cause?: unknown): LockstepError {
  return new LockstepError('damaged', `${what} is damaged: ${how}`, { cause });
}

function snapshotOf(value: unknown): SnapshotMeta {
  const fields = fieldsOf(value, 'snapshot');
  return {
    id: textOf(fields['id'], 'snapshot id', snapshotIdBytesMax),
    index: LogIndex(numberOf(fields['index'], 'snapshot index')),
    term: Term(numberOf(fields['term'], 'snapshot term')),
    membership: membershipOf(fields['membership']),
  };
}

function membershipOf(value: unknown): Membership {
  const fields = fieldsOf(value, 'membership');
  const nodes = (name: string): readonly NodeId[] => {
    const list = fields[name];
    if (!Array.isArray(list) || list.length > storedMembersMax)
      throw damaged('log meta', `${name} is not a short list`);
    return list.map((node: unknown) => NodeId(numberOf(node, name)));
  };
  if (typeof fields['autoLeave'] !== 'boolean') throw damaged('log meta', 'autoLeave is missing');
  return {
    voters: nodes('voters'),
    votersOutgoing: nodes('votersOutgoing'),
    learners: nodes('learners'),
    learnersNext: nodes('learnersNext'),
    autoLeave: fields['autoLeave'],
    ...(fields['roster'] === undefined ? {} : { roster: rosterOf(fields['roster']) }),
  };
}

function storedMembership({ roster, ...membership }: Membership): object {
  return roster === undefined
    ? membership
    : { ...membership, roster: Buffer.from(encodeRoster(roster)).toString('base64') };
}

function rosterOf(value: unknown): Roster {
  if (typeof value !== 'string') throw damaged('log meta', 'roster is not a text');
  return decodeRoster(Buffer.from(value, 'base64'));
}

function fieldsOf(value: unknown, what: string): { readonly [name: string]: unknown } {
  if (typeof value !== 'object' || value === null) throw damaged('log meta', `${what} is missing`);
  return Object.fromEntries(Object.entries(value));
}

function numberOf(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw damaged('log meta', `${what} is not a safe integer`);
  }
  return value;
}

function textOf(value: unknown, what: string, bytesMax: number): string {
  if (typeof value !== 'string' || Buffer.byteLength(value) > bytesMax) {
    throw damaged('log meta', `${what} is not a text of at most ${bytesMax} bytes`);
  }
  return value;
}

function sealed(key: Uint8Array, value: Buffer): Uint8Array {
  value.writeUInt32LE(crc32(value.subarray(4), crc32(key)), 0);
  return value;
}

function opened(key: Uint8Array, value: Uint8Array, what: string): Buffer {
  const bytes = asBuffer(value);
  if (bytes.length < 4 || crc32(bytes.subarray(4), crc32(key)) !== bytes.readUInt32LE(0)) {
    throw damaged(what, 'fails its checksum');
  }
  return bytes;
}

export function asBuffer(value: Uint8Array): Buffer {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

export function writeU53(buffer: Buffer, value: number, at: number): void {
  buffer.writeUInt32LE(value % 0x1_0000_0000, at);
  buffer.writeUInt32LE(Math.floor(value / 0x1_0000_0000), at + 4);
}

export function readU53(buffer: Buffer, at: number, what: string): number {
  const value = buffer.readUInt32LE(at + 4) * 0x1_0000_0000 + buffer.readUInt32LE(at);
  if (!Number.isSafeInteger(value)) throw damaged(what, 'holds a number that is not a safe integer');
  return value;
}
