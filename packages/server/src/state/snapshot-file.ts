import { createHash, type Hash, timingSafeEqual } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { LockstepError } from '@lockstep/contract/errors';
import { LogIndex } from '@lockstep/contract/ids';
import { embed, type MessageCodec, message, optionalBytes, text, uint } from '@lockstep/contract/wire';
import { recordOverheadBytes } from '@lockstep/seal/aead';
import { placeBytesMax } from '@lockstep/seal/limits';
import { snapshotChunkBytes, snapshotHeaderBytesMax, valueBytesMax } from './limits.ts';
import {
  type ControlRecord,
  type RestoredRecord,
  type RestoredWire,
  restoredOf,
  restoredWire,
} from './state-records.ts';

// file   := "LKSS" format:u8 length:u32 header record* 0x00 records:u64 sha256(32) of all before it
// record := 0x01 length:u16 key length:u32 value          keys in byte order, values sealed, as the database has them
// The file's id is its index and that hash, so that whoever has the id can tell the file from any other.

export interface SnapshotHeader {
  readonly clusterId: string;
  readonly applied: LogIndex;
  readonly control: ControlRecord | undefined;
  readonly restored: RestoredRecord | undefined;
  /** Of the records, keyed (state-hash.ts); undefined where the node that took it did not know. */
  readonly digest: Uint8Array | undefined;
}

export interface SnapshotRecord {
  readonly key: Buffer;
  readonly value: Buffer;
}

const magic = Buffer.from('LKSS');
const format = 1;
const recordMark = 1;
const endMark = 0;
const hashBytes = 32;
export const trailerBytes: number = 1 + 8 + hashBytes;
const storedValueBytesMax: number = valueBytesMax + recordOverheadBytes + 8;
/** As in protos/lockstep/log/v1/state.proto. */
export const snapshotHeaderWire: MessageCodec<{
  readonly clusterId: string;
  readonly applied: number;
  readonly controlIndex: number;
  readonly control: Uint8Array | undefined;
  readonly restored: RestoredWire | undefined;
  readonly digest: Uint8Array | undefined;
}> = message({
  clusterId: text(1),
  applied: uint(2),
  controlIndex: uint(3),
  control: optionalBytes(4),
  restored: embed(5, restoredWire),
  digest: optionalBytes(6),
});

/** Sixteen digits, so that ids sort as indexes do. */
export function snapshotId(index: LogIndex, hash: Buffer): string {
  return `${String(index).padStart(16, '0')}-${hash.toString('hex')}`;
}

/** The index in an id; undefined where that is no snapshot's id. Ids become file names: nothing else may pass. */
export function indexOfSnapshot(id: string): LogIndex | undefined {
  const digits = /^(\d{16})-[0-9a-f]{64}$/.exec(id)?.[1];
  const index = digits === undefined ? Number.NaN : Number(digits);
  return Number.isSafeInteger(index) ? LogIndex(index) : undefined;
}

/** How many records a complete file holds, by its end. */
export function recordsInTrailer(trailer: Uint8Array): number {
  return Number(Buffer.from(trailer).readBigUInt64BE(1));
}

/** Writes a snapshot's file. `finish` makes it durable and returns the hash. */
export class SnapshotWriter {
  readonly #file: FileHandle;
  readonly #hash: Hash = createHash('sha256');
  #records = 0;
  #pieces: Uint8Array[] = [];
  #bytes = 0;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Begins a file that must not be there yet. */
  static async create(path: string, header: SnapshotHeader): Promise<SnapshotWriter> {
    const writer = new SnapshotWriter(await open(path, 'wx', 0o600));
    const { clusterId, applied, control, restored, digest } = header;
    const body = snapshotHeaderWire.encode({
      clusterId,
      applied,
      controlIndex: control?.index ?? 0,
      control: control?.data,
      restored,
      digest,
    });
    const head = Buffer.alloc(9);
    head.set(magic);
    head[4] = format;
    head.writeUInt32BE(body.length, 5);
    writer.#push(head);
    writer.#push(body);
    return writer;
  }

  /** In byte order of keys. */
  async add(records: readonly (readonly [Uint8Array, Uint8Array])[]): Promise<void> {
    for (const [key, value] of records) {
      const head = Buffer.allocUnsafe(7 + key.length);
      head[0] = recordMark;
      head.writeUInt16BE(key.length, 1);
      head.set(key, 3);
      head.writeUInt32BE(value.length, 3 + key.length);
      this.#push(head);
      this.#push(value);
      this.#records++;
      if (this.#bytes >= snapshotChunkBytes) await this.#flush();
    }
  }

  async finish(): Promise<Buffer> {
    const end = Buffer.alloc(9);
    end[0] = endMark;
    end.writeBigUInt64BE(BigInt(this.#records), 1);
    this.#push(end);
    await this.#flush();
    const hash = this.#hash.digest();
    await this.#file.write(hash);
    await this.#file.sync();
    return hash;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  #push(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
  }

  async #flush(): Promise<void> {
    const chunk = Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#bytes = 0;
    this.#hash.update(chunk);
    for (let at = 0; at < chunk.length; ) at += (await this.#file.write(chunk, at)).bytesWritten;
  }
}

/**
 * Reads a snapshot's file from its beginning to its end, checking all of it. Nothing read may be relied on before `records` has
 * ended without an error. Refuses with `invalid-input` what is no whole snapshot, or not the one that `id` names.
 */
export class SnapshotReader {
  readonly #file: FileHandle;
  readonly #id: string;
  readonly #hash: Hash = createHash('sha256');
  #buffer: Buffer = Buffer.alloc(0);
  #at = 0;
  readonly header: SnapshotHeader;

  private constructor(
    file: FileHandle,
    id: string,
    opened: { readonly header: SnapshotHeader; readonly head: Buffer },
  ) {
    this.#file = file;
    this.#id = id;
    this.header = opened.header;
    this.#hash.update(opened.head);
  }

  static async open(path: string, id: string): Promise<SnapshotReader> {
    const file = await open(path, 'r');
    try {
      const head = await exactly(file, 9);
      if (!head.subarray(0, 4).equals(magic)) throw bad('is no snapshot');
      if (head[4] !== format) throw bad(`has format ${head[4]}, not ${format}`);
      const length = head.readUInt32BE(5);
      if (length > snapshotHeaderBytesMax) throw bad(`has a header of ${length} bytes`);
      const body = await exactly(file, length);
      const header = headerOf(body);
      if (header.applied !== indexOfSnapshot(id)) throw bad('has another index than its id says');
      return new SnapshotReader(file, id, { header, head: Buffer.concat([head, body]) });
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** The records, some at a time, in order. Ends only when everything was checked. */
  async *records(): AsyncGenerator<readonly SnapshotRecord[]> {
    let count = 0;
    let last: Buffer | undefined;
    for (;;) {
      const whole: SnapshotRecord[] = [];
      for (let record = this.#record(); record !== undefined; record = this.#record()) {
        if (last !== undefined && Buffer.compare(last, record.key) >= 0) throw bad('has keys out of order');
        last = record.key;
        whole.push(record);
      }
      count += whole.length;
      if (whole.length > 0) yield whole;
      if (this.#buffer[this.#at] === endMark && this.#buffer.length - this.#at >= trailerBytes) break;
      await this.#fill();
    }
    await this.#checkTrailer(count);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  /** The next whole record in the buffer. */
  #record(): SnapshotRecord | undefined {
    const left = this.#buffer.length - this.#at;
    if (left === 0 || this.#buffer[this.#at] === endMark) return undefined;
    if (this.#buffer[this.#at] !== recordMark) throw bad('has a record of an unknown kind');
    if (left < 3) return undefined;
    const keyLength = this.#buffer.readUInt16BE(this.#at + 1);
    if (keyLength > placeBytesMax) throw bad(`has a key of ${keyLength} bytes`);
    if (left < 7 + keyLength) return undefined;
    const valueAt = this.#at + 7 + keyLength;
    const valueLength = this.#buffer.readUInt32BE(valueAt - 4);
    if (valueLength > storedValueBytesMax) throw bad(`has a value of ${valueLength} bytes`);
    if (left < 7 + keyLength + valueLength) return undefined;
    const record = {
      key: this.#buffer.subarray(this.#at + 3, valueAt - 4),
      value: this.#buffer.subarray(valueAt, valueAt + valueLength),
    };
    this.#hash.update(this.#buffer.subarray(this.#at, valueAt + valueLength));
    this.#at = valueAt + valueLength;
    return record;
  }

  async #fill(): Promise<void> {
    const chunk = Buffer.allocUnsafe(snapshotChunkBytes);
    const { bytesRead } = await this.#file.read(chunk, 0, chunk.length, null);
    if (bytesRead === 0) throw bad('is cut short');
    // A new buffer: the records given out before point into the old one.
    this.#buffer = Buffer.concat([this.#buffer.subarray(this.#at), chunk.subarray(0, bytesRead)]);
    this.#at = 0;
  }

  async #checkTrailer(count: number): Promise<void> {
    const trailer = this.#buffer.subarray(this.#at);
    const { bytesRead } = await this.#file.read(Buffer.alloc(1), 0, 1, null);
    if (trailer.length !== trailerBytes || bytesRead > 0) throw bad('has bytes after its end');
    if (trailer.readBigUInt64BE(1) !== BigInt(count)) throw bad('has another number of records than it says');
    const hash = this.#hash.update(trailer.subarray(0, 9)).digest();
    if (!timingSafeEqual(hash, trailer.subarray(9))) throw bad('was changed: its hash differs');
    if (snapshotId(this.header.applied, hash) !== this.#id) throw bad('is another one than its id says');
  }
}

async function exactly(file: FileHandle, length: number): Promise<Buffer> {
  const target = Buffer.alloc(length);
  for (let at = 0; at < length; ) {
    const { bytesRead } = await file.read(target, at, length - at, null);
    if (bytesRead === 0) throw bad('is cut short');
    at += bytesRead;
  }
  return target;
}

function headerOf(body: Buffer): SnapshotHeader {
  try {
    const { clusterId, applied, controlIndex, control, restored, digest } = snapshotHeaderWire.decode(body);
    return {
      clusterId,
      applied: LogIndex(applied),
      control: control === undefined ? undefined : { index: LogIndex(controlIndex), data: control },
      restored: restored === undefined ? undefined : restoredOf(restored),
      digest,
    };
  } catch (cause) {
    throw new LockstepError('invalid-input', 'the snapshot has a header that is no message', { cause });
  }
}

function bad(how: string): LockstepError {
  return new LockstepError('invalid-input', `the snapshot ${how}`);
}
