// START HERE for the HTTP door: Vault's API under /v1/, over HTTP/1.1.
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { DoorReply, Handle, OnRefused } from '../door.ts';
import {
  bodyBytesMax,
  closeGraceMs,
  connectionsCheckMs,
  connectionsMax,
  headerBytesMax,
  headersTimeoutMs,
  keepAliveTimeoutMs,
  requestsPerConnectionMax,
  requestTimeoutMs,
  socketIdleMs,
  tlsHandshakeTimeoutMs,
} from '../limits.ts';
import { errorReplyOf } from '../reply-shape.ts';
import { drain, hasBody, readBody } from './http-body.ts';
import { type HttpReply, httpReply } from './http-reply.ts';
import { bodyFields, methodsServed, readableHead, type RequestHead, requestHead } from './http-request.ts';
import { isUpload, sendStream, Uploads } from './http-streams.ts';
import { listBytesOf, ListSocket, moveToListSocket, noteRequest } from './list-verb.ts';
import { refuseConnection } from './refused-connection.ts';

export interface HttpLimits {
  readonly bodyBytesMax: number;
  readonly connectionsMax: number;
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
}

export interface HttpDoorOptions {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** PEM. Without it the door speaks plain HTTP, which only `dev` on loopback may ask for. */
  readonly tls?: { readonly key: string | Buffer; readonly cert: string | Buffer } | undefined;
  /** Another certificate for who asks for that name in the TLS handshake; undefined where the usual one will do. */
  readonly contextFor?: (serverName: string) => Promise<SecureContext | undefined>;
  readonly handle: Handle;
  readonly onRefused: OnRefused;
  readonly limits?: Partial<HttpLimits>;
  readonly newRequestId?: () => string;
  /** Gets what `handle` threw that was no refusal: a fault of the program, whose text no caller sees. */
  readonly onFault: (fault: unknown, requestId: string) => void;
}

export interface HttpDoor {
  readonly port: number;
  /** Takes no more connections, lets the requests it has end (for at most `closeGraceMs`), then closes what is left. */
  readonly close: () => Promise<void>;
}

/** Listens; resolves once it does. */
export async function openHttpDoor(options: HttpDoorOptions): Promise<HttpDoor> {
  const limits: HttpLimits = { bodyBytesMax, connectionsMax, headersTimeoutMs, requestTimeoutMs, ...options.limits };
  const server = createServerFor(options, limits);
  const uploads = new Uploads();
  const door: OpenDoor = {
    handle: options.handle,
    onRefused: options.onRefused,
    bodyBytesMax: limits.bodyBytesMax,
    newRequestId: options.newRequestId ?? randomUUID,
    onFault: options.onFault,
    uploads,
    isClosing: false,
  };
  server.on('request', (request, response) => {
    noteRequest(request, response);
    void serve(door, request, response);
  });
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    noteRequest(request, response);
    // A body that is too large is refused before it is sent; one that is streamed is asked for by whoever reads it.
    const isTooLarge = Number(request.headers['content-length'] ?? 0) > limits.bodyBytesMax;
    if (!isTooLarge && !isUpload(request)) response.writeContinue();
    void serve(door, request, response);
  });
  acceptLists(server, uploads);
  await listen(server, options);
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the HTTP door has no port');
  return {
    port: address.port,
    close: async () => {
      door.isClosing = true;
      await closeServer(server);
    },
  };
}

interface OpenDoor {
  readonly handle: Handle;
  readonly onRefused: OnRefused;
  readonly bodyBytesMax: number;
  readonly newRequestId: () => string;
  readonly onFault: (fault: unknown, requestId: string) => void;
  readonly uploads: Uploads;
  isClosing: boolean;
}

const noBody = Buffer.alloc(0);

/** One request, from its head to its last byte. Never rejects. */
async function serve(door: OpenDoor, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const requestId = door.newRequestId();
  let known: RequestHead['known'] | undefined;
  let answer: DoorReply;
  const gone = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) gone.abort();
  });
  try {
    const head = requestHead(request);
    ({ known } = head);
    if (isUpload(request)) {
      const body = door.uploads.read(request, response);
      answer = await door.handle({ ...head.known, data: {}, body, requestId, signal: gone.signal });
      if (!request.complete) drain(request);
    } else {
      const body = head.takesBody ? await readBody(request, door.bodyBytesMax) : noBody;
      if (!head.takesBody && hasBody(request)) drain(request);
      answer = await door.handle({ ...head.known, data: bodyFields(head, body), requestId, signal: gone.signal });
    }
  } catch (fault) {
    const refusal = errorReplyOf(fault);
    if (refusal.code === 'internal') door.onFault(fault, requestId);
    if (!request.complete) drain(request);
    answer = await door.onRefused({ ...(known ?? readableHead(request)), requestId, refusal });
  }
  if (answer.kind === 'stream') {
    await sendStream(response, answer, (fault) => door.onFault(fault, requestId));
    return;
  }
  if (response.destroyed) return;
  send(door, response, httpReply(known?.operation ?? 'read', known?.path ?? '', answer));
}

function send(door: OpenDoor, response: ServerResponse, reply: HttpReply): void {
  const headers: (string | number)[] = ['Cache-Control', 'no-store'];
  if (reply.body !== undefined)
    headers.push('Content-Type', reply.contentType, 'Content-Length', Buffer.byteLength(reply.body));
  headers.push(...reply.headers);
  if (reply.status === 405) headers.push('Allow', methodsServed);
  const namespace = response.req.headers['x-vault-namespace'];
  if (typeof namespace === 'string' && /^[\u0020-\u007e]{1,512}$/.test(namespace))
    headers.push('X-Vault-Namespace', namespace);
  // A client that waits for "100 Continue" was refused instead: its body will not come, or will come where a request is expected.
  if (door.isClosing || (response.req.headers.expect !== undefined && !response.req.complete))
    headers.push('Connection', 'close');
  response.writeHead(reply.status, headers);
  response.end(reply.body);
}

function createServerFor(options: HttpDoorOptions, limits: HttpLimits): Server {
  const common = {
    maxHeaderSize: headerBytesMax,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
    connectionsCheckingInterval: connectionsCheckMs,
    noDelay: true,
  };
  const { contextFor } = options;
  const server =
    options.tls === undefined
      ? createServer(common)
      : createTlsServer({
          ...common,
          key: options.tls.key,
          cert: options.tls.cert,
          minVersion: 'TLSv1.3',
          handshakeTimeout: tlsHandshakeTimeoutMs,
          ALPNProtocols: ['http/1.1'],
          ...(contextFor === undefined ? {} : { SNICallback: serverNames(contextFor) }),
        });
  server.timeout = socketIdleMs;
  server.maxConnections = limits.connectionsMax;
  server.maxRequestsPerSocket = requestsPerConnectionMax;
  server.on('connect', (_request, socket) =>
    socket.end('HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'),
  );
  return server;
}

/** Node takes the usual certificate where it is given none. */
function serverNames(
  contextFor: NonNullable<HttpDoorOptions['contextFor']>,
): (name: string, done: (error: Error | null, context?: SecureContext) => void) => void {
  return (name, done) => {
    contextFor(name).then(
      (context) => done(null, context),
      (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
    );
  };
}

/** Moves a connection that sends LIST to a parser of its own; refuses all else that the first parser could not read. */
function acceptLists(server: Server, uploads: Uploads): void {
  const moved = new WeakSet<object>();
  const accepted = server instanceof Object && 'setSecureContext' in server ? 'secureConnection' : 'connection';
  server.on('clientError', (fault, socket) => {
    // The parser that failed still reports that its request never came to an end.
    if (moved.has(socket) || uploads.mayTakeLonger(fault, socket)) return;
    const bytes = socket instanceof Socket && socket.writable ? listBytesOf(fault, socket) : undefined;
    if (bytes === undefined || !(socket instanceof Socket)) {
      refuseConnection(fault, socket);
      return;
    }
    moved.add(socket);
    const through: ListSocket = moveToListSocket(socket, bytes);
    server.emit(accepted, through);
  });
}

async function listen(server: Server, { host, port }: HttpDoorOptions): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

async function closeServer(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), closeGraceMs);
    server.close(() => {
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}
