import type { Decision } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import type { TokenFact } from './facts.ts';
import type { Token } from './lookup.ts';

/** Ends a token and all its descendants at once, on every node, or with `releasesChildren` the token alone. */
export function revokeToken(
  token: Token | undefined,
  how: { readonly releasesChildren: boolean },
): Decision<TokenFact> {
  if (token === undefined) throw new LockstepError('invalid-input', 'token to revoke not found');
  return { facts: [{ type: 'tokenRevoked', id: token.id, releasesChildren: how.releasesChildren }], reply: {} };
}
