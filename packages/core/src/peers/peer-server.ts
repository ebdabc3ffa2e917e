import { createServer, type Server as TlsServer, type TLSSocket } from 'node:tls';
import { Metadata, Server, ServerCredentials, type ServerWritableStream, status } from '@grpc/grpc-js';
import { LockstepError } from '@lockstep/contract/errors';
import type { NodeId } from '@lockstep/contract/ids';
import {
  connectionStreamsMax,
  frameBytesMax,
  handshakeTimeoutMs,
  keepaliveTimeMs,
  keepaliveTimeoutMs,
  peerConnectionsMax,
  requestBytesMax,
  sessionMemoryMegabytesMax,
} from './limits.ts';
import { FrameScratch } from './frame-scratch.ts';
import type { RefusalLog } from './peer-log.ts';
import { asIs, pullSnapshotMethod, receiveMethod, toBuffer } from './peer-method.ts';
import { pinOf } from './peer-pin.ts';
import type { PeerTls } from './pinned-credentials.ts';
import type { FrameStream, Outgoing } from './sending-stream.ts';
import { standingMetadata, StandingRefused } from './standing-refusal.ts';

/** A call from a node whose certificate was checked. */
export interface FromNode<Call> {
  readonly node: NodeId;
  readonly call: Call;
}

export interface PeerServerOptions {
  readonly listen: { readonly host: string; readonly port: number };
  readonly tls: PeerTls;
  readonly pins: ReadonlyMap<NodeId, string>;
  readonly refusals: RefusalLog;
  readonly onReceive: (from: FromNode<FrameStream>) => void;
  readonly onPull: (from: FromNode<ServerWritableStream<Buffer, Buffer>>) => void;
}

export interface PeerServer {
  readonly port: number;
  /** Cuts every connection of a node. */
  readonly cut: (node: NodeId) => void;
  readonly close: () => Promise<void>;
}

/**
 * Listens for the other nodes. TLS is ended here and not by gRPC, so that whoever holds no pinned key is refused, and logged,
 * before a byte of HTTP/2 is read.
 */
export async function openPeerServer(options: PeerServerOptions): Promise<PeerServer> {
  const grpc = grpcServer(options);
  const injector = grpc.createConnectionInjector(ServerCredentials.createInsecure());
  const sockets = new Map<TLSSocket, NodeId>();
  const tlsServer = createServer({
    cert: options.tls.certPem,
    key: options.tls.keyPem,
    requestCert: true,
    // Whoever signed a certificate: what counts is that its key is a member's, which is looked at below.
    rejectUnauthorized: false,
    minVersion: 'TLSv1.3',
    ALPNProtocols: ['h2'],
    handshakeTimeout: handshakeTimeoutMs,
  });
  tlsServer.maxConnections = peerConnectionsMax;
  tlsServer.on('tlsClientError', (error, socket) => {
    options.refusals.refused({ remote: remoteOf(socket), reason: `TLS: ${tlsReason(error)}` });
  });
  tlsServer.on('secureConnection', (socket) => {
    socket.on('error', () => undefined);
    const node = nodeOf(socket, options.pins);
    if (typeof node === 'string') {
      options.refusals.refused({ remote: remoteOf(socket), reason: node });
      socket.destroy();
      return;
    }
    // By the pin, which says more than an authority could; gRPC gives a call's certificate only where this is set.
    socket.authorized = true;
    sockets.set(socket, node);
    socket.on('close', () => sockets.delete(socket));
    injector.injectConnection(socket);
  });
  await listening(tlsServer, options.listen);
  const address = tlsServer.address();
  const port = typeof address === 'object' && address !== null ? address.port : options.listen.port;
  return {
    port,
    cut: (node) => {
      for (const [socket, owner] of sockets) if (owner === node) socket.destroy();
    },
    close: () =>
      new Promise((resolve) => {
        tlsServer.close(() => resolve());
        grpc.forceShutdown();
        for (const socket of sockets.keys()) socket.destroy();
      }),
  };
}

function grpcServer(options: PeerServerOptions): Server {
  const server = new Server({
    'grpc.max_receive_message_length': requestBytesMax,
    'grpc.max_send_message_length': frameBytesMax,
    'grpc.max_concurrent_streams': connectionStreamsMax,
    'grpc-node.max_session_memory': sessionMemoryMegabytesMax,
    'grpc.keepalive_time_ms': keepaliveTimeMs,
    'grpc.keepalive_timeout_ms': keepaliveTimeoutMs,
    'grpc.enable_channelz': 0,
  });
  const scratch = new FrameScratch();
  const method = {
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
  server.addService(
    {
      receive: {
        path: receiveMethod,
        requestStream: true,
        responseStream: true,
        ...method,
        responseSerialize: (outgoing: Outgoing) =>
          outgoing instanceof Uint8Array ? toBuffer(outgoing) : scratch.encode(outgoing),
      },
      pullSnapshot: { path: pullSnapshotMethod, requestStream: false, responseStream: true, ...method },
    },
    {
      receive: (call: FrameStream) => forNode(call, options, options.onReceive),
      pullSnapshot: (call: ServerWritableStream<Buffer, Buffer>) => forNode(call, options, options.onPull),
    },
  );
  return server;
}

type AnyCall = FrameStream | ServerWritableStream<Buffer, Buffer>;

/** Finds out once more who calls; the pins may have changed since the connection was made. */
function forNode<Call extends AnyCall>(
  call: Call,
  options: PeerServerOptions,
  handle: (from: FromNode<Call>) => void,
): void {
  const certificate = call.getAuthContext().sslPeerCertificate;
  const node = certificate === undefined ? undefined : pinned(certificate.raw, options.pins);
  if (node === undefined)
    refuseCall(call, new LockstepError('denied', 'the certificate holds the key of no known node'));
  else handle({ node, call });
}

const grpcCodes = new Map([
  ['denied', status.PERMISSION_DENIED],
  ['invalid-input', status.INVALID_ARGUMENT],
  ['failed-precondition', status.FAILED_PRECONDITION],
  ['not-found', status.NOT_FOUND],
  ['unavailable', status.UNAVAILABLE],
]);

/** Ends a call with an error's code and message, and with the standing that it tells the other side of. */
export function refuseCall(call: AnyCall, error: unknown): void {
  const code = error instanceof LockstepError ? (grpcCodes.get(error.code) ?? status.INTERNAL) : status.INTERNAL;
  const metadata = error instanceof StandingRefused ? standingMetadata(error.refusal) : new Metadata();
  call.emit('error', { code, details: error instanceof LockstepError ? error.message : 'internal error', metadata });
}

/** Or why it is nobody. */
function nodeOf(socket: TLSSocket, pins: ReadonlyMap<NodeId, string>): NodeId | string {
  const { raw } = socket.getPeerCertificate();
  if (raw === undefined) return 'no certificate was shown';
  return pinned(raw, pins) ?? 'the certificate holds the key of no known node';
}

function pinned(certificate: Uint8Array, pins: ReadonlyMap<NodeId, string>): NodeId | undefined {
  const pin = pinOf(certificate);
  for (const [node, known] of pins) if (known === pin) return node;
  return undefined;
}

/** Node adds source lines to what OpenSSL says. */
function tlsReason(error: Error): string {
  return 'reason' in error && typeof error.reason === 'string' ? error.reason : error.message;
}

function remoteOf(socket: TLSSocket): string {
  return `${socket.remoteAddress ?? 'unknown'}:${socket.remotePort ?? 0}`;
}

function listening(server: TlsServer, at: { readonly host: string; readonly port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      reject(
        new LockstepError('failed-precondition', `peer port ${at.host}:${at.port} can't be opened: ${cause.message}`, {
          cause,
        }),
      );
    });
    server.listen(at.port, at.host, resolve);
  });
}
