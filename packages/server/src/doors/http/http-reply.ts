import type { Operation } from '@lockstep/contract/engine';
import { errorTable } from '@lockstep/contract/errors';
import type { JsonObject } from '@lockstep/contract/json';
import type { DoorReply, WholeReply } from '../door.ts';
import { authShape, type ErrorReply, isNothing } from '../reply-shape.ts';

/** A whole HTTP reply. An undefined body is an empty one. */
export interface HttpReply {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | Uint8Array | undefined;
  /** Further headers, name and value in turn. */
  readonly headers: readonly string[];
}

/** Exactly this, without a charset: hvac compares the whole value before it looks for `errors`. */
export const jsonType = 'application/json';

/** Vault's wire form of an answer to `operation` on `path`. */
export function httpReply(operation: Operation, path: string, answer: WholeReply): HttpReply {
  if (answer.kind === 'error') return errorBody(answer);
  if (answer.kind === 'flat') return json(answer.status, answer.body);
  const { reply } = answer;
  if (reply.raw !== undefined) {
    if (reply.raw.body.length === 0) return empty;
    return { status: 200, contentType: reply.raw.contentType, body: reply.raw.body, headers: [] };
  }
  if (isNothing(operation, reply)) return errorBody({ kind: 'error', code: 'not-found', messages: [] });
  if (reply.data === undefined && reply.auth === undefined && reply.warnings === undefined) return empty;
  const envelope = envelopeOf(answer);
  // Old clients read these at the top, new ones in `data`. The envelope's own members win.
  return json(200, repeatsDataAtTop(path) ? { ...reply.data, ...envelope } : envelope);
}

const empty: HttpReply = { status: 204, contentType: jsonType, body: undefined, headers: [] };

function json(status: number, body: JsonObject, headers: readonly string[] = []): HttpReply {
  return { status, contentType: jsonType, body: JSON.stringify(body), headers };
}

/** Every member is always there: clients tell replies apart by which are null. */
function envelopeOf(answer: Extract<DoorReply, { kind: 'reply' }>): JsonObject {
  const { data, auth, warnings } = answer.reply;
  return {
    request_id: answer.requestId,
    lease_id: answer.leaseId ?? '',
    renewable: answer.isRenewable ?? false,
    lease_duration: answer.leaseDurationSeconds ?? 0,
    data: data ?? null,
    wrap_info: null,
    warnings: warnings ?? null,
    auth: auth === undefined ? null : authShape(auth),
  };
}

/** An error, with its exact code in a header, since several codes share a status, and the field that was wrong in another. */
function errorBody(answer: ErrorReply): HttpReply {
  const headers = ['X-Lockstep-Error', answer.code];
  // A name may be the caller's own words: only what a header may hold is told there. The message has it in any case.
  if (answer.field !== undefined && /^[\u0021-\u007e]{1,256}$/.test(answer.field))
    headers.push('X-Lockstep-Field', answer.field);
  if (answer.retryAfterSeconds !== undefined) headers.push('Retry-After', String(Math.ceil(answer.retryAfterSeconds)));
  const status = errorTable[answer.code].http;
  if (answer.body === undefined) return json(status, { errors: answer.messages }, headers);
  // A deleted secret's 404: clients parse it as an answer whose `data` has the metadata.
  const envelope = envelopeOf({ kind: 'reply', requestId: '', reply: { data: answer.body } });
  return json(status, answer.messages.length === 0 ? envelope : { ...envelope, errors: answer.messages }, headers);
}

/** Vault's "injectDataIntoTopRoutes". */
function repeatsDataAtTop(path: string): boolean {
  return (
    path.startsWith('sys/') &&
    /^sys\/(?:audit|audit\/.*|audit-hash\/.*|auth|auth\/.*|config\/cors|config\/auditing\/request-headers|config\/auditing\/request-headers\/.*|capabilities|capabilities-self|capabilities-accessor|ha-status|key-status|mounts|mounts\/.*|policy|policy\/.*|rekey\/backup|rekey\/recovery-key-backup|rotate|rotate\/.*|remount|wrapping\/wrap)$/.test(
      path,
    )
  );
}
