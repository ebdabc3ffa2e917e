import vault from 'node-vault';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DoorReply, DoorRequest } from './door.ts';
import { type HttpDoor, openHttpDoor } from './http/http-door.ts';
import { testCertificate } from './test-certificate.ts';

// The real npm client against the real door, over TLS; behind the door, one path that remembers what was written.
let door: HttpDoor;
let client: vault.client;
let kept: { readonly [name: string]: unknown } | undefined;

async function handle(request: DoorRequest): Promise<DoorReply> {
  const reply = (data?: object): DoorReply => ({
    kind: 'reply',
    requestId: request.requestId,
    reply: data === undefined ? {} : { data: JSON.parse(JSON.stringify(data)) },
  });
  if (request.path === 'sys/seal-status')
    return { kind: 'flat', status: 200, body: { sealed: false, t: 3, n: 5, progress: 0, version: '1.21.4' } };
  if (request.token?.revealText() !== 'hvs.root')
    return { kind: 'error', code: 'denied', messages: ['permission denied'] };
  if (request.path === 'sys/mounts')
    return reply({ 'secret/': { type: 'kv', description: '', config: { default_lease_ttl: 0, max_lease_ttl: 0 } } });
  switch (request.operation) {
    case 'write':
    case 'patch':
      kept = { ...kept, ...request.data };
      return reply();
    case 'delete':
      kept = undefined;
      return reply();
    case 'list':
      return reply({ keys: kept === undefined ? [] : ['a'] });
    case 'read':
      return reply(kept);
  }
}

beforeAll(async () => {
  door = await openHttpDoor({
    host: '127.0.0.1',
    port: 0,
    tls: testCertificate,
    handle,
    onRefused: async ({ refusal }) => refusal,
    onFault: (fault) => {
      throw fault;
    },
  });
  client = vault({
    endpoint: `https://127.0.0.1:${door.port}`,
    token: 'hvs.root',
    requestOptions: { ca: testCertificate.cert },
  });
});
afterAll(() => door.close());

test('writes, reads, lists and deletes', async () => {
  await client.write('secret/a', { value: 'x' });
  expect((await client.read('secret/a')).data).toEqual({ value: 'x' });
  expect((await client.list('secret')).data).toEqual({ keys: ['a'] });
  await client.delete('secret/a');
  await expect(client.read('secret/a')).rejects.toThrow('Status 404');
  await expect(client.list('secret')).rejects.toThrow('Status 404');
});

test('patches with its own content type', async () => {
  await client.write('secret/a', { value: 'x', other: 1 });
  await client.update('secret/a', { value: 'y' });
  expect((await client.read('secret/a')).data).toEqual({ value: 'y', other: 1 });
});

test('reads mounts at the top of the reply, and the seal status flat', async () => {
  expect(await client.mounts()).toHaveProperty(['secret/', 'type'], 'kv');
  expect(await client.status()).toMatchObject({ sealed: false, t: 3, n: 5 });
});

test('sees the text of a refusal', async () => {
  const stranger = vault({
    endpoint: `https://127.0.0.1:${door.port}`,
    token: 'hvs.other',
    requestOptions: { ca: testCertificate.cert },
  });
  await expect(stranger.read('secret/a')).rejects.toThrow('permission denied');
});
