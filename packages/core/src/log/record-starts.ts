/** Where the log's records begin: the index of the first entry of each, in ascending order. One number for each record. */
export class RecordStarts {
  readonly #starts: number[];

  constructor(starts: readonly number[]) {
    this.#starts = [...starts];
  }

  push(start: number): void {
    this.#starts.push(start);
  }

  /** The start of the record that holds `index`, or would if it were that long; undefined when all begin after it. */
  holding(index: number): number | undefined {
    return this.#starts[this.#positionHolding(index)];
  }

  /** Forgets, and returns, the records that begin at `index` or after it. */
  cutFrom(index: number): readonly number[] {
    return this.#starts.splice(this.#positionHolding(index - 1) + 1);
  }

  /** Forgets, and returns, the records that begin before `index`. */
  dropBefore(index: number): readonly number[] {
    return this.#starts.splice(0, this.#positionHolding(index - 1) + 1);
  }

  /** By halving; -1 when all begin after `index`. */
  #positionHolding(index: number): number {
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#starts[middle] ?? 0) <= index) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
