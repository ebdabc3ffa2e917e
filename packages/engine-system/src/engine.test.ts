import { randomBytes } from 'node:crypto';
import { tryEngine } from '@lockstep/contract/try-engine';
import { expect, test } from 'vitest';
import { systemEngine } from './engine.ts';
import { mountsMax } from './limits.ts';
import { kindOfMount, mountAt } from './mount-table.ts';

const system = () => tryEngine(systemEngine, { random: randomBytes, mountPath: 'sys/' });
const kv = { type: 'kv', options: { version: '2' } };

test.each([
  { name: 'an unknown type', path: 'mounts/a', fields: { type: 'aws' }, says: /type must be one of kv, kv-v2, pki/ },
  { name: 'version 1 of kv', path: 'mounts/a', fields: { type: 'kv' }, says: /version 2 only/ },
  {
    name: 'an unknown option',
    path: 'mounts/a',
    fields: { type: 'pki', options: { x: '1' } },
    says: /options has unknown keys: x/,
  },
  {
    name: 'a setting that is not offered',
    path: 'mounts/a',
    fields: { ...kv, config: { force_no_cache: true } },
    says: /force_no_cache is not offered/,
  },
  {
    name: 'a TTL that is no duration',
    path: 'mounts/a',
    fields: { ...kv, config: { max_lease_ttl: 'soon' } },
    says: /max_lease_ttl must be a duration/,
  },
  {
    name: 'a default TTL above the largest',
    path: 'mounts/a',
    fields: { ...kv, config: { default_lease_ttl: '2h', max_lease_ttl: '1h' } },
    says: /must not be longer/,
  },
  { name: 'a path of the system', path: 'mounts/sys/x', fields: kv, says: /path is already in use at sys\// },
  { name: 'odd characters', path: 'mounts/a b', fields: kv, says: /mount path may hold/ },
])('$name is refused and mounts nothing', async ({ path, fields, says }) => {
  const engine = system();
  await expect(engine.request('write', path, fields)).rejects.toMatchObject({
    code: 'invalid-input',
    message: expect.stringMatching(says),
  });
  expect(engine.state.size).toBe(0);
});

test.each(['secret', 'secret/inner', 'team'])(
  'a mount at %s is refused where a path would lie within another',
  async (path) => {
    const engine = system();
    await engine.request('write', 'mounts/secret', kv);
    await engine.request('write', 'mounts/team/kv', kv);
    await expect(engine.request('write', `mounts/${path}`, kv)).rejects.toThrow(/path is already in use at/);
  },
);

test('a mount is found by every path below it, and by none beside it', async () => {
  const engine = system();
  await engine.request('write', 'mounts/team/kv', kv);
  const at = (path: string) => mountAt(engine.state.readable, path)?.view.path;
  expect(['team/kv', 'team/kv/data/x', 'team/kvx/data', 'team', 'other'].map(at)).toEqual([
    'team/kv/',
    'team/kv/',
    undefined,
    undefined,
    undefined,
  ]);
});

test('a disabled mount is gone by path and by id, and its path is free for another id', async () => {
  const engine = system();
  await engine.request('write', 'mounts/pki', { type: 'pki' });
  const id = mountAt(engine.state.readable, 'pki')?.view.id ?? '';
  expect(kindOfMount(engine.state.readable, id)).toBe('pki');
  await engine.request('delete', 'mounts/pki');
  expect(kindOfMount(engine.state.readable, id)).toBeUndefined();
  await engine.request('write', 'mounts/pki', { type: 'pki' });
  expect(mountAt(engine.state.readable, 'pki')?.view.id).not.toBe(id);
});

test('tuning changes what is given and keeps the rest', async () => {
  const engine = system();
  await engine.request('write', 'mounts/pki', {
    type: 'pki',
    description: 'ours',
    config: { max_lease_ttl: '87600h' },
  });
  await engine.request('write', 'mounts/pki/tune', { default_lease_ttl: '1h' });
  expect(mountAt(engine.state.readable, 'pki')?.view).toMatchObject({
    defaultLeaseTtlSeconds: 3600,
    maxLeaseTtlSeconds: 87_600 * 3600,
  });
  expect((await engine.request('read', 'mounts/pki')).data).toMatchObject({ description: 'ours', type: 'pki' });
});

test('the list holds mounts only, each with the keys that clients read', async () => {
  const engine = system();
  await engine.request('write', 'mounts/secret', kv);
  const { data } = await engine.request('read', 'mounts');
  expect(Object.keys(data ?? {})).toEqual(['sys/', 'secret/']);
  expect(data?.['secret/']).toMatchObject({
    type: 'kv',
    options: { version: '2' },
    config: { default_lease_ttl: 0, max_lease_ttl: 0 },
    local: false,
  });
});

test('a path without a mount is refused in the words that Terraform looks for', async () => {
  await expect(system().request('read', 'mounts/none')).rejects.toMatchObject({
    code: 'invalid-input',
    message: 'No secret engine mount at none/',
  });
});

test('the table takes its limit of mounts and refuses one more', async () => {
  const engine = system();
  for (let n = 0; n < mountsMax; n++) await engine.request('write', `mounts/m${n}`, { type: 'pki' });
  await expect(engine.request('write', 'mounts/one-more', { type: 'pki' })).rejects.toThrow(/at most 1000 mounts/);
});

test('two changes at once: the second is decided anew', async () => {
  const engine = system();
  const [first, second] = [await engine.decide('write', 'mounts/a', kv), await engine.decide('write', 'mounts/a', kv)];
  expect(engine.record(first).kind).toBe('applied');
  expect(engine.record(second).kind).toBe('conflict');
});
