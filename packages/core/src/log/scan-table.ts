import { readFile } from 'node:fs/promises';
import { LockstepError } from '@lockstep/contract/errors';
import { crc32c, unmasked } from './crc32c.ts';
import { scannedTableBytesMax } from './limits.ts';
import { FieldReader } from './leveldb-manifest.ts';

/*
 * LevelDB's tables (doc/table_format.md):
 *   table := block* footer(48)        block := contents type:u8 masked crc32c of contents and type:u32
 *   footer := handle of the index of meta blocks, handle of the index, padding to 40 bytes, magic:u64
 *   handle := offset:varint size:varint, of the contents
 *   an index's contents := entry* restarts:u32* count:u32      entry := shared:varint unshared:varint length:varint key value
 */
const footerBytes = 48;
const handlesBytes = 40;
const magicLow = 0x8b80_fb57;
const magicHigh = 0xdb47_7524;
const uncompressed = 0;
/** A filter's contents have no entries. */
const filterPrefix = 'filter.';

interface Handle {
  readonly offset: number;
  readonly size: number;
}

/**
 * Reads one of LevelDB's tables in full and refuses with `damaged` one in which any block fails its checksum, or that is not
 * `size` bytes long. LevelDB itself neither checks a block that it reads nor survives every bad one: it may abort the process.
 */
export async function scanTable(file: string, size: number): Promise<void> {
  checkTable(file, await readTable(file), size);
}

/** The same for the bytes of `file`. */
export function checkTable(file: string, bytes: Buffer, size: number): void {
  if (bytes.length !== size) throw refusal(file, `it has ${bytes.length} bytes, not the ${size} that were written`);
  if (size > scannedTableBytesMax)
    throw refusal(file, `it has ${size} bytes, at most ${scannedTableBytesMax} are expected`);
  if (size < footerBytes) throw refusal(file, 'it is too short');
  const footer = bytes.subarray(size - footerBytes);
  if (footer.readUInt32LE(handlesBytes) !== magicLow || footer.readUInt32LE(handlesBytes + 4) !== magicHigh) {
    throw refusal(file, 'its end is none of a table');
  }
  const handles = new FieldReader(file, footer.subarray(0, handlesBytes));
  const metaIndex = readHandle(handles);
  const index = readHandle(handles);
  for (const root of [metaIndex, index]) {
    for (const { key, handle } of indexEntries(file, blockAt(file, bytes, root))) {
      blockAt(file, bytes, handle);
      if (root === metaIndex && !key.startsWith(filterPrefix)) throw refusal(file, `it has an unknown block ${key}`);
    }
  }
}

async function readTable(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') throw refusal(file, 'it is missing');
    throw cause;
  }
}

function readHandle(fields: FieldReader): Handle {
  return { offset: fields.varint(), size: fields.varint() };
}

/** The contents of a block whose checksum holds. */
function blockAt(file: string, bytes: Buffer, { offset, size }: Handle): Buffer {
  const end = offset + size + 1;
  if (end + 4 > bytes.length) throw refusal(file, `a block of ${size} bytes at ${offset} is not within it`);
  if (crc32c(bytes, offset, end) !== unmasked(bytes.readUInt32LE(end))) {
    throw new LockstepError('damaged', `${file} is damaged at offset ${offset}: the block there fails its checksum`);
  }
  if (bytes[offset + size] !== uncompressed)
    throw refusal(file, `the block at ${offset} is compressed, as none of ours is`);
  return bytes.subarray(offset, offset + size);
}

function* indexEntries(file: string, contents: Buffer): Generator<{ readonly key: string; readonly handle: Handle }> {
  const restarts = contents.length < 4 ? -1 : contents.length - 4 * (contents.readUInt32LE(contents.length - 4) + 1);
  if (restarts < 0) throw refusal(file, 'an index in it has no end');
  const fields = new FieldReader(file, contents.subarray(0, restarts));
  while (!fields.isAtEnd) {
    fields.varint();
    const unshared = fields.varint();
    const length = fields.varint();
    const keyAt = fields.at;
    fields.skip(unshared);
    const valueAt = fields.at;
    fields.skip(length);
    const key = contents.toString('latin1', keyAt, keyAt + unshared);
    yield { key, handle: readHandle(new FieldReader(file, contents, valueAt)) };
  }
}

function refusal(file: string, how: string): LockstepError {
  return new LockstepError('damaged', `${file} is damaged: ${how}`);
}
