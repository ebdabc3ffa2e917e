import { LockstepError } from '@lockstep/contract/errors';
import type { RecordSealer } from '@lockstep/seal/record-sealer';
import { digestBytes, type ElementHash } from './element-hash.ts';
import { scanChunkBytes, scanRecordsPerRead } from './limits.ts';
import type { StateDatabase } from './state-directory.ts';
import { endOfPrefix, statePrefix } from './state-key.ts';
import { openCell } from './stored-value.ts';

/** What a scan reads with; undefined once the node is sealed, which ends the scan. */
export type ScanKeys = () => { readonly sealer: RecordSealer; readonly element: ElementHash } | undefined;

/** Adds sealed records to the digest of a state. Throws `damaged` for one that doesn't open. */
export class StateScan {
  readonly digest: Buffer = Buffer.alloc(digestBytes);
  records = 0;
  readonly #keys: ScanKeys;

  constructor(keys: ScanKeys) {
    this.#keys = keys;
  }

  /** False where the node is sealed: then this scan comes to nothing. */
  add(records: readonly (readonly [Uint8Array, Uint8Array])[]): boolean {
    const keys = this.#keys();
    if (keys === undefined) return false;
    for (const [key, value] of records) {
      const fullKey = Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString();
      keys.element.toggle(this.digest, fullKey, opened(keys.sealer, fullKey, value));
    }
    this.records += records.length;
    return true;
  }
}

function opened(sealer: RecordSealer, fullKey: string, value: Uint8Array): ReturnType<typeof openCell> {
  try {
    return openCell(sealer, fullKey, value);
  } catch (cause) {
    throw new LockstepError('damaged', 'a value of the state is not what was written', { cause });
  }
}

/**
 * The digest of everything in one view of the database; undefined where the node was sealed meanwhile, or `pace` says to stop.
 * `pace` is waited for after each chunk, so that a scan takes no more of the disk than it may.
 */
export async function scanState(of: {
  readonly database: StateDatabase;
  readonly view: ReturnType<StateDatabase['snapshot']>;
  readonly keys: ScanKeys;
  readonly pace: (bytes: number) => Promise<'go on' | 'stop'>;
}): Promise<Buffer | undefined> {
  const { database, view, keys, pace } = of;
  const scan = new StateScan(keys);
  const records = database.iterator<Uint8Array, Uint8Array>({
    gte: Buffer.from(statePrefix),
    lt: endOfPrefix(statePrefix),
    keyEncoding: 'view',
    valueEncoding: 'view',
    snapshot: view,
    highWaterMarkBytes: scanChunkBytes,
    fillCache: false,
  });
  try {
    for (;;) {
      const some = await records.nextv(scanRecordsPerRead);
      if (some.length === 0) return scan.digest;
      if (!scan.add(some)) return undefined;
      const bytes = some.reduce((sum, [key, value]) => sum + key.length + value.length, 0);
      if ((await pace(bytes)) === 'stop') return undefined;
    }
  } finally {
    await records.close();
  }
}
