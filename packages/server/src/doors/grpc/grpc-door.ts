// The gRPC door. rpc-table.ts has the calls; here they are served.
import { randomUUID } from 'node:crypto';
import {
  type sendUnaryData,
  Server,
  ServerCredentials,
  type ServerOptions,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { ServiceDefinition } from '@grpc/proto-loader';
import type { Handle, OnRefused } from '../door.ts';
import {
  bodyBytesMax,
  closeGraceMs,
  grpcConnectionIdleMs,
  grpcKeepaliveMs,
  grpcKeepaliveTimeoutMs,
  grpcSessionMegabytesMax,
  grpcStreamsMax,
} from '../limits.ts';
import { type ErrorReply, errorReplyOf, isNothing } from '../reply-shape.ts';
import { grpcError } from './grpc-error.ts';
import { callResponse, typedResponse } from './grpc-reply.ts';
import { callContext, callTarget, type Message, readableCall, type Target, typedTarget } from './grpc-request.ts';
import { serveDownload, serveUpload } from './grpc-streams.ts';
import { HealthService } from './health.ts';
import { pathTemplate } from './path-template.ts';
import { jsonFieldsOf, loadProtos, serviceOf } from './protos.ts';
import { rpcTable } from './rpc-table.ts';
import { Tls13Credentials } from './tls-credentials.ts';

export interface GrpcDoorOptions {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** PEM. Without it the door speaks plain HTTP/2, which only `dev` on loopback may ask for. */
  readonly tls?: { readonly key: string | Buffer; readonly cert: string | Buffer } | undefined;
  readonly handle: Handle;
  readonly onRefused: OnRefused;
  /** What the health service answers. */
  readonly isServing: () => boolean;
  readonly bodyBytesMax?: number;
  readonly newRequestId?: () => string;
  /** The wall clock, in milliseconds: grpc-js gives deadlines by it. */
  readonly nowMs: () => number;
  /** Gets what `handle` threw that was no refusal: a fault of the program, whose text no caller sees. */
  readonly onFault: (fault: unknown, requestId: string) => void;
}

export interface GrpcDoor {
  readonly port: number;
  /** Takes no more connections, lets the calls it has end (for at most `closeGraceMs`), then cuts what is left. */
  readonly close: () => Promise<void>;
}

/** Listens; resolves once it does. */
export async function openGrpcDoor(options: GrpcDoorOptions): Promise<GrpcDoor> {
  const server = new Server(serverOptions(options.bodyBytesMax ?? bodyBytesMax));
  const door: OpenDoor = {
    handle: options.handle,
    onRefused: options.onRefused,
    newRequestId: options.newRequestId ?? randomUUID,
    nowMs: options.nowMs,
    onFault: options.onFault,
  };
  const protos = loadProtos();
  for (const name of Object.keys(rpcTable)) {
    const service = serviceOf(protos, name);
    server.addService(service, implementationOf(door, name, service));
  }
  const health = new HealthService(options.isServing, Object.keys(rpcTable));
  server.addService(serviceOf(protos, 'grpc.health.v1.Health'), health.implementation);
  const port = await listen(server, options);
  return {
    port,
    close: async () => {
      health.close();
      await shutDown(server);
    },
  };
}

/** grpc-js sets neither a bound on streams nor one on a session's memory unless asked (CVE-2024-37168). */
export function serverOptions(messageBytesMax: number): ServerOptions {
  return {
    'grpc.max_receive_message_length': messageBytesMax,
    'grpc.max_concurrent_streams': grpcStreamsMax,
    'grpc-node.max_session_memory': grpcSessionMegabytesMax,
    'grpc.keepalive_time_ms': grpcKeepaliveMs,
    'grpc.keepalive_timeout_ms': grpcKeepaliveTimeoutMs,
    'grpc.max_connection_idle_ms': grpcConnectionIdleMs,
    'grpc.enable_channelz': 0,
  };
}

interface OpenDoor {
  readonly handle: Handle;
  readonly onRefused: OnRefused;
  readonly newRequestId: () => string;
  readonly nowMs: () => number;
  readonly onFault: (fault: unknown, requestId: string) => void;
}

type Answered = Parameters<typeof callResponse>[0];
interface Method {
  readonly target: (message: Message) => Target;
  readonly response: (answer: Answered, requestId: string) => Message;
}

function implementationOf(door: OpenDoor, name: string, service: ServiceDefinition): UntypedServiceImplementation {
  const implementation: UntypedServiceImplementation = {};
  for (const [method, definition] of Object.entries(service)) {
    const rpc = rpcTable[name]?.[method];
    if (definition.requestStream || definition.responseStream) {
      implementation[method] = streamingCall(door, `${name}.${method}`);
      continue;
    }
    if (rpc === undefined && method !== 'Call') throw new Error(`the RPC table has no ${name}.${method}`);
    const served: Method =
      rpc === undefined
        ? { target: callTarget, response: callResponse }
        : {
            target: typedTarget(rpc.operation, pathTemplate(rpc.path), jsonFieldsOf(definition.requestType.type)),
            response: typedResponse(rpc.dataField, jsonFieldsOf(definition.responseType.type)),
          };
    implementation[method] = (call: ServerUnaryCall<Message, Message>, answer: sendUnaryData<Message>) => {
      void serve(door, served, call, answer);
    };
  }
  return implementation;
}

/** The calls whose messages are pieces of one large body. */
function streamingCall(door: OpenDoor, name: string): UntypedServiceImplementation[string] {
  const path = 'sys/storage/raft/snapshot';
  switch (name) {
    case 'lockstep.sys.v1.SysService.SaveSnapshot':
      return (call: ServerWritableStream<Message, Message>) => void serveDownload(door, call, path);
    case 'lockstep.sys.v1.SysService.RestoreSnapshot':
      return (call: ServerReadableStream<Message, Message>, answer: sendUnaryData<Message>) => {
        const pathOf = (first: Message): string => (first['force'] === true ? `${path}-force` : path);
        void serveUpload(door, { call, answer, path: pathOf });
      };
    default:
      throw new Error(`no such streaming RPC: ${name}`);
  }
}

/** One call. Never rejects. */
async function serve(
  door: OpenDoor,
  method: Method,
  call: ServerUnaryCall<Message, Message>,
  answer: sendUnaryData<Message>,
): Promise<void> {
  const requestId = door.newRequestId();
  const gone = new AbortController();
  let target: Target | undefined;
  let isAnswered = false;
  // Also when the deadline passes, and, with nothing left to abort, when an answered call's stream closes.
  call.once('cancelled', () => {
    if (!isAnswered) gone.abort();
  });
  try {
    const context = callContext(call, door.nowMs());
    target = method.target(call.request);
    const reply = await door.handle({ ...context, ...target, requestId, signal: gone.signal });
    isAnswered = true;
    if (reply.kind === 'error') refuse(reply);
    else if (reply.kind === 'stream') {
      await reply.close();
      refuse({
        kind: 'error',
        code: 'unsupported-operation',
        messages: ['this is too large for one message: SaveSnapshot streams it'],
      });
    } else if (reply.kind === 'reply' && isNothing(target.operation, reply.reply))
      refuse({ kind: 'error', code: 'not-found', messages: [] });
    else answer(null, method.response(reply, requestId));
  } catch (fault) {
    const refusal = errorReplyOf(fault);
    if (refusal.code === 'internal') door.onFault(fault, requestId);
    refuse(await door.onRefused({ ...readableCall(call, target), requestId, refusal }));
  }

  function refuse(reply: ErrorReply): void {
    answer(grpcError(reply, requestId));
  }
}

async function listen(server: Server, { host, port, tls }: GrpcDoorOptions): Promise<number> {
  const credentials = tls === undefined ? ServerCredentials.createInsecure() : new Tls13Credentials(tls);
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  return await new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (fault, bound) => (fault === null ? resolve(bound) : reject(fault)));
  });
}

async function shutDown(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    const cut = setTimeout(() => server.forceShutdown(), closeGraceMs);
    server.tryShutdown(() => {
      clearTimeout(cut);
      resolve();
    });
  });
}
