// START HERE: one row for each route. Mounted at auth/token/.
import { type Call, type Decision, defineEngine, type Engine, type Route, routesOf } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import { durationField, integerField, textField } from '@lockstep/contract/fields';
import { apply } from './apply.ts';
import { createFields } from './create-fields.ts';
import { createToken } from './create-token.ts';
import { type TokenFact, tokenFacts } from './facts.ts';
import { listedAccessorsMax, tokenLengthMax } from './limits.ts';
import { listAccessors } from './list-accessors.ts';
import type { Token } from './lookup.ts';
import { renewToken } from './renew-token.ts';
import { lookupReply } from './replies.ts';
import { findNamed, ownToken, requireByAccessor, requireCaller } from './require-token.ts';
import { revokeToken } from './revoke-token.ts';

const token = textField({ description: 'The token', default: '', max: tokenLengthMax });
const accessor = textField({ description: "The token's accessor", default: '', max: tokenLengthMax });
const increment = durationField({ description: 'The time to live asked for', default: 0 });
const route = routesOf<TokenFact>();

function lookup(call: Call, found: Token | undefined, shownToken: string): Decision<TokenFact> {
  if (found === undefined) throw new LockstepError('denied', 'bad token');
  return { reply: { data: lookupReply(call, found, shownToken) } };
}

function requireNamed(call: Call, named: string): Token {
  const found = findNamed(call, named);
  if (found === undefined) throw new LockstepError('denied', 'bad token');
  return found;
}

const creating: readonly Route<TokenFact>[] = [
  route({
    operation: 'write',
    path: 'create',
    summary: "Issue a token that ends with the caller's",
    fields: createFields,
    onRepeat: 'supersede',
    handle: (call, fields) => createToken(call, fields, { hasSudo: false, path: 'auth/token/create' }),
  }),
  route({
    operation: 'write',
    path: 'create-orphan',
    summary: "Issue a token that doesn't end with the caller's",
    fields: createFields,
    needsSudo: true,
    onRepeat: 'supersede',
    handle: (call, fields) => createToken(call, fields, { hasSudo: true, path: 'auth/token/create-orphan' }),
  }),
];

const lookingUp: readonly Route<TokenFact>[] = [
  // Go's client reads it; older ones write.
  ...(['read', 'write'] as const).map((operation) =>
    route({
      operation,
      path: 'lookup-self',
      summary: "Show the caller's token",
      fields: {},
      handle: (call) => lookup(call, requireCaller(call), ownToken(call)),
    }),
  ),
  route({
    operation: 'write',
    path: 'lookup',
    summary: 'Show a token',
    fields: { token },
    handle: (call, fields) =>
      fields.token === ''
        ? lookup(call, requireCaller(call), ownToken(call))
        : lookup(call, findNamed(call, fields.token), fields.token),
  }),
  route({
    operation: 'write',
    path: 'lookup-accessor',
    summary: 'Show the token of an accessor, but not the token itself',
    fields: { accessor },
    handle: (call, fields) => lookup(call, requireByAccessor(call, fields.accessor), ''),
  }),
  route({
    operation: 'list',
    path: 'accessors',
    summary: 'List the accessors of all tokens',
    fields: {
      after: textField({ description: 'Begin behind this accessor', default: '' }),
      limit: integerField({ description: 'At most so many; 0 is all', default: 0, max: listedAccessorsMax }),
    },
    needsSudo: true,
    handle: async (call, fields) => ({ reply: { data: { keys: await listAccessors(call, fields) } } }),
  }),
];

const renewing: readonly Route<TokenFact>[] = [
  route({
    operation: 'write',
    path: 'renew-self',
    summary: "Renew the caller's token",
    fields: { increment },
    onRepeat: 'supersede',
    handle: (call, fields) =>
      renewToken(call, {
        token: requireCaller(call),
        incrementSeconds: fields.increment,
        shownToken: ownToken(call),
      }),
  }),
  route({
    operation: 'write',
    path: 'renew',
    summary: 'Renew a token',
    fields: { token, increment },
    onRepeat: 'supersede',
    handle: (call, fields) =>
      renewToken(call, {
        token: requireNamed(call, fields.token),
        incrementSeconds: fields.increment,
        shownToken: fields.token,
      }),
  }),
  route({
    operation: 'write',
    path: 'renew-accessor',
    summary: 'Renew the token of an accessor',
    fields: { accessor, increment },
    onRepeat: 'supersede',
    handle: (call, fields) =>
      renewToken(call, {
        token: requireByAccessor(call, fields.accessor),
        incrementSeconds: fields.increment,
        shownToken: '',
      }),
  }),
];

const revoking: readonly Route<TokenFact>[] = [
  route({
    operation: 'write',
    path: 'revoke-self',
    summary: "Revoke the caller's token and all that it issued",
    isRelief: true,
    fields: {},
    handle: (call) => revokeToken(requireCaller(call), { releasesChildren: false }),
  }),
  route({
    operation: 'write',
    path: 'revoke',
    summary: 'Revoke a token and all that it issued',
    isRelief: true,
    fields: { token },
    handle: (call, fields) => revokeToken(findNamed(call, fields.token), { releasesChildren: false }),
  }),
  route({
    operation: 'write',
    path: 'revoke-accessor',
    summary: 'Revoke the token of an accessor and all that it issued',
    isRelief: true,
    fields: { accessor },
    handle: (call, fields) => revokeToken(requireByAccessor(call, fields.accessor), { releasesChildren: false }),
  }),
  route({
    operation: 'write',
    path: 'revoke-orphan',
    summary: 'Revoke a token alone; those that it issued become orphans',
    isRelief: true,
    fields: { token },
    needsSudo: true,
    handle: (call, fields) => revokeToken(findNamed(call, fields.token), { releasesChildren: true }),
  }),
];

export const tokenEngine: Engine = defineEngine<TokenFact>({
  kind: 'token',
  description: 'tokens: who asks',
  facts: tokenFacts,
  routes: [...creating, ...lookingUp, ...renewing, ...revoking],
  apply,
});
