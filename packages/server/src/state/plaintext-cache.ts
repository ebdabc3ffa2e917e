import { cacheRowBytes } from './limits.ts';
import type { StoredCell } from './stored-value.ts';

/** Values that were read, bounded by bytes; the least recently read go first. */
export class PlaintextCache {
  readonly #bytesMax: number;
  readonly #cells = new Map<string, StoredCell>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The same array for as long as the value is unchanged and remembered. */
  get(fullKey: string): StoredCell | undefined {
    const cell = this.#cells.get(fullKey);
    if (cell === undefined) return undefined;
    // A map keeps insertion order: what was read last stands last.
    this.#cells.delete(fullKey);
    this.#cells.set(fullKey, cell);
    return cell;
  }

  add(fullKey: string, cell: StoredCell): void {
    this.delete(fullKey);
    const bytes = bytesOf(fullKey, cell);
    if (bytes > this.#bytesMax) return;
    this.#cells.set(fullKey, cell);
    this.#bytes += bytes;
    for (const [oldest, old] of this.#cells) {
      if (this.#bytes <= this.#bytesMax) break;
      this.#cells.delete(oldest);
      this.#bytes -= bytesOf(oldest, old);
    }
  }

  /**
   * A write: remembered where the old value was, forgotten where it is gone. A value that nobody has read is not remembered, so
   * that a thousand certificates a second don't push out what is read with each.
   */
  written(fullKey: string, cell: StoredCell | undefined): void {
    if (!this.#cells.has(fullKey)) return;
    if (cell === undefined) return this.delete(fullKey);
    // A copy: the value given may be a few bytes of a large buffer, which it would keep alive.
    this.add(fullKey, { value: cell.value.slice(), version: cell.version });
  }

  delete(fullKey: string): void {
    const cell = this.#cells.get(fullKey);
    if (cell === undefined) return;
    this.#cells.delete(fullKey);
    this.#bytes -= bytesOf(fullKey, cell);
  }

  clear(): void {
    this.#cells.clear();
    this.#bytes = 0;
  }
}

function bytesOf(fullKey: string, cell: StoredCell): number {
  return cacheRowBytes + fullKey.length + cell.value.length;
}
