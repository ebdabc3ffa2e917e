import { ChannelCredentials, Client, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadProtos, serviceOf } from '../doors/grpc/protos.ts';
import { openRealNode, type RealNode } from '../real-node.fixture.ts';

const path = 'sys/storage/raft/snapshot';
const sys = serviceOf(loadProtos(), 'lockstep.sys.v1.SysService');
let node: RealNode;
let weak: string;
let file: Buffer;

beforeAll(async () => {
  node = await openRealNode();
  await node.call('POST', 'sys/mounts/secret', { body: { type: 'kv', options: { version: '2' } } });
  const policy = `path "${path}" { capabilities = ["read", "update"] }`;
  await node.call('PUT', 'sys/policies/acl/no-sudo', { body: { policy } });
  const { body } = await node.call('POST', 'auth/token/create', { body: { policies: ['no-sudo'] } });
  weak = (body as { auth: { client_token: string } }).auth.client_token;
  await write('saved');
  file = Buffer.from(await (await overHttp('GET')).arrayBuffer());
  await write('later');
});
afterAll(() => node.close());

async function write(value: string): Promise<void> {
  expect((await node.call('POST', 'secret/data/a', { body: { data: { value } } })).status).toBe(200);
}

async function value(): Promise<unknown> {
  const { body } = await node.call('GET', 'secret/data/a');
  return (body as { data: { data: { value: unknown } } }).data.data.value;
}

async function overHttp(method: string, { token = node.rootToken, body = undefined as Buffer | undefined } = {}) {
  const headers = { 'X-Vault-Token': token };
  return await fetch(`${node.files.http}/v1/${path}`, { method, headers, ...(body === undefined ? {} : { body }) });
}

/** What came of it: the reply, or the error. */
function overGrpc(messages: readonly object[], token = node.rootToken): Promise<object> {
  const method = sys['RestoreSnapshot'] ?? expect.unreachable();
  const client = new Client(node.files.grpc, ChannelCredentials.createInsecure());
  const metadata = new Metadata();
  metadata.set('x-vault-token', token);
  return new Promise((resolve) => {
    const { requestSerialize, responseDeserialize } = method;
    const call = client.makeClientStreamRequest(
      method.path,
      requestSerialize,
      responseDeserialize,
      metadata,
      (fault: ServiceError | null, reply) => {
        client.close();
        resolve(fault ?? { ...reply });
      },
    );
    for (const message of messages) call.write(message);
    call.end();
  });
}

const pieces = (of: Buffer): readonly object[] =>
  Array.from({ length: Math.ceil(of.length / 1000) }, (_, at) => ({ data: of.subarray(at * 1000, at * 1000 + 1000) }));

describe('a restore is refused', () => {
  test('without sudo', async () => {
    expect((await overHttp('POST', { token: weak, body: file })).status).toBe(403);
    expect(await overGrpc(pieces(file), weak)).toMatchObject({ code: status.PERMISSION_DENIED });
    expect(await value()).toBe('later');
  });

  test('of a file that breaks off, over both doors alike', async () => {
    const half = file.subarray(0, file.length / 2);
    const got = await overHttp('POST', { body: half });
    expect([got.status, await got.json()]).toEqual([400, { errors: ['the file is cut short'] }]);
    expect(await overGrpc(pieces(half))).toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: 'the file is cut short',
    });
    expect(await value()).toBe('later');
  });

  test('in one message, which could hold no state', async () => {
    const { body } = await node.call('PUT', 'sys/storage/raft/snapshot-force', { token: weak });
    expect(body).toEqual({ errors: ['permission denied'] });
    const call = sys['Call'] ?? expect.unreachable();
    const client = new Client(node.files.grpc, ChannelCredentials.createInsecure());
    const metadata = new Metadata();
    metadata.set('x-vault-token', node.rootToken);
    const fault = await new Promise((resolve) => {
      const message = { operation: 'OPERATION_WRITE', path };
      client.makeUnaryRequest(call.path, call.requestSerialize, call.responseDeserialize, message, metadata, resolve);
    });
    client.close();
    expect(fault).toMatchObject({ code: status.INVALID_ARGUMENT });
  });
});

test.each([
  ['HTTP', async () => await (await overHttp('POST', { body: file })).json()],
  ['gRPC', async () => ({ data: await overGrpc(pieces(file)) })],
])('a restore over %s brings back what was saved, and says where', async (_door, restore) => {
  await write('later');
  const { data } = (await restore()) as { data: { index: number; snapshot_index: number; sealed?: boolean } };
  expect(await value()).toBe('saved');
  const { body } = await node.call('GET', 'sys/leader');
  expect(data.index).toBe(body['raft_applied_index']);
  expect([data.snapshot_index > 0, data.sealed ?? false]).toEqual([true, false]);
});

test('each has its lines in the audit', () => {
  const lines: { type: string; error?: string; request: { path: string; operation: string } }[] = node.audited
    .split('\n')
    .filter((line) => line.includes(`"${path}"`))
    .map((line) => JSON.parse(line));
  const writes = lines.filter(({ request }) => request.operation === 'update');
  expect(writes.filter(({ type, error }) => type === 'response' && error === undefined)).toHaveLength(2);
  expect(writes.filter(({ error }) => error?.startsWith('invalid-input'))).toHaveLength(3);
  expect(writes.filter(({ error }) => error?.startsWith('denied'))).toHaveLength(2);
});
