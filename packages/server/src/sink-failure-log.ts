import type { AuditSink } from '@lockstep/contract/audit-sink';
import { sinkFailureLogMs } from './limits.ts';
import { faultFields, type Log } from './log.ts';

/** Tells the log of audit sinks that take no lines: of each at once, and then, while it lasts, how many it was. */
export class SinkFailureLog {
  readonly #log: Log;
  readonly #nowMs: () => number;
  readonly #told = new Map<AuditSink, { readonly atMs: number; failuresSince: number }>();

  constructor(log: Log, nowMs: () => number) {
    this.#log = log;
    this.#nowMs = nowMs;
  }

  note(sink: AuditSink, error: unknown): void {
    const told = this.#told.get(sink);
    const nowMs = this.#nowMs();
    if (told !== undefined && nowMs - told.atMs < sinkFailureLogMs) {
      told.failuresSince += 1;
      return;
    }
    this.#told.set(sink, { atMs: nowMs, failuresSince: 0 });
    this.#log.error('audit-sink-failed', {
      sink: sink.kind,
      lines: (told?.failuresSince ?? 0) + 1,
      ...faultFields(error),
    });
  }
}
