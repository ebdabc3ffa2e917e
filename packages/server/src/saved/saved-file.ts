import { createHash, type Hash, timingSafeEqual } from 'node:crypto';
import { LockstepError } from '@lockstep/contract/errors';
import { bytes, type MessageCodec, message, text, uint, WireError } from '@lockstep/contract/wire';
import { recordOverheadBytes } from '@lockstep/seal/aead';
import { savedChunkBytes, savedHeadBytesMax } from './limits.ts';

// file  := head chunk* 0:u32 sha256(32) of all before it
// head  := "LKOS" format:u8 length:u32 SavedSnapshot            (protos/lockstep/log/v1/saved.proto)
// chunk := length:u32 sealed                                    256 KiB of the snapshot inside, the last with what is left
//
// Each chunk is sealed for the use `snapshot`, bound to the head's hash, its number, and whether it is the last. So nothing of the
// state is in plain, names included; the hash finds what broke on the way without a key, and the seal what somebody changed.
// A file's id is that hash.

const magic = Buffer.from('LKOS');
const format = 1;
const headStartBytes = 9;
const hashBytes = 32;
const trailerBytes: number = 4 + hashBytes;

/** What a file says of itself, readable without a key. As in the proto. */
export interface SavedSnapshot {
  readonly clusterId: string;
  readonly snapshotId: string;
  readonly index: number;
  readonly term: number;
  readonly logTimeMs: number;
  readonly savedMs: number;
  readonly bytes: number;
  readonly records: number;
  readonly factVersion: number;
  readonly program: string;
  readonly node: string;
  readonly seal: Uint8Array;
  readonly versionOffset: number;
}

export const savedSnapshotWire: MessageCodec<SavedSnapshot> = message({
  clusterId: text(1),
  snapshotId: text(2),
  index: uint(3),
  term: uint(4),
  logTimeMs: uint(5),
  savedMs: uint(6),
  bytes: uint(7),
  records: uint(8),
  factVersion: uint(9),
  program: text(10),
  node: text(11),
  seal: bytes(12),
  versionOffset: uint(13),
});

export function savedHead(saved: SavedSnapshot): Buffer {
  const body = savedSnapshotWire.encode(saved);
  const head = Buffer.alloc(headStartBytes + body.length);
  head.set(magic);
  head[4] = format;
  head.writeUInt32BE(body.length, 5);
  head.set(body, headStartBytes);
  return head;
}

/** How long the whole file is. */
export function savedFileBytes(headBytes: number, snapshotBytes: number): number {
  const chunks = chunksOf(snapshotBytes);
  return headBytes + chunks * (4 + recordOverheadBytes) + snapshotBytes + trailerBytes;
}

/** How many chunks hold so many bytes. */
export function chunksOf(snapshotBytes: number): number {
  return Math.max(1, Math.ceil(snapshotBytes / savedChunkBytes));
}

/** What chunk `number` (from 0) of the file with this head is bound to. */
export function chunkPlace(headHash: Uint8Array, number: number, isLast: boolean): Buffer {
  const place = Buffer.alloc(hashBytes + 9);
  place.set(headHash);
  place.writeBigUInt64BE(BigInt(number), hashBytes);
  place[hashBytes + 8] = isLast ? 1 : 0;
  return place;
}

export function sha256(data: Uint8Array): Buffer {
  return createHash('sha256').update(data).digest();
}

/** What a parser of the file tells, in order: the head, each sealed chunk, and the id once everything was checked. */
export interface SavedFileEvents {
  readonly onHead: (saved: SavedSnapshot, headHash: Buffer) => void;
  /** A copy is needed to keep it. */
  readonly onChunk?: (sealed: Uint8Array, chunk: { readonly number: number; readonly isLast: boolean }) => void;
}

type Step =
  | { readonly wants: 'start' }
  | { readonly wants: 'head'; readonly bytes: number }
  | { readonly wants: 'length' }
  | { readonly wants: 'chunk'; readonly bytes: number }
  | { readonly wants: 'hash' }
  | { readonly wants: 'nothing'; readonly id: string };

/**
 * Reads a saved snapshot as it comes, in pieces of any size, holding no more than one chunk. Refuses with `invalid-input` what is
 * no whole file: another kind, a newer format, cut, changed, or with more after its end. What it gives out before `finish` has
 * returned may be damaged.
 */
export class SavedFileParser {
  readonly #events: SavedFileEvents;
  readonly #hash: Hash = createHash('sha256');
  #step: Step = { wants: 'start' };
  #start: Buffer = Buffer.alloc(0);
  /** What came and was not taken yet, in pieces. */
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #saved: SavedSnapshot | undefined;
  #chunks = 0;
  #plainBytes = 0;

  constructor(events: SavedFileEvents) {
    this.#events = events;
  }

  push(data: Uint8Array): void {
    this.#waiting.push(Buffer.from(data.buffer, data.byteOffset, data.length));
    this.#waitingBytes += data.length;
    for (let taken = this.#take(); taken !== undefined; taken = this.#take()) this.#took(taken);
    // What was given is the caller's again after this.
    const last = this.#waiting.pop();
    if (last !== undefined) this.#waiting.push(Buffer.from(last));
  }

  /** The file's id: the hash at its end, in hexadecimal. */
  finish(): { readonly id: string; readonly saved: SavedSnapshot } {
    if (this.#step.wants !== 'nothing' || this.#saved === undefined) throw bad('is cut short');
    return { id: this.#step.id, saved: this.#saved };
  }

  /** The next piece, if all of it is there. */
  #take(): Buffer | undefined {
    const wanted = this.#wantedBytes();
    if (wanted === undefined) {
      if (this.#waitingBytes > 0) throw bad('has bytes after its end');
      return undefined;
    }
    if (this.#waitingBytes < wanted) {
      this.#refuseEarly();
      return undefined;
    }
    const [first] = this.#waiting;
    const whole = first !== undefined && first.length >= wanted ? first : Buffer.concat(this.#waiting);
    const rest = whole === first ? this.#waiting.slice(1) : [];
    this.#waiting = whole.length === wanted ? rest : [whole.subarray(wanted), ...rest];
    this.#waitingBytes -= wanted;
    return whole.subarray(0, wanted);
  }

  #wantedBytes(): number | undefined {
    const step = this.#step;
    switch (step.wants) {
      case 'start':
        return headStartBytes;
      case 'head':
      case 'chunk':
        return step.bytes;
      case 'length':
        return 4;
      case 'hash':
        return hashBytes;
      case 'nothing':
        return undefined;
      default:
        return step satisfies never;
    }
  }

  /** What is no such file need not be waited for. */
  #refuseEarly(): void {
    if (this.#step.wants !== 'start') return;
    const known = Buffer.concat(this.#waiting).subarray(0, magic.length);
    if (!known.equals(magic.subarray(0, known.length))) throw bad('is no saved snapshot');
  }

  #took(taken: Buffer): void {
    const step = this.#step;
    if (step.wants !== 'hash') this.#hash.update(taken);
    switch (step.wants) {
      case 'start':
        this.#refuseOther(taken);
        this.#start = Buffer.from(taken);
        this.#step = { wants: 'head', bytes: taken.readUInt32BE(5) };
        return;
      case 'head':
        this.#saved = savedOf(taken);
        this.#events.onHead(this.#saved, sha256(Buffer.concat([this.#start, taken])));
        this.#step = { wants: 'length' };
        return;
      case 'length':
        this.#begin(taken.readUInt32BE());
        return;
      case 'chunk':
        this.#chunk(taken);
        return;
      case 'hash': {
        const hash = this.#hash.digest();
        if (!timingSafeEqual(hash, taken)) throw bad('was changed: its hash differs');
        this.#step = { wants: 'nothing', id: hash.toString('hex') };
        return;
      }
      case 'nothing':
        return;
      default:
        step satisfies never;
    }
  }

  #refuseOther(start: Buffer): void {
    if (!start.subarray(0, magic.length).equals(magic)) throw bad('is no saved snapshot');
    if (start[4] !== format) throw bad(`has format ${start[4]}; this version reads format ${format}`);
    const length = start.readUInt32BE(5);
    if (length > savedHeadBytesMax)
      throw bad(`has a head of ${length} bytes, at most ${savedHeadBytesMax} are allowed`);
  }

  #begin(length: number): void {
    const expected = chunksOf(this.#saved?.bytes ?? 0);
    if (length === 0) {
      if (this.#chunks !== expected) throw bad(`has ${this.#chunks} chunks, its head says ${expected}`);
      this.#step = { wants: 'hash' };
      return;
    }
    if (this.#chunks === expected) throw bad(`has more than the ${expected} chunks that its head says`);
    const isLast = this.#chunks === expected - 1;
    const plain = isLast ? (this.#saved?.bytes ?? 0) - this.#plainBytes : savedChunkBytes;
    if (length !== plain + recordOverheadBytes) throw bad(`has a chunk of ${length} bytes where another size is due`);
    this.#step = { wants: 'chunk', bytes: length };
  }

  #chunk(sealed: Buffer): void {
    const expected = chunksOf(this.#saved?.bytes ?? 0);
    this.#events.onChunk?.(sealed, { number: this.#chunks, isLast: this.#chunks === expected - 1 });
    this.#chunks++;
    this.#plainBytes += sealed.length - recordOverheadBytes;
    this.#step = { wants: 'length' };
  }
}

function savedOf(body: Buffer): SavedSnapshot {
  try {
    // A copy: the seal's bytes are kept.
    return savedSnapshotWire.decode(Buffer.from(body));
  } catch (cause) {
    if (!(cause instanceof WireError)) throw cause;
    throw new LockstepError('invalid-input', 'the file has a head that is no message', { cause });
  }
}

function bad(how: string): LockstepError {
  return new LockstepError('invalid-input', `the file ${how}`);
}
