import { rm } from 'node:fs/promises';
import { LockstepError } from '@lockstep/contract/errors';
import type { SnapshotMeta } from '@lockstep/core/raft/types';
import { type ScanKeys, StateScan } from './scan-state.ts';
import { type SnapshotHeader, SnapshotReader } from './snapshot-file.ts';
import {
  openDatabase,
  readHead,
  type StateDatabase,
  type StateHead,
  syncDatabase,
  writeHead,
} from './state-directory.ts';
import { statePrefix } from './state-key.ts';

/**
 * Makes a database in `target` out of a snapshot that another node of this cluster gave, as `buildDatabase` does. Refuses with
 * `invalid-input` also one of another cluster, or not the one asked for.
 */
export async function buildFromSnapshot(options: {
  readonly snapshotPath: string;
  readonly meta: SnapshotMeta;
  readonly clusterId: string;
  readonly target: string;
  readonly keys: ScanKeys;
}): Promise<void> {
  const { snapshotPath, meta, clusterId, target, keys } = options;
  const headOf = (header: SnapshotHeader): StateHead => {
    if (header.clusterId !== clusterId) throw refused(`belongs to cluster ${header.clusterId}, not ${clusterId}`);
    if (header.applied !== meta.index) throw refused(`holds the state at ${header.applied}, not ${meta.index}`);
    const { applied, control, restored, digest } = header;
    return { applied, control, installed: meta, restored, digest };
  };
  await buildDatabase({ snapshotPath, id: meta.id, clusterId, target, headOf, keys });
}

/**
 * Makes a database in `target` out of a snapshot's records and a head of the caller's, checked in full and durable, but not yet in
 * force: `pointTo` is what puts it in force. Refuses with `invalid-input` a snapshot that is damaged, cut, or not the one that `id`
 * names, and what `headOf` refuses; then nothing is left of the target. Needs no key; with `keys`, also refuses with `damaged` what does
 * not open, or has another digest than it says.
 */
export async function buildDatabase(options: {
  readonly snapshotPath: string;
  readonly id: string;
  /** This cluster's. */
  readonly clusterId: string;
  readonly target: string;
  readonly headOf: (header: SnapshotHeader) => StateHead;
  readonly keys?: ScanKeys;
}): Promise<void> {
  const { snapshotPath, id, clusterId, target, headOf, keys = () => undefined } = options;
  await rm(target, { recursive: true, force: true });
  const reader = await SnapshotReader.open(snapshotPath, id);
  try {
    const head = headOf(reader.header);
    const database = await openDatabase(target);
    try {
      const found = await copyRecords(reader, database, keys);
      if (found !== undefined && head.digest !== undefined && !found.equals(head.digest))
        throw new LockstepError('damaged', 'the snapshot holds another state than its digest says');
      await writeHead(database, clusterId, { ...head, digest: found ?? head.digest });
      await readHead(database, clusterId);
    } finally {
      await database.close();
    }
    await syncDatabase(target);
  } catch (error) {
    await rm(target, { recursive: true, force: true });
    throw error;
  } finally {
    await reader.close();
  }
}

/** Answers the digest of what was copied, where there are keys to know it by. */
async function copyRecords(
  reader: SnapshotReader,
  database: StateDatabase,
  keys: ScanKeys,
): Promise<Buffer | undefined> {
  const scan = new StateScan(keys);
  let isScanned = true;
  const prefix = Buffer.from(statePrefix);
  for await (const records of reader.records()) {
    const batch = database.batch();
    for (const { key, value } of records) {
      if (!key.subarray(0, prefix.length).equals(prefix)) throw refused('holds a key that is no part of the state');
      batch.put(key, value, { keyEncoding: 'view' });
    }
    await batch.write();
    isScanned &&= scan.add(records.map(({ key, value }) => [key, value] as const));
  }
  return isScanned ? scan.digest : undefined;
}

function refused(how: string): LockstepError {
  return new LockstepError('invalid-input', `the snapshot ${how}`);
}
