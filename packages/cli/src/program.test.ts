import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { run } from './program.ts';
import { type Asked, openTestNode, type Said, type TestNode } from './test-node.ts';

// The command line against a node on loopback that says what each test wants.
let node: TestNode;
let asked: Asked[] = [];
let answer: (request: Asked) => Said;
let home: string;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'lockstep-cli-'));
  node = await openTestNode((request) => {
    asked.push(request);
    return request.path.startsWith('sys/internal/ui/mounts/') ? error('denied', 'no') : answer(request);
  });
});
afterAll(async () => {
  await node.close();
  rmSync(home, { recursive: true });
});
beforeEach(() => {
  answer = () => reply();
});

const statuses: { readonly [code: string]: number } = { denied: 403, 'not-found': 404, 'outcome-unknown': 409 };
const error = (code: string, ...errors: string[]): Said => ({ status: statuses[code] ?? 503, body: { errors }, code });
const flat = (body: object): Said => ({ status: 200, body });
const reply = (data?: object, parts: object = {}): Said =>
  data === undefined && Object.keys(parts).length === 0
    ? { status: 204 }
    : {
        status: 200,
        body: {
          request_id: 'r-1',
          lease_id: '',
          renewable: false,
          lease_duration: 0,
          data: data ?? null,
          wrap_info: null,
          warnings: null,
          auth: null,
          ...parts,
        },
      };

interface Extra {
  readonly stdin?: string;
  readonly environment?: { readonly [name: string]: string };
  readonly hidden?: string;
}

async function lockstep(line: string | readonly string[], { stdin = '', environment = {}, hidden }: Extra = {}) {
  asked = [];
  let out = '';
  let err = '';
  const code = await run(typeof line === 'string' ? line.split(' ') : line, {
    print: (text) => (out += text),
    printError: (text) => (err += text),
    readStdin: async () => stdin,
    askHidden: hidden === undefined ? undefined : async () => hidden,
    environment: { VAULT_ADDR: `http://${node.address}`, VAULT_TOKEN: 'hvs.x', ...environment },
    homeDirectory: home,
  });
  const last = asked.at(-1);
  return {
    code,
    out,
    err,
    last,
    request: last === undefined ? undefined : { operation: last.operation, path: last.path, data: last.data },
  };
}

describe('exit code 1: wrong use, nothing is sent', () => {
  test.each<[string, string]>([
    ['nonsense', "unknown command 'nonsense'"],
    ['kv get', "missing required argument 'path'"],
    ['kv get a --nonsense', "unknown option '--nonsense'"],
    ['kv get -version=x secret/a', '"x" must be a whole number'],
    ['kv put secret/a', "missing required argument 'key=value'"],
    ['kv put secret/a b', '"b" must be of the form key=value'],
    ['kv put secret/a b=@/nowhere', 'cannot read the file /nowhere (ENOENT)'],
    ['kv put secret/a @/nowhere', 'cannot read the file /nowhere (ENOENT)'],
    ['kv undelete secret/a', "required option '--versions <numbers>' not specified"],
    ['operator raft autopilot set-config', 'give at least one setting'],
    ['cluster autopilot config x', '"x" must be of the form key=value'],
    ['write secret/a', 'give key=value fields, or --force for none'],
    ['token revoke', 'give a token, or --self for your own'],
    ['login', 'no token was given'],
    ['login -method=userpass x', 'method must be token, not "userpass"'],
    ['status -format=xml', 'format must be table or json, not "xml"'],
    ['status -address=ftp://a', 'address must be like'],
    ['status -address=http://a/b', 'address must be like'],
    ['status -ca-cert=/nowhere', 'cannot read the CA file /nowhere'],
    ['dev --nodes 0', 'nodes must be from 1 to 9'],
    ['dev --nodes 10', 'nodes must be from 1 to 9'],
    ['server', "required option '--config <file>' not specified"],
    ['server --config /nowhere', "the node did not start: /nowhere can't be read as JSON: ENOENT"],
    ['dev --dir /dev/null/x', 'the cluster did not start: ENOTDIR'],
  ])('%s: %s', async (line, message) => {
    const got = await lockstep(line);
    expect(got.err).toContain(message);
    expect(got).toMatchObject({ code: 1, out: '' });
    expect(asked).toEqual([]);
  });

  test('what stdin holds is never quoted', async () => {
    const got = await lockstep('kv put secret/a -', { stdin: '{"password": hunter2}' });
    expect(got).toMatchObject({ code: 1 });
    expect(got.err).toContain('stdin is not valid JSON');
    expect(got.err).not.toContain('hunter2');
  });
});

describe('exit code 2: what the server says, and what to do next', () => {
  test.each<[Said, string, string]>([
    [error('denied', 'permission denied'), '* permission denied', "The token's policies do not allow it"],
    [error('sealed', 'the node is sealed'), 'Code: 503 (sealed)', 'lockstep unseal'],
    [error('not-initialized', 'not initialized'), 'Code: 503 (not-initialized)', 'lockstep init'],
    [error('no-leader', 'no leader'), 'Code: 503 (no-leader)', 'lockstep status on each'],
    [error('outcome-unknown', 'lost'), 'Code: 409 (outcome-unknown)', 'read before you try again'],
    [error('not-found'), '* nothing there', 'lockstep list'],
  ])('%o', async (refusal, message, hint) => {
    answer = () => refusal;
    const got = await lockstep('read a/b');
    expect(got.code).toBe(2);
    expect(got.err).toContain(message);
    expect(got.err).toContain(hint);
    expect(got.out).toBe('');
  });

  test('the field that was wrong is named beside the code', async () => {
    answer = () => ({ ...error('invalid-input', 'ttl must not be negative'), status: 400, field: 'ttl' });
    expect((await lockstep('write a ttl=-1')).err).toContain('Code: 400 (invalid-input, field ttl). Errors:');
  });

  test('no token', async () => {
    answer = () => error('denied', 'missing client token');
    expect((await lockstep('read a', { environment: { VAULT_TOKEN: '' } })).err).toContain(
      'No token was given: set LOCKSTEP_TOKEN',
    );
  });

  test('nobody there', async () => {
    const got = await lockstep('read a -address=http://127.0.0.1:1');
    expect(got.code).toBe(2);
    expect(got.err).toContain('Is a node running at http://127.0.0.1:1?');
  });

  test('a node that speaks plain HTTP', async () => {
    const got = await lockstep(`read a -address=https://${node.address}`);
    expect(got.code).toBe(2);
    expect(got.err).toContain('try an address with http://');
  });
});

describe('where settings come from', () => {
  beforeEach(() => {
    answer = () => reply({ a: 1 });
  });

  test('LOCKSTEP_ before VAULT_', async () => {
    const { last } = await lockstep('read a', {
      environment: { LOCKSTEP_TOKEN: 'hvs.y', VAULT_NAMESPACE: 'v', LOCKSTEP_NAMESPACE: 'l' },
    });
    expect(last?.token).toBe('hvs.y');
    expect(last?.namespace).toBe('l');
  });

  test('the token file last', async () => {
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, '.vault-token'), 'hvs.file\n');
    expect((await lockstep('read a', { environment: { VAULT_TOKEN: '' } })).last?.token).toBe('hvs.file');
    expect((await lockstep('read a')).last?.token).toBe('hvs.x');
    rmSync(join(home, '.vault-token'));
    expect((await lockstep('read a', { environment: { VAULT_TOKEN: '' } })).last?.token).toBeUndefined();
  });

  test('options win, before or after the command, with one dash or two', async () => {
    for (const line of ['read -namespace=o a', '--namespace o read a', 'read a -namespace o'])
      expect((await lockstep(line, { environment: { VAULT_NAMESPACE: 'e' } })).last?.namespace).toBe('o');
  });

  test('VAULT_FORMAT', async () => {
    expect(JSON.parse((await lockstep('read a', { environment: { VAULT_FORMAT: 'json' } })).out)).toMatchObject({
      request_id: 'r-1',
      data: { a: 1 },
    });
  });

  test.each([
    [{ VAULT_CLIENT_TIMEOUT: 'x' }, 'CLIENT_TIMEOUT must be seconds'],
    [{ VAULT_SKIP_VERIFY: 'maybe' }, 'SKIP_VERIFY must be true or false'],
  ])('%o is refused', async (environment, message) => {
    const got = await lockstep('read a', { environment: { ...environment } });
    expect(got.code).toBe(1);
    expect(got.err).toContain(message);
  });
});

describe('each command asks for', () => {
  beforeEach(() => {
    answer = ({ operation }) => (operation === 'read' ? reply({}) : reply());
  });

  test.each<[string, string, object]>([
    ['read pki/roles/web', 'read pki/roles/web', {}],
    ['read /v1/a/b x=1', 'read a/b', { x: '1' }],
    ['write a/b x=1 y=2 y=3 y=4', 'write a/b', { x: '1', y: ['2', '3', '4'] }],
    ['write -f sys/seal', 'write sys/seal', {}],
    ['delete a/b', 'delete a/b', {}],
    ['kv put -cas=0 secret/a/b x=1', 'write secret/data/a/b', { data: { x: '1' }, options: { cas: 0 } }],
    ['kv put -mount=team/kv a/b x=1', 'write team/kv/data/a/b', { data: { x: '1' } }],
    ['kv patch secret/a x=1', 'patch secret/data/a', { data: { x: '1' } }],
    ['kv delete secret/a', 'delete secret/data/a', {}],
    ['kv delete -versions=1,2 secret/a', 'write secret/delete/a', { versions: [1, 2] }],
    ['kv undelete -versions=1 secret/a', 'write secret/undelete/a', { versions: [1] }],
    ['kv destroy -versions=3 secret/a', 'write secret/destroy/a', { versions: [3] }],
    [
      'kv metadata put -max-versions=5 -custom-metadata=a=b -custom-metadata=c=d secret/a',
      'write secret/metadata/a',
      { max_versions: 5, custom_metadata: { a: 'b', c: 'd' } },
    ],
    ['kv metadata delete secret/a', 'delete secret/metadata/a', {}],
    ['pki generate-root CA key_type=ec', 'write pki/root/generate/internal', { common_name: 'CA', key_type: 'ec' }],
    ['pki role put -mount=ca web allow_any_name=true', 'write ca/roles/web', { allow_any_name: 'true' }],
    ['pki role delete web', 'delete pki/roles/web', {}],
    ['pki issue web common_name=a.example', 'write pki/issue/web', { common_name: 'a.example' }],
    ['pki revoke 0a:0b', 'write pki/revoke', { serial_number: '0a:0b' }],
    [
      'token create -policy=a -policy=b -ttl=1h -use-limit=2 -metadata=k=v -no-default-policy',
      'write auth/token/create',
      { policies: ['a', 'b'], ttl: '1h', num_uses: 2, meta: { k: 'v' }, no_default_policy: true },
    ],
    ['token create -orphan', 'write auth/token/create-orphan', {}],
    ['token revoke hvs.y', 'write auth/token/revoke', { token: 'hvs.y' }],
    ['token revoke -accessor acc', 'write auth/token/revoke-accessor', { accessor: 'acc' }],
    ['token revoke -self', 'write auth/token/revoke-self', {}],
    ['token renew -increment=1h', 'write auth/token/renew-self', { increment: '1h' }],
    ['policy delete web', 'delete sys/policies/acl/web', {}],
    [
      'secrets enable -path=team/kv -description=ours kv-v2',
      'write sys/mounts/team/kv',
      { type: 'kv', description: 'ours', options: { version: '2' } },
    ],
    [
      'secrets enable -max-lease-ttl=8760h pki',
      'write sys/mounts/pki',
      { type: 'pki', config: { max_lease_ttl: '8760h' } },
    ],
    ['secrets tune -max-lease-ttl=87600h pki/', 'write sys/mounts/pki/tune', { max_lease_ttl: '87600h' }],
    ['secrets disable pki/', 'delete sys/mounts/pki', {}],
    ['seal', 'write sys/seal', {}],
    ['operator seal', 'write sys/seal', {}],
  ])('%s', async (line, target, data) => {
    const got = await lockstep(line);
    expect(got.err).toBe('');
    expect(got.code).toBe(0);
    expect(got.request).toEqual({ operation: target.split(' ')[0], path: target.split(' ')[1], data });
  });

  test('a kv path whose mount has slashes is found by asking', async () => {
    const asking = await openTestNode((request) => {
      asked.push(request);
      return request.path === 'sys/internal/ui/mounts/team/kv/a'
        ? reply({ path: 'team/kv/', type: 'kv', options: { version: '2' } })
        : reply();
    });
    const got = await lockstep(`kv delete team/kv/a -address=http://${asking.address}`);
    await asking.close();
    expect(got.request).toMatchObject({ operation: 'delete', path: 'team/kv/data/a' });
  });

  test('values from files and stdin', async () => {
    const file = join(home, 'value.json');
    writeFileSync(file, '{"a":{"b":1}}');
    expect((await lockstep(`write x @${file} c=- d=\\@e`, { stdin: 'from stdin' })).request?.data).toEqual({
      a: { b: 1 },
      c: 'from stdin',
      d: '@e',
    });
    expect((await lockstep('kv put secret/a -', { stdin: '{"n":1}' })).request?.data).toEqual({ data: { n: 1 } });
    writeFileSync(file, 'path "a" {}');
    expect((await lockstep(`policy write web ${file}`)).request).toEqual({
      operation: 'write',
      path: 'sys/policies/acl/web',
      data: { policy: 'path "a" {}' },
    });
    expect((await lockstep('policy write web -', { stdin: 'p' })).request?.data).toEqual({ policy: 'p' });
  });
});

describe('what is printed', () => {
  test('tables in two columns', async () => {
    answer = () => reply({ b: ['x', 'y'], a: null, longer: { n: 1 } }, { warnings: ['careful'] });
    const got = await lockstep('read a');
    expect(got.out).toBe('Key       Value\n---       -----\na         n/a\nb         [x y]\nlonger    {"n":1}\n');
    expect(got.err).toBe('WARNING! careful\n');
  });

  test('one field alone', async () => {
    answer = () => reply({ a: 'x', n: 5 });
    expect((await lockstep('read -field=a p')).out).toBe('x');
    expect((await lockstep('read -field=n p')).out).toBe('5');
    expect(await lockstep('read -field=z p')).toMatchObject({ code: 1, out: '' });
  });

  test('a secret and its version', async () => {
    answer = () => reply({ data: { user: 'app' }, metadata: { version: 2 } });
    const got = await lockstep('kv get secret/a');
    expect(got.out).toContain('version    2\n');
    expect(got.out).toContain('user    app\n');
    expect((await lockstep('kv get -field=user -version=2 secret/a')).out).toBe('app');
    expect(asked.at(-1)?.data).toEqual({ version: '2' });
    expect(JSON.parse((await lockstep('kv get -format=json secret/a')).out).data.data).toEqual({ user: 'app' });
  });

  test('lists', async () => {
    answer = () => reply({ keys: ['a', 'b/'] });
    expect((await lockstep('kv list secret')).out).toBe('Keys\n----\na\nb/\n');
    expect(asked.at(-1)).toMatchObject({ operation: 'list', path: 'secret/metadata' });
    expect((await lockstep('pki list -format=json')).out).toBe('[\n  "a",\n  "b/"\n]\n');
    for (const line of ['list a', 'policy list', 'pki role list']) expect((await lockstep(line)).out).toContain('b/');
  });

  test('raw documents', async () => {
    answer = () => ({ status: 200, body: '-----BEGIN X509 CRL-----' });
    expect((await lockstep('pki crl')).out).toBe('-----BEGIN X509 CRL-----\n');
  });

  test('a new token', async () => {
    const auth = {
      client_token: 'hvs.new',
      accessor: 'acc',
      policies: ['p'],
      token_policies: ['p'],
      metadata: { k: 'v' },
      lease_duration: 60,
      renewable: true,
    };
    answer = () => reply(undefined, { auth });
    expect((await lockstep('token create -field=token')).out).toBe('hvs.new');
    expect((await lockstep('token create')).out).toMatch(/token_duration\s+60s\n[^]*token_meta_k\s+v\n/);
    expect(JSON.parse((await lockstep('token create -format=json')).out).auth.client_token).toBe('hvs.new');
  });

  test('mounts', async () => {
    answer = () => reply({ 'pki/': { type: 'pki', description: 'certificates' } });
    expect((await lockstep('secrets list')).out).toMatch(/^pki\/ +pki +certificates$/m);
    expect(JSON.parse((await lockstep('secrets list -format=json')).out)).toHaveProperty(['pki/', 'type'], 'pki');
  });

  test.each(['kv put secret/a x=1', 'kv delete secret/a', 'policy delete web', 'seal'])(
    '%s says that it is done',
    async (line) => {
      expect((await lockstep(line)).code).toBe(0);
    },
  );
});

describe('login', () => {
  const file = (): string => join(home, '.vault-token');
  const lookedUp = { id: 'hvs.new', accessor: 'acc', policies: ['p'], ttl: 60, renewable: true };
  const withoutToken = { VAULT_TOKEN: '' };

  afterEach(() => rmSync(file(), { force: true }));

  test('keeps nothing that the node refuses, or does not name', async () => {
    answer = () => error('denied', 'permission denied');
    expect((await lockstep('login hvs.wrong', { environment: withoutToken })).code).toBe(2);
    answer = () => reply({ ...lookedUp, id: '' });
    expect((await lockstep('login hvs.wrong', { environment: withoutToken })).code).toBe(2);
    expect(existsSync(file())).toBe(false);
  });

  test('keeps the token that the node answers, for its owner only, from stdin, an argument or the terminal', async () => {
    answer = () => reply(lookedUp);
    writeFileSync(file(), 'hvs.old', { mode: 0o644 });
    for (const given of [
      ['login hvs.new', {}],
      ['login -', { stdin: 'hvs.new\n' }],
      ['login', { hidden: 'hvs.new' }],
    ] as const) {
      const got = await lockstep(given[0], { environment: withoutToken, ...given[1] });
      expect(got).toMatchObject({ code: 0, err: '', last: { path: 'auth/token/lookup-self', token: 'hvs.new' } });
      expect(got.out).toMatch(/^token +hvs.new\n/m);
      expect(readFileSync(file(), 'utf8')).toBe('hvs.new');
      expect(statSync(file()).mode & 0o777).toBe(0o600);
    }
    expect((await lockstep('read a', { environment: withoutToken })).last?.token).toBe('hvs.new');
  });

  test('says when the environment will win, and can try without keeping or printing', async () => {
    answer = () => reply(lookedUp);
    expect((await lockstep('login hvs.new')).err).toContain('WARNING! VAULT_TOKEN is set');
    rmSync(file());
    const got = await lockstep('login -no-store -no-print hvs.new', { environment: withoutToken });
    expect(got).toMatchObject({ code: 0, out: '', err: '' });
    expect((await lockstep('login -no-store -field=token_policies hvs.new')).out).toBe('["p"]');
    expect(existsSync(file())).toBe(false);
  });
});

describe('autopilot', () => {
  const settings = { cleanup_dead_servers: false, min_quorum: 3, server_stabilization_time: '10s' };
  const path = 'sys/storage/raft/autopilot/configuration';

  test.each(['cluster autopilot config', 'operator raft autopilot get-config'])(
    '%s shows the settings',
    async (line) => {
      answer = () => reply(settings);
      const got = await lockstep(line);
      expect(got).toMatchObject({ code: 0, request: { operation: 'read', path } });
      expect(got.out).toMatch(/server_stabilization_time +10s/);
    },
  );

  test.each([
    ['cluster autopilot config min_quorum=3 cleanup_dead_servers=true', 0],
    ['operator raft autopilot set-config -min-quorum=3 -cleanup-dead-servers=true', 0],
  ])('%s changes those that are given', async (line, code) => {
    answer = ({ operation }) => (operation === 'write' ? reply() : reply(settings));
    const got = await lockstep(line);
    expect(got.code).toBe(code);
    expect(asked[0]).toMatchObject({
      operation: 'write',
      path,
      data: { min_quorum: '3', cleanup_dead_servers: 'true' },
    });
  });

  test('tells how the members are, and what ails them', async () => {
    const server = {
      status: 'voter',
      last_contact: '20ms',
      last_index: 7,
      healthy: true,
      stable_since: 'noon',
      ailment: '',
    };
    const servers = {
      1: { ...server, id: '1', name: 'a' },
      2: { ...server, id: '2', name: 'b', healthy: false, ailment: 'its disk is full' },
    };
    answer = () => reply({ servers, healthy: false, failure_tolerance: 1, held_by: 'a restore is under way' });
    const { code, out } = await lockstep('cluster autopilot state');
    expect(code).toBe(0);
    expect(out).toMatch(/1 +a +voter +20ms +7 +since noon/);
    expect(out).toMatch(/2 +b +voter +20ms +7 +no: its disk is full/);
    expect(out).toContain('The cluster is not healthy: 1 healthy voters may be lost.');
    expect(out).toContain('Nothing is changed now: a restore is under way.');
  });
});

describe('from a new cluster to one that serves', () => {
  const sealStatus = {
    type: 'shamir',
    initialized: true,
    sealed: true,
    t: 3,
    n: 5,
    progress: 1,
    nonce: 'x',
    version: '1.21.4',
  };

  test('status: 2 when sealed, 0 when not, 1 when nobody answers', async () => {
    answer = () => flat(sealStatus);
    expect(await lockstep('status')).toMatchObject({
      code: 2,
      out: expect.stringMatching(/Sealed +true\n[^]*Unseal Progress +1\/3\n/),
    });
    answer = ({ path }) => ({
      status: 200,
      body:
        path === 'sys/leader'
          ? { ha_enabled: true, is_self: false, leader_address: 'https://b:8200' }
          : { ...sealStatus, sealed: false },
    });
    expect(await lockstep('status')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/HA Mode +standby\nActive Node Address +https:\/\/b:8200\n/),
    });
    expect(JSON.parse((await lockstep('status -format=json')).out)).toMatchObject({ sealed: false, is_self: false });
    expect(await lockstep('status -address=http://127.0.0.1:1')).toMatchObject({ code: 1, out: '' });
  });

  test("init prints the shares once, in words or as Vault's JSON", async () => {
    answer = () => ({
      status: 200,
      body: { keys: ['aa', 'bb'], keys_base64: ['qg==', 'uw=='], root_token: 'hvs.root' },
    });
    const got = await lockstep('init -key-shares=2 -key-threshold=2');
    expect(got.request).toEqual({
      operation: 'write',
      path: 'sys/init',
      data: { secret_shares: 2, secret_threshold: 2 },
    });
    expect(got.out).toContain('Unseal Key 2: uw==\n\nInitial Root Token: hvs.root\n');
    expect(JSON.parse((await lockstep('operator init -format=json')).out)).toEqual({
      unseal_keys_b64: ['qg==', 'uw=='],
      unseal_keys_hex: ['aa', 'bb'],
      unseal_shares: 5,
      unseal_threshold: 3,
      root_token: 'hvs.root',
    });
  });

  test('init -status', async () => {
    answer = () => flat({ initialized: false });
    expect((await lockstep('init -status')).code).toBe(2);
    answer = () => flat({ initialized: true });
    expect((await lockstep('init -status')).code).toBe(0);
  });

  test('unseal takes its share from the terminal, stdin or an argument', async () => {
    answer = () => flat(sealStatus);
    expect((await lockstep('unseal', { hidden: ' qg== ' })).request?.data).toEqual({ key: 'qg==' });
    expect((await lockstep('unseal -', { stdin: 'qg==\n' })).request?.data).toEqual({ key: 'qg==' });
    expect((await lockstep('unseal', { stdin: 'qg==\n' })).request?.data).toEqual({ key: 'qg==' });
    expect((await lockstep('unseal qg==')).request?.data).toEqual({ key: 'qg==' });
    expect((await lockstep('unseal -reset')).request?.data).toEqual({ reset: true });
    expect(await lockstep('unseal')).toMatchObject({ code: 1, request: undefined });
  });
});

describe('help', () => {
  test.each([
    '',
    'kv',
    'kv get',
    'kv metadata put',
    'pki',
    'pki issue',
    'token create',
    'login',
    'policy',
    'secrets enable',
    'init',
    'unseal',
    'status',
    'dev',
    'server',
    'read',
    'write',
    'operator init',
  ])('lockstep %s --help shows examples', async (line) => {
    const got = await lockstep([...line.split(' '), '--help'].filter((word) => word !== ''));
    expect(got.code).toBe(0);
    expect(got.out).toContain('Examples:\n  lockstep ');
  });

  test('the version', async () => {
    for (const line of ['version', '--version', '-version'])
      expect(await lockstep(line)).toMatchObject({ code: 0, out: expect.stringMatching(/^Lockstep \d+\.\d+\.\d+\n$/) });
  });
});
