import { type Expect, unchanged } from '@lockstep/contract/engine';
import type { ReadableState } from '@lockstep/contract/state';
import { tokenFacts } from './facts.ts';
import { duePrefix, timeOfDue, tokenKey, tokenPrefix } from './keys.ts';
import { lookupToken } from './lookup.ts';

/** What the sweeper records to forget tokens that have ended, and where it goes on. */
export interface EndedTokens {
  readonly facts: readonly Buffer[];
  /** Each token is as it was when it was found ended. */
  readonly expects: readonly Expect[];
  /** Nothing before this key was left. */
  readonly next: string;
}

interface Stretch {
  readonly nowMs: number;
  /** Where to begin: '' or the `next` of before. */
  readonly from: string;
  readonly limit: number;
}

/**
 * At most `limit` tokens that were dead by their expiry at `nowMs`. Nothing changes for their holders: what has expired is refused
 * already, and so are its descendants. No later token can expire before one that has, so that a next search begins at `next`.
 */
export async function expiredTokens(state: ReadableState, { nowMs, from, limit }: Stretch): Promise<EndedTokens> {
  const keys = await state.keys({ prefix: duePrefix, limit, ...(from === '' ? {} : { from }) });
  const due = keys.filter((key) => timeOfDue(key) <= nowMs);
  const ids = due.map((key) => key.slice(key.lastIndexOf('/') + 1));
  return { ...forgetting(state, ids), next: due.at(-1) ?? from };
}

/**
 * Looks at the next `limit` tokens for those that are dead without an expiry of theirs: one they descend from has ended, or their uses
 * are spent. What has ended so never lives again. After the last token, `next` is ''.
 */
export async function deadTokens(state: ReadableState, { nowMs, from, limit }: Stretch): Promise<EndedTokens> {
  const keys = await state.keys({ prefix: tokenPrefix, limit, ...(from === '' ? {} : { from }) });
  const dead = keys
    .map((key) => key.slice(tokenPrefix.length))
    .filter((id) => {
      const found = lookupToken(state, id, nowMs);
      return found.kind === 'refused' && (found.reason === 'ancestor' || found.reason === 'used-up');
    });
  const last = keys.at(-1);
  return { ...forgetting(state, dead), next: last === undefined || keys.length < limit ? '' : `${last}\0` };
}

function forgetting(state: ReadableState, ids: readonly string[]): Pick<EndedTokens, 'facts' | 'expects'> {
  return {
    facts: ids.map((id) => tokenFacts.encode({ type: 'tokenRevoked', id, releasesChildren: false })),
    expects: ids.map((id) => unchanged(state, tokenKey(id))),
  };
}
