import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ChannelCredentials, Client, Metadata, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadProtos, serviceOf } from '../doors/grpc/protos.ts';
import { openRealNode, type RealNode } from '../real-node.fixture.ts';
import { inspectSaved } from './inspect-saved.ts';
import { savedChunkBytes } from './limits.ts';

const path = 'sys/storage/raft/snapshot';
const canary = 'canary-7d1f-in-a-secret';
let node: RealNode;
let weak: string;

beforeAll(async () => {
  node = await openRealNode();
  await node.call('POST', 'sys/mounts/secret', { body: { type: 'kv', options: { version: '2' } } });
  await node.call('POST', `secret/data/${canary}`, { body: { data: { password: canary } } });
  const policy = `path "${path}" { capabilities = ["read", "update"] }`;
  await node.call('PUT', 'sys/policies/acl/no-sudo', { body: { policy } });
  const { body } = await node.call('POST', 'auth/token/create', { body: { policies: ['no-sudo'] } });
  const { auth } = body as { auth: { client_token: string } };
  weak = auth.client_token;
});
afterAll(() => node.close());

async function overHttp(token = node.rootToken): Promise<Response> {
  return await fetch(`${node.files.http}/v1/${path}`, { headers: { 'X-Vault-Token': token } });
}

async function overGrpc(token = node.rootToken): Promise<Buffer> {
  const method = serviceOf(loadProtos(), 'lockstep.sys.v1.SysService')['SaveSnapshot'] ?? expect.unreachable();
  const client = new Client(node.files.grpc, ChannelCredentials.createInsecure());
  const metadata = new Metadata();
  metadata.set('x-vault-token', token);
  const pieces: Buffer[] = [];
  try {
    const { requestSerialize, responseDeserialize } = method;
    for await (const { data } of client.makeServerStreamRequest(
      method.path,
      requestSerialize,
      responseDeserialize,
      {},
      metadata,
    ))
      pieces.push(data);
  } finally {
    client.close();
  }
  return Buffer.concat(pieces);
}

describe('a snapshot is not given', () => {
  test('without a token, or to one that may not use sudo there', async () => {
    expect((await overHttp('')).status).toBe(403);
    expect((await overHttp(weak)).status).toBe(403);
    await expect(overGrpc(weak)).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
  });
});

describe('a saved snapshot', () => {
  test.each([
    ['HTTP', async () => Buffer.from(await (await overHttp()).arrayBuffer())],
    ['gRPC', () => overGrpc()],
  ])('over %s is a whole file that says what it is', async (_door, save) => {
    const before = Date.now();
    const bytes = await save();
    const file = join(node.config.dataDirectory, 'saved');
    writeFileSync(file, bytes);
    const found = await inspectSaved(file);
    expect(found).toMatchObject({
      clusterId: node.config.clusterId,
      node: node.files.name,
      fileBytes: bytes.length,
      fileId: createHash('sha256').update(bytes.subarray(0, -32)).digest('hex'),
      factVersion: 1,
      sealKind: 'static',
      unsealShares: 0,
    });
    expect(found.index).toBeGreaterThan(5);
    expect(found.term).toBeGreaterThan(0);
    expect(found.records).toBeGreaterThan(10);
    expect(found.savedMs).toBeGreaterThanOrEqual(before);
    expect(Math.abs(found.logTimeMs - before)).toBeLessThan(60_000);
  });

  test('holds nothing of the state in plain, names included', async () => {
    const bytes = await overGrpc();
    expect(bytes.includes(canary)).toBe(false);
    expect(bytes.includes('secret')).toBe(false);
    expect(bytes.includes('s/root/')).toBe(false);
  });

  test('holds every write that was acknowledged before, and may be larger than one chunk', async () => {
    const file = join(node.config.dataDirectory, 'saved');
    for (let n = 1; n <= 4; n++) {
      const body = { data: { blob: 'x'.repeat(savedChunkBytes / 3) } };
      expect((await node.call('POST', `secret/data/large/${n}`, { body })).status).toBe(200);
      writeFileSync(file, await overGrpc());
      const { index, bytes } = await inspectSaved(file);
      const { body: leader } = await node.call('GET', 'sys/leader');
      expect(index).toBe(leader['raft_applied_index']);
      expect(bytes).toBeGreaterThan((n * savedChunkBytes) / 3);
    }
  });

  test('is asked for and given with a line in the audit each', () => {
    const lines: { type: string; request: { path: string }; error?: string }[] = node.audited
      .split('\n')
      .filter((line) => line.includes(`"${path}"`))
      .map((line) => JSON.parse(line));
    expect(lines.filter((line) => line.error?.startsWith('denied'))).toHaveLength(3);
    const given = lines.filter((line) => line.error === undefined);
    expect(given.filter((line) => line.type === 'request')).toHaveLength(given.length / 2);
    expect(given.length).toBeGreaterThan(10);
  });
});
