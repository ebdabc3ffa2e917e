import { LockstepError } from '@lockstep/contract/errors';
import type { KeyRange } from '@lockstep/contract/state';
import { keysPerRangeMax } from './limits.ts';
import type { StateDatabase } from './state-directory.ts';
import { endOfPrefix } from './state-key.ts';

/**
 * A mount's keys in a range, in byte order: LevelDB's, and those of writes that it doesn't have yet. The view is that of the call.
 * Refuses a limit above `keysPerRangeMax` with `invalid-input`.
 */
export async function rangeKeys(from: {
  readonly database: StateDatabase;
  /** Full keys not yet in LevelDB: true where put, false where deleted. */
  readonly pending: ReadonlyMap<string, boolean>;
  /** What the mount's keys begin with. */
  readonly prefix: string;
  readonly range: KeyRange;
}): Promise<readonly string[]> {
  const { database, pending, prefix, range } = from;
  const { limit } = range;
  if (!Number.isInteger(limit) || limit < 0 || limit > keysPerRangeMax)
    throw new LockstepError('invalid-input', `limit must be between 0 and ${keysPerRangeMax}, not ${limit}`);
  const start = laterOf(Buffer.from(prefix + range.prefix), Buffer.from(prefix + (range.from ?? range.prefix)));
  const added: Buffer[] = [];
  const deleted = new Set<string>();
  for (const [fullKey, isPut] of pending) {
    if (!isPut) deleted.add(fullKey);
    const key = Buffer.from(fullKey);
    if (isPut && Buffer.compare(key, start) >= 0) added.push(key);
  }
  // As many as could be wanted, even if the pending deletions all fall into the first of them.
  const stored = await database
    .keys<Uint8Array>({
      gte: start,
      lt: endOfPrefix(prefix + range.prefix),
      limit: limit + deleted.size,
      keyEncoding: 'view',
    })
    .all();
  const merged = mergeKeys({ stored, added: added.toSorted((a, b) => Buffer.compare(a, b)), deleted, limit });
  return merged.map((fullKey) => fullKey.slice(prefix.length));
}

function mergeKeys(of: {
  readonly stored: readonly Uint8Array[];
  readonly added: readonly Buffer[];
  readonly deleted: ReadonlySet<string>;
  readonly limit: number;
}): readonly string[] {
  const { stored, added, deleted, limit } = of;
  const merged: string[] = [];
  for (let s = 0, a = 0; merged.length < limit && (s < stored.length || a < added.length); ) {
    const fromStored = stored[s];
    const fromAdded = added[a];
    const order = fromStored === undefined ? 1 : fromAdded === undefined ? -1 : Buffer.compare(fromStored, fromAdded);
    if (order <= 0) s++;
    if (order >= 0) a++;
    const key = textOf(order <= 0 ? fromStored : fromAdded);
    if (!deleted.has(key)) merged.push(key);
  }
  return merged;
}

function laterOf(a: Buffer, b: Buffer): Buffer {
  return Buffer.compare(a, b) >= 0 ? a : b;
}

function textOf(key: Uint8Array | undefined): string {
  return key === undefined ? '' : Buffer.from(key.buffer, key.byteOffset, key.length).toString();
}
