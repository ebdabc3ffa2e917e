import type { Call } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import { Secret } from '@lockstep/contract/secret';
import { accessorKey } from './keys.ts';
import { lookupToken, type Token } from './lookup.ts';
import { readSalt, tokenId } from './token-id.ts';

/** The token that asks. */
export function requireCaller(call: Call): Token {
  const found = call.caller === undefined ? undefined : lookupToken(call.state, call.caller.tokenId, call.now);
  if (found?.kind !== 'alive') throw new LockstepError('denied', 'permission denied');
  return found.token;
}

/** The token that a request names in its field `token`; what a dead or unknown one is answered with is the operation's own. */
export function findNamed(call: Call, named: string): Token | undefined {
  if (named === '') throw new LockstepError('invalid-input', 'missing token ID');
  const found = lookupToken(call.state, tokenId(readSalt(call.state), Secret.fromText(named)), call.now);
  return found.kind === 'alive' ? found.token : undefined;
}

/** The token of an accessor; throws what Vault's clients look for when there is none alive. */
export function requireByAccessor(call: Call, accessor: string): Token {
  if (accessor === '') throw new LockstepError('invalid-input', 'missing accessor');
  const id = call.state.get(accessorKey(accessor));
  const found = id === undefined ? undefined : lookupToken(call.state, Buffer.from(id).toString('utf8'), call.now);
  if (found?.kind !== 'alive') throw new LockstepError('invalid-input', 'invalid accessor');
  return found.token;
}

/** The caller's own token as text, for replies that repeat it. */
export function ownToken(call: Call): string {
  return call.presentedToken?.revealText() ?? '';
}
