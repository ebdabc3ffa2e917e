import { type Expect, unchanged } from '@lockstep/contract/engine';
import type { ReadableState } from '@lockstep/contract/state';
import { tokenFacts } from './facts.ts';
import { duePrefix, timeOfDue, tokenKey } from './keys.ts';

/** What the sweeper records to forget tokens that have expired. */
export interface ExpiredTokens {
  readonly facts: readonly Buffer[];
  /** Each token is as it was when it was found expired. */
  readonly expects: readonly Expect[];
}

/**
 * At most `limit` tokens that were dead by their expiry at `nowMs`. Nothing changes for their holders: what has expired is refused
 * already, and so are its descendants. A child that its parent outlives is swept at its own expiry.
 */
export async function expiredTokens(state: ReadableState, nowMs: number, limit: number): Promise<ExpiredTokens> {
  const keys = await state.keys({ prefix: duePrefix, limit });
  const ids = keys.filter((key) => timeOfDue(key) <= nowMs).map((key) => key.slice(key.lastIndexOf('/') + 1));
  return {
    facts: ids.map((id) => tokenFacts.encode({ type: 'tokenRevoked', id, releasesChildren: false })),
    expects: ids.map((id) => unchanged(state, tokenKey(id))),
  };
}
