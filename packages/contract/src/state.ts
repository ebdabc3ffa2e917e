/** The state of one mount as handlers see it: readable, never writable. Keys are relative to the mount. */
export interface ReadableState {
  /**
   * The value, or undefined. While the value is unchanged the same array may be returned again, so results parsed from it can be
   * remembered by its identity (see `memoise`). Callers must not change it.
   */
  readonly get: (key: string) => Uint8Array | undefined;
  /** What `unchanged` expects: the log index of the last write to the key, or 0 when it is absent. */
  readonly version: (key: string) => number;
  /** Keys that begin with `prefix`, in byte order, from `from` (inclusive) on, `limit` at most. For handlers, never in apply. */
  readonly keys: (range: KeyRange) => Promise<readonly string[]>;
}

export interface KeyRange {
  readonly prefix: string;
  readonly from?: string;
  readonly limit: number;
}

/** The state of one mount as `apply` sees it: point reads and writes only. Only `apply` is ever given one. */
export interface WritableState {
  readonly get: (key: string) => Uint8Array | undefined;
  readonly put: (key: string, value: Uint8Array) => void;
  readonly delete: (key: string) => void;
}

export const emptyValue: Uint8Array = new Uint8Array(0);

/** Remembers `parse(bytes)` for as long as those very bytes live, so that a changed value is parsed anew. */
export function memoise<T extends object>(parse: (bytes: Uint8Array) => T): (bytes: Uint8Array) => T {
  const remembered = new WeakMap<Uint8Array, T>();
  return (bytes) => {
    const known = remembered.get(bytes);
    if (known !== undefined) return known;
    const parsed = parse(bytes);
    remembered.set(bytes, parsed);
    return parsed;
  };
}
