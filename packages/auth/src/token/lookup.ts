import { readCounter } from '@lockstep/contract/counter';
import type { Expect } from '@lockstep/contract/engine';
import type { Secret } from '@lockstep/contract/secret';
import { memoise, type ReadableState } from '@lockstep/contract/state';
import { tokenFacts } from './facts.ts';
import { saltKey, tokenKey, usesKey } from './keys.ts';
import { ancestorsMax, tokenLengthMax } from './limits.ts';
import { tokenId } from './token-id.ts';
import { decodeTokenRecord, type TokenRecord } from './token-record.ts';

/** A token that was found alive. `id` is its keyed hash; the token itself is nowhere. */
export type Token = TokenRecord;

export type TokenLookup =
  | { readonly kind: 'alive'; readonly token: Token }
  /** `ancestor`: one of those that it descends from has expired, was used up or revoked. */
  | { readonly kind: 'refused'; readonly reason: 'unknown' | 'expired' | 'used-up' | 'ancestor' };

type TokenState = Pick<ReadableState, 'get'>;

/** The token that was presented, if it is alive at `nowMs`. Callers are told nothing but that it isn't. */
export function authenticate(state: TokenState, presented: Secret, nowMs: number): Token | undefined {
  const salt = state.get(saltKey);
  const bytes = presented.reveal();
  if (salt === undefined || bytes.length === 0 || bytes.length > tokenLengthMax) return undefined;
  const found = lookupToken(state, tokenId(salt, presented), nowMs);
  return found.kind === 'alive' ? found.token : undefined;
}

/** Whether the token and everything that it descends from are alive at `nowMs`. Reads points only, so apply may ask it too. */
export function isTokenAlive(state: TokenState, id: string, nowMs: number): boolean {
  return lookupToken(state, id, nowMs).kind === 'alive';
}

/**
 * Looks a token up by its id. It is alive while it hasn't expired, has uses left, and so are its parent and all before it, up to an
 * orphan or to a parent that was revoked alone (`revoke-orphan`).
 */
export function lookupToken(state: TokenState, id: string, nowMs: number): TokenLookup {
  const token = readRecord(state, id);
  if (token === undefined || token.isReleased) return { kind: 'refused', reason: 'unknown' };
  const ended = endOf(state, token, nowMs);
  if (ended !== undefined) return { kind: 'refused', reason: ended };
  let child = token;
  for (let generation = 0; child.parentId !== ''; generation++) {
    const parent = readRecord(state, child.parentId);
    const isGone = parent === undefined || parent.accessor !== child.parentAccessor || generation >= ancestorsMax;
    if (isGone || (!parent.isReleased && endOf(state, parent, nowMs) !== undefined))
      return { kind: 'refused', reason: 'ancestor' };
    if (parent.isReleased) break;
    child = parent;
  }
  return { kind: 'alive', token };
}

function endOf(state: TokenState, token: Token, nowMs: number): 'expired' | 'used-up' | undefined {
  if (token.expiresMs > 0 && nowMs >= token.expiresMs) return 'expired';
  return token.numUses > 0 && usesLeft(state, token) === 0 ? 'used-up' : undefined;
}

const decodeRecord = memoise(decodeTokenRecord);

function readRecord(state: TokenState, id: string): TokenRecord | undefined {
  const bytes = state.get(tokenKey(id));
  return bytes === undefined ? undefined : decodeRecord(bytes);
}

/** Uses that are left; 0 also for a token that counts none (see `numUses`). */
export function usesLeft(state: TokenState, token: Token): number {
  return Math.max(0, token.numUses - readCounter(state.get(usesKey(token.id))));
}

/**
 * What a request made with this token must record before it is answered, even if it records nothing else; undefined for a token with
 * unlimited uses. Two requests can't spend the same use: the second finds the counter at its limit.
 */
export function useOf(token: Token): { readonly fact: Buffer; readonly expect: Expect } | undefined {
  if (token.numUses === 0) return undefined;
  return {
    fact: tokenFacts.encode({ type: 'tokenUsed', id: token.id }),
    expect: { kind: 'below', key: usesKey(token.id), limit: token.numUses },
  };
}

/** Whether an alive token ends with another one: not an orphan, nor a child that `revoke-orphan` left behind. */
export function hasLivingParent(state: TokenState, token: Token): boolean {
  return token.parentId !== '' && readRecord(state, token.parentId)?.isReleased === false;
}
