import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LockstepError } from '@lockstep/contract/errors';
import { crc32c, unmasked } from './crc32c.ts';
import { liveTables } from './leveldb-manifest.ts';
import { scannedFileBytesMax } from './limits.ts';
import { scanTable } from './scan-table.ts';

/** One of LevelDB's own log files, read from its first to its last whole record. */
export interface ScannedFile {
  readonly file: string;
  readonly records: number;
  /** Where an unfinished write begins, if the file ends in one. LevelDB drops it; nothing after it was ever begun. */
  readonly tornTailAt: number | undefined;
}

export interface LevelDbScan {
  /** Oldest first. */
  readonly files: readonly ScannedFile[];
}

export interface ScanRules {
  /**
   * `refuse` also when two log files do not follow each other without a gap. That happens without any fault of the disk when
   * unsynced writes at the end of the first are lost: refuse, unless such a loss is noticed otherwise.
   */
  readonly gapBetweenLogs: 'refuse' | 'accept';
  /** `check` reads every table that is in force, in full. */
  readonly tables: 'check' | 'skip';
}

/**
 * Reads the files of a LevelDB database that is not open: its write-ahead logs, its manifest and, if asked, its tables. Tells a
 * torn tail, which is what a crash leaves, from damage, which LevelDB itself would skip in silence, hand over as it is, or abort
 * the process for: then it refuses with `damaged` and names the file. A directory without a database is an empty scan.
 */
export async function scanLevelDb(directory: string, rules: ScanRules): Promise<LevelDbScan> {
  const names = await namesIn(directory);
  const files: ScannedFile[] = [];
  let expected: number | undefined;
  for (const name of names.filter((name) => /^\d+\.log$/.test(name)).toSorted(byNumber)) {
    const scanned = await scanFile(join(directory, name), 'batches');
    const { firstSequence, nextSequence } = scanned;
    if (
      rules.gapBetweenLogs === 'refuse' &&
      expected !== undefined &&
      firstSequence !== undefined &&
      firstSequence !== expected
    ) {
      throw refusal(scanned.file, 0, `it begins with write ${firstSequence}, but ${expected} should follow`);
    }
    expected = nextSequence ?? expected;
    files.push({ file: scanned.file, records: scanned.records, tornTailAt: scanned.tornTailAt });
  }
  const current = await currentManifest(directory, names);
  for (const name of names.filter((name) => /^MANIFEST-\d+$/.test(name))) {
    const { file, edits } = await scanFile(join(directory, name), 'manifest');
    if (name === current && rules.tables === 'check') await scanTables(directory, { file, edits });
  }
  return { files };
}

async function scanTables(
  directory: string,
  manifest: { readonly file: string; readonly edits: readonly Uint8Array[] },
): Promise<void> {
  for (const [number, size] of liveTables(manifest.file, manifest.edits)) {
    await scanTable(join(directory, `${String(number).padStart(6, '0')}.ldb`), size);
  }
}

/** What LevelDB's file CURRENT names. It is only ever replaced as a whole, by one that names a manifest that is on the disk. */
async function currentManifest(directory: string, names: readonly string[]): Promise<string | undefined> {
  const file = join(directory, 'CURRENT');
  try {
    const name = /^(MANIFEST-\d+)\n$/.exec(await readFile(file, 'utf8'))?.[1];
    if (name === undefined) throw new LockstepError('damaged', `${file} is damaged: it names no manifest`);
    if (!names.includes(name))
      throw new LockstepError('damaged', `${join(directory, name)} is gone, which ${file} names`);
    return name;
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw cause;
  }
}

/*
 * LevelDB's log format (doc/log_format.md): blocks of 32 KiB, filled with fragments of records.
 *   fragment := masked crc32c of type and payload:u32 length:u16 type:u8 payload     type: 1 full, 2 first, 3 middle, 4 last
 * A block's last six bytes or fewer stay zero. A payload of a write-ahead log begins: sequence:u64 operations:u32.
 */
const blockBytes = 32 * 1024;
const headBytes = 7;
const batchHeadBytes = 12;
const full = 1;
const first = 2;
const last = 4;

type FileKind = 'batches' | 'manifest';

interface Scan extends ScannedFile {
  readonly firstSequence: number | undefined;
  readonly nextSequence: number | undefined;
  /** A manifest's records. */
  readonly edits: readonly Uint8Array[];
}

async function scanFile(file: string, kind: FileKind): Promise<Scan> {
  const { size } = await stat(file);
  if (size > scannedFileBytesMax) {
    throw new LockstepError('damaged', `${file} is ${size} bytes, at most ${scannedFileBytesMax} are expected`);
  }
  return scanBytes(file, await readFile(file), kind);
}

function scanBytes(file: string, bytes: Buffer, kind: FileKind): Scan {
  let records = 0;
  let firstSequence: number | undefined;
  let nextSequence: number | undefined;
  /** The record that a fragment began and none has ended yet. */
  let open: OpenRecord | undefined;
  const edits: Uint8Array[] = [];
  const result = (tornTailAt: number | undefined): Scan => {
    return { file, records, tornTailAt, firstSequence, nextSequence, edits };
  };
  let at = 0;
  while (at < bytes.length) {
    const left = blockBytes - (at % blockBytes);
    if (left < headBytes) {
      at += left;
      continue;
    }
    const fragment = fragmentAt(bytes, at);
    if (fragment === undefined || fragment.type <= first !== (open === undefined)) {
      refuseIfLaterWrite(file, bytes, { from: open?.at ?? at, badAt: at, kind, above: nextSequence });
      return result(open?.at ?? at);
    }
    open ??= { at, fragments: [] };
    open.fragments.push(bytes.subarray(fragment.payload, fragment.end));
    if (fragment.type === full || fragment.type === last) {
      records++;
      if (kind === 'manifest') {
        edits.push(Buffer.concat(open.fragments));
      } else {
        const batch = batchOf(file, open);
        if (nextSequence !== undefined && batch.sequence !== nextSequence) {
          throw refusal(file, open.at, `write ${batch.sequence} follows where ${nextSequence} should`);
        }
        firstSequence ??= batch.sequence;
        nextSequence = batch.sequence + batch.operations;
      }
      open = undefined;
    }
    at = fragment.end;
  }
  return result(open?.at);
}

interface OpenRecord {
  readonly at: number;
  /** Its payload, as far as it has come. */
  readonly fragments: Uint8Array[];
}

function batchOf(file: string, record: OpenRecord): { readonly sequence: number; readonly operations: number } {
  // A block may end within a record's head, even before its first byte; the next block has the rest.
  const head = Buffer.concat(record.fragments.slice(0, 2));
  if (head.length < batchHeadBytes) throw refusal(file, record.at, 'the record there is too short for a write');
  return { sequence: Number(head.readBigUInt64LE(0)), operations: head.readUInt32LE(8) };
}

interface Fragment {
  readonly type: number;
  readonly payload: number;
  readonly end: number;
}

function fragmentAt(bytes: Buffer, at: number): Fragment | undefined {
  const left = blockBytes - (at % blockBytes);
  if (left < headBytes || bytes.length - at < headBytes) return undefined;
  const length = bytes.readUInt16LE(at + 4);
  const type = bytes.readUInt8(at + 6);
  const end = at + headBytes + length;
  if (type < full || type > last || headBytes + length > left || end > bytes.length) return undefined;
  if (crc32c(bytes, at + 6, end) !== unmasked(bytes.readUInt32LE(at))) return undefined;
  return { type, payload: at + headBytes, end };
}

/**
 * A bad fragment is the end of a torn write, unless another write begins after it: LevelDB begins none before the one before
 * it is handed to the file. Middle and last fragments prove nothing: a large write's pages reach the disk in any order.
 */
function refuseIfLaterWrite(
  file: string,
  bytes: Buffer,
  bad: { readonly from: number; readonly badAt: number; readonly kind: FileKind; readonly above: number | undefined },
): void {
  for (let at = bad.badAt + 1; at + headBytes < bytes.length; at++) {
    const type = bytes[at + 6];
    if ((type !== full && type !== first) || !couldBegin(bytes, at, bad)) continue;
    const fragment = fragmentAt(bytes, at);
    if (fragment === undefined || fragment.end === fragment.payload) continue;
    throw refusal(file, bad.from, `the record there can't be read, but another write begins at ${at}`);
  }
}

/** A cheap look before the checksum: a file is searched bytewise, and most places can't begin a write. */
function couldBegin(
  bytes: Buffer,
  at: number,
  bad: { readonly kind: FileKind; readonly above: number | undefined },
): boolean {
  if (bad.kind === 'manifest') return true;
  const payload = at + headBytes;
  if (payload + batchHeadBytes > bytes.length) return false;
  // Sequences are below 2^56 and this file's only go up.
  if (bytes[payload + 7] !== 0) return false;
  return Number(bytes.readBigUInt64LE(payload)) >= (bad.above ?? 0);
}

function refusal(file: string, offset: number, how: string): LockstepError {
  return new LockstepError('damaged', `${file} is damaged at offset ${offset}: ${how}`);
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (cause) {
    if (isMissing(cause)) return [];
    throw new LockstepError('failed-precondition', `directory ${directory} can't be read`, { cause });
  }
}

function isMissing(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
}

function byNumber(a: string, b: string): number {
  return Number.parseInt(a, 10) - Number.parseInt(b, 10);
}
