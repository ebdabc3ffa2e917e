import { createServer } from 'node:net';
import { Metadata, Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import type { Client, ClientOptions } from './client.ts';
import { openClient } from './grpc-client.ts';
import { loadMethods } from './grpc-channel.ts';
import { statusDetails } from './test-replies.ts';

// Real grpc-js servers that speak our protos, each answering as its test says.
interface Message {
  readonly [name: string]: unknown;
}
type Answer = (call: ServerUnaryCall<Message, Message>, reply: sendUnaryData<Message>) => void;
const opened: { close: () => void }[] = [];
afterEach(() => {
  for (const one of opened.splice(0)) one.close();
});

async function node(answer: Answer): Promise<string> {
  const server = new Server();
  server.addService(
    { Call: loadMethods().call, IssueCertificate: loadMethods().issueCertificate },
    { Call: answer, IssueCertificate: answer },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (fault, bound) =>
      fault === null ? resolve(bound) : reject(fault),
    );
  });
  opened.push({ close: () => server.forceShutdown() });
  return `http://127.0.0.1:${port}`;
}

/** A port on which nobody listens. */
async function nowhere(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
}

function client(addresses: readonly string[], options: Partial<ClientOptions> = {}): Client {
  const made = openClient({ addresses, deadlineMs: 5000, token: 'hvs.x', ...options });
  opened.push(made);
  return made;
}

const ok: Answer = (_call, reply) => reply(null, { data_json: Buffer.from('{"a":1}'), warnings: ['w'] });
const refuse =
  (reason: string, code: status): Answer =>
  (_call, reply) => {
    const metadata = new Metadata();
    metadata.set('grpc-status-details-bin', statusDetails(reason));
    reply({ code, details: `it is ${reason}`, metadata });
  };

test('a request and its answer', async () => {
  let seen: { message: Message; metadata: object } | undefined;
  const address = await node((call, reply) => {
    seen = { message: call.request, metadata: call.metadata.getMap() };
    ok(call, reply);
  });
  const outcome = await client([address]).request('write', 'kv/data/a', { data: { b: null } }, { idempotencyKey: 'k' });
  expect(outcome).toEqual({ kind: 'applied', data: { a: 1 }, warnings: ['w'], address });
  expect(seen?.message).toMatchObject({
    operation: 'OPERATION_WRITE',
    path: 'kv/data/a',
    data_json: Buffer.from('{"data":{"b":null}}'),
  });
  expect(seen?.metadata).toMatchObject({ authorization: 'Bearer hvs.x', 'idempotency-key': 'k' });
});

test('a certificate, through its own call', async () => {
  const address = await node((call, reply) =>
    reply(null, {
      certificate: `for ${String(call.request['common_name'])}`,
      serial_number: '0a',
      expiration: 4102444800,
    }),
  );
  const outcome = await client([address]).issueCertificate({ role: 'web', common_name: 'a.example' });
  expect(outcome).toMatchObject({
    kind: 'applied',
    data: { certificate: 'for a.example', serial_number: '0a', expiration: 4102444800, ca_chain: [], private_key: '' },
  });
});

test("the server's refusal keeps its code", async () => {
  const address = await node(refuse('DENIED', status.PERMISSION_DENIED));
  expect(await client([address]).request('read', 'x')).toEqual({
    kind: 'refused',
    code: 'denied',
    message: 'it is DENIED',
  });
});

test('nobody to be reached is refused: nothing was sent', async () => {
  const outcome = await client([await nowhere(), await nowhere()], { attemptsMax: 3, idempotencyKeys: 'none' }).request(
    'write',
    'x',
    {},
  );
  expect(outcome).toMatchObject({ kind: 'refused', code: 'unavailable' });
});

test('goes past a dead node and a sealed one to one that serves, and stays there', async () => {
  let sealedAsked = 0;
  const sealed = await node((call, reply) => {
    sealedAsked += 1;
    refuse('SEALED', status.UNAVAILABLE)(call, reply);
  });
  const serving = await node(ok);
  const made = client([await nowhere(), sealed, serving], { idempotencyKeys: 'none' });
  expect(await made.request('write', 'x', {})).toMatchObject({ kind: 'applied', address: serving });
  expect(await made.request('write', 'x', {})).toMatchObject({ kind: 'applied', address: serving });
  expect(sealedAsked).toBe(1);
});

test('a broken connection leaves a write without a key unknown; with one it is repeated elsewhere', async () => {
  const breaking = async (): Promise<string> =>
    await node(() => {
      opened.shift()?.close();
    });
  const first = await breaking();
  expect(await client([first], { idempotencyKeys: 'none' }).request('write', 'x', {})).toMatchObject({
    kind: 'unknown',
  });
  for (const one of opened.splice(0)) one.close();
  const second = await breaking();
  const serving = await node(ok);
  expect(await client([second, serving]).request('write', 'x', {})).toMatchObject({
    kind: 'applied',
    address: serving,
  });
});

test("the caller's deadline makes a write unknown, the server's own makes it refused", async () => {
  const silent = await node(() => {});
  expect(
    await client([silent], { idempotencyKeys: 'none' }).request('write', 'x', {}, { deadlineMs: 200 }),
  ).toMatchObject({ kind: 'unknown' });
  const honest = await node(refuse('DEADLINE_EXCEEDED', status.DEADLINE_EXCEEDED));
  expect(await client([honest]).request('write', 'x', {})).toMatchObject({
    kind: 'refused',
    code: 'deadline-exceeded',
  });
});

test('an unknown outcome is said to be one', async () => {
  const address = await node(refuse('OUTCOME_UNKNOWN', status.UNKNOWN));
  expect(await client([address], { idempotencyKeys: 'none' }).request('write', 'x', {})).toEqual({
    kind: 'unknown',
    message: 'it is OUTCOME_UNKNOWN',
  });
});
