import { connect as connectHttp2, type Settings } from 'node:http2';
import { createConnection, createServer, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import {
  Client,
  type ClientDuplexStream,
  credentials,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
} from '@grpc/grpc-js';
import { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type GrpcPeers, type GrpcPeersOptions, openGrpcPeers } from './grpc-peers.ts';
import { helloFrame } from './handshake.ts';
import {
  appendQueueBytesMax,
  connectionStreamsMax,
  frameBytesMax,
  keepaliveTimeMs,
  keepaliveTimeoutMs,
  requestBytesMax,
  snapshotChunkBytesMax,
} from './limits.ts';
import { encodeHello } from './hello.ts';
import { encodeMessages } from './peer-codec.ts';
import type { PeerLogEvent } from './peer-log.ts';
import { asIs, pullSnapshotMethod, receiveMethod, toBuffer } from './peer-method.ts';
import { pinOf } from './peer-pin.ts';
import type { PeerAddress, PeerMessage, StandingRefusal } from './peers.ts';
import type { SnapshotSource } from './snapshot-transfer.ts';
import { certificatesFor, hasOpenssl, type TestTls } from './test-certificates.ts';

const n1 = NodeId(1);
const n2 = NodeId(2);
const n3 = NodeId(3);

interface TestNode extends GrpcPeers {
  readonly node: NodeId;
  readonly received: { from: NodeId; messages: readonly PeerMessage[] }[];
  readonly disconnected: NodeId[];
  readonly incarnations: Map<NodeId, number>;
  /** What others say that this node has become. */
  readonly told: { by: NodeId; refusal: StandingRefusal }[];
  readonly log: PeerLogEvent[];
}

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

let tlsOf = (_node: NodeId): TestTls => ({ caPem: '', certPem: '', keyPem: '' });
let strangersTls: TestTls;
const pins = new Map<NodeId, string>();

/** Where a node is, and by which key it is known. */
function at(node: NodeId, port: number): PeerAddress {
  return { node, address: `127.0.0.1:${port}`, pin: pins.get(node) ?? expect.unreachable() };
}

beforeAll(() => {
  if (!hasOpenssl) return;
  const certificates = certificatesFor('n1', 'n2', 'n3', 'stranger');
  const of = (name: string): TestTls => certificates.get(name) ?? expect.unreachable(name);
  tlsOf = (node) => of(`n${node}`);
  for (const node of [n1, n2, n3]) pins.set(node, pinOf(tlsOf(node).certPem));
  strangersTls = of('stranger');
});

beforeEach((context) => {
  if (!hasOpenssl) context.skip('there is no openssl command to make certificates with');
});

const noSnapshots: SnapshotSource = { read: (_id, _offset, _bytesMax, done) => done(undefined) };

async function start(node: NodeId, options: Partial<GrpcPeersOptions> = {}): Promise<TestNode> {
  const received: TestNode['received'] = [];
  const disconnected: NodeId[] = [];
  const incarnations: TestNode['incarnations'] = new Map();
  const told: TestNode['told'] = [];
  const log: PeerLogEvent[] = [];
  const opened = await openGrpcPeers({
    self: { node, clusterId: 'c1', incarnation: 100 + node },
    listen: { host: '127.0.0.1', port: 0 },
    tls: tlsOf(node),
    events: {
      onMessages: (from, messages) => received.push({ from, messages }),
      onDisconnected: (from) => disconnected.push(from),
      onIncarnation: (from, incarnation) => incarnations.set(from, incarnation),
      onRefused: (by, refusal) => told.push({ by, refusal }),
    },
    snapshot: noSnapshots,
    log: (event) => log.push(event),
    ...options,
  });
  cleanups.push(() => opened.peers.close());
  return { ...opened, node, received, disconnected, incarnations, told, log };
}

function introduce(...nodes: readonly TestNode[]): void {
  const addresses = nodes.map(({ node, port }) => at(node, port));
  for (const { peers } of nodes) peers.setPeers(addresses);
}

const until = (claim: () => unknown): Promise<unknown> =>
  expect.poll(claim, { timeout: 8000, interval: 5 }).toBeTruthy();

function isConnected(node: TestNode, to: NodeId): boolean {
  const isUp = (direction: string): boolean => {
    const events = node.log.filter(
      (event) => 'direction' in event && event.direction === direction && event.node === to,
    );
    return events.at(-1)?.kind === 'connected';
  };
  return isUp('sending') && isUp('receiving');
}

async function pair(options: Partial<GrpcPeersOptions> = {}): Promise<readonly [TestNode, TestNode]> {
  const a = await start(n1, options);
  const b = await start(n2, options);
  introduce(a, b);
  await until(() => isConnected(a, n2) && isConnected(b, n1));
  return [a, b];
}

function heartbeat(from: NodeId, to: NodeId, readPosition: number): PeerMessage {
  return { kind: 'raft', message: { type: 'heartbeat', from, to, term: Term(1), commit: LogIndex(0), readPosition } };
}

function append(from: NodeId, to: NodeId, bytes: number): PeerMessage {
  const entry = {
    index: LogIndex(1),
    term: Term(1),
    type: 'transactions' as const,
    data: new Uint8Array(bytes).fill(7),
  };
  const prev = { prevIndex: LogIndex(0), prevTerm: Term(0), commit: LogIndex(0) };
  return { kind: 'raft', message: { type: 'append', from, to, term: Term(1), ...prev, entries: [entry] } };
}

/** A client of our own making, for what the real one never does. */
function rawClient(port: number, tls: TestTls): Client {
  const secure = credentials.createSsl(Buffer.from(tls.caPem), Buffer.from(tls.keyPem), Buffer.from(tls.certPem), {
    checkServerIdentity: () => undefined,
  });
  const client = new Client(`127.0.0.1:${port}`, secure, { 'grpc.ssl_target_name_override': 'any' });
  cleanups.push(() => client.close());
  return client;
}

function rawReceive(port: number, tls: TestTls): ClientDuplexStream<Buffer, Buffer> {
  const call = rawClient(port, tls).makeBidiStreamRequest(receiveMethod, asIs, asIs);
  call.on('error', () => undefined);
  cleanups.push(() => call.cancel());
  return call;
}

/** How a call ends: `code details`. */
function ending(call: ClientDuplexStream<Buffer, Buffer>): Promise<string> {
  return new Promise((resolve) => {
    call.on('data', () => undefined);
    call.on('error', (error: Error) => resolve(error.message));
    call.on('end', () => undefined);
  });
}

function refusals(node: TestNode): readonly string[] {
  return node.log.flatMap((event) => (event.kind === 'refused' ? [`${event.node ?? 'nobody'}: ${event.reason}`] : []));
}

/** That nothing before did harm: a message still goes each way. */
async function stillWorks(a: TestNode, b: TestNode): Promise<void> {
  await until(() => isConnected(a, b.node) && isConnected(b, a.node));
  a.peers.send(b.node, [heartbeat(a.node, b.node, 424_242)]);
  b.peers.send(a.node, [heartbeat(b.node, a.node, 424_242)]);
  const arrived = (node: TestNode): boolean => JSON.stringify(node.received).includes('424242');
  await until(() => arrived(a) && arrived(b));
}

describe('gRPC peers refuse', () => {
  test('a connection without TLS, one without a certificate, one with a key that is not pinned', async () => {
    const [a, b] = await pair();
    const plain = createConnection(a.port, '127.0.0.1', () => plain.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'));
    await new Promise<void>((resolve) => plain.on('close', () => resolve()).on('error', () => undefined));
    const { caPem } = tlsOf(n1);
    await tlsClosed({ port: a.port, ca: caPem, ALPNProtocols: ['h2'] });
    expect(await ending(rawReceive(a.port, strangersTls))).toMatch(/UNAVAILABLE/);
    expect(refusals(a)).toEqual([
      expect.stringMatching(/^nobody: TLS: /),
      'nobody: no certificate was shown',
      'nobody: the certificate holds the key of no known node',
    ]);
    await stillWorks(a, b);
  });

  test('a certificate of another CA with the right name, and an old TLS', async () => {
    const [a, b] = await pair();
    const other = certificatesFor('n2').get('n2') ?? expect.unreachable();
    await tlsClosed({
      port: a.port,
      ca: tlsOf(n1).caPem,
      cert: other.certPem,
      key: other.keyPem,
      ALPNProtocols: ['h2'],
    });
    const { caPem, certPem, keyPem } = tlsOf(n2);
    await tlsClosed({ port: a.port, ca: caPem, cert: certPem, key: keyPem, maxVersion: 'TLSv1.2' });
    expect(refusals(a)).toEqual([
      'nobody: the certificate holds the key of no known node',
      'nobody: TLS: unsupported protocol',
    ]);
    await stillWorks(a, b);
  });

  test('a server that holds another node’s key', async () => {
    const a = await start(n1);
    const impostor = await start(n2, { tls: tlsOf(n3) });
    introduce(a, impostor);
    await until(() =>
      a.log.some((event) => event.kind === 'disconnected' && /does not hold the key of node 2/.test(event.reason)),
    );
    expect(a.received).toEqual([]);
  });

  test('a hello of another cluster, for another node, of another protocol; garbage instead of one', async () => {
    const [a, b] = await pair();
    const hello = { clusterId: 'c1', node: n3, incarnation: 103, versionMin: 1, versionMax: 1 };
    const refused = async (frame: Uint8Array): Promise<string> => {
      const call = rawReceive(a.port, tlsOf(n3));
      call.write(toBuffer(frame));
      return ending(call);
    };
    a.peers.setPeers([at(n2, b.port)]);
    expect(await refused(encodeHello(hello))).toMatch(/UNAVAILABLE/);
    expect(refusals(a)).toEqual(['nobody: the certificate holds the key of no known node']);
    a.peers.setPeers([at(n2, b.port), at(n3, 1)]);
    expect(await refused(encodeHello({ ...hello, clusterId: 'c2' }))).toBe(
      '7 PERMISSION_DENIED: node 3 belongs to cluster "c2", not to "c1"',
    );
    expect(await refused(encodeHello({ ...hello, node: n2 }))).toBe(
      "7 PERMISSION_DENIED: the certificate is node 3's, but the hello says node 2",
    );
    expect(await refused(encodeHello({ ...hello, versionMin: 3, versionMax: 9 }))).toBe(
      '9 FAILED_PRECONDITION: node 3 speaks peer protocol 3 to 9, this one 1 to 2',
    );
    expect(await refused(Buffer.from('garbage'))).toBe('3 INVALID_ARGUMENT: peer frame: is not a hello');
    expect(await refused(Buffer.alloc(0))).toBe('3 INVALID_ARGUMENT: peer frame: ends within kind');
    expect(refusals(a)).toHaveLength(6);
    await stillWorks(a, b);
  });

  test('a node that came back with another disk', async () => {
    const [a, b] = await pair();
    await b.peers.close();
    const reborn = await start(n2, { self: { node: n2, clusterId: 'c1', incarnation: 999 } });
    introduce(a, reborn);
    await until(() =>
      refusals(a).some((reason) => reason.endsWith('node 2 came back with another disk: it must join under a new id')),
    );
    expect(isConnected(a, n2)).toBe(false);
    await until(() => reborn.told.length > 0);
    expect(reborn.told[0]).toEqual({ by: n1, refusal: { kind: 'other-disk' } });
  });

  test('another disk than the membership knows of, though it is the first that is seen', async () => {
    const a = await start(n1);
    const reborn = await start(n2);
    reborn.peers.setPeers([at(n1, a.port)]);
    a.peers.setPeers([{ ...at(n2, reborn.port), incarnation: 77 }]);
    await until(() => reborn.told.length > 0);
    expect(reborn.told[0]).toEqual({ by: n1, refusal: { kind: 'other-disk' } });
    expect([...a.incarnations]).toEqual([]);
    expect(isConnected(a, n2)).toBe(false);
    a.peers.setPeers([{ ...at(n2, reborn.port), incarnation: 102 }]);
    await until(() => isConnected(a, n2));
    expect([...a.incarnations]).toEqual([[n2, 102]]);
  });

  test('a removed node, and tells it so', async () => {
    const [a, b] = await pair();
    const tombstone = { node: n2, pin: pins.get(n2) ?? expect.unreachable() };
    a.peers.setPeers([], { epoch: 3, index: 9, removed: [tombstone] });
    await until(() => b.told.length > 0);
    expect(b.told[0]).toEqual({ by: n1, refusal: { kind: 'removed', epoch: 3, index: 9 } });
    expect(refusals(a)).toContain('2: node 2 was removed from this cluster: it must join under a new id');
    b.peers.send(n1, [heartbeat(n2, n1, 1)]);
    a.peers.send(n2, [heartbeat(n1, n2, 1)]);
    expect([a.received, b.received]).toEqual([[], []]);
  });

  test('the old key of a node that has a new one', async () => {
    const [a, b] = await pair();
    const renewed = { ...at(n2, b.port), pin: pins.get(n3) ?? expect.unreachable() };
    a.peers.setPeers([renewed]);
    await until(() => a.disconnected.length === 2);
    await until(() =>
      a.log.some((event) => event.kind === 'disconnected' && /does not hold the key of node 2/.test(event.reason)),
    );
    expect(isConnected(a, n2)).toBe(false);
  });

  test('a frame after the hello, and a request larger than any hello', async () => {
    const [a, b] = await pair();
    a.peers.setPeers([at(n2, b.port), at(n3, 1)]);
    const call = rawReceive(a.port, tlsOf(n3));
    call.write(toBuffer(helloFrame({ node: n3, clusterId: 'c1', incarnation: 103 })));
    call.write(toBuffer(encodeMessages([heartbeat(n3, n1, 1)])));
    expect(await ending(call)).toMatch(/sent a frame after its hello/);
    const large = rawReceive(a.port, tlsOf(n3));
    large.write(Buffer.alloc(requestBytesMax + 1));
    expect(await ending(large)).toMatch(/RESOURCE_EXHAUSTED.*larger than max/);
    expect(a.received).toEqual([]);
    await stillWorks(a, b);
  });

  test('more streams on one connection than the server announces (nghttp2 holds clients to it)', async () => {
    const [a, b] = await pair();
    const { caPem, certPem, keyPem } = tlsOf(n2);
    const identity = { ca: caPem, cert: certPem, key: keyPem, checkServerIdentity: () => undefined };
    const session = connectHttp2(`https://127.0.0.1:${a.port}`, identity);
    cleanups.push(() => session.destroy());
    const settings = await new Promise<Settings>((resolve) => session.on('remoteSettings', resolve));
    expect(settings.maxConcurrentStreams).toBe(connectionStreamsMax);
    await stillWorks(a, b);
  });
});

describe('a garbage frame from a known node', () => {
  test.each([
    ['that is no frame', Buffer.from('not a frame'), /is not a frame of messages/],
    [
      'in another node’s name',
      toBuffer(encodeMessages([heartbeat(n3, n1, 1)])),
      /sent a message in the name of node 3/,
    ],
    ['for another node', toBuffer(encodeMessages([heartbeat(n2, n3, 1)])), /sent a message for node 3 to node 1/],
  ])('%s breaks the stream, and nothing of it is heard', async (_name, garbage, reason) => {
    const a = await start(n1);
    // A server that holds node 2's key and says hello properly, and then this.
    const { caPem, certPem, keyPem } = tlsOf(n2);
    const keys = [{ private_key: Buffer.from(keyPem), cert_chain: Buffer.from(certPem) }];
    const server = new Server();
    const method = {
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    };
    server.addService(
      { receive: { path: receiveMethod, requestStream: true, responseStream: true, ...method } },
      {
        receive: (call: ServerDuplexStream<Buffer, Buffer>) => {
          call.write(toBuffer(helloFrame({ node: n2, clusterId: 'c1', incarnation: 102 })));
          call.write(garbage);
        },
      },
    );
    const port = await new Promise<number>((resolve, reject) => {
      const secure = ServerCredentials.createSsl(Buffer.from(caPem), keys, true);
      server.bindAsync('127.0.0.1:0', secure, (error, bound) => (error === null ? resolve(bound) : reject(error)));
    });
    cleanups.push(() => server.forceShutdown());
    a.peers.setPeers([at(n2, port)]);
    await until(() => a.disconnected.includes(n2));
    expect(a.log.find((event) => event.kind === 'disconnected')).toMatchObject({
      node: n2,
      reason: expect.stringMatching(reason),
    });
    expect(a.received).toEqual([]);
  });
});

describe('gRPC peers', () => {
  test('messages arrive whole, in order, one list for each send, in both directions', async () => {
    const [a, b] = await pair();
    const sent = Array.from({ length: 200 }, (_, turn) => [heartbeat(n1, n2, turn), append(n1, n2, turn * 10)]);
    for (const messages of sent) a.peers.send(n2, messages);
    b.peers.send(n1, [heartbeat(n2, n1, 5)]);
    await until(() => b.received.length === sent.length && a.received.length === 1);
    expect(b.received).toEqual(sent.map((messages) => ({ from: n1, messages })));
    expect(a.received).toEqual([{ from: n2, messages: [heartbeat(n2, n1, 5)] }]);
  });

  test('what fits no single frame travels in several; a message that fits none is dropped with a word', async () => {
    const [a, b] = await pair();
    const half = Math.floor(frameBytesMax / 2);
    a.peers.send(n2, [append(n1, n2, half), append(n1, n2, half), append(n1, n2, frameBytesMax), heartbeat(n1, n2, 1)]);
    await until(() => b.received.flatMap(({ messages }) => messages).length === 3);
    expect(a.log.find((event) => event.kind === 'dropping')).toMatchObject({
      reason: expect.stringMatching(/fits no frame/),
    });
  });

  test('a peer that does not read: new entries are dropped, heartbeats are not; then the stream breaks', async () => {
    const a = await start(n1);
    a.peers.setPeers([at(n3, 1)]);
    const call = rawReceive(a.port, tlsOf(n3));
    call.write(toBuffer(helloFrame({ node: n3, clusterId: 'c1', incarnation: 103 })));
    await new Promise<void>((resolve) => {
      call.once('data', () => {
        call.pause();
        resolve();
      });
    });
    const dropping = (): boolean => a.log.some((event) => event.kind === 'dropping');
    const entryBytes = 1_000_000;
    for (let sent = 0; sent < 2 * appendQueueBytesMax && !dropping(); sent += entryBytes) {
      a.peers.send(n3, [heartbeat(n1, n3, sent), append(n1, n3, entryBytes)]);
    }
    expect(dropping()).toBe(true);
    expect(a.disconnected).toEqual([]);
    const proposal: PeerMessage = { kind: 'propose', from: n1, id: 1, transactions: [new Uint8Array(entryBytes)] };
    for (let sent = 0; sent < 60 && a.disconnected.length === 0; sent++) a.peers.send(n3, [proposal]);
    expect(a.disconnected).toEqual([n3]);
    expect(a.log.at(-1)).toMatchObject({
      kind: 'disconnected',
      reason: expect.stringMatching(/^stalled with \d+ bytes queued$/),
    });
  });

  test('a node that stops and comes back is connected to again, and both ways are told of the break', async () => {
    const [a, b] = await pair();
    await b.peers.close();
    await until(() => a.disconnected.filter((node) => node === n2).length === 2);
    const again = await start(n2, { listen: { host: '127.0.0.1', port: b.port } });
    introduce(a, again);
    await stillWorks(a, again);
  });

  test('a line that has gone silent without a word is found by its keepalive', async () => {
    const a = await start(n1);
    const b = await start(n2);
    const silent = await silentLine(b.port);
    a.peers.setPeers([at(n2, silent.port)]);
    b.peers.setPeers([at(n1, 1)]);
    await until(
      () => a.log.some((event) => event.kind === 'connected') && b.log.some((event) => event.kind === 'connected'),
    );
    silent.begin();
    const wordless = { timeout: 3 * (keepaliveTimeMs + keepaliveTimeoutMs), interval: 20 };
    await expect.poll(() => [a.disconnected, b.disconnected], wordless).toEqual([[n2], [n1]]);
  }, 20_000);

  test('a proposal to a node that can’t be reached is reported as lost; a heartbeat is not', async () => {
    const a = await start(n1);
    a.peers.setPeers([at(n2, 1)]);
    a.peers.send(n2, [heartbeat(n1, n2, 1)]);
    await until(() => a.log.some((event) => event.kind === 'disconnected'));
    expect(a.disconnected).toEqual([]);
    a.peers.send(n2, [{ kind: 'propose', from: n1, id: 1, transactions: [] }]);
    expect(a.disconnected).toEqual([]);
    await until(() => a.disconnected.length === 1);
  });

  test('a removed member is cut off and can’t come back', async () => {
    const [a, b] = await pair();
    a.peers.setPeers([]);
    const refusal = 'nobody: the certificate holds the key of no known node';
    await until(() => b.disconnected.length >= 2 && refusals(a).includes(refusal));
    a.peers.send(n2, [heartbeat(n1, n2, 1)]);
    b.peers.send(n1, [heartbeat(n2, n1, 1)]);
    expect([a.received, b.received]).toEqual([[], []]);
  });

  test('a port that is taken is an error with its number', async () => {
    const a = await start(n1);
    await expect(start(n2, { listen: { host: '127.0.0.1', port: a.port } })).rejects.toMatchObject({
      code: 'failed-precondition',
      message: expect.stringMatching(new RegExp(`^peer port 127.0.0.1:${a.port} can't be opened`)),
    });
  });
});

describe('a snapshot over gRPC', () => {
  const bytes = Uint8Array.from({ length: 3 * snapshotChunkBytesMax + 17 }, (_, at) => (at * 31) % 251);
  const snapshot: SnapshotSource = {
    read: (id, offset, bytesMax, done) => {
      if (id !== 's1') done(undefined);
      else setImmediate(() => done({ data: bytes.subarray(offset, offset + bytesMax), total: bytes.length }));
    },
  };

  function pulled(
    node: TestNode,
    id: string,
    offset: number,
  ): Promise<{ data: Buffer; offsets: number[]; error: string | undefined }> {
    return new Promise((resolve) => {
      const parts: Uint8Array[] = [];
      const offsets: number[] = [];
      node.pullSnapshot(n2, id, offset, {
        onChunk: (data, at, total, next) => {
          expect(total).toBe(bytes.length);
          parts.push(data);
          offsets.push(at);
          setImmediate(next);
        },
        onEnd: (error) => resolve({ data: Buffer.concat(parts), offsets, error: error?.message }),
      });
    });
  }

  test('comes in order from any offset; one that is gone is not-found', async () => {
    const [a] = await pair({ snapshot });
    const whole = await pulled(a, 's1', 0);
    expect(whole.error).toBeUndefined();
    expect(whole.offsets).toEqual([0, 1, 2, 3].map((chunk) => chunk * snapshotChunkBytesMax));
    expect(whole.data.equals(bytes)).toBe(true);
    const rest = await pulled(a, 's1', 1000);
    expect(rest.data.equals(bytes.subarray(1000))).toBe(true);
    expect(await pulled(a, 's1', bytes.length)).toMatchObject({ offsets: [], error: undefined });
    expect((await pulled(a, 's1', bytes.length + 1)).error).toMatch(/has no bytes at/);
    expect((await pulled(a, 's2', 0)).error).toBe('snapshot pull failed: snapshot "s2" has no bytes at 0 here');
  });

  test('a pull from a stranger, from a node that is gone, one that is cancelled', async () => {
    const [a, b] = await pair({ snapshot });
    const ends: string[] = [];
    const onEnd = (error?: Error): void => void ends.push(error?.message ?? 'ok');
    a.pullSnapshot(n3, 's1', 0, { onChunk: () => undefined, onEnd });
    await until(() => ends.length === 1);
    expect(ends).toEqual(['node 3 is not a member']);
    const firstChunk = new Promise<() => void>((resolve) => {
      const pull = a.pullSnapshot(n2, 's1', 0, { onChunk: () => resolve(() => pull.cancel()), onEnd });
    });
    (await firstChunk)();
    a.pullSnapshot(n2, 's1', 0, { onChunk: () => void b.peers.close(), onEnd });
    await until(() => ends.length === 2);
    expect(ends[1]).toMatch(/^snapshot pull failed: /);
  });

  test('a garbage request is refused', async () => {
    const [a, b] = await pair({ snapshot });
    const call = rawClient(a.port, tlsOf(n2)).makeServerStreamRequest(
      pullSnapshotMethod,
      asIs,
      asIs,
      Buffer.from('garbage'),
    );
    const message = await new Promise<string>((resolve) =>
      call.on('error', (error: Error) => resolve(error.message)).on('data', () => undefined),
    );
    expect(message).toBe('3 INVALID_ARGUMENT: peer frame: is not a snapshot request');
    await stillWorks(a, b);
  });
});

/** Connects and waits until the other side has closed the connection. */
function tlsClosed(options: ConnectionOptions): Promise<void> {
  return new Promise((resolve) => {
    const socket = connectTls({ host: '127.0.0.1', checkServerIdentity: () => undefined, ...options });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve());
    socket.resume();
  });
}

/** A line to a port that, once told so, passes on nothing more and closes nothing either. */
async function silentLine(to: number): Promise<{ readonly port: number; readonly begin: () => void }> {
  const sockets: Socket[] = [];
  const server = createServer((near) => {
    const far = createConnection(to, '127.0.0.1');
    near.pipe(far);
    far.pipe(near);
    for (const socket of [near, far]) sockets.push(socket.on('error', () => undefined));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    begin: () => {
      // New connections wait unanswered, too.
      server.removeAllListeners('connection');
      for (const socket of sockets) socket.unpipe().pause();
    },
  };
}
