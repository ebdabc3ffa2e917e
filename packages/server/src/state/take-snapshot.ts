import { assert, LockstepError } from '@lockstep/contract/errors';
import type { LogIndex } from '@lockstep/contract/ids';
import { snapshotChunkBytes } from './limits.ts';
import { type ScanKeys, StateScan } from './scan-state.ts';
import type { SnapshotFolder } from './snapshot-folder.ts';
import { digestOf, type StateDatabase } from './state-directory.ts';
import { appliedKey, controlKey, digestKey, endOfPrefix, restoredKey, statePrefix } from './state-key.ts';
import { appliedRecord, controlRecord, restoredRecord } from './state-records.ts';

/** Records read in one call of LevelDB's iterator; it stops earlier at `snapshotChunkBytes`. */
const recordsPerRead = 1000;

/**
 * Writes one consistent view of the database into a snapshot file, as it is: sealed. Entries may be applied meanwhile. Throws `damaged`
 * where it isn't what was written, so that damage is never handed on, as far as `keys` can tell.
 */
export async function takeSnapshot(from: {
  readonly database: StateDatabase;
  readonly folder: SnapshotFolder;
  readonly clusterId: string;
  readonly keys: ScanKeys;
}): Promise<{ readonly id: string; readonly index: LogIndex }> {
  const { database, folder, clusterId, keys } = from;
  const view = database.snapshot();
  try {
    const applied = database.getSync(appliedKey, { snapshot: view });
    assert(applied !== undefined, 'the state has its applied index');
    const control = database.getSync(controlKey, { snapshot: view });
    const restored = database.getSync(restoredKey, { snapshot: view });
    const index = appliedRecord.decode(applied);
    const header = {
      clusterId,
      applied: index,
      control: control === undefined ? undefined : controlRecord.decode(control),
      restored: restored === undefined ? undefined : restoredRecord.decode(restored),
      digest: digestOf(database.getSync(digestKey, { snapshot: view }), index),
    };
    const scan = new StateScan(keys);
    let isScanned = true;
    const id = await folder.write(header, async (writer) => {
      const records = database.iterator<Uint8Array, Uint8Array>({
        gte: Buffer.from(statePrefix),
        lt: endOfPrefix(statePrefix),
        keyEncoding: 'view',
        valueEncoding: 'view',
        snapshot: view,
        highWaterMarkBytes: snapshotChunkBytes,
      });
      try {
        for (
          let some = await records.nextv(recordsPerRead);
          some.length > 0;
          some = await records.nextv(recordsPerRead)
        ) {
          isScanned &&= scan.add(some);
          await writer.add(some);
        }
      } finally {
        await records.close();
      }
      if (isScanned && header.digest !== undefined && !scan.digest.equals(header.digest))
        throw new LockstepError('damaged', `at entry ${index} it is not, on the disk, what was written`);
    });
    return { id, index };
  } finally {
    await view.close();
  }
}
