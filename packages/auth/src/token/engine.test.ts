import { createHash, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AuthReply, Caller, Operation, Reply } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import { LogIndex, TimeMs } from '@lockstep/contract/ids';
import { MemoryState } from '@lockstep/contract/memory-state';
import { Secret } from '@lockstep/contract/secret';
import { holds, type TriedEngine, tryEngine } from '@lockstep/contract/try-engine';
import { createRootToken } from './create-root-token.ts';
import { tokenEngine } from './engine.ts';
import { deadTokens, expiredTokens } from './ended-tokens.ts';
import { type TokenFact, tokenFacts } from './facts.ts';
import { saltKey } from './keys.ts';
import { ancestorsMax, metaKeysMax, policiesPerTokenMax, tokenLengthMax, usesMax } from './limits.ts';
import { authenticate, isTokenAlive, lookupToken, type Token, useOf } from './lookup.ts';
import { tokenId } from './token-id.ts';

type Body = { readonly [name: string]: unknown };

/** A token store with its root token, and requests in anybody's name. */
class Store {
  readonly options: { random: (size: number) => Buffer; caller?: Caller; presentedToken?: Secret; mountPath: string } =
    {
      random: randomBytes,
      mountPath: 'auth/token/',
    };
  readonly tried: TriedEngine;
  readonly root: string;

  constructor() {
    this.tried = tryEngine(tokenEngine, this.options);
    const made = createRootToken({ random: randomBytes, nowMs: this.tried.nowMs() });
    this.tried.record({ facts: made.facts, reply: {} });
    this.root = made.token.revealText();
  }

  find(token: string): Token | undefined {
    return authenticate(this.tried.state.readable, Secret.fromText(token), this.tried.nowMs());
  }

  become(token: string): void {
    const found = this.find(token);
    if (found === undefined) throw new LockstepError('denied', 'permission denied');
    this.options.caller = {
      tokenId: found.id,
      accessor: found.accessor,
      displayName: found.displayName,
      policies: found.policies,
      isRoot: found.policies.includes('root'),
      mayUseBelow: () => true,
    };
    this.options.presentedToken = Secret.fromText(token);
  }

  async as(token: string, operation: Operation, path: string, body: Body = {}): Promise<Reply> {
    this.become(token);
    return await this.tried.request(operation, path, body);
  }

  async create(token: string, body: Body = {}, path = 'create'): Promise<AuthReply> {
    const { auth } = await this.as(token, 'write', path, body);
    if (auth === undefined) throw new Error('no auth in the reply');
    return auth;
  }

  async refusal(token: string, operation: Operation, path: string, body: Body = {}): Promise<string> {
    try {
      await this.as(token, operation, path, body);
    } catch (error) {
      if (error instanceof LockstepError) return `${error.code}: ${error.message}`;
      throw error;
    }
    return 'no refusal';
  }
}

async function withUser(body: Body = { policies: ['web', 'db'] }): Promise<{ store: Store; user: string }> {
  const store = new Store();
  return { store, user: (await store.create(store.root, body)).clientToken };
}

describe('create refuses', () => {
  it.each<[Body, string]>([
    [{ policies: ['admin'] }, 'invalid-input: child policies must be subset of parent'],
    [{ policies: ['web', 'root'] }, 'invalid-input: child policies must be subset of parent'],
    [{ policies: 'web,admin' }, 'invalid-input: child policies must be subset of parent'],
    [{ policies: ['Root'] }, 'invalid-input: policies: each name must be lower-case'],
    [{ policies: ['ｒoot'] }, 'invalid-input: policies: each name must be lower-case'],
    [{ policies: ['root\u0000'] }, 'invalid-input: policies must not contain a NUL'],
    [{ policies: 5 }, 'invalid-input: policies must be a list'],
    [{ id: 'mine' }, 'invalid-input: root or sudo privileges required to specify token id'],
    [{ no_parent: true }, 'invalid-input: root or sudo privileges required to create orphan token'],
    [{ period: '1h' }, 'invalid-input: root or sudo privileges required to create periodic token'],
    [{ type: 'batch' }, 'invalid-input: type "batch" is not supported yet'],
    [{ type: 'other' }, 'invalid-input: type must be one of service, batch'],
    [{ entity_alias: 'me' }, 'invalid-input: entity_alias is not supported yet'],
    [{ bound_cidrs: '10.0.0.0/8' }, 'invalid-input: bound_cidrs is not supported yet'],
    [{ ttl: '-1s' }, 'invalid-input: ttl must not be negative'],
    [{ ttl: '99999999999h' }, 'invalid-input: ttl is longer than'],
    [{ num_uses: -1 }, 'invalid-input: num_uses must be from 0'],
    [{ num_uses: 1.5 }, 'invalid-input: num_uses must be a whole number'],
    [{ num_uses: usesMax + 1 }, 'invalid-input: num_uses must be from 0'],
    [{ meta: { k: 'v'.repeat(513) } }, 'invalid-input: meta: each value must be at most 512'],
    [{ meta: { ['k'.repeat(129)]: 'v' } }, 'invalid-input: meta: each key must be 1 to 128'],
  ])('%j', async (body, message) => {
    const { store, user } = await withUser();
    expect(await store.refusal(user, 'write', 'create', body)).toContain(message);
  });

  it('root from one that has sudo but is not root', async () => {
    const { store, user } = await withUser();
    expect(await store.refusal(user, 'write', 'create-orphan', { policies: ['root'] })).toBe(
      'invalid-input: root tokens may not be created without parent token being root',
    );
  });

  it('children of a token with counted uses', async () => {
    const { store, user } = await withUser({ policies: ['web'], num_uses: 5 });
    expect(await store.refusal(user, 'write', 'create')).toBe(
      'invalid-input: restricted use token cannot generate child tokens',
    );
  });

  it('an eternal root below one that ends', async () => {
    const { store, user } = await withUser({ policies: ['root'], ttl: '1h' });
    expect(await store.refusal(user, 'write', 'create')).toBe(
      'invalid-input: expiring root tokens cannot create non-expiring root tokens',
    );
  });

  it('a chosen id that exists, and one that is none', async () => {
    const store = new Store();
    expect((await store.create(store.root, { id: 'chosen' })).clientToken).toBe('chosen');
    expect(await store.refusal(store.root, 'write', 'create', { id: 'chosen' })).toBe(
      'invalid-input: cannot create a token with a duplicate ID',
    );
    for (const id of ['a b', 'a.b', 'é', 'x'.repeat(129)])
      expect(await store.refusal(store.root, 'write', 'create', { id })).toContain('invalid-input: id must be');
  });

  it('more policies, metadata or ancestors than there may be, and not as many', async () => {
    const store = new Store();
    const policies = (count: number): string[] => Array.from({ length: count }, (_, i) => `p${i}`);
    const meta = (count: number): Body => Object.fromEntries(policies(count).map((key) => [key, 'v']));
    const bare = { no_default_policy: true };
    expect(
      await store.refusal(store.root, 'write', 'create', { ...bare, policies: policies(policiesPerTokenMax) }),
    ).toBe('no refusal');
    expect(
      await store.refusal(store.root, 'write', 'create', { ...bare, policies: policies(policiesPerTokenMax + 1) }),
    ).toContain('at most 64');
    expect(await store.refusal(store.root, 'write', 'create', { meta: meta(metaKeysMax) })).toBe('no refusal');
    expect(await store.refusal(store.root, 'write', 'create', { meta: meta(metaKeysMax + 1) })).toContain(
      'at most 64 keys',
    );
    let last = store.root;
    for (let i = 0; i < ancestorsMax; i++) last = (await store.create(last, { policies: ['web'] })).clientToken;
    expect(store.find(last)?.depth).toBe(ancestorsMax);
    expect(await store.refusal(last, 'write', 'create')).toContain('failed-precondition: this token has 16 ancestors');
  });
});

describe('create', () => {
  it("gives a drawn token with the asked policies and default, in the form that Vault's clients know", async () => {
    const store = new Store();
    const auth = await store.create(store.root, {
      policies: ['web', 'db', 'web'],
      meta: { team: 'a' },
      display_name: 'my app!',
      ttl: '1h',
    });
    expect(auth.clientToken).toMatch(/^hvs\.[A-Za-z0-9_-]{32}$/);
    expect(auth).toMatchObject({
      policies: ['db', 'default', 'web'],
      metadata: { team: 'a' },
      leaseDurationSeconds: 3600,
      isRenewable: true,
      isOrphan: false,
      numUses: 0,
    });
    expect(store.find(auth.clientToken)?.displayName).toBe('token-my-app-');
  });

  it("takes the caller's policies when none are given, and never adds a default that the caller lacks", async () => {
    const { store, user } = await withUser();
    expect((await store.create(user)).policies).toEqual(['db', 'default', 'web']);
    const bare = (await store.create(user, { policies: ['web'], no_default_policy: true })).clientToken;
    expect(store.find(bare)?.policies).toEqual(['web']);
    expect((await store.create(bare)).policies).toEqual(['web']);
    expect((await store.create(store.root)).policies).toEqual(['root']);
  });

  // NT-052: what is asked, what the mount allows (768 h), what the token itself allows.
  it.each<[Body, number, number]>([
    [{}, 768 * 3600, 0],
    [{ ttl: '2h' }, 7200, 0],
    [{ ttl: 2_147_484 }, 2_147_484, 0],
    [{ ttl: '1000h' }, 768 * 3600, 1],
    [{ explicit_max_ttl: '1h' }, 3600, 0],
    [{ ttl: '2h', explicit_max_ttl: '1h' }, 3600, 1],
    [{ period: '10m' }, 600, 0],
    [{ period: '10m', ttl: '5h' }, 600, 0],
    [{ period: '10m', explicit_max_ttl: '5m' }, 300, 1],
  ])('%j lives %d s with %d warnings', async (body, seconds, warnings) => {
    const store = new Store();
    const reply = await store.as(store.root, 'write', 'create', { policies: ['web'], ...body });
    expect(reply.auth?.leaseDurationSeconds).toBe(seconds);
    expect(reply.warnings?.length ?? 0).toBe(warnings);
    const token = reply.auth?.clientToken ?? '';
    store.tried.advance(seconds * 1000 - 1);
    expect(store.find(token)).toBeDefined();
    store.tried.advance(1);
    expect(store.find(token)).toBeUndefined();
  });

  it('a repeat supersedes: the first token is dead once the second lives', async () => {
    const store = new Store();
    const first = (await store.create(store.root)).clientToken;
    store.become(store.root);
    const id = store.find(first)?.id ?? '';
    const route = tokenEngine.routes.find((row) => row.path === 'create');
    expect(route?.onRepeat).toBe('supersede');
    const salt = store.tried.state.readable.get(saltKey) ?? new Uint8Array();
    const again = await route?.handle(
      {
        ...callOf(store),
        supersedes: [{ issuedTokenId: id, accessor: 'x' }, undefined],
      },
      Object.fromEntries(Object.entries(route.fields).map(([name, spec]) => [name, spec.initial])) as never,
    );
    if (again === undefined || typeof again.reply === 'function') throw new Error('no reply');
    expect(store.tried.record(again).kind).toBe('applied');
    expect(store.find(first)).toBeUndefined();
    expect(store.find(again.reply.auth?.clientToken ?? '')?.id).toBe(
      tokenId(salt, Secret.fromText(again.reply.auth?.clientToken ?? '')),
    );
  });
});

function callOf(store: Store): Parameters<(typeof tokenEngine.routes)[number]['handle']>[0] {
  return {
    state: store.tried.state.readable,
    now: TimeMs(store.tried.nowMs()),
    random: randomBytes,
    mount: {
      id: 'token' as never,
      namespace: 'root' as never,
      path: 'auth/token/',
      options: {},
      defaultLeaseTtlSeconds: 3600,
      maxLeaseTtlSeconds: 3600,
    },
    caller: store.options.caller,
    presentedToken: undefined,
    factVersion: 1,
    supersedes: undefined,
    offload: () => Promise.reject(new Error('nothing to offload')),
  };
}

describe('lookup', () => {
  it('refuses what is no living token, and says no more', async () => {
    const { store, user } = await withUser();
    const accessor = store.find(user)?.accessor ?? '';
    expect(await store.refusal(store.root, 'write', 'lookup', { token: 'hvs.nothing' })).toBe('denied: bad token');
    expect(await store.refusal(store.root, 'write', 'lookup', { token: accessor })).toBe('denied: bad token');
    expect(await store.refusal(store.root, 'write', 'lookup-accessor', { accessor: 'nothing' })).toBe(
      'invalid-input: invalid accessor',
    );
    expect(await store.refusal(store.root, 'write', 'lookup-accessor', { accessor: user })).toBe(
      'invalid-input: invalid accessor',
    );
    expect(await store.refusal(store.root, 'write', 'lookup-accessor')).toBe('invalid-input: missing accessor');
    expect(await store.refusal(store.root, 'write', 'lookup', { token: 'x'.repeat(tokenLengthMax + 1) })).toContain(
      'invalid-input: token must be',
    );
    expect(store.find(accessor)).toBeUndefined();
    expect(store.find('')).toBeUndefined();
    expect(store.find('x'.repeat(tokenLengthMax + 1))).toBeUndefined();
    expect(store.find(` ${user}`)).toBeUndefined();
    expect(store.find(user.toUpperCase())).toBeUndefined();
  });

  it("answers in Vault's shape", async () => {
    const { store, user } = await withUser({ policies: ['web'], ttl: '1h', period: '30m', meta: { a: 'b' } });
    store.tried.advance(1500);
    const { data } = await store.as(store.root, 'write', 'lookup', { token: user });
    expect(data).toEqual({
      accessor: store.find(user)?.accessor,
      creation_time: Date.UTC(2026, 0, 1) / 1000,
      creation_ttl: 1800,
      display_name: 'token',
      entity_id: '',
      expire_time: '2026-01-01T00:30:00.000Z',
      explicit_max_ttl: 0,
      id: user,
      issue_time: '2026-01-01T00:00:00.000Z',
      meta: { a: 'b' },
      num_uses: 0,
      orphan: false,
      path: 'auth/token/create',
      period: 1800,
      policies: ['default', 'web'],
      renewable: true,
      ttl: 1798,
      type: 'service',
    });
    const root = await store.as(store.root, 'read', 'lookup-self');
    expect(root.data).toMatchObject({
      id: store.root,
      expire_time: null,
      ttl: 0,
      renewable: false,
      policies: ['root'],
      orphan: true,
      meta: null,
    });
  });

  it("repeats the caller's own token, and no other", async () => {
    const { store, user } = await withUser();
    expect((await store.as(user, 'read', 'lookup-self')).data?.['id']).toBe(user);
    expect((await store.as(user, 'read', 'lookup-self', { token: store.root })).data?.['id']).toBe(user);
    expect((await store.as(user, 'write', 'lookup')).data?.['id']).toBe(user);
    expect((await store.as(user, 'write', 'renew-self')).auth?.clientToken).toBe(user);
  });

  it('lists accessors in pages, and answers not-found behind the last', async () => {
    const store = new Store();
    for (let i = 0; i < 4; i++) await store.create(store.root);
    const { data } = await store.as(store.root, 'list', 'accessors');
    const all = data?.['keys'];
    if (!Array.isArray(all)) throw new Error('no list');
    expect(all).toHaveLength(5);
    const page = await store.as(store.root, 'list', 'accessors', { after: all[1], limit: 2 });
    expect(page.data?.['keys']).toEqual(all.slice(2, 4));
    expect(await store.refusal(store.root, 'list', 'accessors', { after: all[4] })).toBe('not-found: ');
  });

  it('needs sudo where Vault does', () => {
    const sudo = tokenEngine.routes.filter((row) => row.needsSudo).map((row) => row.path);
    expect(sudo).toEqual(['create-orphan', 'accessors', 'revoke-orphan']);
    expect(tokenEngine.routes.filter((row) => row.isPublic)).toEqual([]);
  });
});

describe('renew', () => {
  it('refuses a token that may not be renewed, has no end, or is past its largest', async () => {
    const { store, user } = await withUser({ policies: ['web'], renewable: false });
    const refused = 'failed-precondition: lease not found or lease is not renewable';
    expect(await store.refusal(user, 'write', 'renew-self')).toBe(refused);
    expect(await store.refusal(store.root, 'write', 'renew-self')).toBe(refused);
    expect(await store.refusal(store.root, 'write', 'renew', { token: 'hvs.nothing' })).toBe('denied: bad token');
    const capped = await store.create(store.root, { ttl: '1h', explicit_max_ttl: '1h', policies: ['web'] });
    store.tried.advance(3_599_500);
    expect(await store.refusal(capped.clientToken, 'write', 'renew-self')).toBe(
      'failed-precondition: past the max TTL, cannot renew',
    );
  });

  it('gives the increment, the first ttl or the period anew, up to the maximum', async () => {
    const store = new Store();
    const { clientToken } = await store.create(store.root, { ttl: '1h', explicit_max_ttl: '3h', policies: ['web'] });
    store.tried.advance(1800_000);
    expect((await store.as(clientToken, 'write', 'renew-self')).auth?.leaseDurationSeconds).toBe(3600);
    expect((await store.as(clientToken, 'write', 'renew-self', { increment: '10m' })).auth?.leaseDurationSeconds).toBe(
      600,
    );
    expect((await store.as(clientToken, 'write', 'renew-self', { increment: 99_999 })).auth?.leaseDurationSeconds).toBe(
      9000,
    );
    const periodic = await store.create(store.root, { period: '1h', policies: ['web'] });
    for (let i = 0; i < 1000; i++) {
      store.tried.advance(3_599_000);
      expect(
        (await store.as(periodic.clientToken, 'write', 'renew-self', { increment: 5 })).auth?.leaseDurationSeconds,
      ).toBe(3600);
    }
    store.tried.advance(3600_000);
    expect(await store.refusal(periodic.clientToken, 'write', 'renew-self')).toBe('denied: permission denied');
  });

  // NT-054
  it('decided before a revocation that is ordered first does nothing', async () => {
    const { store, user } = await withUser();
    store.become(user);
    const renewal = await store.tried.decide('write', 'renew-self');
    await store.as(store.root, 'write', 'revoke', { token: user });
    expect(store.tried.record(renewal).kind).toBe('conflict');
    expect(store.find(user)).toBeUndefined();
  });
});

describe('revoke', () => {
  it('refuses what is not there', async () => {
    const store = new Store();
    expect(await store.refusal(store.root, 'write', 'revoke', { token: 'hvs.nothing' })).toBe(
      'invalid-input: token to revoke not found',
    );
    expect(await store.refusal(store.root, 'write', 'revoke')).toBe('invalid-input: missing token ID');
    expect(await store.refusal(store.root, 'write', 'revoke-accessor', { accessor: 'x' })).toBe(
      'invalid-input: invalid accessor',
    );
    expect(await store.refusal(store.root, 'write', 'revoke-orphan', { token: 'x' })).toBe(
      'invalid-input: token to revoke not found',
    );
  });

  it.each([
    ['revoke', 'token'],
    ['revoke-accessor', 'accessor'],
  ] as const)('%s ends a token, its children and their children, but no orphan', async (path, field) => {
    const { store, user } = await withUser();
    const child = (await store.create(user)).clientToken;
    const grandchild = (await store.create(child)).clientToken;
    const orphan = (await store.create(user, { policies: ['web'] }, 'create-orphan')).clientToken;
    const named = field === 'token' ? user : (store.find(user)?.accessor ?? '');
    expect(await store.as(store.root, 'write', path, { [field]: named })).toEqual({});
    for (const token of [user, child, grandchild]) expect(store.find(token)).toBeUndefined();
    expect(store.find(orphan)).toBeDefined();
  });

  it('revoke-self ends the caller', async () => {
    const { store, user } = await withUser();
    await store.as(user, 'write', 'revoke-self');
    expect(await store.refusal(user, 'write', 'revoke-self')).toBe('denied: permission denied');
  });

  it('revoke-orphan ends a token alone; its children are orphans then, and their ends are their own', async () => {
    const { store, user } = await withUser();
    const child = (await store.create(user)).clientToken;
    const grandchild = (await store.create(child)).clientToken;
    await store.as(store.root, 'write', 'revoke-orphan', { token: user });
    expect(store.find(user)).toBeUndefined();
    expect((await store.as(store.root, 'write', 'lookup', { token: child })).data?.['orphan']).toBe(true);
    expect((await store.as(store.root, 'write', 'lookup', { token: grandchild })).data?.['orphan']).toBe(false);
    expect(await store.refusal(store.root, 'write', 'revoke', { token: user })).toContain('token to revoke not found');
    await store.as(store.root, 'write', 'revoke', { token: child });
    expect(store.find(grandchild)).toBeUndefined();
  });

  it('a later token of the same chosen id does not revive the children of the first', async () => {
    const store = new Store();
    await store.create(store.root, { id: 'chosen', policies: ['web'] });
    const child = (await store.create('chosen')).clientToken;
    await store.as(store.root, 'write', 'revoke', { token: 'chosen' });
    await store.create(store.root, { id: 'chosen', policies: ['web'] });
    expect(store.find('chosen')).toBeDefined();
    expect(store.find(child)).toBeUndefined();
  });

  it('children end when a parent expires', async () => {
    const { store, user } = await withUser({ policies: ['web'], ttl: '1h' });
    const child = store.find((await store.create(user, { ttl: '10h' })).clientToken);
    store.tried.advance(3600_000);
    expect(lookupToken(store.tried.state.readable, child?.id ?? '', store.tried.nowMs())).toEqual({
      kind: 'refused',
      reason: 'ancestor',
    });
  });
});

describe('counted uses', () => {
  it('two requests cannot spend the last one', async () => {
    const { store, user } = await withUser({ policies: ['web'], num_uses: 2 });
    const spend = (): string => {
      const token = store.find(user);
      const use = token === undefined ? undefined : useOf(token);
      return use === undefined
        ? 'dead'
        : store.tried.record({ facts: [use.fact], expects: [use.expect], reply: {} }).kind;
    };
    const token = store.find(user);
    const stale = token === undefined ? undefined : useOf(token);
    expect(spend()).toBe('applied');
    expect((await store.as(store.root, 'write', 'lookup', { token: user })).data?.['num_uses']).toBe(1);
    expect(spend()).toBe('applied');
    expect(spend()).toBe('dead');
    expect(stale !== undefined && holds(stale.expect, store.tried.state.readable)).toBe(false);
    expect(lookupToken(store.tried.state.readable, token?.id ?? '', store.tried.nowMs())).toEqual({
      kind: 'refused',
      reason: 'used-up',
    });
  });

  it('a request that revokes its own token leaves no counter behind', async () => {
    const { store, user } = await withUser({ policies: ['web'], num_uses: 1 });
    store.become(user);
    const token = store.find(user);
    const use = token === undefined ? undefined : useOf(token);
    const revoking = await store.tried.decide('write', 'revoke-self');
    if (use === undefined) throw new Error('no use to spend');
    const both = { ...revoking, facts: [...(revoking.facts ?? []), use.fact], expects: [use.expect] };
    expect(store.tried.record(both).kind).toBe('applied');
    expect(store.tried.state.entries().filter(([key]) => key.startsWith('uses/'))).toEqual([]);
  });

  it('a token without a bound spends nothing', () => {
    const store = new Store();
    const root = store.find(store.root);
    expect(root === undefined ? 'dead' : useOf(root)).toBeUndefined();
  });
});

describe('what is kept', () => {
  it('holds no token, in any form that gives it away', async () => {
    const { store, user } = await withUser();
    const kept = Buffer.concat(
      store.tried.state.entries().flatMap(([key, value]) => [Buffer.from(key), Buffer.from(value)]),
    );
    for (const token of [store.root, user]) {
      const hash = createHash('sha256').update(token).digest();
      for (const form of [token, token.slice(4), hash.toString('hex'), hash.toString('base64url')])
        expect(kept.includes(form)).toBe(false);
      expect(kept.includes(hash)).toBe(false);
    }
  });

  it('is gone when all tokens are revoked, but for the salt', async () => {
    const { store, user } = await withUser({ policies: ['web'], num_uses: 3, period: '1h' });
    const token = store.find(user);
    const use = token === undefined ? undefined : useOf(token);
    if (use !== undefined) store.tried.record({ facts: [use.fact], expects: [use.expect], reply: {} });
    await store.as(store.root, 'write', 'renew', { token: user });
    await store.as(store.root, 'write', 'revoke', { token: user });
    await store.as(store.root, 'write', 'revoke-self');
    expect(store.tried.state.entries().map(([key]) => key)).toEqual([saltKey]);
  });
});

describe('apply', () => {
  const id = fc.constantFrom('a', 'b', 'c', 'd');
  const issued = fc.record({
    type: fc.constant('tokenIssued' as const),
    id,
    accessor: fc.constantFrom('A', 'B', 'C', 'D', 'E'),
    policies: fc.constant(['web']),
    displayName: fc.constant('token'),
    meta: fc.constant([{ key: 'k', value: 'v' }]),
    createdMs: fc.constant(0),
    expiresMs: fc.constantFrom(0, 500, 1500),
    ttlSeconds: fc.constant(1),
    explicitMaxTtlSeconds: fc.constant(0),
    periodSeconds: fc.constant(0),
    numUses: fc.constantFrom(0, 1),
    isRenewable: fc.boolean(),
    path: fc.constant('auth/token/create'),
    parentId: fc.oneof(fc.constant(''), id),
    parentAccessor: fc.constantFrom('A', 'B'),
    depth: fc.constant(0),
  });
  const fact: fc.Arbitrary<TokenFact> = fc.oneof(
    issued,
    fc.record({
      type: fc.constant('tokenRenewed' as const),
      id,
      expiresMs: fc.constantFrom(1000, 2000),
      renewedMs: fc.constant(1),
    }),
    fc.record({ type: fc.constant('tokenRevoked' as const), id, releasesChildren: fc.boolean() }),
    fc.record({ type: fc.constant('tokenUsed' as const), id }),
    fc.record({
      type: fc.constant('tokenSaltDrawn' as const),
      salt: fc.constantFrom(Buffer.from('one'), Buffer.from('two')),
    }),
  );
  const fold = (state: MemoryState, history: readonly TokenFact[]): void =>
    history.forEach((each, at) =>
      state.transact(at + 1, (writable) =>
        tokenEngine.apply(writable, tokenFacts.encode(each), {
          index: LogIndex(at + 1),
          timeMs: TimeMs(at),
          factVersion: 1,
        }),
      ),
    );

  it('takes any facts in any order, and ends the same on every node', () => {
    fc.assert(
      fc.property(fc.array(fact, { maxLength: 20 }), (history) => {
        const [one, two] = [new MemoryState(), new MemoryState()];
        fold(one, history);
        fold(two, history);
        expect(one.entries()).toEqual(two.entries());
        for (const known of ['a', 'b', 'c', 'd']) expect(typeof isTokenAlive(one.readable, known, 700)).toBe('boolean');
      }),
    );
  });

  it('a revoked token and what descends from it are dead, whatever else happens but a new issue', () => {
    fc.assert(
      fc.property(fc.array(fact, { maxLength: 10 }), fc.array(fact, { maxLength: 10 }), (before, after) => {
        const state = new MemoryState();
        const quiet = after.filter((each) => each.type !== 'tokenIssued');
        fold(state, [...before, { type: 'tokenRevoked', id: 'a', releasesChildren: false }, ...quiet]);
        expect(isTokenAlive(state.readable, 'a', 0)).toBe(false);
      }),
    );
  });

  it('the first salt stays', () => {
    const state = new MemoryState();
    fold(state, [
      { type: 'tokenSaltDrawn', salt: Buffer.from('one') },
      { type: 'tokenSaltDrawn', salt: Buffer.from('two') },
    ]);
    expect(Buffer.from(state.readable.get(saltKey) ?? []).toString()).toBe('one');
  });
});

describe('the sweeper', () => {
  it('finds no token before its expiry, and those that expired in order of their expiry, a few at a time', async () => {
    const { store } = await withUser();
    const made = [];
    for (const ttl of ['3s', '1s', '2s']) made.push(await store.create(store.root, { ttl, policies: ['default'] }));
    const state = store.tried.state.readable;
    expect((await expiredTokens(state, { nowMs: store.tried.nowMs() + 999, from: '', limit: 10 })).facts).toEqual([]);
    const nowMs = store.tried.nowMs() + 3_000;
    const two = await expiredTokens(state, { nowMs, from: '', limit: 2 });
    expect(two.facts).toHaveLength(2);
    expect(two.expects).toHaveLength(2);
    store.tried.advance(3_000);
    expect(store.tried.record({ ...two, reply: {} }).kind).toBe('applied');
    const [last, first, second] = made.map(({ accessor }) => state.get(`accessor/${accessor}`));
    expect([first, second]).toEqual([undefined, undefined]);
    expect(last).toBeDefined();
    const third = await expiredTokens(state, { nowMs, from: two.next, limit: 2 });
    expect(third.facts).toHaveLength(1);
    expect(await expiredTokens(state, { nowMs, from: third.next, limit: 0 })).toMatchObject({ next: third.next });
  });

  it('finds the state changed where a token was renewed before its decision was ordered', async () => {
    const { store } = await withUser();
    const { clientToken } = await store.create(store.root, { ttl: '10s', policies: ['default'] });
    const nowMs = store.tried.nowMs() + 10_000;
    const found = await expiredTokens(store.tried.state.readable, { nowMs, from: '', limit: 10 });
    await store.as(clientToken, 'write', 'renew-self');
    expect(store.tried.record({ ...found, reply: {} }).kind).toBe('conflict');
    expect(store.find(clientToken)).toBeDefined();
  });

  it('finds what is dead without an expiry of its own, a stretch at a time: descendants of the ended, and tokens used up', async () => {
    const { store, user } = await withUser({ policies: ['web'], ttl: '10h' });
    const { state } = store.tried;
    const parent = (await store.create(store.root, { policies: ['root'] })).clientToken;
    const child = (await store.create(parent, { policies: ['root'] })).clientToken;
    const grandchild = (await store.create(child, { policies: ['root'] })).clientToken;
    const once = (await store.create(store.root, { policies: ['root'], num_uses: 1 })).clientToken;
    const [childId, grandchildId, onceId] = [child, grandchild, once].map((token) => store.find(token)?.id ?? '');
    const use = useOf(store.find(once) ?? expect.unreachable());
    store.tried.record({ facts: use === undefined ? [] : [use.fact], reply: {} });
    await store.as(store.root, 'write', 'revoke', { token: parent });
    const walked: string[] = [];
    let from = '';
    do {
      const found = await deadTokens(state.readable, { nowMs: store.tried.nowMs(), from, limit: 2 });
      walked.push(...found.expects.map(({ key }) => key));
      expect(store.tried.record({ ...found, reply: {} }).kind).toBe('applied');
      from = found.next;
    } while (from !== '');
    expect(walked.toSorted()).toEqual([childId, grandchildId, onceId].map((id) => `token/${id}`).toSorted());
    for (const key of walked) expect(state.readable.get(key)).toBeUndefined();
    expect([store.find(user), store.find(store.root)]).not.toContain(undefined);
    const accessors = (await store.as(store.root, 'list', 'accessors')).data?.['keys'];
    expect(accessors).toHaveLength(2);
    expect((await deadTokens(state.readable, { nowMs: store.tried.nowMs(), from: '', limit: 9 })).facts).toEqual([]);
  });

  it('leaves the mark of a token that released its children', async () => {
    const { store, user } = await withUser();
    const child = (await store.create(user)).clientToken;
    await store.as(store.root, 'write', 'revoke-orphan', { token: user });
    const found = await deadTokens(store.tried.state.readable, { nowMs: store.tried.nowMs(), from: '', limit: 9 });
    expect(found.facts).toEqual([]);
    expect(store.find(child)).toBeDefined();
  });
});
