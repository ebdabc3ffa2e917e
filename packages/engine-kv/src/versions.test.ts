import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Reply } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import { LogIndex, TimeMs } from '@lockstep/contract/ids';
import type { JsonObject } from '@lockstep/contract/json';
import { MemoryState } from '@lockstep/contract/memory-state';
import { type TriedEngine, tryEngine } from '@lockstep/contract/try-engine';
import { kv } from './engine.ts';
import { type KvFact, kvFacts } from './facts.ts';
import { metadataKey, versionKey } from './keys.ts';
import { secretMetadata } from './records.ts';

const engine = (): TriedEngine => tryEngine(kv, { random: randomBytes, mountPath: 'secret/' });
async function written(...versions: JsonObject[]): Promise<TriedEngine> {
  const tried = engine();
  for (const data of versions) await tried.request('write', 'data/web', { data });
  return tried;
}

/** The body of a 404; undefined for a plain one. */
async function notFound(asked: Promise<Reply>): Promise<unknown> {
  const error: unknown = await asked.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof LockstepError) || error.code !== 'not-found')
    throw new Error('it was found', { cause: error });
  return error.replyBody;
}

const first = {
  created_time: '2026-01-01T00:00:00.000Z',
  custom_metadata: null,
  deletion_time: '',
  destroyed: false,
  version: 1,
};

describe("replies in Vault's shape", () => {
  it('a write answers the version, a read the data and the version', async () => {
    const tried = engine();
    expect(await tried.request('write', 'data/a/b', { data: { user: 'me' } })).toEqual({ data: first });
    expect(await tried.request('read', 'data/a/b')).toEqual({ data: { data: { user: 'me' }, metadata: first } });
    tried.advance(1234);
    await tried.request('write', 'data/a/b', { data: { user: 'you' } });
    expect((await tried.request('read', 'data/a/b')).data).toMatchObject({
      data: { user: 'you' },
      metadata: { version: 2, created_time: '2026-01-01T00:00:01.234Z' },
    });
    expect((await tried.request('read', 'data/a/b', { version: '1' })).data).toMatchObject({ data: { user: 'me' } });
    expect(await notFound(tried.request('read', 'data/a/b', { version: 3 }))).toBeUndefined();
  });

  it('a deleted version is not found, but its metadata is told; undelete brings it back', async () => {
    const tried = await written({ a: 1 });
    tried.advance(5000);
    expect(await tried.request('delete', 'data/web')).toEqual({});
    const metadata = { ...first, deletion_time: '2026-01-01T00:00:05.000Z' };
    expect(await notFound(tried.request('read', 'data/web'))).toEqual({ data: null, metadata });
    expect(await notFound(tried.request('patch', 'data/web', { data: {} }))).toEqual({ data: null, metadata });
    expect(await notFound(tried.request('read', 'subkeys/web'))).toEqual({ subkeys: null, metadata });
    tried.advance(5000);
    await tried.request('delete', 'data/web');
    await tried.request('write', 'delete/web', { versions: [1] });
    expect(await notFound(tried.request('read', 'data/web'))).toEqual({ data: null, metadata });
    await tried.request('write', 'undelete/web', { versions: ['1', 7] });
    expect(await tried.request('read', 'data/web')).toEqual({ data: { data: { a: 1 }, metadata: first } });
  });

  it('a destroyed version is gone for good, with what it held', async () => {
    const tried = await written({ a: 1 }, { a: 2 });
    await tried.request('write', 'destroy/web', { versions: '1' });
    await tried.request('write', 'undelete/web', { versions: [1] });
    expect(await notFound(tried.request('read', 'data/web', { version: 1 }))).toMatchObject({
      data: null,
      metadata: { destroyed: true },
    });
    expect(tried.state.readable.get(versionKey('web', 1))).toBeUndefined();
    expect((await tried.request('read', 'data/web')).data).toMatchObject({ data: { a: 2 } });
  });

  it('deleting what is not there is no error', async () => {
    const tried = engine();
    expect(await tried.request('delete', 'data/x')).toEqual({});
    expect(await tried.request('delete', 'metadata/x')).toEqual({});
    for (const path of ['delete/x', 'undelete/x', 'destroy/x'])
      expect(await tried.request('write', path, { versions: [1] })).toEqual({});
    expect(tried.state.size).toBe(0);
  });

  it('metadata tells versions and settings, and is changed by a write or a patch', async () => {
    const tried = await written({ a: 1 }, { a: 2 });
    const settings = { max_versions: 5, delete_version_after: '3h25m19s', custom_metadata: { b: 'x', a: 'y' } };
    await tried.request('write', 'metadata/web', settings);
    const version = { created_time: '2026-01-01T00:00:00.000Z', deletion_time: '', destroyed: false };
    expect(await tried.request('read', 'metadata/web')).toEqual({
      data: {
        ...settings,
        cas_required: false,
        created_time: '2026-01-01T00:00:00.000Z',
        current_version: 2,
        oldest_version: 0,
        updated_time: '2026-01-01T00:00:00.000Z',
        versions: { 1: version, 2: version },
      },
    });
    await tried.request('patch', 'metadata/web', { cas_required: true, custom_metadata: { a: null, c: 'z' } });
    const custom_metadata = { b: 'x', c: 'z' };
    const after = (await tried.request('read', 'metadata/web')).data;
    expect(after).toMatchObject({
      cas_required: true,
      max_versions: 5,
      delete_version_after: '3h25m19s',
      custom_metadata,
    });
    expect((await tried.request('read', 'data/web')).data).toMatchObject({ metadata: { custom_metadata } });
    await tried.request('write', 'metadata/web', { custom_metadata: {} });
    expect((await tried.request('read', 'metadata/web')).data?.['custom_metadata']).toBeNull();
    await tried.request('delete', 'metadata/web');
    expect(tried.state.size).toBe(0);
  });

  it('settings before any version make a secret without one', async () => {
    const tried = engine();
    await tried.request('write', 'metadata/web', { max_versions: 2 });
    expect((await tried.request('read', 'metadata/web')).data).toMatchObject({ current_version: 0, versions: {} });
    expect(await notFound(tried.request('read', 'data/web'))).toBeUndefined();
    expect((await tried.request('list', 'metadata')).data).toEqual({ keys: ['web'] });
    expect(await tried.request('delete', 'data/web')).toEqual({});
  });

  it('subkeys tell the structure to the depth that is asked for', async () => {
    const tried = await written({ a: { b: { c: 1 }, d: [1] }, e: 'x', f: {} });
    const subkeys = async (depth: number): Promise<string> =>
      JSON.stringify((await tried.request('read', 'subkeys/web', { depth })).data?.['subkeys']);
    expect(await subkeys(0)).toBe('{"a":{"b":{"c":null},"d":null},"e":null,"f":null}');
    expect(await subkeys(1)).toBe('{"a":null,"e":null,"f":null}');
    expect(await subkeys(2)).toBe('{"a":{"b":null,"d":null},"e":null,"f":null}');
  });

  it('the settings of the mount', async () => {
    const tried = engine();
    const config = async (): Promise<unknown> => (await tried.request('read', 'config')).data;
    expect(await config()).toEqual({ cas_required: false, delete_version_after: '0s', max_versions: 0 });
    await tried.request('write', 'config', { max_versions: 7, delete_version_after: '1h' });
    await tried.request('write', 'config', { cas_required: true });
    expect(await config()).toEqual({ cas_required: true, delete_version_after: '1h0m0s', max_versions: 7 });
  });
});

describe('versions that are kept', () => {
  const kept = async (tried: TriedEngine): Promise<readonly string[]> =>
    Object.keys(Object((await tried.request('read', 'metadata/web')).data?.['versions']));
  const writeOnce = (tried: TriedEngine): Promise<Reply> => tried.request('write', 'data/web', { data: {} });

  it('ten without a word, otherwise the larger of mount and secret; older ones go with what they hold', async () => {
    const tried = engine();
    for (let n = 1; n <= 12; n++) await writeOnce(tried);
    expect(await kept(tried)).toEqual(['3', '4', '5', '6', '7', '8', '9', '10', '11', '12']);
    expect(tried.state.readable.get(versionKey('web', 2))).toBeUndefined();
    expect((await tried.request('read', 'metadata/web')).data?.['oldest_version']).toBe(3);
    await tried.request('write', 'config', { max_versions: 2 });
    await tried.request('write', 'metadata/web', { max_versions: 3 });
    await writeOnce(tried);
    expect(await kept(tried)).toEqual(['11', '12', '13']);
    await tried.request('write', 'config', { max_versions: 4 });
    await tried.request('write', 'metadata/web', { max_versions: 1 });
    for (let n = 0; n < 3; n++) await writeOnce(tried);
    expect(await kept(tried)).toEqual(['13', '14', '15', '16']);
  });

  it('are deleted after the shorter of both times, to the millisecond of the log', async () => {
    const tried = engine();
    await tried.request('write', 'config', { delete_version_after: '2h' });
    await tried.request('write', 'metadata/web', { delete_version_after: '1h' });
    expect((await writeOnce(tried)).data?.['deletion_time']).toBe('2026-01-01T01:00:00.000Z');
    tried.advance(3_599_999);
    expect((await tried.request('read', 'data/web')).data).toMatchObject({ data: {} });
    tried.advance(1);
    expect(await notFound(tried.request('read', 'data/web'))).toMatchObject({ data: null });
    const other = await tried.request('write', 'data/other', { data: {} });
    expect(other.data?.['deletion_time']).toBe('2026-01-01T03:00:00.000Z');
  });
});

describe('data', () => {
  it('any JSON object comes back as it was, whatever its keys', async () => {
    const tried = engine();
    const key = fc.oneof(fc.string({ maxLength: 20 }), fc.constantFrom('__proto__', 'constructor', 'toString'));
    await fc.assert(
      fc.asyncProperty(fc.dictionary(key, fc.jsonValue({ maxDepth: 5 })), async (object) => {
        const data = JSON.parse(JSON.stringify(object));
        await tried.request('write', 'data/web', { data });
        expect((await tried.request('read', 'data/web')).data?.['data']).toEqual(data);
      }),
    );
  });

  it('that names __proto__ pollutes nothing, by write or by patch', async () => {
    const evil = '{"__proto__":{"root":true},"constructor":{"prototype":{"root":true}}}';
    const tried = await written(JSON.parse(evil));
    await tried.request('patch', 'data/web', {
      data: JSON.parse('{"__proto__":{"more":1},"a":{"__proto__":{"b":2}}}'),
    });
    expect(JSON.stringify((await tried.request('read', 'data/web')).data?.['data'])).toBe(
      '{"__proto__":{"more":1,"root":true},"a":{"__proto__":{"b":2}},"constructor":{"prototype":{"root":true}}}',
    );
    expect(Object.hasOwn(Object.prototype, 'root') || Object.hasOwn(Object.prototype, 'more')).toBe(false);
  });

  // The examples of RFC 7396, appendix A, whose target and patch are objects.
  it.each([
    ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
    ['{"a":"b"}', '{"a":null}', '{}'],
    ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
    ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
    ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
    ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
    ['{"e":null}', '{"a":1}', '{"a":1,"e":null}'],
    ['{}', '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
  ])('%s patched with %s is %s', async (target, patch, result) => {
    const tried = await written(JSON.parse(target));
    expect((await tried.request('patch', 'data/web', { data: JSON.parse(patch) })).data?.['version']).toBe(2);
    expect(JSON.stringify((await tried.request('read', 'data/web')).data?.['data'])).toBe(result);
  });
});

describe('apply', () => {
  const paths = ['a', 'a/b', '1/a'] as const;
  const path = fc.constantFrom(...paths);
  const versions = fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 3 });
  const count = fc.integer({ min: 0, max: 3 });
  const seconds = fc.constantFrom(0, 5);
  const unlessGiven = { nil: undefined };
  const fact: fc.Arbitrary<KvFact> = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ type: fc.constant('secretWritten' as const), path, data: fc.constant(Buffer.from('{}')) }),
    },
    fc.record({ type: fc.constant('versionsDeleted' as const), path, versions }),
    fc.record({ type: fc.constant('versionsUndeleted' as const), path, versions }),
    fc.record({ type: fc.constant('versionsDestroyed' as const), path, versions }),
    fc.record({
      type: fc.constant('metadataWritten' as const),
      path,
      maxVersions: fc.option(count, unlessGiven),
      isCasRequired: fc.option(fc.boolean(), unlessGiven),
      deleteVersionAfterSeconds: fc.option(seconds, unlessGiven),
      hasCustomMetadata: fc.boolean(),
      customMetadata: fc.constant([{ key: 'k', value: 'v' }]),
    }),
    fc.record({
      type: fc.constant('configWritten' as const),
      maxVersions: count,
      isCasRequired: fc.boolean(),
      deleteVersionAfterSeconds: seconds,
    }),
    fc.record({ type: fc.constant('secretRemoved' as const), path }),
  );
  const history = fc.array(fact, { maxLength: 30 });
  const fold = (facts: readonly KvFact[]): MemoryState => {
    const state = new MemoryState();
    facts.forEach((each, at) =>
      state.transact(at + 1, (writable) =>
        kv.apply(writable, kvFacts.encode(each), {
          index: LogIndex(at + 1),
          timeMs: TimeMs(at * 1000),
          factVersion: 1,
        }),
      ),
    );
    return state;
  };
  const keysOf = (state: MemoryState): readonly string[] => state.entries().map(([key]) => key);

  it('takes any facts in any order, ends the same on every node, and holds data for living versions only', () => {
    fc.assert(
      fc.property(history, (facts) => {
        const state = fold(facts);
        expect(state.entries()).toEqual(fold(facts).entries());
        const living = paths.flatMap((each) => {
          const stored = state.readable.get(metadataKey(each));
          const all = stored === undefined ? [] : secretMetadata.decode(stored).versions;
          return all.filter((one) => !one.isDestroyed).map((one) => versionKey(each, one.version));
        });
        expect(keysOf(state).filter((key) => key.startsWith('data/'))).toEqual(living.toSorted());
      }),
    );
  });

  it('leaves nothing but the mount’s settings once every secret is removed', () => {
    fc.assert(
      fc.property(history, (facts) => {
        const removals = paths.map((each): KvFact => ({ type: 'secretRemoved', path: each }));
        expect(keysOf(fold([...facts, ...removals])).filter((key) => key !== 'config')).toEqual([]);
      }),
    );
  });
});
