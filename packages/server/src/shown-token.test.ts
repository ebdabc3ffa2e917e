import { randomUUID } from 'node:crypto';
import { ChannelCredentials, Client, Metadata } from '@grpc/grpc-js';
import vault from 'node-vault';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadProtos, serviceOf } from './doors/grpc/protos.ts';
import { plaintextOnDisk } from './plaintext-on-disk.fixture.ts';
import { openRealNode, type RealNode } from './real-node.fixture.ts';

// Clients keep the token that a lookup or a renewal answers with: it must be the one that they showed, and be nowhere else.
let node: RealNode;

beforeAll(async () => {
  node = await openRealNode();
});
afterAll(() => node.close());

async function newToken(body: { readonly [name: string]: unknown } = {}): Promise<string> {
  const { body: made } = await node.call('POST', 'auth/token/create', { body: { policies: ['default'], ...body } });
  return String((made['auth'] as { readonly client_token: string }).client_token);
}

function idIn(answer: { readonly body: { readonly [name: string]: unknown } }): unknown {
  return (answer.body['data'] as { readonly id: unknown }).id;
}

async function overGrpc(name: 'LookupSelf' | 'RenewSelf', token: string): Promise<unknown> {
  const method = serviceOf(loadProtos(), 'lockstep.auth.v1.TokenService')[name];
  if (method === undefined) throw new Error(`no ${name}`);
  const client = new Client(node.files.grpc, ChannelCredentials.createInsecure());
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  try {
    return await new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        {},
        metadata,
        (fault, reply) => (fault === null ? resolve(reply) : reject(fault)),
      );
    });
  } finally {
    client.close();
  }
}

test('a lookup of oneself answers the token that was presented, through both doors', async () => {
  const token = await newToken();
  expect(idIn(await node.call('GET', 'auth/token/lookup-self', { token }))).toBe(token);
  expect(idIn(await node.call('POST', 'auth/token/lookup', { body: {} }))).toBe(node.rootToken);
  expect(await overGrpc('LookupSelf', token)).toMatchObject({ token: { id: token, policies: ['default'] } });
  expect(await overGrpc('RenewSelf', token)).toMatchObject({ auth: { client_token: token } });
});

test('a renewal answers it as client_token, and node-vault goes on with it', async () => {
  const token = await newToken({ ttl: '1h' });
  const client = vault({ endpoint: node.files.http, token });
  const renewed = await client.tokenRenewSelf({ increment: '30m' });
  expect(renewed.auth).toMatchObject({ client_token: token, lease_duration: 1800 });
  expect((await client.tokenLookupSelf()).data.id).toBe(token);
  expect(client.token).toBe(token);
});

test('it is in no fact, no state, no log and no audit line, whatever was asked with it', async () => {
  const token = await newToken({ policies: ['root'], ttl: '1h', num_uses: 20 });
  for (const [method, path, body] of [
    ['GET', 'auth/token/lookup-self', undefined],
    ['POST', 'auth/token/lookup-self', {}],
    ['POST', 'auth/token/renew-self', {}],
    ['POST', 'auth/token/renew-self', { token }],
  ] as const) {
    const headers = { 'Idempotency-Key': randomUUID() };
    const first = await node.call(method, path, { token, headers, ...(body === undefined ? {} : { body }) });
    const again = await node.call(method, path, { token, headers, ...(body === undefined ? {} : { body }) });
    expect([path, first.status, again.status]).toEqual([path, 200, 200]);
    expect(JSON.stringify(again.body)).toContain(token);
  }
  const looked = await node.call('POST', 'auth/token/lookup', { body: { token }, headers: { 'Idempotency-Key': 'k' } });
  expect(idIn(looked)).toBe(token);
  expect(node.audited).toContain('auth/token/renew-self');
  expect(node.audited).not.toContain(token);
  expect(node.logged).not.toContain(token);
  await node.stop();
  const { state, log } = await plaintextOnDisk(node.config);
  expect(state.includes('accessor/')).toBe(true);
  expect(log.includes('auth/token/create')).toBe(true);
  expect([state.includes(token), log.includes(token)]).toEqual([false, false]);
});
