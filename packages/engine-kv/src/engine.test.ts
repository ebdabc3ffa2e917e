import { randomBytes } from 'node:crypto';
import { tryEngine } from '@lockstep/contract/try-engine';
import { expect, test } from 'vitest';
import { kv } from './engine.ts';
import { pathLengthMax, secretBytesMax, versionsKeptDefault, versionsKeptMax } from './limits.ts';

const mount = () => tryEngine(kv, { random: randomBytes });
const put = (engine: ReturnType<typeof mount>, value: unknown, options = {}) =>
  engine.request('write', 'data/a/b', { data: { value }, options });

test.each([
  { name: 'a write without data', path: 'data/a', fields: {}, says: /no data provided/ },
  { name: 'data that is no object', path: 'data/a', fields: { data: 'x' }, says: /data must be an object/ },
  {
    name: 'an unknown option',
    path: 'data/a',
    fields: { data: {}, options: { x: 1 } },
    says: /options may hold cas only/,
  },
  {
    name: 'a path one too long',
    path: `data/${'p'.repeat(pathLengthMax + 1)}`,
    fields: { data: {} },
    says: /path must be at most/,
  },
  { name: 'no versions', path: 'delete/a', fields: {}, says: /No version number provided/ },
  { name: 'a version that is no number', path: 'destroy/a', fields: { versions: ['x'] }, says: /whole number/ },
  {
    name: 'too many versions kept',
    path: 'config',
    fields: { max_versions: versionsKeptMax + 1 },
    says: /max_versions must be from 0 to 100/,
  },
])('$name is refused and changes nothing', async ({ path, fields, says }) => {
  const engine = mount();
  await expect(engine.request('write', path, fields)).rejects.toMatchObject({
    code: 'invalid-input',
    message: expect.stringMatching(says),
  });
  expect(engine.state.size).toBe(0);
});

test('a secret may be as large as the limit and no larger', async () => {
  const engine = mount();
  const room = secretBytesMax - JSON.stringify({ value: '' }).length;
  await put(engine, 'x'.repeat(room));
  await expect(put(engine, 'x'.repeat(room + 1))).rejects.toMatchObject({ code: 'too-large' });
});

test('each write is the next version, and each can be read', async () => {
  const engine = mount();
  expect((await put(engine, 1)).data).toMatchObject({ version: 1, destroyed: false, deletion_time: '' });
  expect((await put(engine, 2)).data).toMatchObject({ version: 2 });
  expect((await engine.request('read', 'data/a/b')).data).toMatchObject({
    data: { value: 2 },
    metadata: { version: 2 },
  });
  expect((await engine.request('read', 'data/a/b', { version: '1' })).data).toMatchObject({ data: { value: 1 } });
});

test('check-and-set writes only over the version that it names', async () => {
  const engine = mount();
  await put(engine, 1, { cas: 0 });
  await expect(put(engine, 2, { cas: 0 })).rejects.toMatchObject({
    message: 'check-and-set parameter did not match the current version',
  });
  await put(engine, 2, { cas: 1 });
  await engine.request('write', 'metadata/a/b', { cas_required: true });
  await expect(put(engine, 3)).rejects.toMatchObject({ message: 'check-and-set parameter required for this call' });
});

test('of two writers with the same check-and-set one meets a conflict; without it neither does', async () => {
  const engine = mount();
  const decide = (options: object) => engine.decide('write', 'data/a', { data: {}, options });
  const [one, two] = [await decide({ cas: 0 }), await decide({ cas: 0 })];
  expect([engine.record(one).kind, engine.record(two).kind]).toEqual(['applied', 'conflict']);
  const [three, four] = [await decide({}), await decide({})];
  expect([engine.record(three), engine.record(four)]).toMatchObject([
    { reply: { data: { version: 2 } } },
    { reply: { data: { version: 3 } } },
  ]);
});

test('a deleted version is 404 with its metadata, and comes back', async () => {
  const engine = mount();
  await put(engine, 1);
  await engine.request('delete', 'data/a/b');
  await expect(engine.request('read', 'data/a/b')).rejects.toMatchObject({
    code: 'not-found',
    message: '',
    replyBody: { data: null, metadata: { version: 1, deletion_time: expect.stringMatching(/Z$/) } },
  });
  await engine.request('write', 'undelete/a/b', { versions: [1] });
  expect((await engine.request('read', 'data/a/b')).data).toMatchObject({ data: { value: 1 } });
});

test('a destroyed version is gone for ever', async () => {
  const engine = mount();
  await put(engine, 1);
  await engine.request('write', 'destroy/a/b', { versions: '1' });
  await engine.request('write', 'undelete/a/b', { versions: [1] });
  await expect(engine.request('read', 'data/a/b')).rejects.toMatchObject({
    code: 'not-found',
    replyBody: { metadata: { destroyed: true } },
  });
  expect(engine.state.entries().some(([key]) => key.startsWith('data/'))).toBe(false);
});

test('only the kept number of versions stays', async () => {
  const engine = mount();
  for (let n = 1; n <= versionsKeptDefault + 2; n++) await put(engine, n);
  expect((await engine.request('read', 'metadata/a/b')).data).toMatchObject({
    oldest_version: 3,
    current_version: versionsKeptDefault + 2,
  });
  await expect(engine.request('read', 'data/a/b', { version: 2 })).rejects.toMatchObject({ code: 'not-found' });
  expect(engine.state.entries().filter(([key]) => key.startsWith('data/'))).toHaveLength(versionsKeptDefault);
});

test('removing a secret leaves nothing of it', async () => {
  const engine = mount();
  await put(engine, 1);
  await put(engine, 2);
  await engine.request('delete', 'metadata/a/b');
  expect(engine.state.size).toBe(0);
});

test('a patch merges by RFC 7396, and needs a secret', async () => {
  const engine = mount();
  await expect(engine.request('patch', 'data/a/b', { data: {} })).rejects.toMatchObject({ code: 'not-found' });
  await engine.request('write', 'data/a/b', { data: { keep: 1, drop: 2, deep: { x: 1, y: 2 } } });
  await engine.request('patch', 'data/a/b', { data: { drop: null, deep: { y: 3 }, add: [1] } });
  expect((await engine.request('read', 'data/a/b')).data?.['data']).toEqual({
    keep: 1,
    deep: { x: 1, y: 3 },
    add: [1],
  });
});

test('a list shows secrets and folders once each, however many lie below', async () => {
  const engine = mount();
  for (const path of ['a', 'a/b/c', 'a/b/d', 'a/e', 'a0', 'z/1'])
    await engine.request('write', `data/${path}`, { data: {} });
  expect((await engine.request('list', 'metadata')).data).toEqual({ keys: ['a', 'a/', 'a0', 'z/'] });
  expect((await engine.request('list', 'metadata/a')).data).toEqual({ keys: ['b/', 'e'] });
  await expect(engine.request('list', 'metadata/none')).rejects.toMatchObject({ code: 'not-found', message: '' });
});

test('two nodes that apply the same facts have the same state', async () => {
  const [one, two] = [mount(), mount()];
  for (const step of [{ data: { n: 1 } }, { data: { n: 2 } }]) {
    const decision = await one.decide('write', 'data/s', step);
    one.record(decision);
    two.record(decision);
  }
  expect(one.state.entries()).toEqual(two.state.entries());
});
