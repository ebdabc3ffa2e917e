import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ChannelCredentials, Client, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadProtos, serviceOf } from '../doors/grpc/protos.ts';
import { openRealNode, type RealNode, until } from '../real-node.fixture.ts';
import { ballastName } from './ballast.ts';
import { footprintsName } from './footprint-file.ts';
import { quarantineName } from './quarantine-file.ts';

const MiB = 1024 * 1024;
const stopFreeBytes = 256 * MiB;
const warnFreeBytes = 1024 * MiB;
const ballastBytes = 3 * MiB + 5;
let node: RealNode;

beforeAll(async () => {
  const disk = { stopFreeBytes, warnFreeBytes, ballastBytes };
  node = await openRealNode({ change: (config) => ({ ...config, disk }) });
  await node.call('POST', 'sys/mounts/secret', { body: { type: 'kv', options: { version: '2' } } });
  await node.call('POST', 'secret/data/a', { body: { data: { x: '1' } } });
});
afterAll(() => node?.close());

const write = (): ReturnType<RealNode['call']> => node.call('POST', 'secret/data/a', { body: { data: { x: '1' } } });

/** Resolves once the node has measured it and goes by it. */
async function diskLevelIs(freeBytes: number, level: string): Promise<void> {
  node.freeBytes = freeBytes;
  await until(async () => (await node.call('GET', 'sys/health')).body['disk'] === level);
  const expected = level === 'ok' || level === 'low' ? 200 : 507;
  await until(async () => (await write()).status === expected);
}

async function metric(name: string): Promise<number> {
  const answer = await node.call('GET', 'sys/metrics');
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(answer.text)?.[1]);
}

function writeOverGrpc(): Promise<ServiceError | null> {
  const client = new Client(node.files.grpc, ChannelCredentials.createInsecure());
  const definition = serviceOf(loadProtos(), 'lockstep.sys.v1.SysService')['Call'] ?? expect.unreachable();
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${node.rootToken}`);
  const request = { operation: 'OPERATION_WRITE', path: 'secret/data/a', data_json: Buffer.from('{"data":{"x":"3"}}') };
  return new Promise<ServiceError | null>((resolve) => {
    const { path, requestSerialize, responseDeserialize } = definition;
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, resolve);
  }).finally(() => client.close());
}

test('a full disk refuses writes through both doors, and says what is free, what is needed and what to do', async () => {
  await diskLevelIs(180 * MiB, 'full');
  const refused = await write();
  expect(refused.status).toBe(507);
  const [message] = refused.body['errors'] as readonly string[];
  expect(message).toMatch(
    /^the disk is almost full: node \d+ \(the leader\) has 180 MiB free and needs 256 MiB; nothing was changed\. free space there, or delete the file ballast in its data directory/,
  );
  const fault = await writeOverGrpc();
  expect(fault?.code).toBe(status.RESOURCE_EXHAUSTED);
  expect(fault?.details).toBe(message);
  expect(node.logged).toMatch(/"event":"disk-space","disk":"full","freeBytes":188743680/);
});

test('meanwhile reads, deletes, revocations and compaction are answered, and the node counts as ready', async () => {
  await diskLevelIs(warnFreeBytes * 2, 'ok');
  const made = await node.call('POST', 'auth/token/create', { body: { policies: ['default'] } });
  const { accessor, client_token: token } = made.body['auth'] as { accessor: string; client_token: string };
  await diskLevelIs(180 * MiB, 'full');
  expect((await node.call('GET', 'secret/data/a')).body['data']).toMatchObject({ data: { x: '1' } });
  expect((await node.call('GET', 'sys/health')).status).toBe(200);
  expect((await node.call('POST', 'auth/token/revoke-accessor', { body: { accessor } })).status).toBeLessThan(300);
  expect((await node.call('GET', 'auth/token/lookup-self', { token })).status).toBe(403);
  expect((await node.call('DELETE', 'secret/data/a')).status).toBeLessThan(300);
  expect((await node.call('POST', 'sys/storage/raft/compact', { body: {} })).status).toBe(200);
  expect(await metric('lockstep_disk_free_bytes')).toBe(180 * MiB);
  expect(await metric('lockstep_disk_stop_bytes')).toBe(stopFreeBytes);
  expect(await metric('lockstep_disk_level')).toBe(2);
});

test('a low disk is a warning, and writes go on by themselves when space returns', async () => {
  await diskLevelIs(180 * MiB, 'full');
  await diskLevelIs(600 * MiB, 'low');
  expect(await metric('lockstep_disk_level')).toBe(1);
});

test('on an exhausted disk even what frees space is refused', async () => {
  await diskLevelIs(stopFreeBytes / 4 - 1, 'exhausted');
  expect((await node.call('DELETE', 'secret/data/a')).status).toBe(507);
  await diskLevelIs(warnFreeBytes * 2, 'ok');
});

test('a ballast lies in the data directory where there is much room, and is made again only then', async () => {
  const file = join(node.config.dataDirectory, ballastName);
  await diskLevelIs(2 ** 40, 'ok');
  await until(async () => existsSync(file));
  expect(statSync(file)).toMatchObject({ size: ballastBytes });
  await diskLevelIs(180 * MiB, 'full');
  rmSync(file);
  // What was made room for is not taken again.
  await diskLevelIs(600 * MiB, 'low');
  expect(existsSync(file)).toBe(false);
  await diskLevelIs(2 ** 40, 'ok');
  await until(async () => existsSync(file));
});

test('a node that was put into quarantine stays in it: it answers nothing but how it is, and says why', async () => {
  await node.stop();
  expect(existsSync(join(node.config.dataDirectory, footprintsName))).toBe(false);
  writeFileSync(join(node.config.dataDirectory, quarantineName), 'its log ends at entry 3\n');
  await node.open();
  await until(async () => (await node.call('GET', 'sys/health')).body['quarantined'] === true);
  const health = await node.call('GET', 'sys/health?standbyok=true');
  expect(health.status).toBe(503);
  const refused = await node.call('GET', 'secret/data/a');
  expect(refused.status).toBe(503);
  expect(String(refused.body['errors'])).toMatch(
    /gone back to an earlier state \(its log ends at entry 3\).*remove this one/,
  );
  expect(readFileSync(join(node.config.dataDirectory, quarantineName), 'utf8')).toBe('its log ends at entry 3\n');
});
