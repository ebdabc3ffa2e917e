/** Collects durations in milliseconds, and says where they lie. */
export class Latencies {
  readonly #samples: number[] = [];

  add(ms: number): void {
    this.#samples.push(ms);
  }

  get count(): number {
    return this.#samples.length;
  }

  /** The duration that this share (0 to 1) of all samples does not exceed; NaN without samples. */
  quantile(share: number): number {
    const sorted = Float64Array.from(this.#samples).sort();
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  }
}

/** Two decimals are all that a shared machine's milliseconds are worth. */
export function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}
