import type { Operation, Reply } from '@lockstep/contract/engine';
import type { ErrorCode } from '@lockstep/contract/errors';
import type { JsonObject } from '@lockstep/contract/json';
import type { Secret } from '@lockstep/contract/secret';

/** One request, whichever door it came through: decoded, bounded and checked for shape, but neither authenticated nor validated. */
export interface DoorRequest {
  readonly operation: Operation;
  /** `pki/issue/web`: decoded, checked, without `/v1/` in front and without `/` at the end. */
  readonly path: string;
  /** The body's members, or the query's parameters for `read`, `list` and `delete`. */
  readonly data: { readonly [name: string]: unknown };
  readonly token: Secret | undefined;
  readonly remoteAddress: string;
  readonly door: 'http' | 'grpc';
  /** A UUID, made by the door. */
  readonly requestId: string;
  /** As the caller sent it; only the root namespace (`''` or `root`) exists, and the server refuses others. */
  readonly namespace: string | undefined;
  readonly idempotencyKey: string | undefined;
  /** As the caller sent it; the server refuses it until replies can be wrapped. */
  readonly wrapTtl: string | undefined;
  /** How long the caller waits, in milliseconds from now; the server has a default. */
  readonly deadlineMs: number | undefined;
  /** Aborts when the caller went away or its deadline passed. */
  readonly signal: AbortSignal;
  /**
   * The body as it comes, of a write to one of `streamedWrites`; then `data` is empty. Nothing is read of it before it is asked
   * for, so that who may not send it is refused at once. Throws `invalid-input` where it ends early.
   */
  readonly body?: AsyncIterable<Uint8Array>;
}

/** Writes whose body is too large to be held: it is handed on as it comes. */
export const streamedWrites: ReadonlySet<string> = new Set([
  'sys/storage/raft/snapshot',
  'sys/storage/raft/snapshot-force',
]);

/** What the server answers; each door gives it its own shape. */
export type DoorReply =
  | {
      readonly kind: 'reply';
      readonly reply: Reply;
      readonly requestId: string;
      readonly leaseId?: string;
      readonly isRenewable?: boolean;
      readonly leaseDurationSeconds?: number;
    }
  /** `sys/health`, `sys/seal-status`, `sys/init`, `sys/unseal`, `sys/leader`: a bare body with the status that goes with it. */
  | { readonly kind: 'flat'; readonly status: number; readonly body: JsonObject }
  /** A body too large to be held. When it throws, the door cuts the answer short. The door calls `close` in the end, read or not. */
  | {
      readonly kind: 'stream';
      readonly requestId: string;
      readonly contentType: string;
      readonly fileName: string;
      readonly bytes: number;
      readonly chunks: AsyncIterable<Uint8Array>;
      readonly close: () => Promise<void>;
    }
  | {
      readonly kind: 'error';
      readonly code: ErrorCode;
      /** In lower case, free of secrets; may be empty (Vault's plain 404). */
      readonly messages: readonly string[];
      /** What the reply's `data` holds beside the error: the metadata of a deleted secret. */
      readonly body?: JsonObject;
      /** The field that was wrong, where one was. */
      readonly field?: string;
      readonly retryAfterSeconds?: number;
    };

/** All that fits into one message. */
export type WholeReply = Exclude<DoorReply, { readonly kind: 'stream' }>;

/** The one function behind both doors. It rejects for faults of the program only; a door answers those with `internal`. */
export type Handle = (request: DoorRequest) => Promise<DoorReply>;

/** A request that a door refuses by itself, before it is a DoorRequest: what could be read of it. */
export interface RefusedRequest extends Pick<DoorRequest, 'requestId' | 'door' | 'remoteAddress' | 'token'> {
  /** Undefined where the method is none that is served. */
  readonly operation: Operation | undefined;
  /** Without its query. As it was sent, shortened, where it is no path. */
  readonly path: string;
  readonly refusal: Extract<DoorReply, { kind: 'error' }>;
}

/** Told of every such refusal before its caller is; answers what the caller gets instead, where it can't be audited. Never rejects. */
export type OnRefused = (refused: RefusedRequest) => Promise<RefusedRequest['refusal']>;
