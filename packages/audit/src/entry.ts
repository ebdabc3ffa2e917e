import type { AuthReply, Caller, Operation } from '@lockstep/contract/engine';
import { type NamespaceId, rootNamespace } from '@lockstep/contract/ids';
import type { JsonObject } from '@lockstep/contract/json';
import { auditedData } from './audited-data.ts';
import type { Fingerprints } from './fingerprint.ts';

// The members of an audit line in the shape that Vault's tools read. Plain: operation, path, ids, policies, display name,
// addresses, names of fields, numbers, booleans, error texts (which hold no secret). Fingerprinted: tokens, accessors, and every
// string in the data of request and answer.

export interface AuditedRequest {
  readonly id: string;
  /** `unknown` where a door could not make one of the request. */
  readonly operation: Operation | 'unknown';
  readonly path: string;
  readonly data: JsonObject | undefined;
  readonly remoteAddress: string;
  readonly door: string;
  /** The token as it came, valid or not. */
  readonly token: Uint8Array | undefined;
  /** Undefined where no mount was found. */
  readonly mount: { readonly type: string; readonly point: string } | undefined;
  /** `root` unless said otherwise. */
  readonly namespace?: NamespaceId;
}

/** Who asked, once the token was looked up. */
export type AuditedCaller = Pick<Caller, 'accessor' | 'displayName' | 'policies'> & {
  readonly tokenType?: 'service' | 'batch';
};

export type AuditedResponse =
  | { readonly kind: 'answered'; readonly data: JsonObject | undefined; readonly auth: AuthReply | undefined }
  | { readonly kind: 'refused'; readonly error: string };

/**
 * `"auth":{…},"request":{…}`: to be made once for a request and used in both of its lines. Refuses with `too-large` data that is
 * nested too deeply.
 */
export function requestPart(
  fingerprints: Fingerprints,
  request: AuditedRequest,
  caller: AuditedCaller | undefined,
): string {
  const token = request.token === undefined ? undefined : fingerprints.ofBytes(request.token);
  const accessor = caller === undefined ? undefined : fingerprints.ofText(caller.accessor);
  const auth =
    caller === undefined
      ? '{}'
      : JSON.stringify({
          client_token: token,
          accessor,
          display_name: caller.displayName,
          policies: caller.policies,
          token_policies: caller.policies,
          token_type: caller.tokenType,
        });
  const head = JSON.stringify({
    id: request.id,
    operation: operationName(request.operation),
    mount_point: request.mount?.point,
    mount_type: request.mount?.type,
    client_token: token,
    client_token_accessor: accessor,
    namespace: { id: request.namespace ?? rootNamespace },
    path: request.path,
    remote_address: request.remoteAddress,
    door: request.door,
  });
  const data = request.data === undefined ? '' : `,"data":${auditedData(fingerprints, request.data)}`;
  return `"auth":${auth},"request":${head.slice(0, -1)}${data}}`;
}

/** `"response":{…}` or `"error":"…"`. */
export function responsePart(fingerprints: Fingerprints, response: AuditedResponse): string {
  if (response.kind === 'refused') return `"error":${JSON.stringify(response.error)}`;
  const { data, auth } = response;
  const members: string[] = [];
  if (auth !== undefined) members.push(`"auth":${JSON.stringify(auditedAuth(fingerprints, auth))}`);
  if (data !== undefined) members.push(`"data":${auditedData(fingerprints, data)}`);
  return `"response":{${members.join(',')}}`;
}

function auditedAuth(fingerprints: Fingerprints, auth: AuthReply): JsonObject {
  return {
    client_token: fingerprints.ofText(auth.clientToken),
    accessor: fingerprints.ofText(auth.accessor),
    policies: auth.policies,
    token_policies: auth.policies,
    metadata: Object.fromEntries(
      Object.entries(auth.metadata).map(([name, value]) => [name, fingerprints.ofText(value)]),
    ),
    num_uses: auth.numUses,
    token_type: auth.tokenType,
    token_ttl: auth.leaseDurationSeconds,
  };
}

/** Vault's audit knows no `write`: it says `update`, also where a value is new. */
function operationName(operation: AuditedRequest['operation']): string {
  return operation === 'write' ? 'update' : operation;
}
