import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { ChannelCredentials, Client, type ServiceError, status } from '@grpc/grpc-js';
import { type ErrorCode, errorTable } from '@lockstep/contract/errors';
import protobuf from 'protobufjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DoorReply, RefusedRequest } from './door.ts';
import { type GrpcDoor, openGrpcDoor } from './grpc/grpc-door.ts';
import { loadProtos, serviceOf } from './grpc/protos.ts';
import { type HttpDoor, openHttpDoor } from './http/http-door.ts';

// One handle behind both doors: whatever it refuses with must look the same through each.
let http: HttpDoor;
let grpc: GrpcDoor;
let client: Client;
let answer: DoorReply;

beforeAll(async () => {
  const common = {
    host: '127.0.0.1',
    port: 0,
    handle: async () => answer,
    onRefused: async ({ refusal }: RefusedRequest) => refusal,
    newRequestId: () => 'r-1',
    onFault: (fault: unknown) => {
      throw fault;
    },
  };
  http = await openHttpDoor(common);
  grpc = await openGrpcDoor({ ...common, isServing: () => true, nowMs: Date.now });
  client = new Client(`127.0.0.1:${grpc.port}`, ChannelCredentials.createInsecure());
});
afterAll(async () => {
  client.close();
  await Promise.all([http.close(), grpc.close()]);
});

// What google/rpc says of these messages, read by an independent decoder.
const google = protobuf.parse(
  `
  syntax = "proto3"; package google.rpc;
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }
  message Duration { int64 seconds = 1; int32 nanos = 2; }
  message RetryInfo { Duration retry_delay = 1; }
  message BadRequest { message FieldViolation { string field = 1; string description = 2; } repeated FieldViolation field_violations = 1; }
`,
  { keepCase: true },
).root;
const decoded = (type: string, bytes: Uint8Array): Record<string, unknown> => {
  const message = google.lookupType(`google.rpc.${type}`);
  return message.toObject(message.decode(bytes), { longs: Number });
};

async function overGrpc(): Promise<ServiceError> {
  const definition = serviceOf(loadProtos(), 'lockstep.sys.v1.SysService')['Call'];
  if (definition === undefined) throw new Error('no Call');
  return await new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      definition.path,
      definition.requestSerialize,
      definition.responseDeserialize,
      { operation: 'OPERATION_READ', path: 'x' },
      (fault) => (fault === null ? reject(new Error('was not refused')) : resolve(fault)),
    );
  });
}

interface Detail {
  readonly type: string;
  readonly fields: Record<string, unknown>;
}
function detailsOf(fault: ServiceError): {
  readonly code: unknown;
  readonly message: unknown;
  readonly details: readonly Detail[];
} {
  const [bytes] = fault.metadata.get('grpc-status-details-bin');
  if (!Buffer.isBuffer(bytes)) throw new Error('no details');
  const { code, message, details } = decoded('Status', bytes);
  return {
    code,
    message,
    details: (details as { type_url: string; value: Uint8Array }[]).map(({ type_url, value }) => {
      const type = type_url.replace('type.googleapis.com/google.rpc.', '');
      return { type, fields: decoded(type, value) };
    }),
  };
}

const commandLine = fileURLToPath(new URL('../../../../scripts/lockstep', import.meta.url));

/** One run of a checkout's command `lockstep`, as from a shell. */
async function overCommandLine(): Promise<{ exit: number; out: string; err: string }> {
  const child = spawn(commandLine, ['read', 'x'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, VAULT_ADDR: `http://127.0.0.1:${http.port}`, VAULT_TOKEN: 'hvs.x', VAULT_FORMAT: '' },
  });
  const [out, err] = [text(child.stdout), text(child.stderr)];
  const [exit]: unknown[] = await once(child, 'exit');
  return { exit: Number(exit), out: await out, err: await err };
}

const codes = Object.keys(errorTable) as readonly ErrorCode[];

describe('each code is the same refusal through both doors', () => {
  test.each(codes)('%s', async (code) => {
    answer = { kind: 'error', code, messages: [`it is ${code}`] };
    const got = await fetch(`http://127.0.0.1:${http.port}/v1/x`);
    expect(got.status).toBe(errorTable[code].http);
    expect(await got.json()).toEqual({ errors: [`it is ${code}`] });
    expect(got.headers.get('content-type')).toBe('application/json');
    expect(got.headers.get('x-lockstep-error')).toBe(code);

    const fault = await overGrpc();
    expect(fault).toMatchObject({ code: status[errorTable[code].grpc], details: `it is ${code}` });
    expect(detailsOf(fault)).toEqual({
      code: status[errorTable[code].grpc],
      message: `it is ${code}`,
      details: [
        {
          type: 'ErrorInfo',
          fields: {
            reason: code.toUpperCase().replaceAll('-', '_'),
            domain: 'lockstep',
            metadata: { request_id: 'r-1' },
          },
        },
      ],
    });
  });
});

describe('each code is one exit code of the command, which says on standard error what it is', () => {
  test.each(codes)('%s', async (code) => {
    answer = { kind: 'error', code, messages: [`it is ${code}`], field: 'ttl' };
    const { exit, out, err } = await overCommandLine();
    expect({ exit, out }).toEqual({ exit: errorTable[code].exit, out: '' });
    expect(err).toContain(`Code: ${errorTable[code].http} (${code}, field ttl). Errors:\n\n* it is ${code}\n`);
  });
});

test('where one is to come back, and which field was wrong, is told', async () => {
  answer = { kind: 'error', code: 'rate-limited', messages: ['slow down'], retryAfterSeconds: 1.5, field: 'ttl' };
  const { headers } = await fetch(`http://127.0.0.1:${http.port}/v1/x`);
  expect([headers.get('retry-after'), headers.get('x-lockstep-field')]).toEqual(['2', 'ttl']);
  expect(detailsOf(await overGrpc()).details.slice(1)).toEqual([
    { type: 'RetryInfo', fields: { retry_delay: { seconds: 1, nanos: 500_000_000 } } },
    { type: 'BadRequest', fields: { field_violations: [{ field: 'ttl', description: 'slow down' }] } },
  ]);
});

test('a field that no header may hold is told over gRPC only', async () => {
  answer = { kind: 'error', code: 'invalid-input', messages: ['no'], field: 'meta.é\r\nX-Evil: 1' };
  const { status: got, headers } = await fetch(`http://127.0.0.1:${http.port}/v1/x`);
  expect([got, headers.get('x-lockstep-field'), headers.get('x-evil')]).toEqual([400, null, null]);
  expect(detailsOf(await overGrpc()).details[1]?.fields).toMatchObject({
    field_violations: [{ field: 'meta.é\r\nX-Evil: 1' }],
  });
});

test('a message longer than trailers may be is cut', async () => {
  answer = { kind: 'error', code: 'invalid-input', messages: ['é'.repeat(5000)] };
  const { details } = await overGrpc();
  expect(details).toMatch(/^é+…$/);
  expect(Buffer.byteLength(details)).toBeLessThan(1100);
});
