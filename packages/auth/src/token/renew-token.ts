import { type Call, type Decision, unchanged } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import type { TokenFact } from './facts.ts';
import { tokenKey } from './keys.ts';
import { hasLivingParent, type Token } from './lookup.ts';
import { authReply, warningsOf } from './replies.ts';
import { grantTtl } from './ttl.ts';

/**
 * Gives a token a new time to live from now on: `incrementSeconds`, or what it was issued with, or its period. A renewal and a revocation
 * can't both happen: whichever is ordered second finds the record changed.
 */
export function renewToken(
  call: Call,
  renewed: { readonly token: Token; readonly incrementSeconds: number; readonly shownToken: string },
): Decision<TokenFact> {
  const { token } = renewed;
  if (!token.isRenewable) throw new LockstepError('failed-precondition', 'lease not found or lease is not renewable');
  const ttl = grantTtl(call.mount, {
    ttlSeconds: renewed.incrementSeconds > 0 ? renewed.incrementSeconds : token.ttlSeconds,
    periodSeconds: token.periodSeconds,
    explicitMaxTtlSeconds: token.explicitMaxTtlSeconds,
    ageSeconds: Math.ceil((call.now - token.createdMs) / 1000),
  });
  if (ttl.seconds === 0) throw new LockstepError('failed-precondition', 'past the max TTL, cannot renew');
  return {
    facts: [{ type: 'tokenRenewed', id: token.id, expiresMs: call.now + ttl.seconds * 1000, renewedMs: call.now }],
    expects: [unchanged(call.state, tokenKey(token.id))],
    reply: {
      auth: authReply(token, {
        token: renewed.shownToken,
        ttlSeconds: ttl.seconds,
        isOrphan: !hasLivingParent(call.state, token),
      }),
      ...warningsOf(ttl),
    },
  };
}
