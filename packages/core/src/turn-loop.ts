import { lateTicksMax } from './limits.ts';
import type { Clock } from './timings.ts';

export interface TurnLoopOptions {
  readonly clock: Clock;
  readonly tickMs: number;
  /** Runs a turn after the input that is already there. */
  readonly schedule: (turn: () => void) => void;
  /** One turn, after everything that was entered has run. `isTick`: a tick is due. */
  readonly turn: (isTick: boolean) => void;
  readonly onError: (error: unknown) => void;
}

/**
 * Runs everything that happens to a node in turns, one at a time. However late the timer is, one tick comes of it: a process
 * that was paused must not think that many election timeouts have passed, before it has read what came meanwhile.
 */
export class TurnLoop {
  readonly #options: TurnLoopOptions;
  #entered: (() => void)[] = [];
  #isScheduled = false;
  #isStopped = false;
  #isTickDue = false;
  #lastTimerMs: number;
  #cancelTimer: () => void = () => undefined;
  turnCount = 0;
  lateTickCount = 0;

  constructor(options: TurnLoopOptions) {
    this.#options = options;
    this.#lastTimerMs = options.clock.nowMs();
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  start(): void {
    this.#armTimer();
    this.wake();
  }

  /** Runs `run` at the beginning of the next turn, in the order of the calls. */
  enter(run: () => void): void {
    if (this.#isStopped) return;
    this.#entered.push(run);
    this.wake();
  }

  /** Asks for another turn. */
  wake(): void {
    if (this.#isScheduled || this.#isStopped) return;
    this.#isScheduled = true;
    this.#options.schedule(() => this.#turn());
  }

  stop(): void {
    this.#isStopped = true;
    this.#entered = [];
    this.#cancelTimer();
  }

  #turn(): void {
    this.#isScheduled = false;
    if (this.#isStopped) return;
    this.turnCount++;
    try {
      const entered = this.#entered;
      this.#entered = [];
      for (const run of entered) run();
      const isTick = this.#isTickDue;
      this.#isTickDue = false;
      this.#options.turn(isTick);
    } catch (error) {
      // The core, the store or the state broke a promise: nothing that this node knows can be relied on any more.
      this.stop();
      this.#options.onError(error);
    }
  }

  #armTimer(): void {
    this.#cancelTimer = this.#options.clock.setTimer(this.#options.tickMs, () => this.#timerFired());
  }

  #timerFired(): void {
    if (this.#isStopped) return;
    const nowMs = this.#options.clock.nowMs();
    const isLate = nowMs - this.#lastTimerMs > this.#options.tickMs * lateTicksMax;
    this.#lastTimerMs = nowMs;
    this.#armTimer();
    if (!isLate) return this.#tickDue();
    this.lateTickCount++;
    // Two rounds of input first: what came while this process was paused may well show that the leader is alive.
    this.#options.schedule(() => this.#options.schedule(() => this.#tickDue()));
  }

  #tickDue(): void {
    this.#isTickDue = true;
    this.wake();
  }
}
