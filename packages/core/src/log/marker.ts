import { constants } from 'node:fs';
import { type FileHandle, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import { damaged } from './log-records.ts';
import { syncDirectory } from './sync-directory.ts';

/** A floor under what the log must still hold after any crash: at least this term and vote, and entries at least up to `lastIndex`. */
export interface Mark {
  readonly term: Term;
  readonly vote: NodeId;
  readonly lastIndex: LogIndex;
}

/*
 * The marker file lies beside LevelDB and not in it, so that a lost tail of LevelDB's log, which looks like writes that never
 * were, is told from one. Two slots, written in turn with O_DSYNC: a torn write leaves the other.
 *
 *   slot := magic:u32 crc32:u32 sequence:u64 term:u64 vote:u64 lastIndex:u64       at 0 and at 4096
 */
/** Its name in the log's directory. */
export const markerName = 'MARKER';
const slotBytes = 40;
const slotOffsets = [0, 4096] as const;
const magic = 0x4c_4b_4d_31;

/** The open marker file of one log. Its owner has one write under way at most. */
export class Marker {
  readonly #file: FileHandle;
  #sequence: number;
  #mark: Mark;

  private constructor(file: FileHandle, newest: { readonly sequence: number; readonly mark: Mark }) {
    this.#file = file;
    this.#sequence = newest.sequence;
    this.#mark = newest.mark;
  }

  /** `undefined` when there is no marker file. Refuses one of which no slot can be read. */
  static async open(directory: string): Promise<Marker | undefined> {
    const file = await openIfThere(join(directory, markerName));
    if (file === undefined) return undefined;
    const bytes = Buffer.alloc(slotOffsets[1] + slotBytes);
    await file.read(bytes, 0, bytes.length, 0);
    const slots = slotOffsets.map((offset) => decodeSlot(bytes.subarray(offset, offset + slotBytes)));
    const newest = slots.reduce((a, b) => (a === undefined || (b !== undefined && b.sequence > a.sequence) ? b : a));
    if (newest === undefined) {
      await file.close();
      throw damaged(`marker file in ${directory}`, 'neither of its slots can be read');
    }
    return new Marker(file, newest);
  }

  /** Makes the file, durable together with its name before the promise resolves. */
  static async create(directory: string, mark: Mark): Promise<Marker> {
    // Under its name only when it is whole: a crash leaves either no marker or a readable one.
    const unfinished = join(directory, `${markerName}.new`);
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC | constants.O_DSYNC;
    const file = await open(unfinished, flags, 0o600);
    const marker = new Marker(file, { sequence: 0, mark });
    await marker.write(mark);
    await file.sync();
    await rename(unfinished, join(directory, markerName));
    await syncDirectory(directory);
    return marker;
  }

  get mark(): Mark {
    return this.#mark;
  }

  /** Resolves when the mark is durable. */
  async write(mark: Mark): Promise<void> {
    const sequence = this.#sequence + 1;
    const slot = encodeSlot(sequence, mark);
    const { bytesWritten } = await this.#file.write(slot, 0, slot.length, slotOffsets[sequence % 2 === 0 ? 0 : 1]);
    if (bytesWritten !== slot.length)
      throw new Error(`marker file: ${bytesWritten} of ${slot.length} bytes were written`);
    this.#sequence = sequence;
    this.#mark = mark;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDWR | constants.O_DSYNC);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw cause;
  }
}

function encodeSlot(sequence: number, mark: Mark): Buffer {
  const slot = Buffer.alloc(slotBytes);
  slot.writeUInt32LE(magic, 0);
  slot.writeBigUInt64LE(BigInt(sequence), 8);
  slot.writeBigUInt64LE(BigInt(mark.term), 16);
  slot.writeBigUInt64LE(BigInt(mark.vote), 24);
  slot.writeBigUInt64LE(BigInt(mark.lastIndex), 32);
  slot.writeUInt32LE(crc32(slot.subarray(8)), 4);
  return slot;
}

function decodeSlot(slot: Buffer): { readonly sequence: number; readonly mark: Mark } | undefined {
  if (slot.readUInt32LE(0) !== magic || slot.readUInt32LE(4) !== crc32(slot.subarray(8))) return undefined;
  const mark = {
    term: Term(Number(slot.readBigUInt64LE(16))),
    vote: NodeId(Number(slot.readBigUInt64LE(24))),
    lastIndex: LogIndex(Number(slot.readBigUInt64LE(32))),
  };
  return { sequence: Number(slot.readBigUInt64LE(8)), mark };
}
