import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DoorReply, DoorRequest } from '../door.ts';
import { headerBytesMax, targetBytesMax, tokenBytesMax } from '../limits.ts';
import { type HttpDoor, openHttpDoor } from './http-door.ts';

let door: HttpDoor;
let last: DoorRequest | undefined;
let answer: (request: DoorRequest) => DoorReply | Promise<DoorReply>;
const faults: unknown[] = [];
const echo = (request: DoorRequest): DoorReply => ({
  kind: 'reply',
  requestId: request.requestId,
  reply: { data: { operation: request.operation, path: request.path } },
});

beforeAll(async () => {
  door = await openHttpDoor({
    host: '127.0.0.1',
    port: 0,
    limits: { bodyBytesMax: 1000, headersTimeoutMs: 1500, requestTimeoutMs: 1500 },
    newRequestId: () => '5f2b0c1e-0000-4000-8000-000000000000',
    onFault: (fault) => faults.push(fault),
    onRefused: async ({ refusal }) => refusal,
    handle: async (request) => {
      last = request;
      return await answer(request);
    },
  });
});
afterAll(() => door.close());

interface Got {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/** Sends bytes as they are, and returns all that came back until the other side closed. */
function exchange(...packets: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(door.port, '127.0.0.1');
    socket.setNoDelay(true);
    let got = '';
    socket.on('data', (chunk) => (got += chunk.toString('latin1')));
    socket.on('close', () => resolve(got));
    socket.on('error', reject);
    for (const packet of packets) socket.write(packet, 'latin1');
  });
}

function parse(text: string): Got {
  const at = text.indexOf('\r\n\r\n');
  return { status: Number(text.slice(9, 12)), head: text.slice(0, at).toLowerCase(), body: text.slice(at + 4) };
}

async function send(
  method: string,
  target: string,
  {
    body = '',
    headers = {},
    reply = echo,
  }: { body?: string; headers?: Record<string, string>; reply?: typeof answer } = {},
): Promise<Got> {
  answer = reply;
  last = undefined;
  const length =
    body === '' && !('Content-Length' in headers) ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
  const lines = Object.entries({ Host: 'x', Connection: 'close', ...length, ...headers }).map(([k, v]) => `${k}: ${v}`);
  return parse(
    await exchange(
      `${method} ${target} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${Buffer.from(body).toString('latin1')}`,
    ),
  );
}

const errorsOf = (got: Got): unknown => JSON.parse(got.body);

describe('refusals of the request as such', () => {
  test.each<[string, string, Record<string, string>, string, number, string]>([
    ['GET', 'http://evil/v1/sys', {}, '', 400, 'absolute request target not allowed'],
    ['GET', `/v1/${'a'.repeat(targetBytesMax)}`, {}, '', 400, `request target is longer than ${targetBytesMax} bytes`],
    ['GET', '/v1/kv/%2e%2e/x', {}, '', 400, 'path contains relative segments'],
    ['GET', '/v1/a?list=maybe', {}, '', 400, 'list must be true or false'],
    ['GET', '/v1/a?list=true&list=false', {}, '', 400, 'list must be true or false'],
    ['GET', '/v1/a?scan=true', {}, '', 405, 'scan is not served; list each level'],
    ['GET', '/v1/a?help=1', {}, '', 405, 'path help is not served'],
    ['OPTIONS', '/v1/a', {}, '', 405, 'unsupported operation'],
    ['TRACE', '/v1/a', {}, '', 405, 'unsupported operation'],
    ['LINK', '/v1/a', {}, '', 405, 'unsupported operation'],
    ['HEAD', '/v1/a', {}, '', 405, ''],
    ['FOO', '/v1/a', {}, '', 405, 'unsupported operation'],
    ['SCAN', '/v1/a', {}, '', 405, 'unsupported operation'],
    ['POST', '/v1/sys/unseal?key=x', {}, '', 400, 'query parameters are not taken by a write; send them in the body'],
    ['POST', '/v1/a', {}, '{"a":', 400, 'request body is not valid JSON'],
    ['POST', '/v1/a', {}, 'hello', 400, 'request body is not valid JSON'],
    ['POST', '/v1/a', {}, '[1]', 400, 'request body must be a JSON object'],
    ['POST', '/v1/a', {}, '{"x":{"__proto__":1}}', 400, 'request body has the forbidden key "__proto__"'],
    ['POST', '/v1/a', { 'Content-Encoding': 'gzip' }, '{}', 415, 'content-encoding is not supported'],
    ['PATCH', '/v1/a', {}, '{}', 415, 'a patch needs content type application/merge-patch+json'],
    [
      'PATCH',
      '/v1/a',
      { 'Content-Type': 'application/json' },
      '{}',
      415,
      'a patch needs content type application/merge-patch+json',
    ],
    ['GET', '/v1/a', { 'X-Vault-Token': 'a b' }, '', 400, 'malformed token'],
    ['GET', '/v1/a', { 'X-Vault-Token': 'a,b' }, '', 400, 'malformed token'],
    ['GET', '/v1/a', { 'X-Vault-Token': 'a\xe9' }, '', 400, 'malformed token'],
    ['GET', '/v1/a', { 'X-Vault-Token': 'a'.repeat(tokenBytesMax + 1) }, '', 400, 'malformed token'],
    [
      'GET',
      '/v1/a',
      { 'X-Vault-Token': 'a', Authorization: 'Bearer b' },
      '',
      400,
      'conflicting credentials: X-Vault-Token and Authorization differ',
    ],
    ['GET', '/v1/a', { 'X-Vault-MFA': 'x' }, '', 400, 'header x-vault-mfa is not supported'],
    [
      'GET',
      '/v1/a',
      { 'Idempotency-Key': 'k'.repeat(129) },
      '',
      400,
      'header idempotency-key is longer than 128 bytes',
    ],
    ['GET', '/v1/a', { 'X-Lockstep-Timeout': '5' }, '', 400, 'header x-lockstep-timeout must be like 1500ms or 5s'],
    ['POST', '/v1/a', {}, `{"a":"${'x'.repeat(1000)}"}`, 413, 'request body is larger than 1000 bytes'],
  ])('%s %s %o %s: %i', async (method, target, headers, body, status, message) => {
    const got = await send(method, target, { headers, body });
    expect(got.status).toBe(status);
    if (method !== 'HEAD') expect(errorsOf(got)).toEqual({ errors: [message] });
    expect(got.head).toContain('content-type: application/json\r\n');
    expect(got.head).toContain('cache-control: no-store');
    if (status === 405) expect(got.head).toContain('allow: get, head, list, post, put, patch, delete');
    expect(last).toBeUndefined();
  });

  test.each([
    ['two hosts', 'GET /v1/a HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n', 'duplicate host header'],
    [
      'two authorizations',
      'GET /v1/a HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\nConnection: close\r\n\r\n',
      'duplicate authorization header',
    ],
    [
      'two tokens',
      'GET /v1/a HTTP/1.1\r\nHost: a\r\nX-Vault-Token: a\r\nX-Vault-Token: b\r\nConnection: close\r\n\r\n',
      'malformed token',
    ],
    [
      'two lengths',
      'POST /v1/a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      'conflicting message length',
    ],
    [
      'a length and chunks',
      'POST /v1/a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      'unsupported transfer-encoding, or one beside a content-length',
    ],
    [
      'an unknown transfer encoding',
      'POST /v1/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n',
      'unsupported transfer-encoding, or one beside a content-length',
    ],
    ['a space before the colon', 'GET /v1/a HTTP/1.1\r\nHost : a\r\n\r\n', 'malformed request'],
    ['bytes that are not HTTP', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 'malformed request'],
    ['a peer frame', '\x00\x00\x00\x10garbagegarbage!!', 'malformed request'],
  ])('%s', async (_name, bytes, message) => {
    const got = parse(await exchange(bytes));
    expect(got.status).toBe(400);
    expect(errorsOf(got)).toEqual({ errors: [message] });
  });

  test('headers of more than the bound', async () => {
    const got = await send('GET', '/v1/a', { headers: { 'X-Long': 'x'.repeat(headerBytesMax) } });
    expect(got.status).toBe(431);
    expect((await send('GET', '/v1/a', { headers: { 'X-Long': 'x'.repeat(20 * 1024) } })).status).toBe(200);
  });

  test('a head that never ends, and a body that never comes', async () => {
    answer = echo;
    const [head, body] = await Promise.all([
      exchange('GET /v1/a HTTP/1.1\r\nHost: a\r\nX-'),
      exchange('POST /v1/a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{'),
    ]);
    expect(errorsOf(parse(head))).toEqual({ errors: ['request was not complete in time'] });
    expect(parse(body).status).toBe(408);
  });

  test("a path outside /v1/ is Vault's bare 404", async () => {
    const got = await send('GET', '/ui/vault');
    expect(got.status).toBe(404);
    expect(errorsOf(got)).toEqual({ errors: [] });
  });

  test('a chunked body is cut off at the bound, and its sender gets the answer', async () => {
    const chunk = `3e8\r\n${'x'.repeat(1000)}\r\n`;
    const head = 'POST /v1/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n';
    const got = parse(await exchange(head, chunk, chunk, chunk, '0\r\n\r\n'));
    expect(got.status).toBe(413);
  });

  test('who waits for 100 Continue before a body that is too large gets 413 instead', async () => {
    const got = await exchange(
      'POST /v1/a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n',
    );
    expect(got).toMatch(/^HTTP\/1\.1 413 /);
    expect(got.toLowerCase()).toContain('connection: close');
  });

  test('the door goes on serving after all of that', async () => {
    expect((await send('GET', '/v1/a')).status).toBe(200);
    expect(faults).toEqual([]);
  });
});

describe('requests as clients send them', () => {
  test.each<[string, string, Record<string, string>, string, object]>([
    ['GET', '/v1/a/b?version=2', {}, '', { operation: 'read', path: 'a/b', data: { version: '2' } }],
    ['GET', '/v1/a?list=True', {}, '', { operation: 'list', path: 'a', data: {} }],
    ['GET', '/v1/a/?list=1&after=x', {}, '', { operation: 'list', path: 'a', data: { after: 'x' } }],
    ['GET', '/v1/a?list=false', {}, '', { operation: 'read', data: {} }],
    ['GET', '/v1/a', {}, '{"ignored":1}', { operation: 'read', data: {} }],
    ['LIST', '/v1/kv/metadata/', {}, '', { operation: 'list', path: 'kv/metadata', data: {} }],
    ['POST', '/v1/a', {}, '{"k":[1,null]}', { operation: 'write', data: { k: [1, null] } }],
    ['PUT', '/v1/a', {}, '{"k":"é"}', { operation: 'write', data: { k: 'é' } }],
    ['PUT', '/v1/a', { 'Content-Type': 'text/plain' }, ' \n{"k":1}', { data: { k: 1 } }],
    ['POST', '/v1/a', { 'Content-Type': 'application/x-www-form-urlencoded' }, '{"k":1}', { data: { k: 1 } }],
    [
      'POST',
      '/v1/a',
      { 'Content-Type': 'application/x-www-form-urlencoded' },
      'k=1&l=a+b',
      { data: { k: '1', l: 'a b' } },
    ],
    [
      'POST',
      '/v1/a',
      { 'Content-Type': 'application/json', 'Content-Length': '0' },
      '',
      { operation: 'write', data: {} },
    ],
    ['POST', '/v1/a', {}, 'null', { data: {} }],
    [
      'PATCH',
      '/v1/a',
      { 'Content-Type': 'application/merge-patch+json; charset=utf-8' },
      '{"k":null}',
      { operation: 'patch', data: { k: null } },
    ],
    ['DELETE', '/v1/a?versions=1&versions=2', {}, '', { operation: 'delete', data: { versions: ['1', '2'] } }],
    [
      'HEAD',
      '/v1/sys/health?standbyok=true',
      {},
      '',
      { operation: 'read', path: 'sys/health', data: { standbyok: 'true' } },
    ],
    [
      'GET',
      '/v1/a',
      { 'X-Vault-Namespace': 'team', 'X-Vault-Wrap-TTL': '60s', 'Idempotency-Key': 'k-1', 'X-Lockstep-Timeout': '5s' },
      '',
      { namespace: 'team', wrapTtl: '60s', idempotencyKey: 'k-1', deadlineMs: 5000 },
    ],
    ['GET', '/v1/a', { 'X-Lockstep-Timeout': '9999s' }, '', { deadlineMs: 90_000 }],
    [
      'GET',
      '/v1/a',
      {},
      '',
      {
        door: 'http',
        remoteAddress: '127.0.0.1',
        token: undefined,
        deadlineMs: undefined,
        requestId: '5f2b0c1e-0000-4000-8000-000000000000',
      },
    ],
  ])('%s %s %o %s', async (method, target, headers, body, expected) => {
    const got = await send(method, target, { headers, body });
    expect(got.status).toBe(200);
    expect(last).toMatchObject(expected);
  });

  test.each([
    { 'X-Vault-Token': 'hvs.abc' },
    { Authorization: 'Bearer hvs.abc' },
    { 'X-Vault-Token': 'hvs.abc', Authorization: 'bearer hvs.abc' },
    { 'X-Vault-Token': 'hvs.abc', Authorization: 'Basic eDp5' },
  ] as const)('the token of %o', async (headers) => {
    await send('GET', '/v1/a', { headers: { ...headers } });
    expect(last?.token?.revealText()).toBe('hvs.abc');
  });

  test('the namespace is echoed', async () => {
    expect((await send('GET', '/v1/a', { headers: { 'X-Vault-Namespace': 'root' } })).head).toContain(
      'x-vault-namespace: root',
    );
  });

  test('a caller that goes away aborts its request', async () => {
    let aborted: (reason: string) => void;
    const seen = new Promise<string>((resolve) => (aborted = resolve));
    answer = (request) =>
      new Promise((resolve) => {
        request.signal.addEventListener('abort', () => {
          aborted('aborted');
          resolve(echo(request));
        });
        socket.destroy();
      });
    const socket = connect(door.port, '127.0.0.1', () => socket.write('GET /v1/a HTTP/1.1\r\nHost: a\r\n\r\n'));
    expect(await seen).toBe('aborted');
  });
});

describe('replies', () => {
  const reply =
    (parts: Partial<Extract<DoorReply, { kind: 'reply' }>>): typeof answer =>
    (request) => ({
      kind: 'reply',
      requestId: request.requestId,
      reply: {},
      ...parts,
    });
  const blank = {
    request_id: '5f2b0c1e-0000-4000-8000-000000000000',
    lease_id: '',
    renewable: false,
    lease_duration: 0,
    data: null,
    wrap_info: null,
    warnings: null,
    auth: null,
  };

  test('data comes in an envelope with every member, and the exact content type', async () => {
    const got = await send('GET', '/v1/a', {
      reply: reply({ reply: { data: { a: 1 } }, leaseId: 'x/1', isRenewable: true, leaseDurationSeconds: 60 }),
    });
    expect(JSON.parse(got.body)).toEqual({
      ...blank,
      data: { a: 1 },
      lease_id: 'x/1',
      renewable: true,
      lease_duration: 60,
    });
    expect(Object.keys(JSON.parse(got.body))).toEqual(Object.keys(blank));
    expect(got.head).toContain('content-type: application/json\r\n');
    expect(got.head).toContain('cache-control: no-store');
  });

  test("a login has auth in Vault's shape", async () => {
    const auth = {
      clientToken: 't',
      accessor: 'a',
      policies: ['p'],
      metadata: { m: '1' },
      leaseDurationSeconds: 5,
      isRenewable: true,
      isOrphan: false,
      tokenType: 'service' as const,
      numUses: 0,
    };
    const got = await send('POST', '/v1/a', { reply: reply({ reply: { auth } }) });
    expect(JSON.parse(got.body)).toEqual({
      ...blank,
      auth: {
        client_token: 't',
        accessor: 'a',
        policies: ['p'],
        token_policies: ['p'],
        metadata: { m: '1' },
        lease_duration: 5,
        renewable: true,
        entity_id: '',
        token_type: 'service',
        orphan: false,
        mfa_requirement: null,
        num_uses: 0,
      },
    });
  });

  test('nothing to say is 204 without a body', async () => {
    for (const method of ['POST', 'DELETE']) {
      const got = await send(method, '/v1/a', { reply: reply({}) });
      expect(got).toMatchObject({ status: 204, body: '' });
      expect(got.head).not.toContain('content-type');
    }
  });

  test.each<[string, object]>([
    ['GET', {}],
    ['LIST', {}],
    ['LIST', { data: { keys: [] } }],
  ])('%s of nothing (%o) is a bare 404', async (method, parts) => {
    const got = await send(method, '/v1/a', { reply: reply({ reply: parts }) });
    expect(got.status).toBe(404);
    expect(JSON.parse(got.body)).toEqual({ errors: [] });
  });

  test('warnings alone are an answer', async () => {
    const got = await send('POST', '/v1/a', { reply: reply({ reply: { warnings: ['w'] } }) });
    expect(JSON.parse(got.body)).toEqual({ ...blank, warnings: ['w'] });
  });

  test('a raw reply is sent as it is', async () => {
    const got = await send('GET', '/v1/pki/crl', {
      reply: reply({ reply: { raw: { contentType: 'application/pkix-crl', body: Buffer.from([0x30, 0xff]) } } }),
    });
    expect(got.head).toContain('content-type: application/pkix-crl\r\n');
    expect(got.body).toBe('0\xff');
  });

  test('a flat reply has its own status and nothing around its body', async () => {
    const got = await send('GET', '/v1/sys/health', {
      reply: () => ({ kind: 'flat', status: 503, body: { sealed: true } }),
    });
    expect(got).toMatchObject({ status: 503, body: '{"sealed":true}' });
  });

  test.each(['sys/mounts', 'sys/mounts/kv', 'sys/auth', 'sys/policy/x', 'sys/capabilities-self', 'sys/audit'])(
    '%s repeats its data at the top',
    async (path) => {
      const got = await send('GET', `/v1/${path}`, { reply: reply({ reply: { data: { 'kv/': 1, data: 'hidden' } } }) });
      expect(JSON.parse(got.body)).toEqual({ ...blank, 'kv/': 1, data: { 'kv/': 1, data: 'hidden' } });
    },
  );

  test.each(['sys/policies/acl/x', 'kv/sys/mounts', 'sys/mountsx', 'sys/leases'])('%s does not', async (path) => {
    const got = await send('GET', `/v1/${path}`, { reply: reply({ reply: { data: { a: 1 } } }) });
    expect(JSON.parse(got.body)).toEqual({ ...blank, data: { a: 1 } });
  });

  test('an error may carry data, and when to come back', async () => {
    const deleted = await send('GET', '/v1/a', {
      reply: () => ({ kind: 'error', code: 'not-found', messages: [], body: { data: null } }),
    });
    expect(deleted.status).toBe(404);
    expect(JSON.parse(deleted.body)).toEqual({ ...blank, request_id: '', data: { data: null } });
    const limited = await send('GET', '/v1/a', {
      reply: () => ({ kind: 'error', code: 'rate-limited', messages: ['slow down'], retryAfterSeconds: 1.2 }),
    });
    expect(limited.head).toContain('retry-after: 2');
  });

  test('a fault of the program is "internal error", and its text goes to the log only', async () => {
    faults.length = 0;
    const fault = new Error('secret detail');
    const got = await send('GET', '/v1/a', { reply: () => Promise.reject(fault) });
    expect(got).toMatchObject({ status: 500, body: '{"errors":["internal error"]}' });
    expect(faults).toEqual([fault]);
  });
});

test('a closing door ends the requests that it has, and takes no more', async () => {
  let release: () => void = () => {};
  const closing = await openHttpDoor({
    host: '127.0.0.1',
    port: 0,
    onFault: () => {},
    onRefused: async ({ refusal }) => refusal,
    handle: (request) => new Promise((resolve) => (release = () => resolve(echo(request)))),
  });
  const socket = connect(closing.port, '127.0.0.1');
  let got = '';
  socket.on('data', (chunk) => (got += chunk.toString()));
  const closed = new Promise((resolve) => socket.once('close', resolve));
  const started = new Promise<void>((resolve) => {
    const before = release;
    const look = (): void => {
      if (release === before) setImmediate(look);
      else resolve();
    };
    socket.write('GET /v1/a HTTP/1.1\r\nHost: a\r\n\r\n', look);
  });
  await started;
  const done = closing.close();
  release();
  await Promise.all([done, closed]);
  expect(got).toContain('200 OK');
  expect(got).toContain('Connection: close');
});

test('connections are allowed up to their bound, and one past it is closed', async () => {
  const small = await openHttpDoor({
    host: '127.0.0.1',
    port: 0,
    limits: { connectionsMax: 2 },
    onFault: () => {},
    onRefused: async ({ refusal }) => refusal,
    handle: async (request) => echo(request),
  });
  const ask = (socket: ReturnType<typeof connect>): Promise<string> =>
    new Promise((resolve) => {
      socket.once('data', (chunk) => resolve(chunk.toString().slice(9, 12)));
      socket.once('close', () => resolve('closed'));
      socket.once('error', () => resolve('closed'));
      socket.write('GET /v1/a HTTP/1.1\r\nHost: a\r\n\r\n');
    });
  const sockets = [0, 1].map(() => connect(small.port, '127.0.0.1'));
  expect(await Promise.all(sockets.map(ask))).toEqual(['200', '200']);
  expect(await ask(connect(small.port, '127.0.0.1'))).toBe('closed');
  for (const socket of sockets) socket.destroy();
  await small.close();
});
