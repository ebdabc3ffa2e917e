import { counterValue, readCounter } from '@lockstep/contract/counter';
import type { JsonObject } from '@lockstep/contract/json';
import { emptyValue, type WritableState } from '@lockstep/contract/state';
import type { TokenFact } from './facts.ts';
import { accessorKey, dueKey, saltKey, tokenKey, usesKey } from './keys.ts';
import { decodeTokenRecord, encodeTokenRecord, releasedRecord, type TokenRecord } from './token-record.ts';

/** Returns, for an issued token, what a repeat of the request needs to supersede it. */
export function apply(state: WritableState, fact: TokenFact): JsonObject | undefined {
  switch (fact.type) {
    case 'tokenSaltDrawn':
      // The first one stays: with another, no token would be found again.
      if (state.get(saltKey) === undefined) state.put(saltKey, fact.salt);
      return undefined;
    case 'tokenIssued':
      return issue(state, { ...fact, renewedMs: 0, isReleased: false });
    case 'tokenRenewed':
      return renew(state, fact);
    case 'tokenRevoked':
      return revoke(state, fact);
    case 'tokenUsed':
      return spend(state, fact.id);
    default:
      return fact satisfies never;
  }
}

function issue(state: WritableState, record: TokenRecord): JsonObject {
  state.put(tokenKey(record.id), encodeTokenRecord(record));
  state.put(accessorKey(record.accessor), Buffer.from(record.id));
  if (record.expiresMs > 0) state.put(dueKey(record.expiresMs, record.id), emptyValue);
  return { issuedTokenId: record.id, accessor: record.accessor };
}

function renew(
  state: WritableState,
  renewed: { readonly id: string; readonly expiresMs: number; readonly renewedMs: number },
): undefined {
  const record = aliveRecord(state, renewed.id);
  if (record === undefined) return;
  if (record.expiresMs > 0) state.delete(dueKey(record.expiresMs, record.id));
  state.put(dueKey(renewed.expiresMs, record.id), emptyValue);
  state.put(
    tokenKey(record.id),
    encodeTokenRecord({ ...record, expiresMs: renewed.expiresMs, renewedMs: renewed.renewedMs }),
  );
}

function revoke(state: WritableState, revoked: { readonly id: string; readonly releasesChildren: boolean }): undefined {
  const record = aliveRecord(state, revoked.id);
  if (record === undefined) return;
  state.delete(accessorKey(record.accessor));
  state.delete(usesKey(record.id));
  if (record.expiresMs > 0) state.delete(dueKey(record.expiresMs, record.id));
  // Without its record a token's descendants are dead too: they ask for it. A released one leaves a mark for them, without an end,
  // since theirs has none; it is rare (needs sudo) and small.
  if (revoked.releasesChildren) state.put(tokenKey(record.id), encodeTokenRecord(releasedRecord(record)));
  else state.delete(tokenKey(record.id));
}

function spend(state: WritableState, id: string): undefined {
  // A request that revokes its own token has spent its use on that.
  if (aliveRecord(state, id) === undefined) return;
  const key = usesKey(id);
  // The record stays when the last use is spent: its absence would make the counter read as unused.
  state.put(key, counterValue(readCounter(state.get(key)) + 1));
}

function aliveRecord(state: WritableState, id: string): TokenRecord | undefined {
  const stored = state.get(tokenKey(id));
  const record = stored === undefined ? undefined : decodeTokenRecord(stored);
  return record?.isReleased === true ? undefined : record;
}
