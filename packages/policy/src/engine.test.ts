import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { counterValue } from '@lockstep/contract/counter';
import type { Operation } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import { MemoryState } from '@lockstep/contract/memory-state';
import { type TriedEngine, tryEngine } from '@lockstep/contract/try-engine';
import { apply } from './apply.ts';
import { defaultPolicyText } from './built-in.ts';
import { policyEngine } from './engine.ts';
import { type PolicyFact, policyFacts } from './facts.ts';
import { policyCountKey, policyKey } from './keys.ts';
import { policiesMax, policyNameLengthMax } from './limits.ts';
import { readPolicy } from './read-policy.ts';

const readAll = 'path "kv/*" { capabilities = ["read"] }';
const engine = (): TriedEngine => tryEngine(policyEngine, { random: randomBytes });
async function refusalOf(asked: Promise<unknown>): Promise<string> {
  try {
    await asked;
  } catch (error) {
    if (error instanceof LockstepError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'no refusal';
}

describe('refusals', () => {
  it.each<[Operation, string, { readonly [name: string]: unknown }, string]>([
    ['write', 'policies/acl/root', { policy: readAll }, 'invalid-input: cannot update "root" policy'],
    ['delete', 'policies/acl/root', {}, 'invalid-input: cannot delete "root" policy'],
    ['delete', 'policies/acl/default', {}, 'invalid-input: cannot delete "default" policy'],
    ['delete', 'policy/default', {}, 'invalid-input: cannot delete "default" policy'],
    ['write', 'policies/acl/web', {}, "invalid-input: 'policy' parameter not supplied or empty"],
    ['write', 'policy/web', {}, "invalid-input: 'policy' parameter not supplied or empty"],
    ['write', 'policies/acl/web', { policy: 'path "x" { capabilities = ["raed"] }' }, 'unknown capability "raed"'],
    [
      'write',
      'policies/acl/web',
      { policy: 'path "x" { capabilities = ["read\u0000"] }' },
      'invalid-input: policy must not contain a NUL character',
    ],
    ['read', 'policies/acl/nothing', {}, 'not-found: '],
    ['patch', 'policies/acl/web', {}, 'unsupported-operation: '],
  ])('%s %s', async (operation, path, body, message) => {
    expect(await refusalOf(engine().request(operation, path, body))).toContain(message);
  });

  it.each(['Root', 'ROOT', 'Web', ' web', 'we b', 'ｗeb', 'KELVIN\u212a', '.web', '-web', 'a\n'])(
    'the name %j, on every operation, so that no deny can be passed by spelling',
    async (name) => {
      for (const operation of ['read', 'write', 'delete'] as const) {
        const refusal = await refusalOf(engine().request(operation, `policies/acl/${name}`, { policy: readAll }));
        expect(refusal).toMatch(/^invalid-input: policy name .* must be lower-case/);
      }
    },
  );

  it('a name above its length, and not at it', async () => {
    const write = (length: number): Promise<string> =>
      refusalOf(engine().request('write', `policies/acl/${'a'.repeat(length)}`, { policy: readAll }));
    expect(await write(policyNameLengthMax)).toBe('no refusal');
    expect(await write(policyNameLengthMax + 1)).toBe('invalid-input: policy name must be at most 128 characters long');
  });

  it('one more policy than there may be, but still a change of one that is there', async () => {
    const full = engine();
    await full.request('write', 'policies/acl/web', { policy: readAll });
    full.state.transact(2, (state) => state.put(policyCountKey, counterValue(policiesMax)));
    expect(await refusalOf(full.request('write', 'policies/acl/more', { policy: readAll }))).toMatch(
      /there are 10000 policies already/,
    );
    expect(await refusalOf(full.request('write', 'policies/acl/web', { policy: readAll }))).toBe('no refusal');
  });

  it('two writers cannot pass the bound together', async () => {
    const full = engine();
    full.state.transact(1, (state) => state.put(policyCountKey, counterValue(policiesMax - 1)));
    const first = await full.decide('write', 'policies/acl/a', { policy: readAll });
    const second = await full.decide('write', 'policies/acl/b', { policy: readAll });
    expect(full.record(first).kind).toBe('applied');
    expect(full.record(second).kind).toBe('conflict');
  });
});

describe("replies in Vault's shape", () => {
  it('reads back what was written, in both forms', async () => {
    const tried = engine();
    expect(await tried.request('write', 'policies/acl/web', { policy: readAll })).toEqual({});
    expect(await tried.request('read', 'policies/acl/web')).toEqual({ data: { name: 'web', policy: readAll } });
    expect(await tried.request('read', 'policy/web')).toEqual({ data: { name: 'web', rules: readAll } });
    await tried.request('write', 'policy/other', { rules: readAll });
    expect(await tried.request('list', 'policies/acl')).toEqual({
      data: { keys: ['default', 'other', 'root', 'web'] },
    });
    const keys = ['default', 'other', 'root', 'web'];
    expect(await tried.request('read', 'policy')).toEqual({ data: { keys, policies: keys } });
    expect(await tried.request('delete', 'policies/acl/web')).toEqual({});
    expect(await tried.request('delete', 'policies/acl/web')).toEqual({});
    expect(await refusalOf(tried.request('read', 'policies/acl/web'))).toBe('not-found: ');
    expect(await tried.request('read', 'policies/acl/default')).toEqual({
      data: { name: 'default', policy: defaultPolicyText },
    });
    expect(await tried.request('read', 'policies/acl/root')).toEqual({ data: { name: 'root', policy: '' } });
  });

  it('lists across pages', async () => {
    const tried = engine();
    tried.state.transact(1, (state) => {
      for (let i = 0; i < 2500; i++) state.put(policyKey(`p${i}`), Buffer.from(readAll));
    });
    const reply = await tried.request('list', 'policies/acl');
    expect(reply.data?.['keys']).toHaveLength(2502);
  });
});

describe('readPolicy', () => {
  it('compiles once for as long as the text is the same, and anew when it changes', async () => {
    const tried = engine();
    expect(readPolicy(tried.state.readable, 'web')).toBeUndefined();
    await tried.request('write', 'policies/acl/web', { policy: readAll });
    const first = readPolicy(tried.state.readable, 'web');
    expect(first?.rules).toHaveLength(1);
    expect(readPolicy(tried.state.readable, 'web')).toBe(first);
    await tried.request('write', 'policies/acl/web', { policy: 'path "kv/*" { capabilities = ["deny"] }' });
    expect(readPolicy(tried.state.readable, 'web')?.hasDeny).toBe(true);
  });

  it('knows root and default before anything was written, and a changed default', async () => {
    const tried = engine();
    expect(readPolicy(tried.state.readable, 'root')?.isRoot).toBe(true);
    expect(readPolicy(tried.state.readable, 'default')?.rules.map((rule) => rule.pattern.text)).toContain(
      'auth/token/lookup-self',
    );
    await tried.request('write', 'policies/acl/default', { policy: readAll });
    expect(readPolicy(tried.state.readable, 'default')?.rules).toHaveLength(1);
  });

  it('a stored policy named root grants nothing more than the built-in, since none can be stored', () => {
    const state = new MemoryState();
    state.transact(1, (writable) =>
      writable.put(policyKey('root'), Buffer.from('path "*" { capabilities = ["deny"] }')),
    );
    expect(readPolicy(state.readable, 'root')?.isRoot).toBe(true);
  });
});

it('apply keeps the count whatever comes, and is the same on every node', () => {
  const history: readonly PolicyFact[] = [
    { type: 'policyWritten', name: 'a', text: readAll },
    { type: 'policyWritten', name: 'a', text: `${readAll} ` },
    { type: 'policyDeleted', name: 'b' },
    { type: 'policyWritten', name: 'b', text: readAll },
    { type: 'policyDeleted', name: 'a' },
    { type: 'policyDeleted', name: 'a' },
  ];
  const [one, two] = [new MemoryState(), new MemoryState()];
  for (const state of [one, two])
    history.forEach((fact, at) =>
      state.transact(at + 1, (writable) => apply(writable, policyFacts.decode(policyFacts.encode(fact)))),
    );
  expect(one.entries()).toEqual(two.entries());
  expect(one.entries().map(([key]) => key)).toEqual(['acl/b', 'count']);
  expect(one.readable.get(policyCountKey)).toEqual(counterValue(1));
});
