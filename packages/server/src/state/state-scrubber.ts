import { scrubBytesPerSecond, scrubEveryMs, scrubFirstMs, scrubRetryMs, urgentBytesPerSecond } from './limits.ts';
import type { StateIntegrity } from './state-integrity.ts';

export interface StateScrubberOptions {
  readonly integrity: Pick<StateIntegrity, 'scan' | 'isDigestKnown' | 'damage'>;
  /** The node has its keys. */
  readonly isOpen: () => boolean;
  readonly nowMs: () => number;
  readonly setTimer: (ms: number, run: () => void) => () => void;
  readonly onFault: (error: unknown) => void;
}

/**
 * Reads the whole state again and again, for as long as the node runs, slowly: what has changed on the disk by itself is found before
 * it is needed. Sooner and faster where the digest of the state isn't known yet, or another node's is not the same.
 */
export class StateScrubber {
  readonly #options: StateScrubberOptions;
  #stopTimer: () => void = () => undefined;
  #underWay: Promise<void> | undefined;
  #isClosed = false;
  #isUrgent = false;
  #dueMs: number;
  /** Passes that came to their end, and what they read. */
  passes = 0;
  bytes = 0;

  constructor(options: StateScrubberOptions) {
    this.#options = options;
    this.#dueMs = options.nowMs() + scrubFirstMs;
    this.#wait();
  }

  /** The next pass begins now, and takes as much of the disk as it may. */
  hurry(): void {
    this.#isUrgent = true;
  }

  /** Resolves once nothing is under way any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopTimer();
    await this.#underWay;
  }

  #wait(): void {
    if (this.#isClosed) return;
    this.#stopTimer = this.#options.setTimer(scrubRetryMs, () => {
      this.#underWay = this.#round();
    });
  }

  async #round(): Promise<void> {
    const { integrity, isOpen, nowMs, onFault } = this.#options;
    const isUrgent = this.#isUrgent || !integrity.isDigestKnown;
    if (isOpen() && integrity.damage === undefined && (isUrgent || nowMs() >= this.#dueMs)) {
      try {
        if (await integrity.scan((bytes) => this.#pace(bytes, isUrgent))) {
          this.passes++;
          this.#isUrgent = false;
          this.#dueMs = nowMs() + scrubEveryMs;
        }
      } catch (error) {
        onFault(error);
      }
    }
    this.#wait();
  }

  #pace(bytes: number, isUrgent: boolean): Promise<'go on' | 'stop'> {
    this.bytes += bytes;
    const perSecond = isUrgent || this.#isUrgent ? urgentBytesPerSecond : scrubBytesPerSecond;
    return new Promise((resolve) => {
      this.#options.setTimer((bytes / perSecond) * 1_000, () => resolve(this.#isClosed ? 'stop' : 'go on'));
    });
  }
}
