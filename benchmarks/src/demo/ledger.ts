/** Everything that the cluster acknowledged, so that each can be asked for again. */
export class Ledger {
  /** Certificate (PEM) by serial number. */
  readonly certificates: Map<string, string> = new Map();
  refused: number = 0;
  unknown: number = 0;
  /** Acknowledged since the last kill. */
  sinceKill: number = 0;
  #lastAcknowledgedMs = performance.now();
  #longestGapMs = 0;

  acknowledged(serial: string, certificate: string): void {
    this.certificates.set(serial, certificate);
    this.sinceKill += 1;
    const now = performance.now();
    this.#longestGapMs = Math.max(this.#longestGapMs, now - this.#lastAcknowledgedMs);
    this.#lastAcknowledgedMs = now;
  }

  /** The load begins anew: the time before it is no gap. */
  resumed(): void {
    this.#lastAcknowledgedMs = performance.now();
  }

  get longestGapMs(): number {
    return this.#longestGapMs;
  }

  get msSinceAcknowledged(): number {
    return performance.now() - this.#lastAcknowledgedMs;
  }
}
