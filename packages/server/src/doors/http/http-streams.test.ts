import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LockstepError } from '@lockstep/contract/errors';
import type { DoorReply, DoorRequest } from '../door.ts';
import { type HttpDoor, openHttpDoor } from './http-door.ts';

const path = 'sys/storage/raft/snapshot';
const requestTimeoutMs = 1_500;
let door: HttpDoor;
let answer: (request: DoorRequest) => Promise<DoorReply>;
const faults: unknown[] = [];

beforeAll(async () => {
  door = await openHttpDoor({
    host: '127.0.0.1',
    port: 0,
    limits: { bodyBytesMax: 1000, headersTimeoutMs: requestTimeoutMs, requestTimeoutMs },
    onFault: (fault) => faults.push(fault),
    onRefused: async ({ refusal }) => refusal,
    handle: async (request) => await answer(request),
  });
});
afterAll(() => door.close());

async function bytesOf(body: AsyncIterable<Uint8Array> | undefined): Promise<number> {
  let bytes = 0;
  for await (const data of body ?? []) bytes += data.length;
  return bytes;
}

const done = (request: DoorRequest, data: { readonly [name: string]: number | string }): DoorReply => ({
  kind: 'reply',
  requestId: request.requestId,
  reply: { data },
});
const taken = async (request: DoorRequest): Promise<DoorReply> => done(request, { bytes: await bytesOf(request.body) });
const denied: DoorReply = { kind: 'error', code: 'denied', messages: ['permission denied'] };
const url = (): string => `http://127.0.0.1:${door.port}/v1/${path}`;

/** A socket that sends what it is told to, and all that came back. */
function talk(): { readonly send: (text: string) => void; readonly until: (pattern: RegExp) => Promise<string> } {
  const socket = connect(door.port, '127.0.0.1');
  let got = '';
  return {
    send: (text) => socket.write(text, 'latin1'),
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (pattern.test(got)) resolve(got);
        };
        socket.on('data', (chunk) => {
          got += chunk.toString('latin1');
          look();
        });
        socket.on('close', () => (pattern.test(got) ? resolve(got) : reject(new Error(`closed after: ${got}`))));
        socket.on('error', reject);
      }),
  };
}

test('a body that may not be sent is refused before a byte of it came', async () => {
  answer = async () => denied;
  const { send, until } = talk();
  send(`POST /v1/${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\nExpect: 100-continue\r\n\r\n`);
  expect(await until(/permission denied/)).toMatch(/^HTTP\/1\.1 403 /);
});

test('a body that is refused in the middle still gets its answer', async () => {
  answer = async (request) => {
    for await (const _data of request.body ?? []) throw new LockstepError('invalid-input', 'the file is no snapshot');
    return denied;
  };
  const { send, until } = talk();
  send(`POST /v1/${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab`);
  expect(await until(/the file is no snapshot/)).toMatch(/^HTTP\/1\.1 400 /);
  answer = taken;
  send(`cdPOST /v1/${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nxyz`);
  expect(await until(/"bytes":3/)).toContain('the file is no snapshot');
});

test('a body that ends early is told to who reads it', async () => {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  answer = async (request) => {
    await bytesOf(request.body).catch(resolve);
    return denied;
  };
  const socket = connect(door.port, '127.0.0.1');
  socket.write(`POST /v1/${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc`, () => socket.destroy());
  expect(await promise).toMatchObject({ code: 'invalid-input', message: 'request body ended early' });
});

test.each(['POST', 'PUT'])('a body of %s is handed on as it comes, however large', async (method) => {
  answer = taken;
  const got = await fetch(url(), { method, body: Buffer.alloc(5_000_000) });
  expect([got.status, await got.json()]).toMatchObject([200, { data: { bytes: 5_000_000 } }]);
});

test('a body may take longer than other requests, as long as it moves', async () => {
  answer = taken;
  const { send, until } = talk();
  const started = performance.now();
  send(`POST /v1/${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab`);
  // Node looks for requests that are late once a second; one that is, shows when it was found.
  const late = talk();
  late.send('POST /v1/a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab');
  await late.until(/408/);
  expect(performance.now() - started).toBeGreaterThan(requestTimeoutMs);
  send('cd');
  expect(await until(/"bytes":4/)).toMatch(/^HTTP\/1\.1 200 /);
});

test('other bodies are bounded as before', async () => {
  answer = taken;
  const got = await fetch(`http://127.0.0.1:${door.port}/v1/sys/other`, { method: 'POST', body: Buffer.alloc(1001) });
  expect(got.status).toBe(413);
});

let closed = 0;
function streamed(request: DoorRequest, bytes: number, chunks: AsyncIterable<Uint8Array>): DoorReply {
  closed = 0;
  const { requestId } = request;
  const close = async (): Promise<void> => void closed++;
  const contentType = 'application/octet-stream';
  return { kind: 'stream', requestId, contentType, fileName: 'a.snapshot', bytes, chunks, close };
}

test('a streamed reply comes whole', async () => {
  answer = async (request) =>
    streamed(
      request,
      6_000_000,
      (async function* () {
        for (let i = 0; i < 60; i++) yield Buffer.alloc(100_000, i);
      })(),
    );
  const got = await fetch(url());
  expect([got.status, got.headers.get('content-length'), got.headers.get('content-disposition')]).toEqual([
    200,
    '6000000',
    'attachment; filename="a.snapshot"',
  ]);
  expect((await got.arrayBuffer()).byteLength).toBe(6_000_000);
  expect(closed).toBe(1);
});

test('a streamed reply that fails in the middle is cut, and its fault is known', async () => {
  faults.length = 0;
  answer = async (request) =>
    streamed(
      request,
      200_000,
      (async function* () {
        yield Buffer.alloc(100_000);
        throw new LockstepError('sealed', 'Vault is sealed');
      })(),
    );
  const got = await fetch(url());
  await expect(got.arrayBuffer()).rejects.toThrow();
  expect(faults).toMatchObject([{ code: 'sealed' }]);
  expect(closed).toBe(1);
});

test('a caller that goes away ends the stream', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  faults.length = 0;
  answer = async (request) =>
    streamed(
      request,
      1e12,
      (async function* () {
        try {
          for (;;) yield Buffer.alloc(100_000);
        } finally {
          resolve();
        }
      })(),
    );
  const socket = connect(door.port, '127.0.0.1');
  socket.write(`GET /v1/${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  socket.once('data', () => socket.destroy());
  await promise;
  expect(faults).toEqual([]);
});
