import type { AuthReply, Call } from '@lockstep/contract/engine';
import type { JsonObject } from '@lockstep/contract/json';
import type { IssuedToken } from './facts.ts';
import type { Ttl } from './ttl.ts';
import { hasLivingParent, type Token, usesLeft } from './lookup.ts';

export function authReply(
  token: IssuedToken,
  given: { readonly token: string; readonly ttlSeconds: number; readonly isOrphan: boolean },
): AuthReply {
  return {
    clientToken: given.token,
    accessor: token.accessor,
    policies: token.policies,
    metadata: metadataOf(token),
    leaseDurationSeconds: given.ttlSeconds,
    isRenewable: token.isRenewable,
    isOrphan: given.isOrphan,
    tokenType: 'service',
    numUses: token.numUses,
  };
}

/** The part of a reply that warns; nothing where there is nothing to warn of, since clients tell null from an empty list. */
export function warningsOf(ttl: Ttl | undefined): { readonly warnings?: readonly string[] } {
  return ttl === undefined || ttl.warnings.length === 0 ? {} : { warnings: ttl.warnings };
}

/** The answer to a lookup, in Vault's shape. `shownToken` is empty where the caller named an accessor. */
export function lookupReply(call: Call, token: Token, shownToken: string): JsonObject {
  const hasEnd = token.expiresMs > 0;
  return {
    accessor: token.accessor,
    creation_time: Math.floor(token.createdMs / 1000),
    creation_ttl: token.ttlSeconds,
    display_name: token.displayName,
    entity_id: '',
    expire_time: hasEnd ? rfc3339(token.expiresMs) : null,
    explicit_max_ttl: token.explicitMaxTtlSeconds,
    id: shownToken,
    ...(hasEnd ? { issue_time: rfc3339(token.createdMs) } : {}),
    ...(token.renewedMs > 0
      ? { last_renewal: rfc3339(token.renewedMs), last_renewal_time: Math.floor(token.renewedMs / 1000) }
      : {}),
    meta: token.meta.length === 0 ? null : metadataOf(token),
    num_uses: usesLeft(call.state, token),
    orphan: !hasLivingParent(call.state, token),
    path: token.path,
    ...(token.periodSeconds > 0 ? { period: token.periodSeconds } : {}),
    policies: token.policies,
    renewable: token.isRenewable,
    ttl: hasEnd ? Math.floor((token.expiresMs - call.now) / 1000) : 0,
    type: 'service',
  };
}

function metadataOf(token: IssuedToken): { readonly [key: string]: string } {
  return Object.fromEntries(token.meta.map(({ key, value }) => [key, value]));
}

function rfc3339(ms: number): string {
  return new Date(ms).toISOString();
}
