import type { KeyRange, ReadableState, WritableState } from './state.ts';

interface Cell {
  readonly value: Uint8Array;
  readonly version: number;
}

/** The state of one mount in memory, with the semantics of the real one. For engines' tests and the simulator. */
export class MemoryState {
  readonly #cells = new Map<string, Cell>();

  readonly readable: ReadableState = {
    get: (key) => this.#cells.get(key)?.value,
    version: (key) => this.#cells.get(key)?.version ?? 0,
    keys: (range) => Promise.resolve(this.#keys(range)),
  };

  #keys({ prefix, from, limit }: KeyRange): readonly string[] {
    const start = Buffer.from(from ?? prefix);
    return [...this.#cells.keys()]
      .filter((key) => key.startsWith(prefix))
      .map((key) => Buffer.from(key))
      .filter((key) => Buffer.compare(key, start) >= 0)
      .sort((a, b) => Buffer.compare(a, b))
      .slice(0, limit)
      .map((key) => key.toString());
  }

  /** Runs one transaction's apply at a log index: all of its writes, or none when it throws. */
  transact<R>(index: number, apply: (state: WritableState) => R): R {
    const writes = new Map<string, Uint8Array | undefined>();
    const result = apply({
      get: (key) => (writes.has(key) ? writes.get(key) : this.#cells.get(key)?.value),
      put: (key, value) => void writes.set(key, value),
      delete: (key) => void writes.set(key, undefined),
    });
    for (const [key, value] of writes) {
      if (value === undefined) this.#cells.delete(key);
      else this.#cells.set(key, { value, version: index });
    }
    return result;
  }

  get size(): number {
    return this.#cells.size;
  }

  /** Every key with its value, in byte order. */
  entries(): readonly (readonly [string, Uint8Array])[] {
    return this.#keys({ prefix: '', limit: Number.MAX_SAFE_INTEGER }).map((key) => [
      key,
      this.#cells.get(key)?.value ?? new Uint8Array(0),
    ]);
  }
}
