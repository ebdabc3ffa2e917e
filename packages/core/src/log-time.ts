import { TimeMs } from '@lockstep/contract/ids';

/**
 * The leader's side of the log's clock: the voters' (`MemberClocks`), held so that it never goes back behind a time that this node
 * has stamped, answered a read with, or applied.
 */
export class LogTime {
  readonly #wallMs: () => number;
  readonly #appliedMs: () => number;
  #lastMs = 0;

  constructor(wallMs: () => number, appliedMs: () => number) {
    this.#wallMs = wallMs;
    this.#appliedMs = appliedMs;
  }

  now(): TimeMs {
    this.#lastMs = Math.max(this.#lastMs, Math.floor(this.#wallMs()), this.#appliedMs());
    return TimeMs(this.#lastMs);
  }
}
