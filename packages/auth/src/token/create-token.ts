import type { Call, Decision } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import type { FieldValues } from '@lockstep/contract/fields';
import { Secret } from '@lockstep/contract/secret';
import type { createFields } from './create-fields.ts';
import { drawAccessor, drawToken } from './draw-token.ts';
import type { IssuedToken, MetaPair, TokenFact } from './facts.ts';
import { tokenKey } from './keys.ts';
import { ancestorsMax, displayNameLengthMax, metaKeyLengthMax, metaKeysMax, metaValueLengthMax } from './limits.ts';
import type { Token } from './lookup.ts';
import { requireCaller } from './require-token.ts';
import { authReply, warningsOf } from './replies.ts';
import { readSalt, tokenId } from './token-id.ts';
import { policiesOfNew } from './token-policies.ts';
import { grantTtl, type Ttl } from './ttl.ts';

type CreateRequest = FieldValues<typeof createFields>;

/**
 * Issues a token below the caller's own, or an orphan. `hasSudo` says that the route demanded the capability sudo: then, as for root, id,
 * period and policies beyond the caller's may be given.
 */
export function createToken(
  call: Call,
  request: CreateRequest,
  as: { readonly hasSudo: boolean; readonly path: string },
): Decision<TokenFact> {
  const parent = requireCaller(call);
  const isPrivileged = as.hasSudo || parent.policies.includes('root');
  refuseUnsupported(request);
  if (parent.numUses > 0) throw new LockstepError('invalid-input', 'restricted use token cannot generate child tokens');
  refuseUnprivileged(request, isPrivileged);
  const policies = policiesOfNew(parent, {
    policies: request.policies,
    wantsDefault: !request.no_default_policy,
    maySurpass: as.hasSudo,
  });
  const token = request.id === '' ? drawToken(call.random) : chosenToken(request.id);
  const id = tokenId(readSalt(call.state), token);
  const ttl = isEternal({ request, parent, policies }) ? undefined : ttlOfNew(call, request);
  const issued: IssuedToken = {
    id,
    accessor: drawAccessor(call.random),
    policies,
    displayName: displayName(request.display_name),
    meta: metaPairs(request.meta),
    createdMs: call.now,
    expiresMs: ttl === undefined ? 0 : call.now + ttl.seconds * 1000,
    ttlSeconds: ttl?.seconds ?? 0,
    explicitMaxTtlSeconds: request.explicit_max_ttl,
    periodSeconds: request.period,
    numUses: request.num_uses,
    isRenewable: request.renewable && ttl !== undefined,
    path: as.path,
    ...ancestry(parent, as.hasSudo || request.no_parent),
  };
  const superseded = supersededIds(call);
  requireFree(call, { id, superseded });
  return {
    facts: [
      ...superseded.map((old): TokenFact => ({ type: 'tokenRevoked', id: old, releasesChildren: false })),
      { type: 'tokenIssued', ...issued },
    ],
    expects: superseded.includes(id) ? [] : [{ kind: 'absent', key: tokenKey(id) }],
    reply: {
      auth: authReply(issued, {
        token: token.revealText(),
        ttlSeconds: issued.ttlSeconds,
        isOrphan: issued.parentId === '',
      }),
      ...warningsOf(ttl),
    },
  };
}

// What would restrict the token or change its kind is never left out silently.
function refuseUnsupported(request: CreateRequest): void {
  if (request.type !== 'service')
    throw new LockstepError('invalid-input', 'type "batch" is not supported yet; use "service"');
  if (request.entity_alias !== '') throw new LockstepError('invalid-input', 'entity_alias is not supported yet');
  if (request.bound_cidrs.length > 0) throw new LockstepError('invalid-input', 'bound_cidrs is not supported yet');
}

function refuseUnprivileged(request: CreateRequest, isPrivileged: boolean): void {
  if (isPrivileged) return;
  if (request.id !== '')
    throw new LockstepError('invalid-input', 'root or sudo privileges required to specify token id');
  if (request.no_parent)
    throw new LockstepError('invalid-input', 'root or sudo privileges required to create orphan token');
  if (request.period > 0)
    throw new LockstepError('invalid-input', 'root or sudo privileges required to create periodic token');
}

function chosenToken(id: string): Secret {
  if (!/^[A-Za-z0-9_-]{1,128}$/.test(id))
    throw new LockstepError('invalid-input', 'id must be 1 to 128 letters, digits, "_" and "-"');
  return Secret.fromText(id);
}

function requireFree(call: Call, made: { readonly id: string; readonly superseded: readonly string[] }): void {
  if (call.state.get(tokenKey(made.id)) !== undefined && !made.superseded.includes(made.id))
    throw new LockstepError('invalid-input', 'cannot create a token with a duplicate ID');
}

/** Only a root token may live for ever, and only below one that does. */
function isEternal(made: {
  readonly request: CreateRequest;
  readonly parent: Token;
  readonly policies: readonly string[];
}): boolean {
  const { request, parent, policies } = made;
  if (!policies.includes('root') || request.ttl > 0 || request.period > 0 || request.explicit_max_ttl > 0) return false;
  if (parent.expiresMs > 0)
    throw new LockstepError('invalid-input', 'expiring root tokens cannot create non-expiring root tokens');
  return true;
}

function ttlOfNew(call: Call, request: CreateRequest): Ttl {
  const ttl = grantTtl(call.mount, {
    ttlSeconds: request.ttl,
    periodSeconds: request.period,
    explicitMaxTtlSeconds: request.explicit_max_ttl,
    ageSeconds: 0,
  });
  if (ttl.seconds === 0) throw new LockstepError('failed-precondition', 'the mount allows tokens no time to live');
  return ttl;
}

function ancestry(parent: Token, isOrphan: boolean): Pick<IssuedToken, 'parentId' | 'parentAccessor' | 'depth'> {
  if (isOrphan) return { parentId: '', parentAccessor: '', depth: 0 };
  if (parent.depth >= ancestorsMax)
    throw new LockstepError(
      'failed-precondition',
      `this token has ${ancestorsMax} ancestors, which is the most; create an orphan instead`,
    );
  return { parentId: parent.id, parentAccessor: parent.accessor, depth: parent.depth + 1 };
}

function displayName(given: string): string {
  return given === '' ? 'token' : `token-${given.replaceAll(/[^A-Za-z0-9-]+/g, '-')}`.slice(0, displayNameLengthMax);
}

function metaPairs(meta: { readonly [key: string]: string }): readonly MetaPair[] {
  const pairs = Object.entries(meta).map(([key, value]) => ({ key, value }));
  if (pairs.length > metaKeysMax)
    throw new LockstepError('invalid-input', `meta must have at most ${metaKeysMax} keys`);
  for (const { key, value } of pairs) {
    if (key === '' || key.length > metaKeyLengthMax)
      throw new LockstepError('invalid-input', `meta: each key must be 1 to ${metaKeyLengthMax} characters long`);
    if (value.length > metaValueLengthMax)
      throw new LockstepError(
        'invalid-input',
        `meta: each value must be at most ${metaValueLengthMax} characters long`,
      );
  }
  return pairs.sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** The tokens that the first request with this idempotency key issued. */
function supersededIds(call: Call): readonly string[] {
  return (call.supersedes ?? []).map((result) => result?.['issuedTokenId']).filter((id) => typeof id === 'string');
}
