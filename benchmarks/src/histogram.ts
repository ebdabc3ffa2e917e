/** Buckets grow by this factor: a quantile is off by at most 1 %. */
const growth = 1.02;
const logOfGrowth = Math.log(growth);
const leastMs = 0.001;

/** Durations in milliseconds, counted in buckets, so that millions take no memory and several processes' can be added up. */
export class Histogram {
  /** Plain numbers, so that it can be sent as JSON. */
  readonly counts: number[] = [];
  count = 0;

  add(ms: number): void {
    this.#addTo(Math.max(0, Math.round(Math.log(Math.max(ms, leastMs) / leastMs) / logOfGrowth)), 1);
  }

  addAll(counts: readonly (number | null)[]): void {
    for (const [bucket, count] of counts.entries()) if (count !== null && count > 0) this.#addTo(bucket, count);
  }

  /** The duration that this share (0 to 1) does not exceed; NaN without any. */
  quantile(share: number): number {
    let left = Math.max(1, Math.ceil(this.count * share));
    for (const [bucket, count = 0] of this.counts.entries()) {
      left -= count;
      if (left <= 0) return leastMs * growth ** bucket;
    }
    return Number.NaN;
  }

  #addTo(bucket: number, count: number): void {
    while (this.counts.length <= bucket) this.counts.push(0);
    this.counts[bucket] = (this.counts[bucket] ?? 0) + count;
    this.count += count;
  }
}
