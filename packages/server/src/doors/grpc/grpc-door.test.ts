import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { ChannelCredentials, Client, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DoorReply, DoorRequest } from '../door.ts';
import { grpcSessionMegabytesMax, grpcStreamsMax } from '../limits.ts';
import { testCertificate } from '../test-certificate.ts';
import { type GrpcDoor, openGrpcDoor, serverOptions } from './grpc-door.ts';
import { loadProtos, serviceOf } from './protos.ts';
import { rpcTable } from './rpc-table.ts';

const protos = loadProtos();
let door: GrpcDoor;
let client: Client;
let last: DoorRequest | undefined;
let answer: (request: DoorRequest) => DoorReply | Promise<DoorReply>;
let isServing = true;
const faults: unknown[] = [];
const reply =
  (data?: object, parts: object = {}): ((request: DoorRequest) => DoorReply) =>
  (request) => ({
    kind: 'reply',
    requestId: request.requestId,
    reply: { ...(data === undefined ? {} : { data: JSON.parse(JSON.stringify(data)) }), ...parts },
  });

beforeAll(async () => {
  door = await openGrpcDoor({
    host: '127.0.0.1',
    port: 0,
    tls: testCertificate,
    bodyBytesMax: 4000,
    isServing: () => isServing,
    nowMs: Date.now,
    newRequestId: () => '5f2b0c1e-0000-4000-8000-000000000000',
    onFault: (fault) => faults.push(fault),
    onRefused: async ({ refusal }) => refusal,
    handle: async (request) => {
      last = request;
      return await answer(request);
    },
  });
  client = new Client(`127.0.0.1:${door.port}`, ChannelCredentials.createSsl(Buffer.from(testCertificate.cert)));
});
afterAll(async () => {
  client.close();
  await door.close();
});

type Message = { readonly [name: string]: unknown };
interface Options {
  readonly metadata?: { readonly [name: string]: string };
  readonly deadlineMs?: number;
  readonly onCall?: (cancel: () => void) => void;
}

async function call(service: string, method: string, message: Message, options: Options = {}): Promise<Message> {
  last = undefined;
  const definition = serviceOf(protos, service)[method];
  if (definition === undefined) throw new Error(`no ${method}`);
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(options.metadata ?? {})) metadata.add(name, value);
  return await new Promise((resolve, reject) => {
    const sent = client.makeUnaryRequest(
      definition.path,
      definition.requestSerialize,
      definition.responseDeserialize,
      message,
      metadata,
      options.deadlineMs === undefined ? {} : { deadline: Date.now() + options.deadlineMs },
      (fault, got) => (fault === null ? resolve({ ...got }) : reject(fault)),
    );
    options.onCall?.(() => sent.cancel());
  });
}

const refusal = async (...parts: Parameters<typeof call>): Promise<ServiceError> => {
  try {
    await call(...parts);
  } catch (fault) {
    return fault as ServiceError;
  }
  throw new Error('was not refused');
};

const sys = 'lockstep.sys.v1.SysService';
const kv = 'lockstep.kv.v1.KvService';
const pki = 'lockstep.pki.v1.PkiService';
const token = 'lockstep.auth.v1.TokenService';

describe('refusals of the call as such', () => {
  test.each<[string, string, Message, Options, string]>([
    [pki, 'IssueCertificate', {}, {}, 'role is required'],
    [pki, 'IssueCertificate', { role: 'a/b' }, {}, 'role must not contain a slash'],
    [pki, 'IssueCertificate', { role: '..' }, {}, 'path contains relative segments'],
    [pki, 'IssueCertificate', { role: 'a', mount: '/' }, {}, 'mount is required'],
    [kv, 'Get', { path: 'a/%2e%2e/b' }, {}, 'path contains relative segments'],
    [kv, 'Get', { path: 'a\\b' }, {}, 'path contains a backslash'],
    [kv, 'Get', {}, {}, 'path is required'],
    [
      kv,
      'Put',
      { path: 'a', data_json: Buffer.from('{"__proto__":1}') },
      {},
      'request body has the forbidden key "__proto__"',
    ],
    [kv, 'Put', { path: 'a', data_json: Buffer.from('[') }, {}, 'request body is not valid JSON'],
    [
      sys,
      'Call',
      { path: 'a' },
      {},
      'operation must be one of OPERATION_READ, OPERATION_WRITE, OPERATION_PATCH, OPERATION_DELETE, OPERATION_LIST',
    ],
    [
      sys,
      'Call',
      { path: 'a', operation: 99 },
      {},
      'operation must be one of OPERATION_READ, OPERATION_WRITE, OPERATION_PATCH, OPERATION_DELETE, OPERATION_LIST',
    ],
    [sys, 'Call', { operation: 'OPERATION_READ' }, {}, 'path is required'],
    [sys, 'Call', { operation: 'OPERATION_READ', path: 'a/../b' }, {}, 'path contains relative segments'],
    [
      sys,
      'Call',
      { operation: 'OPERATION_WRITE', path: 'a', data_json: Buffer.from('['.repeat(3000)) },
      {},
      'request body nests deeper than 64 levels',
    ],
    [kv, 'Get', { path: 'a' }, { metadata: { 'x-vault-token': 'a b' } }, 'malformed token'],
    [
      kv,
      'Get',
      { path: 'a' },
      { metadata: { 'x-vault-token': 'a', authorization: 'Bearer b' } },
      'conflicting credentials: X-Vault-Token and Authorization differ',
    ],
    [
      kv,
      'Get',
      { path: 'a' },
      { metadata: { 'idempotency-key': 'k'.repeat(129) } },
      'header idempotency-key is longer than 128 bytes',
    ],
  ])('%s %s %o', async (service, method, message, options, details) => {
    expect(await refusal(service, method, message, options)).toMatchObject({ code: status.INVALID_ARGUMENT, details });
    expect(last).toBeUndefined();
  });

  test('a message beyond the bound', async () => {
    const message = { path: 'a', data_json: Buffer.alloc(4000, 0x20) };
    expect(await refusal(kv, 'Put', message)).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    expect(last).toBeUndefined();
  });

  test('metadata that is there twice', async () => {
    const metadata = new Metadata();
    metadata.add('x-vault-token', 'a');
    metadata.add('x-vault-token', 'b');
    const definition = serviceOf(protos, kv)['Get'];
    if (definition === undefined) throw new Error('no Get');
    const details = await new Promise((resolve) => {
      client.makeUnaryRequest(
        definition.path,
        definition.requestSerialize,
        definition.responseDeserialize,
        { path: 'a' },
        metadata,
        (fault) => resolve(fault?.details),
      );
    });
    expect(details).toBe('malformed token');
  });

  test('bytes that are not the message', async () => {
    const bytes = Buffer.alloc(2000, 0xff);
    const code = await new Promise((resolve) => {
      client.makeUnaryRequest(
        '/lockstep.kv.v1.KvService/Put',
        (b: Buffer) => b,
        (b: Buffer) => b,
        bytes,
        (fault) => resolve(fault?.code),
      );
    });
    expect(code).not.toBe(status.OK);
    answer = reply({ keys: ['a'] });
    expect(await call(kv, 'List', {})).toEqual({ keys: ['a'] });
  });
});

describe('calls reach routes', () => {
  test.each<[string, string, Message, object]>([
    [
      pki,
      'IssueCertificate',
      { role: 'web', common_name: 'a.example', ip_sans: ['::1'], ttl: '1h' },
      { operation: 'write', path: 'pki/issue/web', data: { common_name: 'a.example', ip_sans: ['::1'], ttl: '1h' } },
    ],
    [pki, 'GetCertificate', { mount: 'ca/', serial: '0a:0b' }, { operation: 'read', path: 'ca/cert/0a:0b', data: {} }],
    [
      pki,
      'PutRole',
      { name: 'web', allow_any_name: false, max_ttl: '72h' },
      { operation: 'write', path: 'pki/roles/web', data: { allow_any_name: false, max_ttl: '72h' } },
    ],
    [
      kv,
      'Put',
      { path: 'a/b', data_json: Buffer.from('{"x":{"y":[1,null]}}'), options: { cas: 0 } },
      { operation: 'write', path: 'secret/data/a/b', data: { data: { x: { y: [1, null] } }, options: { cas: 0 } } },
    ],
    [
      kv,
      'Get',
      { mount: 'a/b', path: 'c', version: 2 },
      { operation: 'read', path: 'a/b/data/c', data: { version: 2 } },
    ],
    [kv, 'List', { path: '' }, { operation: 'list', path: 'secret/metadata', data: {} }],
    [
      kv,
      'Destroy',
      { path: 'a', versions: [1, 2] },
      { operation: 'write', path: 'secret/destroy/a', data: { versions: [1, 2] } },
    ],
    [
      token,
      'Create',
      { policies: ['p'], meta: { a: 'b' } },
      { operation: 'write', path: 'auth/token/create', data: { policies: ['p'], meta: { a: 'b' } } },
    ],
    [sys, 'Unseal', { key: 'ab' }, { operation: 'write', path: 'sys/unseal', data: { key: 'ab' } }],
    [
      sys,
      'Call',
      { operation: 'OPERATION_DELETE', path: '/x//y/', data_json: Buffer.from('{"a":1}') },
      { operation: 'delete', path: 'x/y', data: { a: 1 } },
    ],
    [sys, 'Call', { operation: 'OPERATION_LIST', path: 'x' }, { operation: 'list', path: 'x', data: {} }],
  ])('%s %s %o', async (service, method, message, expected) => {
    answer = reply({}, { warnings: [] });
    await call(service, method, message);
    expect(last).toMatchObject(expected);
    expect(Object.keys(last?.data ?? {}).toSorted()).toEqual(
      Object.keys((expected as { data: object }).data).toSorted(),
    );
  });

  test('metadata, address and deadline', async () => {
    answer = reply({ keys: ['a'] });
    const metadata = {
      authorization: 'Bearer hvs.x',
      'idempotency-key': 'k',
      'x-vault-namespace': 'root',
      'x-vault-wrap-ttl': '5s',
    };
    await call(kv, 'List', {}, { metadata, deadlineMs: 5000 });
    expect(last).toMatchObject({
      door: 'grpc',
      remoteAddress: '127.0.0.1',
      idempotencyKey: 'k',
      namespace: 'root',
      wrapTtl: '5s',
      requestId: '5f2b0c1e-0000-4000-8000-000000000000',
    });
    expect(last?.token?.revealText()).toBe('hvs.x');
    expect(last?.deadlineMs).toBeGreaterThan(3000);
    expect(last?.deadlineMs).toBeLessThanOrEqual(5000);
    await call(kv, 'List', {}, { metadata: { 'x-vault-token': 'hvs.y' } });
    expect(last?.token?.revealText()).toBe('hvs.y');
    expect(last?.deadlineMs).toBeUndefined();
  });

  /** Those that are no route, or whose messages are pieces of one. */
  const beside = ['Call', 'SaveSnapshot', 'RestoreSnapshot'];

  test('every method of every service is in the table, and the table has no other', () => {
    for (const [service, rpcs] of Object.entries(rpcTable)) {
      const methods = Object.keys(serviceOf(protos, service)).filter((method) => !beside.includes(method));
      expect(Object.keys(rpcs).toSorted()).toEqual(methods.toSorted());
    }
  });
});

describe('replies', () => {
  test('members of the data by their names; unknown ones and nulls stay behind', async () => {
    answer = reply(
      { certificate: 'C', ca_chain: ['A'], expiration: 4102444800, serial_number: '0a', other: 1, issuing_ca: null },
      { warnings: ['w'] },
    );
    expect(await call(pki, 'IssueCertificate', { role: 'web' })).toEqual({
      certificate: 'C',
      ca_chain: ['A'],
      expiration: 4102444800,
      serial_number: '0a',
      warnings: ['w'],
    });
  });

  test('JSON, nested messages and maps', async () => {
    answer = reply({ data: { a: [1] }, metadata: { version: 3, created_time: 't', custom_metadata: null } });
    expect(await call(kv, 'Get', { path: 'a' })).toEqual({
      data_json: Buffer.from('{"a":[1]}'),
      metadata: { version: 3, created_time: 't' },
    });
    answer = reply({
      current_version: 2,
      versions: { 1: { destroyed: true }, 2: { created_time: 't' } },
      custom_metadata: { k: 'v' },
    });
    expect(await call(kv, 'GetMetadata', { path: 'a' })).toEqual({
      current_version: 2,
      versions: { 1: { destroyed: true }, 2: { created_time: 't' } },
      custom_metadata: { k: 'v' },
    });
  });

  test('a token and what is known of one', async () => {
    const auth = {
      clientToken: 't',
      accessor: 'a',
      policies: ['p'],
      metadata: { m: '1' },
      leaseDurationSeconds: 5,
      isRenewable: true,
      isOrphan: false,
      tokenType: 'service',
      numUses: 0,
    };
    answer = reply(undefined, { auth });
    expect(await call(token, 'Create', {})).toEqual({
      auth: {
        client_token: 't',
        accessor: 'a',
        policies: ['p'],
        token_policies: ['p'],
        metadata: { m: '1' },
        lease_duration: 5,
        renewable: true,
        token_type: 'service',
        orphan: false,
        num_uses: 0,
      },
    });
    answer = reply({ accessor: 'a', ttl: 7, meta: null, expire_time: null, policies: ['root'] });
    expect(await call(token, 'LookupSelf', {})).toEqual({ token: { accessor: 'a', ttl: 7, policies: ['root'] } });
  });

  test('raw bytes, flat bodies and nothing', async () => {
    answer = reply(undefined, { raw: { contentType: 'application/x-pem-file', body: Buffer.from('PEM') } });
    expect(await call(pki, 'GetCrl', {})).toEqual({ raw: Buffer.from('PEM'), content_type: 'application/x-pem-file' });
    answer = () => ({ kind: 'flat', status: 503, body: { sealed: true, initialized: true, version: '1.21.4' } });
    expect(await call(sys, 'Health', {})).toEqual({ sealed: true, initialized: true, version: '1.21.4' });
    answer = reply();
    expect(await call(sys, 'Seal', {})).toEqual({});
  });

  test('a generic call carries all that the envelope has', async () => {
    answer = reply({ a: 1 }, { warnings: ['w'] });
    expect(await call(sys, 'Call', { operation: 'OPERATION_READ', path: 'x' })).toMatchObject({
      request_id: '5f2b0c1e-0000-4000-8000-000000000000',
      data_json: Buffer.from('{"a":1}'),
      warnings: ['w'],
    });
    answer = () => ({ kind: 'flat', status: 429, body: { standby: true } });
    expect(await call(sys, 'Call', { operation: 'OPERATION_READ', path: 'sys/health' })).toMatchObject({
      status: 429,
      data_json: Buffer.from('{"standby":true}'),
    });
  });

  test('reading nothing, or listing nothing, is NOT_FOUND', async () => {
    answer = reply();
    expect(await refusal(kv, 'Get', { path: 'a' })).toMatchObject({ code: status.NOT_FOUND });
    answer = reply({ keys: [] });
    expect(await refusal(kv, 'List', {})).toMatchObject({ code: status.NOT_FOUND });
  });

  test('a fault of the program is "internal error", and its text goes to the log only', async () => {
    const fault = new Error('secret detail');
    answer = () => Promise.reject(fault);
    expect(await refusal(kv, 'List', {})).toMatchObject({ code: status.INTERNAL, details: 'internal error' });
    expect(faults).toEqual([fault]);
  });
});

describe('deadlines', () => {
  const untilAborted = (request: DoorRequest): Promise<DoorReply> =>
    new Promise((resolve) => {
      request.signal.addEventListener('abort', () =>
        resolve({ kind: 'error', code: 'deadline-exceeded', messages: ['late'] }),
      );
    });

  test('a call whose deadline passes is aborted', async () => {
    answer = untilAborted;
    expect(await refusal(kv, 'List', {}, { deadlineMs: 200 })).toMatchObject({ code: status.DEADLINE_EXCEEDED });
    await expect.poll(() => last?.signal.aborted).toBe(true);
  });

  test('a call that its caller cancels is aborted', async () => {
    let cancel: () => void = () => {};
    answer = (request) => {
      cancel();
      return untilAborted(request);
    };
    const refused = await refusal(kv, 'List', {}, { onCall: (stop) => (cancel = stop) });
    expect(refused.code).toBe(status.CANCELLED);
    await expect.poll(() => last?.signal.aborted).toBe(true);
  });

  test('one that has passed already starts nothing', async () => {
    let wasStarted = false;
    const late = await openGrpcDoor({
      host: '127.0.0.1',
      port: 0,
      nowMs: () => Date.now() + 60_000,
      isServing: () => true,
      onFault: () => {},
      onRefused: async ({ refusal }) => refusal,
      handle: async (request) => {
        wasStarted = true;
        return reply({})(request);
      },
    });
    const other = new Client(`127.0.0.1:${late.port}`, ChannelCredentials.createInsecure());
    const list = serviceOf(protos, kv)['List'];
    if (list === undefined) throw new Error('no List');
    const code = await new Promise((resolve) => {
      other.makeUnaryRequest(
        list.path,
        list.requestSerialize,
        list.responseDeserialize,
        {},
        new Metadata(),
        { deadline: Date.now() + 10_000 },
        (fault) => resolve(fault?.code),
      );
    });
    other.close();
    await late.close();
    expect(code).toBe(status.DEADLINE_EXCEEDED);
    expect(wasStarted).toBe(false);
  });
});

describe('health', () => {
  const health = 'grpc.health.v1.Health';
  test('check', async () => {
    expect(await call(health, 'Check', {})).toEqual({ status: 'SERVING' });
    expect(await call(health, 'Check', { service: kv })).toEqual({ status: 'SERVING' });
    isServing = false;
    expect(await call(health, 'Check', {})).toEqual({ status: 'NOT_SERVING' });
    isServing = true;
    expect(await refusal(health, 'Check', { service: 'x' })).toMatchObject({ code: status.NOT_FOUND });
  });

  test('watch tells the state, and each change of it', async () => {
    const watch = serviceOf(protos, health)['Watch'];
    if (watch === undefined) throw new Error('no Watch');
    const seen: unknown[] = [];
    const stream = client.makeServerStreamRequest(watch.path, watch.requestSerialize, watch.responseDeserialize, {});
    stream.on('error', () => {});
    stream.on('data', (got: Message) => seen.push(got['status']));
    await expect.poll(() => seen).toEqual(['SERVING']);
    isServing = false;
    await expect.poll(() => seen, { timeout: 3000 }).toEqual(['SERVING', 'NOT_SERVING']);
    isServing = true;
    stream.cancel();
  });
});

describe('bounds of a connection', () => {
  test('streams and session memory are bounded, which grpc-js does only when asked', async () => {
    expect(serverOptions(1)).toMatchObject({
      'grpc-node.max_session_memory': grpcSessionMegabytesMax,
      'grpc.max_concurrent_streams': grpcStreamsMax,
      'grpc.max_receive_message_length': 1,
    });
    const session: ClientHttp2Session = connectHttp2(`https://127.0.0.1:${door.port}`, { ca: testCertificate.cert });
    const settings = await new Promise((resolve) => session.once('remoteSettings', resolve));
    session.destroy();
    expect(settings).toMatchObject({ maxConcurrentStreams: grpcStreamsMax });
  });

  test('TLS below 1.3 is refused, and so is plain HTTP/2', async () => {
    const failed = (url: string, options: object): Promise<string> =>
      new Promise((resolve) => {
        const session = connectHttp2(url, options);
        session.once('remoteSettings', () => resolve('connected'));
        session.once('error', (fault) => resolve(`${fault}`));
        session.once('close', () => resolve('closed'));
      });
    expect(
      await failed(`https://127.0.0.1:${door.port}`, { ca: testCertificate.cert, maxVersion: 'TLSv1.2' }),
    ).not.toBe('connected');
    expect(await failed(`http://127.0.0.1:${door.port}`, {})).not.toBe('connected');
    answer = reply({ keys: ['a'] });
    expect(await call(kv, 'List', {})).toEqual({ keys: ['a'] });
  });

  test('hundreds of calls at once on one connection all end', async () => {
    answer = reply({ keys: ['a'] });
    const all = await Promise.all(Array.from({ length: grpcStreamsMax * 3 }, () => call(kv, 'List', {})));
    expect(all).toHaveLength(grpcStreamsMax * 3);
  });
});
