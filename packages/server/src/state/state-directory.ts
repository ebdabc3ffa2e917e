import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LockstepError } from '@lockstep/contract/errors';
import { LogIndex } from '@lockstep/contract/ids';
import { innermostMessage, isCorruption } from '@lockstep/core/log/leveldb-error';
import { scanLevelDb } from '@lockstep/core/log/scan-leveldb';
import type { SnapshotMeta } from '@lockstep/core/raft/types';
import { Level } from 'level';
import { blockCacheBytes, logFilesSetAsideMax, tableFileBytes, writeBufferBytes } from './limits.ts';
import { digestBytes } from './element-hash.ts';
import { appliedKey, controlKey, digestKey, identityKey, installedKey, restoredKey } from './state-key.ts';
import {
  appliedRecord,
  type ControlRecord,
  controlRecord,
  digestRecord,
  identityRecord,
  installedRecord,
  type RestoredRecord,
  restoredRecord,
} from './state-records.ts';

// <directory>/current        names the database in force
//            /state-<n>/     LevelDB; another than the current one is left over from a crash or an installed snapshot
//            /damaged        why the state can't be used, until another is in its place; /set-aside is what it was
//            /closed         there between a clean close and the next open: the tables need no check
//            /snapshots/

export type StateDatabase = Level<string, Uint8Array>;

/** What the database says of itself. */
export interface StateHead {
  readonly applied: LogIndex;
  readonly control: ControlRecord | undefined;
  readonly installed: SnapshotMeta | undefined;
  readonly restored: RestoredRecord | undefined;
  /** Of the state at `applied`; undefined where it is not known. */
  readonly digest: Uint8Array | undefined;
}

export interface OpenedDatabase {
  readonly number: number;
  readonly database: StateDatabase;
  readonly head: StateHead;
}

const stateFormat = 1;
const pointerName = 'current';
const closedName = 'closed';

export function databaseDirectory(directory: string, number: number): string {
  return join(directory, `state-${number}`);
}

export function snapshotsDirectory(directory: string): string {
  return join(directory, 'snapshots');
}

/**
 * Opens the database that the pointer file names, or makes the first. Refuses with `damaged` what is not what was
 * written, and with `failed-precondition` what belongs to another cluster. Writes at the end that were never synced may be missing: then the applied index is lower.
 */
export async function openCurrent(directory: string, clusterId: string): Promise<OpenedDatabase> {
  await mkdir(snapshotsDirectory(directory), { recursive: true, mode: 0o700 });
  const number = (await readPointer(directory)) ?? (await firstPointer(directory));
  await removeOthers(directory, number);
  const path = databaseDirectory(directory, number);
  // LevelDB aborts the process at some damage. A process that ended so finds what it was; after a clean close, reading all is too slow.
  const tables = (await takeClosedMark(directory)) ? 'skip' : 'check';
  await scanLevelDb(path, { gapBetweenLogs: 'accept', tables });
  await setLostTailAside(path);
  const database = await openDatabase(path);
  try {
    const head = (await readHead(database, clusterId)) ?? (await format(database, { number, path, clusterId }));
    return { number, database, head };
  } catch (error) {
    await database.close();
    throw error;
  }
}

/**
 * What the database in force says of itself, while its node is down. Reads all of it, and refuses as `openCurrent` does; changes nothing that
 * a start would not.
 */
export async function inspectCurrent(directory: string, clusterId: string): Promise<StateHead> {
  const number = await readPointer(directory);
  if (number === undefined) throw new LockstepError('damaged', `state: ${directory} holds none`);
  const path = databaseDirectory(directory, number);
  await scanLevelDb(path, { gapBetweenLogs: 'accept', tables: 'check' });
  await setLostTailAside(path);
  const database = await openDatabase(path);
  try {
    const head = await readHead(database, clusterId);
    if (head === undefined) throw new LockstepError('damaged', `state: the database in ${path} is empty`);
    return head;
  } finally {
    await database.close();
  }
}

/** Makes `number` the database in force, durably. Before the rename a crash leaves the old one, after it the new one. */
export async function pointTo(directory: string, number: number): Promise<void> {
  const temporary = join(directory, `${pointerName}.new`);
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(`state-${number}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, join(directory, pointerName));
  await syncPath(directory);
}

export async function openDatabase(path: string): Promise<StateDatabase> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const database: StateDatabase = new Level(path, {
    keyEncoding: 'utf8',
    valueEncoding: 'view',
    // Values are ciphertext.
    compression: false,
    writeBufferSize: writeBufferBytes,
    cacheSize: blockCacheBytes,
    maxFileSize: tableFileBytes,
  });
  try {
    await database.open();
  } catch (cause) {
    const code = isCorruption(cause) ? 'damaged' : 'failed-precondition';
    const how = innermostMessage(cause);
    throw new LockstepError(code, `state: the database in ${path} can't be opened: ${how}`, { cause });
  }
  return database;
}

/** Undefined where the database is empty. */
export async function readHead(database: StateDatabase, clusterId: string): Promise<StateHead | undefined> {
  const [identity, applied, control, installed, restored, digest] = await database.getMany([
    identityKey,
    appliedKey,
    controlKey,
    installedKey,
    restoredKey,
    digestKey,
  ]);
  if (identity === undefined || applied === undefined) {
    const [anyKey] = await database.keys({ limit: 1 }).all();
    if (anyKey === undefined) return undefined;
    throw new LockstepError('damaged', 'state: its identity or its applied index is missing');
  }
  const own = identityRecord.decode(identity);
  if (own.format !== stateFormat)
    throw new LockstepError(
      'failed-precondition',
      `state: has format ${own.format}, this program knows ${stateFormat}`,
    );
  if (own.clusterId !== clusterId)
    throw new LockstepError('failed-precondition', `state: belongs to cluster ${own.clusterId}, not ${clusterId}`);
  const index = appliedRecord.decode(applied);
  return {
    applied: index,
    control: control === undefined ? undefined : controlRecord.decode(control),
    installed: installed === undefined ? undefined : installedRecord.decode(installed),
    restored: restored === undefined ? undefined : restoredRecord.decode(restored),
    digest: digestOf(digest, index),
  };
}

/** The digest in a record, if it is that of the state at `applied`. */
export function digestOf(record: Uint8Array | undefined, applied: LogIndex): Uint8Array | undefined {
  const found = record === undefined ? undefined : digestRecord.decode(record);
  return found?.index === applied ? found.digest : undefined;
}

/** Writes what a database says of itself, durably. */
export async function writeHead(database: StateDatabase, clusterId: string, head: StateHead): Promise<void> {
  const batch = database.batch();
  batch.put(identityKey, identityRecord.encode({ format: stateFormat, clusterId }));
  batch.put(appliedKey, appliedRecord.encode(head.applied));
  if (head.control !== undefined) batch.put(controlKey, controlRecord.encode(head.control));
  if (head.installed !== undefined) batch.put(installedKey, installedRecord.encode(head.installed));
  if (head.restored !== undefined) batch.put(restoredKey, restoredRecord.encode(head.restored));
  if (head.digest !== undefined)
    batch.put(digestKey, digestRecord.encode({ digest: head.digest, index: head.applied }));
  await batch.write({ sync: true });
}

/**
 * Makes every write so far durable. A synced write is not enough: LevelDB then syncs the log file that it writes to, but when
 * it has just begun a new one, the end of the one before may be in no table file yet.
 */
export async function syncLogFiles(path: string): Promise<void> {
  for (const name of await readdir(path)) {
    if (!name.endsWith('.log')) continue;
    try {
      await syncPath(join(path, name));
    } catch (cause) {
      // Gone meanwhile: its writes are in a table file, which LevelDB synced before.
      if (!isMissing(cause)) throw cause;
    }
  }
  await syncPath(path);
}

/** Notes that the database in force was closed as it should be. */
export async function markClosed(directory: string): Promise<void> {
  const file = await open(join(directory, closedName), 'w', 0o600);
  await file.close();
}

/** Whether the last process closed the database; the mark is gone, durably, before the database is opened. */
async function takeClosedMark(directory: string): Promise<boolean> {
  try {
    await rm(join(directory, closedName));
  } catch (cause) {
    if (isMissing(cause)) return false;
    throw cause;
  }
  await syncPath(directory);
  return true;
}

/** Every file of a closed database, its directory, and that one's entry. */
export async function syncDatabase(path: string): Promise<void> {
  for (const name of await readdir(path)) await syncPath(join(path, name));
  await syncPath(path);
  await syncPath(dirname(path));
}

export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Of a state before the first entry. */
function emptyHead(): StateHead {
  const digest = Buffer.alloc(digestBytes);
  return { applied: LogIndex(0), control: undefined, installed: undefined, restored: undefined, digest };
}

/**
 * Where the database can't be used: sets it aside, and begins an empty one in its place, for another node's state to be put into.
 * Only a node whose log is sound, and that has others to ask, may do so.
 */
export async function beginAnew(directory: string, clusterId: string): Promise<OpenedDatabase> {
  const found = await databaseNumbers(directory);
  const number = Math.max(0, ...found) + 1;
  for (const old of found) {
    await rm(asideDirectory(directory), { recursive: true, force: true });
    await rename(databaseDirectory(directory, old), asideDirectory(directory));
  }
  const path = databaseDirectory(directory, number);
  const database = await openDatabase(path);
  try {
    const head = emptyHead();
    await writeHead(database, clusterId, head);
    await syncLogFiles(path);
    await pointTo(directory, number);
    return { number, database, head };
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** What was set aside is of no use any more. */
export async function removeAside(directory: string): Promise<void> {
  await rm(asideDirectory(directory), { recursive: true, force: true });
}

function asideDirectory(directory: string): string {
  return join(directory, 'set-aside');
}

async function format(
  database: StateDatabase,
  place: { readonly number: number; readonly path: string; readonly clusterId: string },
): Promise<StateHead> {
  // Only the first database begins empty; a later one was complete before the pointer named it.
  if (place.number !== 1)
    throw new LockstepError('damaged', `state: the database in ${place.path} is empty, though it was installed`);
  const head = emptyHead();
  await writeHead(database, place.clusterId, head);
  await syncLogFiles(place.path);
  return head;
}

/**
 * LevelDB reads what it finds: a log file whose unsynced end was lost, and then the next one, with a hole between. Everything
 * after such a gap was never synced either, so the later log is set aside and the state is one that it has been.
 */
async function setLostTailAside(path: string): Promise<void> {
  for (let attempt = 0; attempt <= logFilesSetAsideMax; attempt++) {
    try {
      await scanLevelDb(path, { gapBetweenLogs: 'refuse', tables: 'skip' });
      return;
    } catch (cause) {
      // Damage within a file is not a gap: this refuses it again.
      await scanLevelDb(path, { gapBetweenLogs: 'accept', tables: 'skip' });
      const logs = (await readdir(path)).filter((name) => /^\d+\.log$/.test(name));
      const newest = logs.toSorted((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10)).at(-1);
      if (newest === undefined || attempt === logFilesSetAsideMax) throw cause;
      await rename(join(path, newest), join(path, `${newest}.unsynced`));
      await syncPath(path);
    }
  }
}

async function readPointer(directory: string): Promise<number | undefined> {
  let content: string;
  try {
    content = await readFile(join(directory, pointerName), 'utf8');
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw new LockstepError('failed-precondition', `state: ${join(directory, pointerName)} can't be read`, { cause });
  }
  const number = Number(/^state-([1-9]\d{0,14})\n$/.exec(content)?.[1]);
  if (!Number.isSafeInteger(number))
    throw new LockstepError('damaged', `state: ${join(directory, pointerName)} names no database`);
  return number;
}

async function firstPointer(directory: string): Promise<number> {
  const found = await databaseNumbers(directory);
  // The pointer is written before the first database is made.
  if (found.length > 0)
    throw new LockstepError('damaged', `state: ${directory} holds a database but no file ${pointerName}`);
  await pointTo(directory, 1);
  await syncPath(dirname(directory));
  return 1;
}

async function removeOthers(directory: string, current: number): Promise<void> {
  for (const number of await databaseNumbers(directory)) {
    if (number !== current) await rm(databaseDirectory(directory, number), { recursive: true, force: true });
  }
}

async function databaseNumbers(directory: string): Promise<readonly number[]> {
  const names = await readdir(directory);
  return names.flatMap((name) => (/^state-[1-9]\d{0,14}$/.test(name) ? [Number(name.slice('state-'.length))] : []));
}

function isMissing(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
}
