import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LockstepError } from '@lockstep/contract/errors';
import { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import { Level } from 'level';
import type { HardState, Membership } from '../raft/types.ts';
import { LevelLog } from './level-log-store.ts';
import { innermostMessage, isCorruption } from './leveldb-error.ts';
import { GivenBack } from './given-back.ts';
import {
  blockBytes,
  blockCacheBytes,
  giveBackBytesMin,
  recordBytesMax,
  recordEntriesMax,
  writeBufferBytes,
} from './limits.ts';
import { type LogDatabase, recoverLog } from './log-recovery.ts';
import {
  damaged,
  decodeHardState,
  decodeMeta,
  encodeHardState,
  encodeMeta,
  formatOf,
  hardStateKey,
  logFormat,
  type LogIdentity,
  type LogMeta,
  metaKey,
} from './log-records.ts';
import type { LogStore, StoredLog } from './log-store.ts';
import { type Mark, Marker } from './marker.ts';
import { scanLevelDb } from './scan-leveldb.ts';
import { syncDirectory } from './sync-directory.ts';

export interface LevelLogOptions {
  /** Made if it is not there; one log and nothing else lies in it. */
  readonly directory: string;
  /** Whose log it must be. */
  readonly clusterId: string;
  readonly node: NodeId;
  /** What to begin with in a directory that holds no log yet. Without it such a directory is refused with `not-initialized`. */
  readonly format?: { readonly incarnation: number; readonly membership: Membership };
  /** Called once, at the first failed write or read. The process must exit (code 74) without acknowledging anything more. */
  readonly onFatal: (error: Error) => void;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
  /** Default `defaultLayout`; another one is for benchmarks. Records of each size are read with every layout. */
  readonly layout?: LogLayout;
  /** Told of each synced write, and how long it took. */
  readonly onSync?: (ms: number) => void;
}

/** What LevelDB is asked to do with the log. Its Bloom filter (10 bits a key) is not for us to choose. */
export interface LogLayout {
  /** How many entries of one write may share a record; 1 for a record each. */
  readonly recordEntriesMax: number;
  /** The next open refuses what is compressed: a bit that flips there would not be found. */
  readonly compression: boolean;
  readonly writeBufferBytes: number;
  readonly blockCacheBytes: number;
  readonly blockBytes: number;
  /** Space of deleted records on the disk before it is given back. */
  readonly giveBackBytesMin: number;
}

export const defaultLayout: LogLayout = {
  recordEntriesMax,
  // Entries are ciphertext.
  compression: false,
  writeBufferBytes,
  blockCacheBytes,
  blockBytes,
  giveBackBytesMin,
};

export interface OpenedLog {
  readonly stored: StoredLog;
  readonly store: LogStore;
  readonly identity: LogIdentity;
}

/**
 * Opens the log in a directory, strictly: LevelDB's own files are scanned before LevelDB, which skips what it can't read, sees
 * them; then every entry is checked, and the end of the log against the marker file. Refuses with `damaged` a log that is not what
 * was written (the message says what, where, and what to do), and with `failed-precondition` one that belongs to another node or
 * cluster, or that another process has open.
 */
export async function openLevelLog(options: LevelLogOptions): Promise<OpenedLog> {
  const { directory } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  try {
    return await openChecked(options);
  } catch (error) {
    throw withAdvice(error, directory);
  }
}

async function openChecked(options: LevelLogOptions): Promise<OpenedLog> {
  const {
    directory,
    onFatal,
    now = () => performance.now(),
    layout = defaultLayout,
    onSync = () => undefined,
  } = options;
  // Unsynced writes at the end of LevelDB's older log may be lost in a crash; the entries' chain and the marker notice any that matter.
  await scanLevelDb(directory, { gapBetweenLogs: 'accept', tables: 'check' });
  const database = await openDatabase(directory, layout);
  let marker: Marker | undefined;
  try {
    marker = await Marker.open(directory);
    const head = (await readHead(database)) ?? (await format(database, { options, marker }));
    requireIdentity(head.meta.identity, options);
    const recovered = await recoverLog(database, { ...head, mark: marker?.mark ?? untouched });
    // Before anything is written that a program of the earlier format would take for damage.
    if (head.format !== logFormat) await database.put(metaKey, encodeMeta(head.meta), { sync: true });
    marker ??= await firstMarker(directory, recovered.stored);
    const recordSize = { entriesMax: layout.recordEntriesMax, bytesMax: recordBytesMax };
    const givenBack = new GivenBack(database, layout.giveBackBytesMin);
    const parts = { database, recordSize, marker, meta: head.meta, recovered, givenBack };
    const store = new LevelLog({ ...parts, onFatal, now, onSync });
    return { stored: recovered.stored, store, identity: head.meta.identity };
  } catch (error) {
    await marker?.close();
    await database.close();
    throw error;
  }
}

/** A node that lost a part of its log may have voted, or acknowledged an entry, without knowing it: only the others can tell what was lost. */
export function withAdvice(error: unknown, directory: string): unknown {
  const isLevelDbs = !(error instanceof LockstepError) && isCorruption(error);
  const found = isLevelDbs ? damaged(`log in ${directory}`, innermostMessage(error), error) : error;
  if (!(found instanceof LockstepError) || found.code !== 'damaged') return found;
  const advice =
    'this node must not vote with it: remove it from the cluster and let it join again, with an empty directory';
  return new LockstepError('damaged', `${found.message}; ${advice}`, { cause: found });
}

interface LogHead {
  readonly meta: LogMeta;
  readonly hardState: HardState;
  readonly format: number | undefined;
}

const untouched: Mark = { term: Term(0), vote: NodeId(0), lastIndex: LogIndex(0) };

export async function openDatabase(directory: string, layout: LogLayout = defaultLayout): Promise<LogDatabase> {
  const database = new Level<Uint8Array, Uint8Array>(directory, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    compression: layout.compression,
    writeBufferSize: layout.writeBufferBytes,
    cacheSize: layout.blockCacheBytes,
    blockSize: layout.blockBytes,
  });
  try {
    await database.open();
  } catch (cause) {
    const code = isCorruption(cause) ? 'damaged' : 'failed-precondition';
    throw new LockstepError(code, `log in ${directory} can't be opened: ${innermostMessage(cause)}`, { cause });
  }
  return database;
}

/** Undefined in a directory that holds no log. */
export async function readHead(database: LogDatabase): Promise<LogHead | undefined> {
  const [meta, hardState] = await database.getMany([metaKey, hardStateKey]);
  if (meta !== undefined && hardState !== undefined) {
    return { meta: decodeMeta(meta), hardState: decodeHardState(hardState), format: formatOf(meta) };
  }
  const [anyKey] = await database.keys({ limit: 1 }).all();
  if (anyKey !== undefined) throw damaged('log', 'its meta record or its hard state is missing');
  return undefined;
}

async function format(
  database: LogDatabase,
  place: { readonly options: LevelLogOptions; readonly marker: Marker | undefined },
): Promise<LogHead> {
  const { directory, clusterId, node, format: fresh } = place.options;
  if (place.marker !== undefined)
    throw damaged(`log in ${directory}`, 'it is empty, but a marker file says that it was not');
  if (fresh === undefined) throw new LockstepError('not-initialized', `directory ${directory} holds no log`);
  const { incarnation, membership } = fresh;
  const snapshot = { id: '', index: LogIndex(0), term: Term(0), membership };
  const identity = { clusterId, node, incarnation };
  const meta = { identity, snapshot, chain: 0, membership, appliedMembershipIndex: LogIndex(0) };
  const hardState = { term: Term(0), vote: NodeId(0), commit: LogIndex(0) };
  const batch = database.batch().put(metaKey, encodeMeta(meta)).put(hardStateKey, encodeHardState(hardState));
  await batch.write({ sync: true });
  await syncDirectory(directory);
  await syncDirectory(dirname(directory));
  return { meta, hardState, format: logFormat };
}

/** The marker is made last, so a log that was ever written to has one. */
function firstMarker(directory: string, stored: StoredLog): Promise<Marker> {
  if (stored.lastIndex > 0 || stored.hardState.term > 0)
    throw damaged(`log in ${directory}`, 'its marker file is missing');
  return Marker.create(directory, untouched);
}

export function requireIdentity(
  found: LogIdentity,
  options: Pick<LevelLogOptions, 'directory' | 'clusterId' | 'node'>,
): void {
  const { directory, clusterId, node } = options;
  if (found.clusterId !== clusterId) {
    throw new LockstepError(
      'failed-precondition',
      `log in ${directory} belongs to cluster "${found.clusterId}", not to "${clusterId}"`,
    );
  }
  if (found.node !== node) {
    throw new LockstepError('failed-precondition', `log in ${directory} belongs to node ${found.node}, not to ${node}`);
  }
}
