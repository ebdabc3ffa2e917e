import { emptyValue } from '@lockstep/contract/state';
import { cacheRowBytes } from './limits.ts';
import type { StoredCell } from './stored-value.ts';

/** Stands for a key that is known not to be there. No written cell has this version. */
export const absentCell: StoredCell = { value: emptyValue, version: 0 };

/**
 * Values that were read, bounded by bytes. What was not read for longest goes first, by halves: whatever is read moves to the young
 * half; when that is full, it becomes the old one, and what is left of the old one goes. So a hit costs one look-up and moves nothing.
 */
export class PlaintextCache {
  readonly #halfBytesMax: number;
  #young = new Map<string, StoredCell>();
  #old = new Map<string, StoredCell>();
  #youngBytes = 0;
  #oldBytes = 0;

  constructor(bytesMax: number) {
    this.#halfBytesMax = bytesMax / 2;
  }

  get bytes(): number {
    return this.#youngBytes + this.#oldBytes;
  }

  /** The same array for as long as the value is unchanged and remembered. */
  get(fullKey: string): StoredCell | undefined {
    const young = this.#young.get(fullKey);
    if (young !== undefined) return young;
    const old = this.#old.get(fullKey);
    if (old !== undefined) this.add(fullKey, old);
    return old;
  }

  add(fullKey: string, cell: StoredCell): void {
    this.delete(fullKey);
    const bytes = bytesOf(fullKey, cell);
    if (bytes > this.#halfBytesMax) return;
    if (this.#youngBytes + bytes > this.#halfBytesMax) {
      this.#old = this.#young;
      this.#oldBytes = this.#youngBytes;
      this.#young = new Map();
      this.#youngBytes = 0;
    }
    this.#young.set(fullKey, cell);
    this.#youngBytes += bytes;
  }

  /**
   * A write: remembered where the old value was (or where it is known that there was none), forgotten where it is gone. A value that
   * nobody has read is not remembered, so that a thousand certificates a second don't push out what is read with each.
   */
  written(fullKey: string, cell: StoredCell | undefined): void {
    if (!this.#young.has(fullKey) && !this.#old.has(fullKey)) return;
    if (cell === undefined) return this.delete(fullKey);
    // A copy: the value given may be a few bytes of a large buffer, which it would keep alive.
    this.add(fullKey, { value: cell.value.slice(), version: cell.version });
  }

  delete(fullKey: string): void {
    const young = this.#young.get(fullKey);
    if (young !== undefined) {
      this.#young.delete(fullKey);
      this.#youngBytes -= bytesOf(fullKey, young);
    }
    const old = this.#old.get(fullKey);
    if (old !== undefined) {
      this.#old.delete(fullKey);
      this.#oldBytes -= bytesOf(fullKey, old);
    }
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
    this.#youngBytes = 0;
    this.#oldBytes = 0;
  }
}

function bytesOf(fullKey: string, cell: StoredCell): number {
  return cacheRowBytes + fullKey.length + cell.value.length;
}
