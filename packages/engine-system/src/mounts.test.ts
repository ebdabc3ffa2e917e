import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Operation } from '@lockstep/contract/engine';
import { LogIndex, TimeMs } from '@lockstep/contract/ids';
import { MemoryState } from '@lockstep/contract/memory-state';
import { type TriedEngine, tryEngine } from '@lockstep/contract/try-engine';
import { systemEngine } from './engine.ts';
import { raiseFactVersion, readFactVersion } from './fact-version.ts';
import { type MountRecord, type SystemFact, systemFacts } from './facts.ts';
import { descriptionLengthMax, mountPathLengthMax } from './limits.ts';
import { tokenMountRecord } from './mount-replies.ts';
import { mountAt, readMountTable } from './mount-table.ts';

const system = (): TriedEngine => tryEngine(systemEngine, { random: randomBytes, mountPath: 'sys/' });
const kv = { type: 'kv-v2' };
async function withMounts(...paths: readonly string[]): Promise<TriedEngine> {
  const tried = system();
  for (const path of paths) await tried.request('write', `mounts/${path}`, kv);
  return tried;
}

describe('refusals', () => {
  it.each<[Operation, string, { readonly [name: string]: unknown }, string, string]>([
    ['write', 'mounts/a', { ...kv, local: true }, 'invalid-input', 'local is not offered for mounts'],
    ['write', 'mounts/a', { ...kv, seal_wrap: 'true' }, 'invalid-input', 'seal_wrap is not offered for mounts'],
    [
      'write',
      'mounts/a',
      { ...kv, config: { plugin_version: 'v1' } },
      'invalid-input',
      'plugin_version is not offered',
    ],
    [
      'write',
      'mounts/a',
      { ...kv, config: { default_lease_ttl: '769h' } },
      'invalid-input',
      'default_lease_ttl must not be longer',
    ],
    ['write', 'mounts/ａ', kv, 'invalid-input', 'mount path may hold ascii letters'],
    ['write', 'mounts/a/../b', kv, 'invalid-input', 'mount path must not have dot segments'],
    ['write', 'mounts/a//b', kv, 'invalid-input', 'mount path may hold'],
    ['write', 'mounts/Sys', kv, 'invalid-input', 'path is already in use at sys/'],
    ['write', 'mounts/auth/token', kv, 'invalid-input', 'path is already in use at auth/'],
    ['write', 'mounts/root', kv, 'invalid-input', 'path is already in use at root/'],
    ['write', 'mounts/none/tune', { max_lease_ttl: '1h' }, 'invalid-input', 'No secret engine mount at none/'],
    ['write', 'mounts/sys/tune', { max_lease_ttl: '1h' }, 'failed-precondition', 'sys cannot be tuned yet'],
    [
      'write',
      'mounts/auth/token/tune',
      { max_lease_ttl: '1h' },
      'failed-precondition',
      'auth/token cannot be tuned yet',
    ],
    ['read', 'auth/userpass', {}, 'invalid-input', 'No auth engine at userpass/'],
    ['read', 'mounts/auth/userpass/tune', {}, 'invalid-input', 'No auth engine at userpass/'],
    [
      'write',
      'auth/userpass',
      { type: 'userpass' },
      'failed-precondition',
      'auth methods besides token are not offered yet',
    ],
    ['delete', 'auth/token', {}, 'failed-precondition', 'auth methods besides token are not offered yet'],
    ['write', 'remount', { from: 'a', to: 'b' }, 'failed-precondition', 'mounts cannot be moved to another path yet'],
    ['read', 'internal/ui/mounts/none/x', {}, 'denied', 'preflight capability check returned 403'],
  ])('%s %s %j', async (operation, path, body, code, says) => {
    const tried = system();
    const refused = { code, message: expect.stringContaining(says) };
    await expect(tried.request(operation, path, body)).rejects.toMatchObject(refused);
    expect(tried.state.size).toBe(0);
  });

  it('a path or a description one past its limit, and not at it', async () => {
    const mount = (path: string, description = '') =>
      system().request('write', `mounts/${path}`, { ...kv, description });
    await expect(mount('a'.repeat(mountPathLengthMax))).resolves.toEqual({});
    await expect(mount('a'.repeat(mountPathLengthMax + 1))).rejects.toThrow(/mount path must be at most 256/);
    await expect(mount('a', 'd'.repeat(descriptionLengthMax))).resolves.toEqual({});
    await expect(mount('a', 'd'.repeat(descriptionLengthMax + 1))).rejects.toThrow(/description must be at most 1024/);
  });

  it.each(['secret', 'Secret', 'SECRET/x', 'team', 'Team/KV/y'])(
    'a mount at %s beside secret/ and team/kv/',
    async (path) => {
      const tried = await withMounts('secret', 'team/kv');
      await expect(tried.request('write', `mounts/${path}`, kv)).rejects.toThrow(
        /^path is already in use at (secret|team\/kv)\/$/,
      );
    },
  );

  it('a tune that would put the default above the largest, or change options', async () => {
    const tried = await withMounts('a');
    await tried.request('write', 'mounts/a/tune', { max_lease_ttl: '2h', default_lease_ttl: '1h' });
    await expect(tried.request('write', 'mounts/a/tune', { max_lease_ttl: '59m' })).rejects.toThrow(
      /must not be longer/,
    );
    await expect(tried.request('write', 'mounts/a/tune', { options: { version: '1' } })).rejects.toThrow(
      /cannot be changed/,
    );
    await tried.request('write', 'mounts/a/tune', { options: { version: '2' }, description: 'ours' });
    expect((await tried.request('read', 'mounts/a/tune')).data).toEqual({
      default_lease_ttl: 3600,
      max_lease_ttl: 7200,
      description: 'ours',
      force_no_cache: false,
      options: { version: '2' },
    });
  });
});

describe('what clients ask for', () => {
  it('the kv commands: which mount a path lies in, and its version', async () => {
    const tried = await withMounts('team/kv');
    const { data } = await tried.request('read', 'internal/ui/mounts/team/kv/a/b');
    expect(data).toMatchObject({ path: 'team/kv/', type: 'kv', options: { version: '2' } });
  });

  it('consoles: both tables', async () => {
    const { data } = await (await withMounts('a')).request('read', 'internal/ui/mounts');
    expect(data).toMatchObject({ auth: { 'token/': { type: 'token' } }, secret: { 'a/': { type: 'kv' } } });
  });

  it('Terraform: the token method and its settings in force', async () => {
    const tried = system();
    expect((await tried.request('read', 'auth')).data).toMatchObject({
      'token/': { accessor: tokenMountRecord.accessor },
    });
    expect((await tried.request('read', 'auth/token')).data).toMatchObject({ type: 'token' });
    const settings = { default_lease_ttl: 2_764_800, max_lease_ttl: 2_764_800, token_type: 'default-service' };
    for (const path of ['auth/token/tune', 'mounts/auth/token/tune'])
      expect((await tried.request('read', path)).data).toMatchObject(settings);
    expect((await tried.request('read', 'mounts/sys')).data).toMatchObject({ type: 'system' });
  });

  it('the CLI: what it sends with its defaults mounts an engine', async () => {
    const tried = system();
    await tried.request('write', 'mounts/pki_int', {
      type: 'pki',
      description: '',
      config: {
        options: null,
        default_lease_ttl: '0s',
        max_lease_ttl: '175200h',
        force_no_cache: false,
        plugin_version: '',
      },
      local: false,
      seal_wrap: false,
      external_entropy_access: false,
      options: null,
    });
    expect(mountAt(tried.state.readable, 'pki_int/issue/web')?.view.maxLeaseTtlSeconds).toBe(175_200 * 3600);
  });

  it('needs sudo where Vault does, and no more', () => {
    const sudo = new Set(systemEngine.routes.filter((row) => row.needsSudo).map((row) => row.path));
    expect([...sudo]).toEqual(['remount', 'auth/:path*']);
  });
});

describe('the fact version', () => {
  it('is 1 at first, goes up, and never down', () => {
    const state = new MemoryState();
    const versions = [3, 2, 3, 4].map((version, at) => {
      state.transact(at + 1, (writable) =>
        systemEngine.apply(writable, raiseFactVersion(version), {
          index: LogIndex(at + 1),
          timeMs: TimeMs(0),
          factVersion: 1,
        }),
      );
      return readFactVersion(state.readable);
    });
    expect([readFactVersion(new MemoryState().readable), ...versions]).toEqual([1, 3, 3, 3, 4]);
  });
});

describe('apply and lookup', () => {
  const id = fc.constantFrom('1', '2', '3');
  const segment = fc.constantFrom('a', 'b', 'ab', 'a.b');
  const anyPath = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
  const settings = {
    description: fc.constant(''),
    options: fc.constant([]),
    defaultLeaseTtlSeconds: fc.nat(9),
    maxLeaseTtlSeconds: fc.nat(9),
    isListed: fc.boolean(),
  };
  const mount: fc.Arbitrary<MountRecord> = fc.record({
    id,
    kind: fc.constant('kv'),
    path: anyPath.map((path) => `${path}/`),
    namespace: fc.constant('root'),
    accessor: fc.constant('kv_1'),
    uuid: fc.constant(''),
    createdMs: fc.nat(9),
    ...settings,
  });
  const fact: fc.Arbitrary<SystemFact> = fc.oneof(
    mount.map((record): SystemFact => ({ type: 'mountEnabled', ...record })),
    id.map((each): SystemFact => ({ type: 'mountDisabled', id: each })),
    fc.record({ type: fc.constant('mountTuned' as const), id, ...settings }),
    fc.nat(3).map((version): SystemFact => ({ type: 'factVersionRaised', version })),
  );
  const fold = (facts: readonly SystemFact[]): MemoryState => {
    const state = new MemoryState();
    facts.forEach((each, at) =>
      state.transact(at + 1, (writable) =>
        systemEngine.apply(writable, systemFacts.encode(each), {
          index: LogIndex(at + 1),
          timeMs: TimeMs(at),
          factVersion: 1,
        }),
      ),
    );
    return state;
  };

  it('any facts in any order end the same on every node', () => {
    fc.assert(
      fc.property(fc.array(fact, { maxLength: 15 }), (facts) => {
        expect(fold(facts).entries()).toEqual(fold(facts).entries());
      }),
    );
  });

  it('a mount is found by exactly the paths that begin with its own', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyPath, { maxLength: 5 }), anyPath, async (paths, asked) => {
        const tried = system();
        // Some lie within others and are refused; those that were taken are the table.
        for (const path of paths) await tried.request('write', `mounts/${path}`, kv).catch(() => undefined);
        const table = readMountTable(tried.state.readable).mounts.map((each) => each.path);
        const expected = table.filter((path) => `${asked}/`.startsWith(path));
        expect(expected.length).toBeLessThan(2);
        expect(mountAt(tried.state.readable, asked)?.view.path).toBe(expected[0]);
      }),
      { numRuns: 50 },
    );
  });
});
