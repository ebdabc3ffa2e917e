import { LockstepError } from '@lockstep/contract/errors';
import { sweepDeadlineMs, sweepEveryMs } from './limits.ts';

/** Sweeps on the leader, for as long as the node runs: again at once while there is more, otherwise every `sweepEveryMs`. */
export class Sweeper {
  readonly #isDue: () => boolean;
  readonly #sweep: (deadline: number) => Promise<{ readonly keys: number; readonly isMore: boolean }>;
  readonly #onFault: (error: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  #underWay: Promise<void> | undefined;
  #isClosed = false;
  #keysSwept = 0;

  constructor(of: {
    /** Whether this node should sweep now: it leads, and is unsealed. */
    readonly isDue: () => boolean;
    readonly sweep: (deadline: number) => Promise<{ readonly keys: number; readonly isMore: boolean }>;
    readonly onFault: (error: unknown) => void;
  }) {
    this.#isDue = of.isDue;
    this.#sweep = of.sweep;
    this.#onFault = of.onFault;
    this.#wait(sweepEveryMs);
  }

  /** Since this process started. */
  get keysSwept(): number {
    return this.#keysSwept;
  }

  /** Resolves once nothing is under way any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#underWay;
  }

  #wait(ms: number): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#underWay = this.#round();
    }, ms);
  }

  async #round(): Promise<void> {
    let isMore = false;
    try {
      if (this.#isDue()) {
        const swept = await this.#sweep(performance.now() + sweepDeadlineMs);
        this.#keysSwept += swept.keys;
        isMore = swept.isMore && swept.keys > 0;
      }
    } catch (error) {
      // No leader, or no quorum: the next round finds the same.
      if (!(error instanceof LockstepError)) this.#onFault(error);
    }
    this.#wait(isMore ? 0 : sweepEveryMs);
  }
}
