/**
 * Remembers what was used last: at least `keptMin` keys, at most twice as many. Two generations instead of a list in order, because
 * a map that loses its oldest key again and again has to step over all that were there before.
 */
export class Recent<V> {
  readonly #keptMin: number;
  #young = new Map<string, V>();
  #old = new Map<string, V>();

  constructor(keptMin: number) {
    this.#keptMin = keptMin;
  }

  get(key: string): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: string, value: V): void {
    this.#young.set(key, value);
    if (this.#young.size < this.#keptMin) return;
    this.#old = this.#young;
    this.#young = new Map();
  }

  /** Whether it was there. */
  delete(key: string): boolean {
    const wasOld = this.#old.delete(key);
    return this.#young.delete(key) || wasOld;
  }
}
