export type LogFields = { readonly [name: string]: string | number | boolean };

/** One line of JSON on standard error for each decision that an operator may need at 3 a.m. Fields hold no secret. */
export interface Log {
  readonly info: (event: string, fields?: LogFields) => void;
  readonly error: (event: string, fields?: LogFields) => void;
}

export function openLog(options: {
  readonly node: string;
  readonly wallMs: () => number;
  readonly write: (line: string) => void;
}): Log {
  const line = (level: 'info' | 'error', event: string, fields: LogFields): void => {
    const time = new Date(options.wallMs()).toISOString();
    options.write(`${JSON.stringify({ time, level, node: options.node, event, ...fields })}\n`);
  };
  return {
    info: (event, fields = {}) => line('info', event, fields),
    error: (event, fields = {}) => line('error', event, fields),
  };
}

/** What a fault may say in the log: its kind, message and place, never what it was about. */
export function faultFields(error: unknown): LogFields {
  if (!(error instanceof Error)) return { error: String(error) };
  const cause = error.cause instanceof Error ? { cause: error.cause.message } : {};
  return { error: error.message, stack: error.stack ?? '', ...cause };
}
