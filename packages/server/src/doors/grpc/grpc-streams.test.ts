import { ChannelCredentials, Client, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { LockstepError } from '@lockstep/contract/errors';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DoorReply, DoorRequest } from '../door.ts';
import { grpcMessageDataBytes } from '../limits.ts';
import { type GrpcDoor, openGrpcDoor } from './grpc-door.ts';
import { loadProtos, serviceOf } from './protos.ts';

const service = serviceOf(loadProtos(), 'lockstep.sys.v1.SysService');
let door: GrpcDoor;
let client: Client;
let last: DoorRequest | undefined;
let answer: (request: DoorRequest) => Promise<DoorReply>;
const faults: unknown[] = [];
const refused: string[] = [];

beforeAll(async () => {
  door = await openGrpcDoor({
    host: '127.0.0.1',
    port: 0,
    isServing: () => true,
    nowMs: Date.now,
    onFault: (fault) => faults.push(fault),
    onRefused: async ({ refusal, path }) => {
      refused.push(path);
      return refusal;
    },
    handle: async (request) => {
      last = request;
      return await answer(request);
    },
  });
  client = new Client(`127.0.0.1:${door.port}`, ChannelCredentials.createInsecure());
});
afterAll(async () => {
  client.close();
  await door.close();
});

const token = (value = 'root'): Metadata => {
  const metadata = new Metadata();
  metadata.set('x-vault-token', value);
  return metadata;
};
const method = (name: string): NonNullable<(typeof service)[string]> => service[name] ?? expect.unreachable();

async function download(metadata = token()): Promise<readonly number[]> {
  const { path, requestSerialize, responseDeserialize } = method('SaveSnapshot');
  const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, {}, metadata);
  const sizes: number[] = [];
  for await (const { data } of call) sizes.push(data.length);
  return sizes;
}

function upload(messages: readonly object[], metadata = token()): Promise<{ readonly [name: string]: unknown }> {
  const { path, requestSerialize, responseDeserialize } = method('RestoreSnapshot');
  return new Promise((resolve, reject) => {
    const call = client.makeClientStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      metadata,
      (fault: ServiceError | null, reply) => (fault === null ? resolve({ ...reply }) : reject(fault)),
    );
    for (const message of messages) call.write(message);
    call.end();
  });
}

async function bytesOf(body: AsyncIterable<Uint8Array> | undefined): Promise<number> {
  let bytes = 0;
  for await (const data of body ?? []) bytes += data.length;
  return bytes;
}

let closed = 0;
const streamed = (request: DoorRequest, chunks: AsyncIterable<Uint8Array>): DoorReply => ({
  kind: 'stream',
  requestId: request.requestId,
  contentType: 'application/octet-stream',
  fileName: 'a.snapshot',
  bytes: 0,
  chunks,
  close: async () => void closed++,
});
const denied: DoorReply = { kind: 'error', code: 'denied', messages: ['permission denied'] };

test('what is refused is refused as any call is', async () => {
  answer = async () => denied;
  await expect(download()).rejects.toMatchObject({ code: status.PERMISSION_DENIED, details: 'permission denied' });
  await expect(upload([{ data: Buffer.alloc(10) }])).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
});

test('what never becomes a request is refused by the door, and told', async () => {
  refused.length = 0;
  const twoTokens = token();
  twoTokens.set('authorization', 'Bearer other');
  await expect(download(twoTokens)).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  await expect(upload([], twoTokens)).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  expect(refused).toEqual(['sys/storage/raft/snapshot', 'lockstep.sys.v1.SysService/RestoreSnapshot']);
});

test('a stream is not an answer to a call of one message', async () => {
  closed = 0;
  answer = async (request) =>
    streamed(
      request,
      (async function* () {
        yield Buffer.alloc(1);
      })(),
    );
  const { path, requestSerialize, responseDeserialize } = method('Call');
  const message = { operation: 'OPERATION_READ', path: 'sys/storage/raft/snapshot' };
  const fault = await new Promise((resolve) => {
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, message, token(), resolve);
  });
  expect(fault).toMatchObject({ code: status.UNIMPLEMENTED });
  expect(closed).toBe(1);
});

test('a download comes in messages of a bounded size', async () => {
  closed = 0;
  answer = async (request) =>
    streamed(
      request,
      (async function* () {
        yield Buffer.alloc(2 * grpcMessageDataBytes + 1);
        for (let i = 0; i < 40; i++) yield Buffer.alloc(grpcMessageDataBytes);
      })(),
    );
  const sizes = await download();
  expect(sizes.slice(0, 4)).toEqual([grpcMessageDataBytes, grpcMessageDataBytes, 1, grpcMessageDataBytes]);
  expect([sizes.length, closed]).toEqual([43, 1]);
  expect(last).toMatchObject({ operation: 'read', path: 'sys/storage/raft/snapshot', door: 'grpc' });
});

test('a download that fails in the middle ends with the reason', async () => {
  closed = 0;
  answer = async (request) =>
    streamed(
      request,
      (async function* () {
        yield Buffer.alloc(10);
        throw new LockstepError('sealed', 'Vault is sealed');
      })(),
    );
  await expect(download()).rejects.toMatchObject({ code: status.UNAVAILABLE, details: 'Vault is sealed' });
  expect(closed).toBe(1);
});

test('an upload is handed on as it comes, with force or without', async () => {
  answer = async (request) => ({
    kind: 'reply',
    requestId: request.requestId,
    reply: { data: { index: await bytesOf(request.body), sealed: false } },
  });
  const pieces = Array.from({ length: 20 }, () => ({ data: Buffer.alloc(grpcMessageDataBytes) }));
  expect(await upload(pieces)).toMatchObject({ index: 20 * grpcMessageDataBytes });
  expect(last?.path).toBe('sys/storage/raft/snapshot');
  expect(await upload([{ force: true, data: Buffer.alloc(3) }, { data: Buffer.alloc(4) }])).toMatchObject({ index: 7 });
  expect(last?.path).toBe('sys/storage/raft/snapshot-force');
});

test('an upload that is refused in the middle gets its answer', async () => {
  answer = async (request) => {
    for await (const _data of request.body ?? []) throw new LockstepError('invalid-input', 'the file is no snapshot');
    return denied;
  };
  const pieces = Array.from({ length: 20 }, () => ({ data: Buffer.alloc(grpcMessageDataBytes) }));
  await expect(upload(pieces)).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
});
