import { crc32 } from 'node:zlib';
import { assert, LockstepError } from '@lockstep/contract/errors';
import { LogIndex, Term } from '@lockstep/contract/ids';
import type { Entry, EntryType } from '../raft/types.ts';
import { entryBytesMax } from './limits.ts';
import { asBuffer, damaged, EntryKey, readU53, writeU53 } from './log-records.ts';

/*
 * The records of the log, each under the index of its first entry:
 *
 *   one entry   crc:u32 chain:u32 type:u8 term:u53 data
 *   several     crc:u32 chain:u32 255:u8 count:u32 (type:u8 term:u53 length:u32 data)*
 *
 * The crc is over the key and all that follows it; chain is the predecessor's crc. It ties each record to the whole log before it:
 * a record of an earlier life of the log, or a hole that happens to fit, breaks it. Type numbers are for ever.
 */

const entryTypes = ['noop', 'transactions', 'membership', 'control'] as const satisfies readonly EntryType[];
const several = 255;
const oneHeadBytes = 17;
const severalHeadBytes = 13;
const entryHeadBytes = 13;

export interface EntryRecord {
  /** At least one, with consecutive indexes. Their data are views of the record's value. */
  readonly entries: readonly Entry[];
  readonly checksum: number;
  readonly chain: number;
}

/** Encodes records into one growing buffer: what `encode` returns holds until its next call. */
export class RecordEncoding {
  #scratch: Buffer = Buffer.allocUnsafeSlow(64 * 1024);
  readonly #key = new EntryKey();

  encode(entries: readonly Entry[], chain: number): { readonly value: Uint8Array; readonly checksum: number } {
    const [first] = entries;
    assert(first !== undefined, 'a record has at least one entry');
    const value = this.#room(entries);
    value.writeUInt32LE(chain, 4);
    if (entries.length === 1) writeOne(value, first);
    else writeSeveral(value, entries);
    const checksum = crc32(value.subarray(4), crc32(this.#key.of(first.index)));
    value.writeUInt32LE(checksum, 0);
    return { value, checksum };
  }

  #room(entries: readonly Entry[]): Buffer {
    let length = entries.length === 1 ? oneHeadBytes : severalHeadBytes + entries.length * entryHeadBytes;
    for (const { data, index } of entries) {
      if (data.length > entryBytesMax)
        throw new LockstepError('too-large', `log entry ${index} is over ${entryBytesMax} bytes`);
      length += data.length;
    }
    if (length > this.#scratch.length) this.#scratch = Buffer.allocUnsafeSlow(2 * length);
    return this.#scratch.subarray(0, length);
  }
}

const keyOfRead = new EntryKey();

/** The record under the key of index `first`. */
export function decodeRecord(first: LogIndex, value: Uint8Array): EntryRecord {
  const what = `log entry ${first}`;
  const bytes = asBuffer(value);
  if (bytes.length < severalHeadBytes) throw damaged(what, `is only ${bytes.length} bytes`);
  const checksum = bytes.readUInt32LE(0);
  if (crc32(bytes.subarray(4), crc32(keyOfRead.of(first))) !== checksum) throw damaged(what, 'fails its checksum');
  const entries = bytes.readUInt8(8) === several ? readSeveral(first, bytes, what) : [readOne(first, bytes, what)];
  return { entries, checksum, chain: chainOf(bytes) };
}

/** What a record names as its predecessor's checksum. */
export function chainOf(value: Uint8Array): number {
  return asBuffer(value).readUInt32LE(4);
}

function writeOne(value: Buffer, { type, term, data }: Entry): void {
  value.writeUInt8(entryTypes.indexOf(type), 8);
  writeU53(value, term, 9);
  value.set(data, oneHeadBytes);
}

function writeSeveral(value: Buffer, entries: readonly Entry[]): void {
  value.writeUInt8(several, 8);
  value.writeUInt32LE(entries.length, 9);
  let at = severalHeadBytes;
  for (const { type, term, data } of entries) {
    value.writeUInt8(entryTypes.indexOf(type), at);
    writeU53(value, term, at + 1);
    value.writeUInt32LE(data.length, at + 9);
    value.set(data, at + entryHeadBytes);
    at += entryHeadBytes + data.length;
  }
}

function readOne(index: LogIndex, bytes: Buffer, what: string): Entry {
  if (bytes.length < oneHeadBytes) throw damaged(what, `is only ${bytes.length} bytes`);
  return { index, term: Term(readU53(bytes, 9, what)), type: typeAt(bytes, 8, what), data: view(bytes, oneHeadBytes) };
}

function readSeveral(first: LogIndex, bytes: Buffer, what: string): readonly Entry[] {
  const count = bytes.readUInt32LE(9);
  const entries: Entry[] = [];
  let at = severalHeadBytes;
  for (let offset = 0; offset < count; offset++) {
    if (bytes.length - at < entryHeadBytes) throw damaged(what, 'ends within an entry');
    const length = bytes.readUInt32LE(at + 9);
    const data = at + entryHeadBytes;
    if (bytes.length - data < length) throw damaged(what, 'ends within an entry');
    const index = LogIndex(first + offset);
    const term = Term(readU53(bytes, at + 1, what));
    entries.push({ index, term, type: typeAt(bytes, at, what), data: view(bytes, data, length) });
    at = data + length;
  }
  if (at !== bytes.length || entries.length === 0) throw damaged(what, 'is not as long as its entries');
  return entries;
}

function typeAt(bytes: Buffer, at: number, what: string): EntryType {
  const type = entryTypes[bytes.readUInt8(at)];
  if (type === undefined) throw damaged(what, `has the unknown type ${bytes.readUInt8(at)}`);
  return type;
}

/** A plain view, so that a slice of it copies. */
function view(bytes: Buffer, from: number, length: number = bytes.length - from): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + from, length);
}
