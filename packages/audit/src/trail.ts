import { hash } from 'node:crypto';
import type { AuditSink } from '@lockstep/contract/audit-sink';
import { LockstepError } from '@lockstep/contract/errors';
import { lineCharsMax, sinkDeadlineMs, waitingLinesMax } from './limits.ts';

// line := {"time":…,"type":…,<the entry's members>,"chain":{"run":…,"sequence":…,["lost":[[from,to],…],]"previous":…}}
// `sequence` counts the lines of one run of the process from 1; `previous` is the SHA-256 of the line before (newline included),
// so that a line that was removed or changed shows (verify-trail.ts). A line that no sink took, whose request was refused, is
// named in the `lost` of a later one.

export type LineType = 'request' | 'response';

export interface TrailOptions {
  /** At least one. */
  readonly sinks: readonly AuditSink[];
  readonly wallMs: () => number;
  /** Names this run of the process: random, a UUID. */
  readonly run: string;
  /** Runs something later; returns what cancels it. */
  readonly after?: (ms: number, run: () => void) => () => void;
  /** A sink did not take a line. The line may be held by another. */
  readonly onSinkFailure?: (sink: AuditSink, error: unknown) => void;
}

type Lost = readonly [from: number, to: number];

interface Waiting {
  readonly type: LineType;
  readonly sequence: number;
  /** What the line itself said was lost before it. */
  readonly lost: readonly Lost[];
  readonly deadlineMs: number;
  readonly resolve: () => void;
  readonly reject: (error: LockstepError) => void;
  sinksLeft: number;
}

/** No line, no answer: brings each audit line to every sink, in order, and fails when none holds it. */
export class Trail {
  readonly #options: TrailOptions;
  /** In order of their deadlines. */
  readonly #waiting = new Set<Waiting>();
  #lost: Lost[] = [];
  #sequence = 0;
  #previous = trailStart;
  #cancelTimer: (() => void) | undefined;
  #isClosed = false;
  readonly #sinkFailures = { request: 0, response: 0 };

  constructor(options: TrailOptions) {
    if (options.sinks.length === 0)
      throw new LockstepError('invalid-input', 'audit: needs at least one sink: no request is answered without a line');
    this.#options = options;
  }

  /** How often a sink did not take a line, by the line's type. */
  get sinkFailures(): { readonly request: number; readonly response: number } {
    return this.#sinkFailures;
  }

  /** Lines that no sink holds yet. */
  get waitingCount(): number {
    return this.#waiting.size;
  }

  /**
   * Writes one line made of `members` (JSON members without braces). Resolves once at least one sink holds it. Rejects when none
   * does within `sinkDeadlineMs`: a request's line with `unavailable`, for nothing was done yet; a response's with `internal`,
   * for the work may be done. Order is that of the calls.
   */
  record(type: LineType, members: string): Promise<void> {
    if (this.#isClosed || this.#waiting.size >= waitingLinesMax)
      return Promise.reject(
        refusal(type, this.#isClosed ? 'the audit is closed' : `${waitingLinesMax} lines are waiting`),
      );
    const wallMs = this.#options.wallMs();
    const sequence = this.#sequence + 1;
    const chain = JSON.stringify({
      run: this.#options.run,
      sequence,
      ...(this.#lost.length === 0 ? {} : { lost: this.#lost }),
      previous: this.#previous,
    });
    const time = new Date(wallMs).toISOString();
    const line = `{"time":"${time}","type":"${type}",${members},"chain":${chain}}\n`;
    if (line.length > lineCharsMax) return Promise.reject(tooLarge(type));
    this.#sequence = sequence;
    this.#previous = hash('sha256', line, 'base64url');
    return new Promise((resolve, reject) => {
      const { sinks } = this.#options;
      const deadlineMs = wallMs + sinkDeadlineMs;
      const waiting = { type, sequence, lost: this.#lost, deadlineMs, resolve, reject, sinksLeft: sinks.length };
      this.#lost = [];
      this.#waiting.add(waiting);
      this.#armTimer();
      for (const sink of sinks) this.#write(sink, line, waiting);
    });
  }

  /** Opens every sink's target anew. Rejects with the first failure, after all were tried. */
  async reopen(): Promise<void> {
    await settleAll(this.#options.sinks.map((sink) => sink.reopen()));
  }

  /** Takes no more lines; closes the sinks once they hold what they were given. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await settleAll(this.#options.sinks.map((sink) => sink.close()));
    this.#cancelTimer?.();
  }

  #write(sink: AuditSink, line: string, waiting: Waiting): void {
    sink.write(line).then(
      () => {
        if (this.#waiting.delete(waiting)) waiting.resolve();
      },
      (error: unknown) => {
        this.#sinkFailures[waiting.type]++;
        this.#options.onSinkFailure?.(sink, error);
        waiting.sinksLeft--;
        if (waiting.sinksLeft === 0) this.#give(waiting, 'no audit sink took its line', error);
      },
    );
  }

  #give(waiting: Waiting, how: string, cause?: unknown): void {
    if (!this.#waiting.delete(waiting)) return;
    this.#lost.push(...waiting.lost);
    const last = this.#lost.at(-1);
    if (last !== undefined && last[1] + 1 === waiting.sequence)
      this.#lost[this.#lost.length - 1] = [last[0], waiting.sequence];
    else this.#lost.push([waiting.sequence, waiting.sequence]);
    waiting.reject(refusal(waiting.type, how, cause));
  }

  /** One timer for all: it looks at the oldest line. */
  #armTimer(): void {
    if (this.#cancelTimer !== undefined) return;
    const after = this.#options.after ?? afterTimeout;
    this.#cancelTimer = after(sinkDeadlineMs, () => {
      this.#cancelTimer = undefined;
      const nowMs = this.#options.wallMs();
      for (const waiting of this.#waiting) {
        if (waiting.deadlineMs > nowMs) break;
        this.#give(waiting, `no audit sink took its line within ${sinkDeadlineMs} ms`);
      }
      if (this.#waiting.size > 0) this.#armTimer();
    });
  }
}

/** The `previous` of a run's first line. */
export const trailStart = '';

function refusal(type: LineType, how: string, cause?: unknown): LockstepError {
  return type === 'request'
    ? new LockstepError('unavailable', `the request was refused because it could not be audited: ${how}`, { cause })
    : new LockstepError(
        'internal',
        `the answer is withheld because it could not be audited: ${how}; the request may have been applied`,
        {
          cause,
        },
      );
}

function tooLarge(type: LineType): LockstepError {
  return new LockstepError(
    type === 'request' ? 'too-large' : 'internal',
    `audit: the line of this ${type} would have more than ${lineCharsMax} characters`,
  );
}

function afterTimeout(ms: number, run: () => void): () => void {
  const timer = setTimeout(run, ms);
  timer.unref();
  return () => clearTimeout(timer);
}

async function settleAll(work: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(work)).find((settled) => settled.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
