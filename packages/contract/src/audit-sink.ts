/** Where audit lines go. A request is answered only after at least one sink holds its line. */
export interface AuditSink {
  readonly kind: string;
  /** Takes one line (JSON, newline included) in order; resolves once the sink holds it, rejects when it does not. */
  readonly write: (line: string) => Promise<void>;
  /** Opens the target anew, after an outside tool moved a file away (SIGHUP). */
  readonly reopen: () => Promise<void>;
  readonly close: () => Promise<void>;
}
