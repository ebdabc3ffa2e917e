import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Operation, Reply } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import type { JsonObject } from '@lockstep/contract/json';
import { type TriedEngine, tryEngine } from '@lockstep/contract/try-engine';
import { kv } from './engine.ts';
import {
  customMetadataKeyBytesMax,
  customMetadataKeysMax,
  customMetadataValueBytesMax,
  pathLengthMax,
  secretBytesMax,
  secretDepthMax,
  secretKeyBytesMax,
  secretKeysMax,
} from './limits.ts';

type Body = { readonly [name: string]: unknown };
const engine = (): TriedEngine => tryEngine(kv, { random: randomBytes, mountPath: 'secret/' });

async function refusal(asked: Promise<Reply>): Promise<{ readonly code: string; readonly message: string }> {
  try {
    await asked;
  } catch (error) {
    if (error instanceof LockstepError) return { code: error.code, message: error.message };
    throw error;
  }
  return { code: 'none', message: 'no refusal' };
}

const nested = (levels: number): JsonObject => {
  let data: JsonObject = {};
  for (let i = 1; i < levels; i++) data = { a: data };
  return data;
};
const keyed = (count: number, width = 1): JsonObject =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [String(i).padStart(width, '0'), '']));
// {"a":"…"} has eight bytes beside the text.
const sized = (bytes: number): JsonObject => ({ a: 'x'.repeat(bytes - 8) });
const casMismatch = 'check-and-set parameter did not match the current version';

describe('what is refused changes nothing', () => {
  it.each<[Operation, string, Body, string, string]>([
    ['write', 'data/web', { data: null }, 'invalid-input', 'no data provided'],
    ['write', 'data/web', { data: ['a'] }, 'invalid-input', 'data must be an object'],
    ['write', 'data/web', { data: {}, options: { cas: -1 } }, 'invalid-input', 'options.cas must be at least 0'],
    [
      'write',
      'data/web',
      { data: {}, options: { cas: 2 ** 53 } },
      'invalid-input',
      'options.cas must be a whole number',
    ],
    ['write', 'data/web', { data: {}, options: { cas: 1.5 } }, 'invalid-input', 'options.cas must be a whole number'],
    ['write', 'data/web', { data: {}, options: { cas: 1 } }, 'failed-precondition', casMismatch],
    ['patch', 'data/web', {}, 'invalid-input', 'no data provided'],
    ['patch', 'data/web', { data: { a: 1 } }, 'not-found', ''],
    ['read', 'data/web', {}, 'not-found', ''],
    ['read', 'data/web', { version: '-1' }, 'invalid-input', 'version must be at least 0'],
    ['read', 'data/web', { version: '1e3' }, 'invalid-input', 'version must be a whole number'],
    ['read', 'data/web', { version: '９' }, 'invalid-input', 'version must be a whole number'],
    ['read', 'data', {}, 'invalid-input', 'path must not be empty'],
    ['write', 'undelete/web', { versions: [] }, 'invalid-input', 'No version number provided'],
    ['write', 'destroy/web', { versions: [0] }, 'invalid-input', 'versions must be at least 1'],
    ['read', 'metadata/web', {}, 'not-found', ''],
    ['patch', 'metadata/web', { max_versions: 1 }, 'not-found', ''],
    ['list', 'metadata', {}, 'not-found', ''],
    ['list', 'metadata/web', {}, 'not-found', ''],
    ['write', 'metadata/web', { custom_metadata: { a: 1 } }, 'invalid-input', 'custom_metadata must hold strings only'],
    [
      'write',
      'metadata/web',
      { metadata_cas: 1 },
      'invalid-input',
      'metadata_cas and metadata_cas_required are not supported yet',
    ],
    [
      'write',
      'metadata/web',
      { delete_version_after: '-1s' },
      'invalid-input',
      'delete_version_after must not be negative',
    ],
    ['write', 'config', { max_versions: -1 }, 'invalid-input', 'max_versions must be from 0 to 1000'],
    ['write', 'config', { cas_required: 'yes' }, 'invalid-input', 'cas_required must be true or false'],
    ['patch', 'config', {}, 'unsupported-operation', 'unsupported operation'],
  ])('%s %s %j', async (operation, path, body, code, message) => {
    const tried = engine();
    expect(await refusal(tried.request(operation, path, body))).toEqual({ code, message });
    expect(tried.state.size).toBe(0);
  });

  it.each(['a//b', '../a', 'a/..', 'a/./b', 'a\u0007', 'a\u007f', 'e\u0301'])('the path %j', async (path) => {
    for (const [operation, place] of [
      ['read', 'data'],
      ['read', 'metadata'],
      ['write', 'delete'],
      ['read', 'subkeys'],
    ] as const) {
      const { code, message } = await refusal(engine().request(operation, `${place}/${path}`, { versions: [1] }));
      expect([code, message]).toEqual(['invalid-input', expect.stringMatching(/^path must/)]);
    }
  });

  it.each<Operation>(['read', 'write', 'delete', 'list'])(
    '%s without data/, with a word on what to do',
    async (operation) => {
      const { code, message } = await refusal(engine().request(operation, 'web/db', { data: { a: 1 } }));
      expect([code, message]).toEqual(['not-found', expect.stringContaining('it must begin with data/')]);
    },
  );
});

describe('each limit', () => {
  it.each<[string, (size: number) => Body, number, string, string]>([
    ['a path', (size) => ({ path: 'p'.repeat(size) }), pathLengthMax, 'invalid-input', 'path must be at most 512'],
    ['data', (size) => ({ data: sized(size) }), secretBytesMax, 'too-large', 'data must be at most 524288 bytes'],
    ['nesting', (size) => ({ data: nested(size) }), secretDepthMax, 'invalid-input', 'data must be nested at most 64'],
    ['keys', (size) => ({ data: keyed(size) }), secretKeysMax, 'invalid-input', 'data must have at most 10000 keys'],
    [
      'a key',
      (size) => ({ data: keyed(1, size) }),
      secretKeyBytesMax,
      'invalid-input',
      'data: each key must be at most 512',
    ],
  ])('of %s holds one past it, and not at it', async (_what, made, limit, code, message) => {
    const tried = engine();
    const write = (size: number): ReturnType<typeof refusal> => {
      const { path = 'web', data = {} } = made(size);
      return refusal(tried.request('write', `data/${String(path)}`, { data }));
    };
    expect((await write(limit)).code).toBe('none');
    expect(await write(limit + 1)).toEqual({ code, message: expect.stringContaining(message) });
  });

  it('of a secret holds for a patch before it is merged', async () => {
    const tried = engine();
    await tried.request('write', 'data/web', { data: {} });
    const { message } = await refusal(tried.request('patch', 'data/web', { data: nested(secretDepthMax + 1) }));
    expect(message).toContain('nested at most 64');
  });

  it('of custom metadata holds one past it, and not at it', async () => {
    const write = async (custom_metadata: JsonObject): Promise<string> =>
      (await refusal(engine().request('write', 'metadata/web', { custom_metadata }))).message;
    expect(await write(keyed(customMetadataKeysMax))).toBe('no refusal');
    expect(await write(keyed(customMetadataKeysMax + 1))).toContain('at most 64 keys');
    expect(await write(keyed(1, customMetadataKeyBytesMax))).toBe('no refusal');
    expect(await write(keyed(1, customMetadataKeyBytesMax + 1))).toContain('keys of 1 to 128 bytes');
    expect(await write({ '': 'x' })).toContain('keys of 1 to 128 bytes');
    expect(await write({ a: 'x'.repeat(customMetadataValueBytesMax) })).toBe('no refusal');
    expect(await write({ a: 'x'.repeat(customMetadataValueBytesMax + 1) })).toContain('values of at most 512 bytes');
    const full = engine();
    await full.request('write', 'metadata/web', { custom_metadata: keyed(customMetadataKeysMax) });
    const more = full.request('patch', 'metadata/web', { custom_metadata: { more: 'x' } });
    expect((await refusal(more)).message).toContain('at most 64 keys');
  });
});

describe('check and set', () => {
  it('is demanded where the mount or the secret says so', async () => {
    for (const path of ['config', 'metadata/web']) {
      const tried = engine();
      await tried.request('write', path, { cas_required: true });
      const write = async (options: Body): Promise<string> =>
        (await refusal(tried.request('write', 'data/web', { data: {}, options }))).message;
      expect(await write({})).toBe('check-and-set parameter required for this call');
      expect(await write({ cas: 0 })).toBe('no refusal');
      expect((await refusal(tried.request('patch', 'data/web', { data: {} }))).code).toBe('none');
    }
  });

  it('with 0 only makes a new secret, with a number only follows that version', async () => {
    const tried = engine();
    const write = async (cas: unknown): Promise<string> =>
      (await refusal(tried.request('write', 'data/web', { data: {}, options: { cas } }))).message;
    expect([await write(0), await write(0), await write('1'), await write(1)]).toEqual([
      'no refusal',
      casMismatch,
      'no refusal',
      casMismatch,
    ]);
    expect((await refusal(tried.request('patch', 'data/web', { data: {}, options: { cas: 1 } }))).message).toBe(
      casMismatch,
    );
  });

  it('two at once: the second is decided anew', async () => {
    const tried = engine();
    await tried.request('write', 'data/web', { data: {} });
    const swap = (operation: Operation, options: Body) => tried.decide(operation, 'data/web', { data: {}, options });
    const decisions = [await swap('write', { cas: 1 }), await swap('write', { cas: 1 }), await swap('patch', {})];
    expect(decisions.map((decision) => tried.record(decision).kind)).toEqual(['applied', 'conflict', 'conflict']);
  });

  it('a plain write meets a change of the settings that it relied on, and another that made the secret first', async () => {
    const tried = engine();
    await tried.request('write', 'data/web', { data: {} });
    const plain = await tried.decide('write', 'data/web', { data: {} });
    await tried.request('write', 'metadata/web', { cas_required: true });
    expect(tried.record(plain).kind).toBe('conflict');
    const creating = [
      await tried.decide('write', 'data/new', { data: {} }),
      await tried.decide('write', 'metadata/new', {}),
    ];
    await tried.request('write', 'data/new', { data: {} });
    expect(creating.map((decision) => tried.record(decision).kind)).toEqual(['conflict', 'conflict']);
  });

  it('deleting the newest meets a write in between, rather than delete an older one', async () => {
    const tried = engine();
    await tried.request('write', 'data/web', { data: {} });
    const deletion = await tried.decide('delete', 'data/web');
    await tried.request('write', 'data/web', { data: {} });
    expect(tried.record(deletion).kind).toBe('conflict');
  });
});

it('what writes needs update where the secret exists, and create where not', async () => {
  const tried = engine();
  await tried.request('write', 'data/web', { data: {} });
  const paths = ['data/:path*', 'metadata/:path*', 'delete/:path*', 'undelete/:path*', 'destroy/:path*'];
  const rows = kv.routes.filter((row) => row.operation === 'write' && paths.includes(row.path));
  const call = { state: tried.state.readable } as never;
  const exists = (path: string): readonly unknown[] => rows.map((row) => row.exists?.(call, { path } as never));
  expect([exists('web'), exists('new')]).toEqual([paths.map(() => true), paths.map(() => false)]);
});
