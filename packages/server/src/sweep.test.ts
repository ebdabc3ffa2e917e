import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rememberedMs, sweepKeysMax } from './limits.ts';
import { plaintextOnDisk } from './plaintext-on-disk.fixture.ts';
import { openRealNode, type RealNode, until } from './real-node.fixture.ts';

// What is over leaves the state, by the leader\u2019s own facts, and nobody notices but who looks for room.
let node: RealNode;

beforeAll(async () => {
  node = await openRealNode();
  await node.call('POST', 'sys/mounts/secret', { body: { type: 'kv', options: { version: '2' } } });
});
afterAll(() => node.close());

async function swept(): Promise<number> {
  const { text } = await node.call('GET', 'sys/metrics', { token: node.metricsToken });
  return Number(/^lockstep_swept_keys_total (\d+)$/m.exec(text)?.[1]);
}

async function accessors(): Promise<readonly string[]> {
  const { body } = await node.call('LIST', 'auth/token/accessors');
  return (body['data'] as { readonly keys: readonly string[] }).keys;
}

interface MadeToken {
  readonly client_token: string;
  readonly accessor: string;
}

async function newToken(body: object, token?: string): Promise<MadeToken> {
  const answer = await node.call('POST', 'auth/token/create', {
    body: { ...body },
    ...(token === undefined ? {} : { token }),
  });
  return answer.body['auth'] as MadeToken;
}

test('a remembered outcome: a repeat within ten minutes gets it, and one after is a request of its own', async () => {
  const headers = { 'Idempotency-Key': randomUUID() };
  const write = async (): Promise<unknown> =>
    (
      (await node.call('POST', 'secret/data/once', { body: { data: { a: 1 } }, headers })).body['data'] as {
        version: number;
      }
    ).version;
  expect([await write(), await write()]).toEqual([1, 1]);
  node.advance(rememberedMs - 5_000);
  expect(await write()).toBe(1);
  const before = await swept();
  node.advance(10_000);
  await until(async () => (await swept()) > before);
  expect(await write()).toBe(2);
});

describe('tokens', () => {
  test('that expired, with those that descend from them and have time left; others stay', async () => {
    const parent = await newToken({ policies: ['root'], ttl: '1h' });
    const child = await newToken({ policies: ['root'], ttl: '10h' }, parent.client_token);
    const grandchild = await newToken({ policies: ['root'], ttl: '10h' }, child.client_token);
    const other = await newToken({ policies: ['default'], ttl: '2h' });
    node.advance(3_600_000);
    for (const { client_token: token } of [parent, child, grandchild])
      expect((await node.call('GET', 'auth/token/lookup-self', { token })).status).toBe(403);
    const gone = [parent, child, grandchild].map(({ accessor }) => accessor);
    await until(async () => !(await accessors()).some((accessor) => gone.includes(accessor)));
    expect(await accessors()).toContain(other.accessor);
    expect((await node.call('GET', 'auth/token/lookup-self', { token: other.client_token })).status).toBe(200);
  }, 60_000);

  test('that live for ever but descend from one that was revoked', async () => {
    const parent = await newToken({ policies: ['root'] });
    const child = await newToken({ policies: ['root'] }, parent.client_token);
    await node.call('POST', 'auth/token/revoke', { body: { token: parent.client_token } });
    await until(async () => !(await accessors()).includes(child.accessor));
  }, 60_000);
});

test('the contents of a disabled mount, more than one transaction takes; then nothing of it is on the disk', async () => {
  await node.call('POST', 'sys/mounts/brief', { body: { type: 'kv', options: { version: '2' } } });
  // Each write of the same secret leaves a version behind it.
  await node.call('POST', 'brief/config', { body: { max_versions: sweepKeysMax } });
  const writes = Array.from({ length: sweepKeysMax + 1 }, (_, n) => n);
  for (let at = 0; at < writes.length; at += 50)
    await Promise.all(
      writes
        .slice(at, at + 50)
        .map((n) => node.call('POST', `brief/data/${n}`, { body: { data: { canary: 'CANARY' } } })),
    );
  const before = await swept();
  expect((await node.call('DELETE', 'sys/mounts/brief')).status).toBe(204);
  await until(async () => (await swept()) >= before + 2 * (sweepKeysMax + 1));
  await node.stop();
  const { state } = await plaintextOnDisk(node.config);
  expect([state.includes('secret/'), state.includes('CANARY'), state.includes('disabled/')]).toEqual([
    true,
    false,
    false,
  ]);
}, 60_000);
