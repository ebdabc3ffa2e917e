import { hash } from 'node:crypto';
import type { AuditSink } from '@lockstep/contract/audit-sink';
import { LockstepError } from '@lockstep/contract/errors';

/** The `previous` of a run's first line. */
export const trailStart = '';

/**
 * One order of all audit lines of a node's run. Each line carries its number and the SHA-256 of the line before it, so that a line
 * which was taken out, changed or moved is noticed (see verify-trail.ts). Fail closed: a line that no sink holds is an error, and
 * who asked gets no answer but that.
 */
export class Trail {
  readonly #sinks: readonly AuditSink[];
  readonly #wallMs: () => number;
  readonly #run: string;
  #sequence = 0;
  #previous = trailStart;
  #waiting = 0;

  constructor(options: { readonly sinks: readonly AuditSink[]; readonly wallMs: () => number; readonly run: string }) {
    this.#sinks = options.sinks;
    this.#wallMs = options.wallMs;
    this.#run = options.run;
  }

  get waitingCount(): number {
    return this.#waiting;
  }

  /** Resolves once at least one sink holds the line. `members` is JSON text without the braces. */
  async record(type: 'request' | 'response', members: string): Promise<void> {
    this.#sequence += 1;
    const time = new Date(this.#wallMs()).toISOString();
    const chain = JSON.stringify({ run: this.#run, sequence: this.#sequence, previous: this.#previous });
    const line = `{"time":"${time}","type":"${type}",${members},"chain":${chain}}\n`;
    this.#previous = hash('sha256', line, 'base64url');
    this.#waiting += 1;
    try {
      await this.#write(line);
    } finally {
      this.#waiting -= 1;
    }
  }

  async #write(line: string): Promise<void> {
    const [only] = this.#sinks;
    const writes =
      this.#sinks.length === 1 && only !== undefined ? [only.write(line)] : this.#sinks.map((sink) => sink.write(line));
    try {
      await Promise.any(writes);
    } catch (cause) {
      throw new LockstepError(
        'unavailable',
        'no audit sink took the line, so the request is not answered; see to the sinks (a full disk?)',
        { cause },
      );
    }
  }

  async reopen(): Promise<void> {
    await Promise.all(this.#sinks.map((sink) => sink.reopen()));
  }

  async close(): Promise<void> {
    await Promise.all(this.#sinks.map((sink) => sink.close()));
  }
}
