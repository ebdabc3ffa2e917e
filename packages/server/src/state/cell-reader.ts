import { LockstepError } from '@lockstep/contract/errors';
import { isCorruption } from '@lockstep/core/log/leveldb-error';
import type { RecordSealer } from '@lockstep/seal/record-sealer';
import { cacheBytesMax } from './limits.ts';
import { absentCell, PlaintextCache } from './plaintext-cache.ts';
import { damagedState } from './state-damage.ts';
import { openCell, type StoredCell } from './stored-value.ts';

export interface CellReaderOptions {
  /** Undefined while the node is sealed. */
  readonly values: () => RecordSealer | undefined;
  /** A value as it is stored, or will be. */
  readonly stored: (fullKey: string) => Uint8Array | undefined;
  /** A value is not what was written. */
  readonly onDamaged: (why: string) => void;
}

/** Opens stored values, remembers them, and tells damage from a refusal. */
export class CellReader {
  readonly #options: CellReaderOptions;
  readonly #cache = new PlaintextCache(cacheBytesMax);

  constructor(options: CellReaderOptions) {
    this.#options = options;
  }

  /** As `load`, for handlers: they ask again and again for what may not be there. Apply asks whether a new serial is taken, once. */
  read(fullKey: string): StoredCell | undefined {
    const cell = this.load(fullKey);
    if (cell === undefined && this.#cache.get(fullKey) === undefined) this.#cache.add(fullKey, absentCell);
    return cell;
  }

  /** Refuses with `sealed` on a sealed node, and with `unavailable`, after telling of the damage, what doesn't open. */
  load(fullKey: string): StoredCell | undefined {
    const sealer = this.#options.values();
    if (sealer === undefined) throw new LockstepError('sealed', 'this node is sealed');
    const cached = this.#cache.get(fullKey);
    if (cached !== undefined) return cached === absentCell ? undefined : cached;
    if (!fullKey.isWellFormed()) return undefined;
    const cell = this.#open(sealer, fullKey);
    if (cell !== undefined) this.#cache.add(fullKey, cell);
    return cell;
  }

  written(fullKey: string, cell: StoredCell | undefined): void {
    this.#cache.written(fullKey, cell);
  }

  clear(): void {
    this.#cache.clear();
  }

  #open(sealer: RecordSealer, fullKey: string): StoredCell | undefined {
    try {
      const stored = this.#options.stored(fullKey);
      return stored === undefined ? undefined : openCell(sealer, fullKey, stored);
    } catch (cause) {
      // An error of the disk itself is another matter: then nothing here can be relied on.
      if (!isCorruption(cause) && !(cause instanceof LockstepError && cause.code === 'internal')) throw cause;
      const why = 'a value on its disk is not what was written there';
      this.#options.onDamaged(why);
      throw damagedState(why, cause);
    }
  }
}
