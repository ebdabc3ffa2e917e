import { mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { dirname, join } from 'node:path';
import { ChannelCredentials, Client, Metadata, type ServiceError } from '@grpc/grpc-js';
import { verifyTrail } from '@lockstep/audit/verify-trail';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { NodeConfig } from './config.ts';
import { loadProtos, serviceOf } from './doors/grpc/protos.ts';
import { bodyBytesMax } from './doors/limits.ts';
import { openRealNode, type RealNode, until } from './real-node.fixture.ts';

// No answer without a line, also where a door refuses by itself; and no answer at all where no line can be written.
let node: RealNode;
/** Stands where a secret would, in everything that is refused. */
const canary = 'CANARY-5f2b0c1e';

beforeAll(async () => {
  const inFolder = (config: NodeConfig): NodeConfig => {
    const folder = join(dirname(config.dataDirectory), 'audit');
    mkdirSync(folder);
    return { ...config, audit: [{ type: 'file', path: join(folder, 'audit.log') }] };
  };
  node = await openRealNode({ change: inFolder });
  await node.call('POST', 'sys/mounts/secret', { body: { type: 'kv', options: { version: '2' } } });
});
afterAll(() => node.close());

interface Line {
  readonly type: string;
  readonly error?: string;
  readonly auth: { readonly policies?: readonly string[] };
  readonly request: {
    readonly id: string;
    readonly operation: string;
    readonly path: string;
    readonly door: string;
    readonly client_token?: string;
  };
}

function linesSince(before: number): readonly Line[] {
  return node.audited
    .slice(before)
    .split('\n')
    .filter((line) => line !== '')
    .map((line): Line => JSON.parse(line));
}

/** As bytes would come: the path is not touched. */
function raw(method: string, path: string, { body = '', headers = {} } = {}): Promise<number> {
  const { hostname, port } = new URL(node.files.http);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, method, path, headers: { 'X-Vault-Token': node.rootToken, ...headers } });
    sent.on('response', (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

function overGrpc(message: object): Promise<ServiceError | undefined> {
  const method = serviceOf(loadProtos(), 'lockstep.sys.v1.SysService')['Call'];
  if (method === undefined) throw new Error('no Call');
  const client = new Client(node.files.grpc, ChannelCredentials.createInsecure());
  const metadata = new Metadata();
  metadata.set('x-vault-token', node.rootToken);
  return new Promise((resolve) => {
    client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      message,
      metadata,
      (fault) => {
        client.close();
        resolve(fault ?? undefined);
      },
    );
  });
}

describe('what a door refuses by itself has its line', () => {
  const secret = `{"data":{"password":"${canary}"`;
  test.each<
    [string, string, { body?: string; headers?: Record<string, string> }, number, Partial<Line['request']>, string]
  >([
    [
      'POST',
      '/v1/secret/data/a',
      { body: secret },
      400,
      { operation: 'update', path: 'secret/data/a' },
      'invalid-input: request body is not valid JSON',
    ],
    [
      'POST',
      '/v1/secret/data/a',
      { body: `{"__proto__":"${canary}"}` },
      400,
      { path: 'secret/data/a' },
      'invalid-input: request body has the forbidden key',
    ],
    [
      'POST',
      '/v1/secret/data/a',
      { body: canary.padEnd(bodyBytesMax + 1) },
      413,
      { path: 'secret/data/a' },
      'too-large: request body is larger',
    ],
    [
      'GET',
      `/v1/secret/%2e%2e/x?token=${canary}`,
      {},
      400,
      { operation: 'read', path: 'secret/%2e%2e/x' },
      'invalid-input: path contains relative segments',
    ],
    [
      'POST',
      '/v1/secret/data/a?x=1',
      {},
      400,
      { operation: 'update', path: 'secret/data/a' },
      'invalid-input: query parameters are not taken',
    ],
    [
      'OPTIONS',
      '/v1/secret/data/a',
      {},
      405,
      { operation: 'unknown', path: 'secret/data/a' },
      'unsupported-operation: unsupported operation',
    ],
    ['GET', '/ui/', {}, 404, { operation: 'read', path: '/ui/' }, 'not-found'],
    [
      'GET',
      '/v1/a',
      { headers: { 'X-Vault-MFA': canary } },
      400,
      { path: 'a' },
      'invalid-input: header x-vault-mfa is not supported',
    ],
    [
      'GET',
      '/v1/a',
      { headers: { 'X-Vault-Namespace': 'team' } },
      404,
      { path: 'a' },
      'not-found: namespace "team" does not exist',
    ],
    [
      'GET',
      '/v1/a',
      { headers: { 'X-Vault-Wrap-TTL': '60' } },
      400,
      { path: 'a' },
      'invalid-input: response wrapping is not offered',
    ],
    ['GET', '/v1/no/such/route', {}, 404, { path: 'no/such/route' }, 'not-found: no handler for route'],
  ])('%s %s %o', async (method, path, parts, status, asked, error) => {
    const before = node.audited.length;
    expect(await raw(method, path, parts)).toBe(status);
    const [line, ...more] = linesSince(before);
    expect(more).toEqual([]);
    expect(line?.request).toMatchObject({ door: 'http', client_token: expect.stringMatching(/^hmac/), ...asked });
    expect(line?.error).toContain(error);
    expect(node.audited).not.toContain(canary);
  });

  test('over gRPC too', async () => {
    const before = node.audited.length;
    expect((await overGrpc({ operation: 'OPERATION_READ', path: '../x' }))?.details).toBe(
      'path contains relative segments',
    );
    const bad = { operation: 'OPERATION_WRITE', path: 'secret/data/a', data_json: Buffer.from(secret) };
    expect((await overGrpc(bad))?.details).toContain('is not valid JSON');
    expect(linesSince(before).map((line) => [line.request.door, line.request.path, line.error])).toEqual([
      ['grpc', 'lockstep.sys.v1.SysService/Call', 'invalid-input: path contains relative segments'],
      [
        'grpc',
        'lockstep.sys.v1.SysService/Call',
        expect.stringContaining('invalid-input: request body is not valid JSON'),
      ],
    ]);
    expect(node.audited).not.toContain(canary);
  });
});

describe('what a node answers by itself has its two lines where a token is asked for', () => {
  test('and one where it is refused', async () => {
    const before = node.audited.length;
    expect((await node.call('POST', 'sys/storage/raft/compact', { body: {} })).status).toBe(200);
    expect((await node.call('POST', 'sys/seal', { body: {}, token: 'hvs.stranger' })).status).toBe(403);
    expect((await node.call('GET', 'sys/health')).status).toBe(200);
    expect(linesSince(before).map((line) => [line.type, line.request.path, line.auth.policies, line.error])).toEqual([
      ['request', 'sys/storage/raft/compact', ['root'], undefined],
      ['response', 'sys/storage/raft/compact', ['root'], undefined],
      ['response', 'sys/seal', undefined, 'denied: permission denied'],
    ]);
  });

  test('and one with a bounded number of uses has spent one', async () => {
    const made = await node.call('POST', 'auth/token/create', { body: { policies: ['root'], ttl: '1h', num_uses: 2 } });
    const token = (made.body['auth'] as { readonly client_token: string }).client_token;
    const compact = async (): Promise<number> =>
      (await node.call('POST', 'sys/storage/raft/compact', { body: {}, token })).status;
    expect([await compact(), await compact(), await compact()]).toEqual([200, 200, 403]);
  });

  test('sealing this node included', async () => {
    const before = node.audited.length;
    expect((await node.call('POST', 'sys/seal', { body: {} })).status).toBe(204);
    expect(linesSince(before).map((line) => [line.type, line.request.path])).toEqual([
      ['request', 'sys/seal'],
      ['response', 'sys/seal'],
    ]);
    await node.stop();
    await node.start();
  });
});

test('a moved file is written on until it is opened anew, and the chain holds over both', async () => {
  const moved = `${node.auditFile}.1`;
  renameSync(node.auditFile, moved);
  expect((await node.call('GET', 'sys/mounts')).status).toBe(200);
  await node.reopenAudit();
  const before = readFileSync(moved, 'utf8').length;
  expect((await node.call('GET', 'sys/policies/acl?list=true')).status).toBe(200);
  expect(readFileSync(moved, 'utf8')).toHaveLength(before);
  expect(node.audited).toContain('sys/policies/acl');
  const run = await verifyTrail([moved, node.auditFile]);
  expect(run.problems).toEqual([]);
});

describe('where no line can be written', () => {
  test('nothing is answered and nothing is done, until it can again', async () => {
    await node.call('POST', 'secret/data/kept', { body: { data: { n: 1 } } });
    const folder = dirname(node.auditFile);
    rmSync(folder, { recursive: true });
    await until(async () => (await node.call('GET', 'sys/mounts')).status === 503);
    const refused = await node.call('POST', 'secret/data/kept', { body: { data: { n: 2 } } });
    expect([refused.status, refused.text]).toEqual([503, expect.stringContaining('could not be audited')]);
    expect((await node.call('GET', 'secret/data/kept')).text).not.toContain('"n"');
    expect(await raw('GET', '/v1/secret/%2e%2e/x')).toBe(503);
    // What needs no token is no secret, and tells the operator more than silence would.
    expect((await node.call('GET', 'sys/health')).status).toBe(200);
    expect(node.logged).toMatch(/"event":"audit-sink-failed","sink":"file"[^\n]*the file was removed/);
    mkdirSync(folder);
    await until(async () => (await node.call('GET', 'sys/mounts')).status === 200);
    expect((await node.call('GET', 'secret/data/kept')).body['data']).toMatchObject({ data: { n: 1 } });
    expect(Number(/^lockstep_audit_sink_failures_total (\d+)$/m.exec(await metrics())?.[1])).toBeGreaterThan(3);
  });

  async function metrics(): Promise<string> {
    return (await node.call('GET', 'sys/metrics')).text;
  }
});
