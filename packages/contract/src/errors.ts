/** Every way in which Lockstep says no. The doors map each to gRPC, HTTP and exit codes through `errorTable`. */
export type ErrorCode = keyof typeof errorTable;

/**
 * One row for each code: the gRPC status, the HTTP status and the CLI's exit code that a caller sees. `refused` says whether the
 * request certainly changed nothing.
 */
export const errorTable = {
  'invalid-input': { grpc: 'INVALID_ARGUMENT', http: 400, exit: 2, refused: true },
  'failed-precondition': { grpc: 'FAILED_PRECONDITION', http: 400, exit: 2, refused: true },
  denied: { grpc: 'PERMISSION_DENIED', http: 403, exit: 2, refused: true },
  'not-found': { grpc: 'NOT_FOUND', http: 404, exit: 2, refused: true },
  'unsupported-operation': { grpc: 'UNIMPLEMENTED', http: 405, exit: 2, refused: true },
  'outcome-unknown': { grpc: 'UNKNOWN', http: 409, exit: 2, refused: false },
  'too-large': { grpc: 'RESOURCE_EXHAUSTED', http: 413, exit: 2, refused: true },
  'unsupported-media-type': { grpc: 'INVALID_ARGUMENT', http: 415, exit: 2, refused: true },
  'rate-limited': { grpc: 'RESOURCE_EXHAUSTED', http: 429, exit: 2, refused: true },
  internal: { grpc: 'INTERNAL', http: 500, exit: 2, refused: false },
  /** What is on a disk is not what was written there. */
  damaged: { grpc: 'DATA_LOSS', http: 500, exit: 2, refused: true },
  'not-initialized': { grpc: 'FAILED_PRECONDITION', http: 503, exit: 2, refused: true },
  sealed: { grpc: 'UNAVAILABLE', http: 503, exit: 2, refused: true },
  'no-leader': { grpc: 'UNAVAILABLE', http: 503, exit: 2, refused: true },
  contended: { grpc: 'ABORTED', http: 503, exit: 2, refused: true },
  unavailable: { grpc: 'UNAVAILABLE', http: 503, exit: 2, refused: true },
  'disk-full': { grpc: 'RESOURCE_EXHAUSTED', http: 507, exit: 2, refused: true },
  'deadline-exceeded': { grpc: 'DEADLINE_EXCEEDED', http: 504, exit: 2, refused: true },
} as const;

/**
 * A refusal that a caller may read. The message names the thing and the rule, in lower case, and holds no secret.
 * `replyBody` lets a 404 still carry data (a soft-deleted secret's metadata), as Vault's clients expect. `field` is the name of the
 * request's field that broke the rule, where one did.
 */
export class LockstepError extends Error {
  readonly code: ErrorCode;
  readonly replyBody: { readonly [key: string]: unknown } | undefined;
  readonly field: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options?: { cause?: unknown; replyBody?: { readonly [key: string]: unknown }; field?: string },
  ) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'LockstepError';
    this.code = code;
    this.replyBody = options?.replyBody;
    this.field = options?.field;
  }
}

/** The refusal of one field of a request: `rule` goes on where the name ends, as in `must be at least 1`. */
export function fieldError(field: string, rule: string, options: { readonly cause?: unknown } = {}): LockstepError {
  return new LockstepError('invalid-input', `${field} ${rule}`, { ...options, field });
}

/** For states that only a wrong program reaches. The node stops; nothing is written after it. */
export function assert(claim: unknown, message: string): asserts claim {
  if (!claim) throw new Error(`invariant broken: ${message}`);
}
