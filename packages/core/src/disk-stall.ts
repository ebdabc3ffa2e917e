import { stallCalmTimeouts } from './limits.ts';
import type { LogStore } from './log/log-store.ts';
import type { Clock, Timings } from './timings.ts';

export interface DiskStallOptions {
  readonly store: Pick<LogStore, 'stats'>;
  readonly clock: Clock;
  readonly timings: Timings;
  readonly log: (event: string, fields: Readonly<Record<string, number>>) => void;
}

/**
 * Whether the log's disk keeps up. A write that takes longer than half of the shortest election timeout is a stall: the node gives
 * up leadership before the others have to find out by its silence, and does not stand for election until the disk has been quick
 * for some time, so that a slow disk does not take leadership back between two slow writes.
 */
export class DiskStall {
  readonly #options: DiskStallOptions;
  #isStalled = false;
  #stalledMs = Number.NEGATIVE_INFINITY;
  /** Stalls that began since the process started. */
  count = 0;

  constructor(options: DiskStallOptions) {
    this.#options = options;
  }

  /** A write is under way that takes too long. */
  get isStalled(): boolean {
    return this.#isStalled;
  }

  /** It has not stalled for some election timeouts. */
  get isCalm(): boolean {
    const { clock } = this.#options;
    return !this.#isStalled && clock.nowMs() - this.#stalledMs >= this.#timeoutMs * stallCalmTimeouts;
  }

  /** Once for each tick. */
  watch(): void {
    const { store, clock, log } = this.#options;
    const { oldestPendingMs } = store.stats();
    const isStalled = oldestPendingMs > this.#timeoutMs / 2;
    if (isStalled) this.#stalledMs = clock.nowMs();
    if (isStalled === this.#isStalled) return;
    this.#isStalled = isStalled;
    if (isStalled) this.count++;
    log(isStalled ? 'disk-stalled' : 'disk-recovered', { oldestPendingMs });
  }

  get #timeoutMs(): number {
    const { tickMs, electionTicks } = this.#options.timings;
    return tickMs * electionTicks;
  }
}
