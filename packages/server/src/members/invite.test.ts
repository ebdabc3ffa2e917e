import type { StoredInvite } from '@lockstep/engine-system/stored-invites';
import { expect, test } from 'vitest';
import { invitesToForget } from './invite.ts';
import { invitesKept } from './limits.ts';

const nowMs = 1_000;

function made(id: number, of: { readonly isUsed?: boolean; readonly expiresMs: number }): StoredInvite {
  const use = of.isUsed === true ? { node: 7, pin: 'ab' } : undefined;
  const key = Buffer.alloc(32);
  return { id: String(id), key, note: '', isVoter: true, createdMs: 0, expiresMs: of.expiresMs, use };
}

test('as many invitations are kept as may be, with the one to come; the earliest that is used or over goes first', () => {
  const over = Array.from({ length: invitesKept - 2 }, (_, at) => made(at, { expiresMs: nowMs - at }));
  const open = made(1_000, { expiresMs: nowMs + 1 });
  expect(invitesToForget([open, ...over], nowMs)).toEqual([]);
  expect(invitesToForget([open, ...over, made(2_000, { isUsed: true, expiresMs: nowMs + 9 })], nowMs)).toEqual([
    String(invitesKept - 3),
  ]);
});

test('an invitation that somebody may still join with is never forgotten', () => {
  const open = Array.from({ length: invitesKept + 3 }, (_, at) => made(at, { expiresMs: nowMs + 1 }));
  expect(invitesToForget(open, nowMs)).toEqual([]);
});
