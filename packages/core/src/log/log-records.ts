import { crc32 } from 'node:zlib';
import { LockstepError } from '@lockstep/contract/errors';
import { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import { decodeRoster, encodeRoster } from '../raft/roster-codec.ts';
import type { Entry, EntryType, HardState, Membership, Roster, SnapshotMeta } from '../raft/types.ts';
import { clusterIdBytesMax, entryBytesMax, snapshotIdBytesMax, storedMembersMax } from './limits.ts';

/*
 * The log database. Integers are little-endian in values, u53 = 8 bytes that hold a safe integer; each value begins with
 * the CRC-32 of its key and of all that follows, so that a value is neither changed nor moved unnoticed.
 *
 *   'h'              crc:u32 term:u53 vote:u53 commit:u53
 *   'm'              crc:u32 format:u8 meta                     (as JSON, small and written rarely; rosters in base64)
 *   'l' index:u64be  crc:u32 chain:u32 type:u8 term:u53 data    (chain: the predecessor's crc)
 *
 * The chain ties each entry to the whole log before it: an entry of an earlier life of the log, or a hole that happens to
 * fit, breaks it. Type numbers are for ever.
 */

/** The layout above. A directory of another format is refused. */
export const logFormat = 1;

export const hardStateKey: Uint8Array = Buffer.from('h');
export const metaKey: Uint8Array = Buffer.from('m');
const entryKeyBytes = 9;
const entryHeadBytes = 17;
const hardStateBytes = 28;
const entryTypes = ['noop', 'transactions', 'membership', 'control'] as const satisfies readonly EntryType[];

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
  /** The checksum of the entry at `snapshot.index`, 0 where that entry never was in this log. */
  readonly chain: number;
  readonly membership: Membership;
  readonly appliedMembershipIndex: LogIndex;
}

export interface EntryRecord {
  readonly entry: Entry;
  readonly checksum: number;
  readonly chain: number;
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

/** Encodes entries into one growing buffer: what `encode` returns holds until its next call. */
export class EntryEncoding {
  #scratch: Buffer = Buffer.allocUnsafeSlow(64 * 1024);
  readonly #key = new EntryKey();

  encode(entry: Entry, chain: number): { readonly value: Uint8Array; readonly checksum: number } {
    const length = entryHeadBytes + entry.data.length;
    if (entry.data.length > entryBytesMax) {
      throw new LockstepError('too-large', `log entry ${entry.index} is over ${entryBytesMax} bytes`);
    }
    if (length > this.#scratch.length) this.#scratch = Buffer.allocUnsafeSlow(2 * length);
    const value = this.#scratch.subarray(0, length);
    value.writeUInt32LE(chain, 4);
    value.writeUInt8(entryTypes.indexOf(entry.type), 8);
    writeU53(value, entry.term, 9);
    value.set(entry.data, entryHeadBytes);
    const checksum = crc32(value.subarray(4), crc32(this.#key.of(entry.index)));
    value.writeUInt32LE(checksum, 0);
    return { value, checksum };
  }
}

const keyOfRead = new EntryKey();

/** The entry at `index`, its data a view of `value`. */
export function decodeEntry(index: LogIndex, value: Uint8Array): EntryRecord {
  const what = `log entry ${index}`;
  const bytes = asBuffer(value);
  if (bytes.length < entryHeadBytes) throw damaged(what, `is only ${bytes.length} bytes`);
  const checksum = bytes.readUInt32LE(0);
  if (crc32(bytes.subarray(4), crc32(keyOfRead.of(index))) !== checksum) throw damaged(what, 'fails its checksum');
  const type = entryTypes[bytes.readUInt8(8)];
  if (type === undefined) throw damaged(what, `has the unknown type ${bytes.readUInt8(8)}`);
  const term = Term(readU53(bytes, 9, what));
  const data = new Uint8Array(value.buffer, value.byteOffset + entryHeadBytes, value.length - entryHeadBytes);
  return { entry: { index, term, type, data }, checksum, chain: bytes.readUInt32LE(4) };
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

export function decodeMeta(value: Uint8Array): LogMeta {
  const bytes = opened(metaKey, value, 'log meta');
  const format = bytes.length < 5 ? undefined : bytes.readUInt8(4);
  if (format !== logFormat) {
    throw new LockstepError('failed-precondition', `log has format ${format}, this program knows ${logFormat}`);
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

function asBuffer(value: Uint8Array): Buffer {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

function writeU53(buffer: Buffer, value: number, at: number): void {
  buffer.writeUInt32LE(value % 0x1_0000_0000, at);
  buffer.writeUInt32LE(Math.floor(value / 0x1_0000_0000), at + 4);
}

function readU53(buffer: Buffer, at: number, what: string): number {
  const value = buffer.readUInt32LE(at + 4) * 0x1_0000_0000 + buffer.readUInt32LE(at);
  if (!Number.isSafeInteger(value)) throw damaged(what, 'holds a number that is not a safe integer');
  return value;
}
