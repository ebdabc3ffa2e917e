import type { Json, JsonObject } from '@lockstep/contract/json';
import type { Fingerprints } from './fingerprint.ts';

/** Who asked, as far as it is known. */
export interface AuditedCaller {
  readonly accessor: string;
  readonly displayName: string;
  readonly policies: readonly string[];
}

/** What was asked. `data` holds values, which the entry shows as fingerprints only. */
export interface AuditedRequest {
  readonly id: string;
  readonly operation: string;
  readonly path: string;
  readonly data: JsonObject;
  readonly remoteAddress: string;
  readonly door: string;
  /** The token as presented. */
  readonly token: Buffer | undefined;
  readonly mount: { readonly type: string; readonly point: string } | undefined;
}

/** What was answered. */
export type AuditedResponse =
  | {
      readonly kind: 'answered';
      readonly data: JsonObject | undefined;
      readonly auth: { readonly accessor: string; readonly clientToken: string } | undefined;
    }
  /** `error` is the refusal's code and message, which hold no secret. */
  | { readonly kind: 'refused'; readonly error: string };

/** Vault's words for operations, which its audit tools know. */
const operations: { readonly [operation: string]: string } = { write: 'update' };

/** The `auth` and `request` members, as JSON text without the braces: both lines of a request begin with it. */
export function requestPart(
  fingerprints: Fingerprints,
  request: AuditedRequest,
  caller: AuditedCaller | undefined,
): string {
  const token = request.token === undefined ? undefined : fingerprints.of(request.token.toString('latin1'));
  const auth: Json =
    caller === undefined
      ? {}
      : {
          accessor: fingerprints.of(caller.accessor),
          client_token: token,
          display_name: caller.displayName,
          policies: caller.policies,
          token_type: 'service',
        };
  const asked: Json = {
    id: request.id,
    operation: operations[request.operation] ?? request.operation,
    ...(request.mount === undefined ? {} : { mount_type: request.mount.type, mount_point: request.mount.point }),
    client_token: token,
    namespace: { id: 'root' },
    path: request.path,
    data: fingerprints.redact(request.data),
    remote_address: request.remoteAddress,
    door: request.door,
  };
  return `"auth":${JSON.stringify(auth)},"request":${JSON.stringify(asked)}`;
}

/** The `response` or `error` member, as JSON text without the braces. */
export function responsePart(fingerprints: Fingerprints, response: AuditedResponse): string {
  if (response.kind === 'refused') return `"error":${JSON.stringify(response.error)}`;
  const auth =
    response.auth === undefined
      ? undefined
      : {
          accessor: fingerprints.of(response.auth.accessor),
          client_token: fingerprints.ofOnce(response.auth.clientToken),
        };
  return `"response":${JSON.stringify({ ...(auth === undefined ? {} : { auth }), ...(response.data === undefined ? {} : { data: fingerprints.redact(response.data) }) })}`;
}
