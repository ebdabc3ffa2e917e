import type { Secret } from '@lockstep/contract/secret';
import { drawAccessor, drawToken } from './draw-token.ts';
import { tokenFacts } from './facts.ts';
import { saltBytes } from './limits.ts';
import { tokenId } from './token-id.ts';

/**
 * A token that may everything and never expires, with the facts that make it one: first the salt, when none was drawn before
 * (`saltKey`). The token is nowhere else: show it once, then wipe it. Only for the initialisation of a cluster.
 */
export function createRootToken(made: {
  readonly random: (size: number) => Buffer;
  readonly nowMs: number;
  readonly salt?: Uint8Array;
}): { readonly token: Secret; readonly facts: readonly Buffer[] } {
  const { random, nowMs } = made;
  const salt = made.salt ?? random(saltBytes);
  const token = drawToken(random);
  const issued = tokenFacts.encode({
    type: 'tokenIssued',
    id: tokenId(salt, token),
    accessor: drawAccessor(random),
    policies: ['root'],
    displayName: 'root',
    meta: [],
    createdMs: nowMs,
    expiresMs: 0,
    ttlSeconds: 0,
    explicitMaxTtlSeconds: 0,
    periodSeconds: 0,
    numUses: 0,
    isRenewable: false,
    path: 'auth/token/root',
    parentId: '',
    parentAccessor: '',
    depth: 0,
  });
  return {
    token,
    facts: made.salt === undefined ? [tokenFacts.encode({ type: 'tokenSaltDrawn', salt }), issued] : [issued],
  };
}
