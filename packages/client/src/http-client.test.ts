import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import type { Client, ClientOptions } from './client.ts';
import { openHttpClient, targetOf } from './http-client.ts';

type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void;
const opened: { close: () => void }[] = [];
afterEach(() => {
  for (const one of opened.splice(0)) one.close();
});

async function node(answer: Answer): Promise<string> {
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += chunk));
    request.on('end', () => answer(request, response, body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  opened.push({
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  });
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
}

function client(addresses: readonly string[], options: Partial<ClientOptions> = {}): Client {
  const made = openHttpClient({ addresses, deadlineMs: 5000, token: 'hvs.x', ...options });
  opened.push(made);
  return made;
}

const json =
  (status: number, body: object, headers: Record<string, string> = {}): Answer =>
  (_request, response) => {
    response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
  };
const envelope = {
  request_id: 'r',
  lease_id: '',
  renewable: false,
  lease_duration: 0,
  data: { a: 1 },
  wrap_info: null,
  warnings: null,
  auth: null,
};
const ok = json(200, envelope);

test('a write, and its answer', async () => {
  let seen: { method: string | undefined; url: string | undefined; headers: object; body: string } | undefined;
  const address = await node((request, response, body) => {
    seen = { method: request.method, url: request.url, headers: request.headers, body };
    ok(request, response, body);
  });
  expect(await client([address]).request('write', 'kv/data/a b', { data: { x: 1 } }, { idempotencyKey: 'k' })).toEqual({
    kind: 'applied',
    data: { a: 1 },
    address,
  });
  expect(seen).toMatchObject({ method: 'PUT', url: '/v1/kv/data/a%20b', body: '{"data":{"x":1}}' });
  expect(seen?.headers).toMatchObject({
    'x-vault-token': 'hvs.x',
    'idempotency-key': 'k',
    'x-lockstep-timeout': expect.stringMatching(/^\d+ms$/),
  });
});

test('without an idempotency key where one request asks for none', async () => {
  const keys: unknown[] = [];
  const address = await node((request, response, body) => {
    keys.push(request.headers['idempotency-key']);
    ok(request, response, body);
  });
  await client([address]).request('write', 'pki/issue/web', {}, { idempotencyKeys: 'none' });
  await client([address], { idempotencyKeys: 'none' }).request('write', 'x', {}, { idempotencyKeys: 'each-write' });
  expect(keys).toEqual([undefined, expect.any(String)]);
});

test('a certificate', async () => {
  let url: string | undefined;
  const address = await node((request, response, body) => {
    ({ url } = request);
    json(200, { ...envelope, data: { certificate: JSON.parse(body).common_name } })(request, response, body);
  });
  expect(await client([address]).issueCertificate({ role: 'web', common_name: 'a.example' })).toMatchObject({
    kind: 'applied',
    data: { certificate: 'a.example' },
  });
  expect(url).toBe('/v1/pki/issue/web');
});

test.each<[string, Answer, object]>([
  ['nothing', (_q, r) => r.writeHead(204).end(), { kind: 'applied', data: {} }],
  ['a flat body', json(429, { standby: true }), { kind: 'applied', data: { standby: true } }],
  [
    'auth and warnings',
    json(200, { ...envelope, data: null, auth: { client_token: 't' }, warnings: ['w'] }),
    { kind: 'applied', data: {}, auth: { client_token: 't' }, warnings: ['w'] },
  ],
  [
    'raw bytes',
    (_q, r) => r.writeHead(200, { 'Content-Type': 'application/pkix-crl' }).end('CRL'),
    { kind: 'applied', raw: Buffer.from('CRL') },
  ],
  [
    'an error with its code',
    json(503, { errors: ['it is sealed'] }, { 'X-Lockstep-Error': 'denied' }),
    { kind: 'refused', code: 'denied', message: 'it is sealed' },
  ],
  [
    'an error with its field',
    json(
      400,
      { errors: ['ttl must not be negative'] },
      { 'X-Lockstep-Error': 'invalid-input', 'X-Lockstep-Field': 'ttl' },
    ),
    { kind: 'refused', code: 'invalid-input', field: 'ttl' },
  ],
  ['a bare 404', json(404, { errors: [] }), { kind: 'refused', code: 'not-found', message: 'not-found' }],
  ['a proxy that failed', json(502, { errors: ['bad gateway'] }), { kind: 'unknown', message: 'bad gateway' }],
  [
    'an unknown outcome',
    json(409, { errors: ['lost'] }, { 'X-Lockstep-Error': 'outcome-unknown' }),
    { kind: 'unknown', message: 'lost' },
  ],
  ['broken JSON', (_q, r) => r.writeHead(200, { 'Content-Type': 'application/json' }).end('{'), { kind: 'unknown' }],
  ['a broken connection', (q) => q.socket.destroy(), { kind: 'unknown' }],
  [
    'half an answer',
    (_q, r) => {
      r.writeHead(200, { 'Content-Length': '10' }).write('{', () => r.destroy());
    },
    { kind: 'unknown' },
  ],
])('a write that gets %s', async (_name, answer, expected) => {
  const address = await node(answer);
  expect(await client([address], { idempotencyKeys: 'none' }).request('write', 'x', {})).toMatchObject(expected);
});

test('goes past a dead node and one without a leader', async () => {
  const dead = await node(ok);
  opened.shift()?.close();
  const leaderless = await node(json(503, { errors: ['no leader'] }, { 'X-Lockstep-Error': 'no-leader' }));
  const serving = await node(ok);
  expect(
    await client([dead, leaderless, serving], { idempotencyKeys: 'none' }).request('write', 'x', {}),
  ).toMatchObject({ kind: 'applied', address: serving });
});

test('a node that says nothing is given up, and the write with it when it has no key', async () => {
  const silent = await node(() => {});
  expect(
    await client([silent], { idempotencyKeys: 'none' }).request('write', 'x', {}, { deadlineMs: 100 }),
  ).toMatchObject({ kind: 'unknown' });
});

test('paths and queries are encoded', () => {
  expect(targetOf('a/b c/é%', { list: true, after: 'x&y', versions: [1, 2], none: undefined })).toBe(
    '/v1/a/b%20c/%C3%A9%25?list=true&after=x%26y&versions=1&versions=2',
  );
});
