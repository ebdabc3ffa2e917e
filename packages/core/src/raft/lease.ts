export interface LeaseOptions {
  /** A monotonic clock, of which only differences mean anything. It must not stand still while the machine does: no lease on machines that are suspended. */
  readonly nowMs: () => number;
  /**
   * How long a lease lasts from the instant at which its heartbeat was sent. Less than the shortest time in which any member's clock
   * counts `electionTicks - 1` ticks: a member that has just ticked when a leader is heard refuses others its vote for that long.
   */
  readonly lengthMs: number;
}

interface Sent {
  readonly position: number;
  readonly sentMs: number;
}

/**
 * A leader's lease (Ongaro's thesis §6.4.1): while it is held, no other leader can have been elected, so reads need no quorum. It is
 * counted from when the heartbeats were *sent* that a quorum echoed. It holds only if every member keeps a lease too: then each of
 * them refuses its vote, in whatever term, for a whole election timeout after it heard a leader, or after it started (it can't know
 * what it heard before). Once the leader has asked another to take over, there is no lease until the term ends: that candidate is
 * granted votes all the same, and the request may arrive late.
 */
export class Lease {
  readonly #options: LeaseOptions;
  /** At most one for each millisecond of a lease's length. */
  #sent: Sent[] = [];
  #untilMs = Number.NEGATIVE_INFINITY;
  #isGivenUp = false;

  constructor(options: LeaseOptions) {
    this.#options = options;
  }

  get isHeld(): boolean {
    return !this.#isGivenUp && this.#options.nowMs() < this.#untilMs;
  }

  /** Heartbeats with `position`, a new one, are about to leave. */
  sending(position: number): void {
    const sentMs = this.#options.nowMs();
    const last = this.#sent.at(-1);
    // Counted as if they had left with the ones just before.
    if (last !== undefined && sentMs - last.sentMs < 1) return;
    const isFresh = (sent: Sent): boolean => sent.sentMs + this.#options.lengthMs > sentMs;
    const stale = this.#sent.findIndex(isFresh);
    this.#sent.splice(0, stale < 0 ? this.#sent.length : stale);
    this.#sent.push({ position, sentMs });
  }

  /** A quorum has echoed `position`, or a later one. */
  echoed(position: number): void {
    const at = this.#sent.findLastIndex((sent) => sent.position <= position);
    const sent = this.#sent[at];
    if (sent === undefined) return;
    this.#untilMs = Math.max(this.#untilMs, sent.sentMs + this.#options.lengthMs);
    this.#sent.splice(0, at + 1);
  }

  /** What was echoed before counts no more: the voters have changed. */
  drop(): void {
    this.#sent = [];
    this.#untilMs = Number.NEGATIVE_INFINITY;
  }

  /** For the rest of this term. */
  giveUp(): void {
    this.#isGivenUp = true;
  }

  /** Another term or role begins. */
  reset(): void {
    this.drop();
    this.#isGivenUp = false;
  }
}
