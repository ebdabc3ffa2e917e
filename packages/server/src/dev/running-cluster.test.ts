import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import { asIs, receiveMethod } from '@lockstep/core/peers/peer-method';
import vault from 'node-vault';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { bodyBytesMax } from '../doors/limits.ts';
import { DevCluster, type DevNode } from './dev-cluster.ts';
import { createAuthority } from './node-certificates.ts';
import { anyBasePort } from './free-ports.ts';

// Three real processes for the whole file. What is refused comes first; the last test kills the leader.
const directory = mkdtempSync(join(tmpdir(), 'lockstep-running-'));
/** Three nodes that have done nothing but this file's requests. A bomb that is let in takes more. */
const residentBytesMax = 600 * 2 ** 20;
let cluster: DevCluster;
let pids: ReadonlyMap<string, number | undefined>;
let isLeaderKilled = false;

beforeAll(async () => {
  cluster = await DevCluster.start(
    { directory, nodes: 3, basePort: anyBasePort(), plainHttp: false },
    { report: () => undefined },
  );
  pids = new Map(cluster.nodes.map((node) => [node.name, node.process.pid]));
}, 60_000);

afterAll(async () => {
  await cluster?.stop();
  rmSync(directory, { recursive: true, force: true });
});

// Whatever a test did, no node is harmed: the same processes serve, and none has grown.
afterEach(async () => {
  for (const node of cluster.nodes) {
    if (isLeaderKilled) return;
    expect(node.process.pid).toBe(pids.get(node.name));
    const read = await cluster.call(node, 'GET', 'sys/mounts');
    expect([node.name, read.status]).toEqual([node.name, 200]);
    expect(residentBytes(node.process.pid ?? 0)).toBeLessThan(residentBytesMax);
  }
  const written = await cluster.call(anyNode(), 'POST', 'secret/data/after', { data: { all: 'well' } });
  expect(written.status).toBe(200);
});

function anyNode(): DevNode {
  return cluster.nodes[0] ?? expect.unreachable();
}

/** Zero where the system doesn't tell. */
function residentBytes(pid: number): number {
  if (process.platform !== 'linux') return 0;
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

function port(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}

function hasCommand(name: string, versionFlag: string): boolean {
  return spawnSync(name, [versionFlag]).status === 0;
}

/** The reasons of the refusals that a node has logged, from `after` on. */
function refusalsIn(node: DevNode, after: number): readonly string[] {
  const lines = readFileSync(node.logFile, 'utf8').slice(after).split('\n');
  return lines.flatMap((line) => (line.includes('peer-refused') ? [/"reason":"([^"]*)"/.exec(line)?.[1] ?? line] : []));
}

/** Resolves when a connection is over: with what was read, or with the error that broke it. */
function overWith(socket: ReturnType<typeof connectPlain>, bytes: Buffer | string): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    socket.on('error', (error) => (text += error.message));
    socket.on('close', () => resolve(text));
    socket.write(bytes);
  });
}

/** As a member with another's certificate, or with none. */
function peerTls(options: ConnectionOptions): ConnectionOptions {
  return {
    host: '127.0.0.1',
    servername: 'localhost',
    port: port(anyNode().peer),
    ca: readFileSync(cluster.files.caFile),
    ALPNProtocols: ['h2'],
    checkServerIdentity: () => undefined,
    ...options,
  };
}

function memberKeys(node: DevNode): { readonly cert: Buffer; readonly key: Buffer } {
  const folder = dirname(node.configFile);
  return { cert: readFileSync(join(folder, 'peer.pem')), key: readFileSync(join(folder, 'peer.key')) };
}

describe('on the peer port', () => {
  const garbage = Buffer.from('\u0000\u0016garbage, and not a frame\r\n\r\n'.repeat(200), 'latin1');
  const logLength = (): number => readFileSync(anyNode().logFile, 'utf8').length;

  test('garbage instead of TLS is refused, and logged with its reason', async () => {
    const before = logLength();
    await overWith(connectPlain(port(anyNode().peer), '127.0.0.1'), garbage);
    await expect.poll(() => refusalsIn(anyNode(), before)).toEqual([expect.stringMatching(/^TLS: /)]);
  });

  test('a peer without a certificate is refused', async () => {
    const before = logLength();
    await overWith(connectTls(peerTls({})), garbage);
    await expect.poll(() => refusalsIn(anyNode(), before)).toEqual(['no certificate was shown']);
  });

  test('a peer with a certificate of another authority is refused, whatever name it bears', async () => {
    const foreign = await (await createAuthority({ nowMs: Date.now() })).issue({ name: 'node-2', host: '127.0.0.1' });
    const before = logLength();
    await overWith(connectTls(peerTls({ cert: foreign.certificatePem, key: foreign.privateKeyPem })), garbage);
    await expect.poll(() => refusalsIn(anyNode(), before)).toEqual(['the certificate holds the key of no known node']);
  });

  test('a certificate of the right authority whose key is no member’s is refused', async () => {
    const folder = dirname(anyNode().configFile);
    const door = { cert: readFileSync(join(folder, 'door.pem')), key: readFileSync(join(folder, 'door.key')) };
    const before = logLength();
    await overWith(connectTls(peerTls(door)), garbage);
    await expect.poll(() => refusalsIn(anyNode(), before)).toEqual(['the certificate holds the key of no known node']);
  });

  test('garbage instead of HTTP/2, from a member, ends that connection alone', async () => {
    const member = memberKeys(cluster.nodes[1] ?? expect.unreachable());
    await overWith(connectTls(peerTls(member)), garbage);
  });

  test('a garbage frame from a member is refused with an error that says what it is', async () => {
    const before = logLength();
    const { cert, key } = memberKeys(cluster.nodes[1] ?? expect.unreachable());
    const channel = credentials.createSsl(readFileSync(cluster.files.caFile), key, cert, {
      checkServerIdentity: () => undefined,
    });
    const client = new Client(anyNode().peer, channel);
    const error = await new Promise<ServiceError>((resolve) => {
      const call = client.makeBidiStreamRequest<Buffer, Buffer>(receiveMethod, asIs, asIs);
      call.on('error', (fault: ServiceError) => resolve(fault));
      call.on('data', () => undefined);
      call.write(Buffer.from('garbage'));
    });
    client.close();
    expect(error.message).toBe('3 INVALID_ARGUMENT: peer frame: is not a hello');
    await expect.poll(() => refusalsIn(anyNode(), before)).toEqual(['peer frame: is not a hello']);
  });
});

describe('at the HTTP door', () => {
  /** One request on a connection of its own, as bytes. */
  const raw = async (head: string, body = ''): Promise<string> => {
    const socket = connectTls({
      host: '127.0.0.1',
      servername: 'localhost',
      port: port(anyNode().http),
      ca: readFileSync(cluster.files.caFile),
    });
    const headers = `Host: localhost\r\nX-Vault-Token: ${cluster.rootToken}\r\nConnection: close\r\nContent-Length: ${body.length}\r\n`;
    return await overWith(socket, `${head} HTTP/1.1\r\n${headers}\r\n${body}`);
  };
  const inData = (body: string): string => `{"data":${body}}`;

  test.each([
    ['deep', inData('['.repeat(bodyBytesMax - 9)), 400, 'request body nests deeper than 64 levels'],
    ['wide', inData(`[${'{},'.repeat(349_000)}{}]`), 400, 'request body holds more than 32768 values'],
    ['one byte too long', ' '.repeat(bodyBytesMax + 1), 413, 'request body is larger than 1048576 bytes'],
  ])('a JSON bomb of 1 MiB, %s, is refused', async (_name, body, status, message) => {
    const answer = await raw('POST /v1/secret/data/bomb', body);
    expect(answer.split('\r\n')[0]).toContain(` ${status} `);
    expect(answer).toContain(message);
  });

  test.each([
    '/v1/secret/%2e%2e/sys/mounts',
    '/v1/secret/data/%2E%2E/%2e%2e/sys/mounts',
    '/v1/secret/../sys/mounts',
    '/v1/secret/data/%252e%252e/x',
    '/v1/secret/data/..%2f..%2fsys/mounts',
  ])('a dot segment, however it is written, is refused: %s', async (target) => {
    const answer = await raw(`GET ${target}`);
    expect(answer.split('\r\n')[0]).toBe('HTTP/1.1 400 Bad Request');
    expect(answer).toContain('{"errors":["path contains relative segments"]}');
  });

  test.each(['{"__proto__":{"polluted":true}}', '{"data":{"a":{"\\u005f_proto__":{"polluted":true}}}}'])(
    '__proto__ as a key is refused: %s',
    async (body) => {
      const answer = await raw('POST /v1/secret/data/proto', body);
      expect(answer.split('\r\n')[0]).toBe('HTTP/1.1 400 Bad Request');
      expect(answer).toContain('__proto__');
    },
  );
});

describe('curl', () => {
  const curl = (...args: readonly string[]): { readonly status: number; readonly body: unknown } => {
    const { stdout } = spawnSync(
      'curl',
      [
        '-sS',
        '--cacert',
        cluster.files.caFile,
        '-H',
        `X-Vault-Token: ${cluster.rootToken}`,
        '-w',
        '\n%{http_code}',
        ...args,
      ],
      { encoding: 'utf8' },
    );
    const end = stdout.lastIndexOf('\n');
    const text = stdout.slice(0, end);
    return { status: Number(stdout.slice(end + 1)), body: text === '' ? '' : JSON.parse(text) };
  };

  test('posts without a content type, and lists with the LIST verb, on each node', (context) => {
    if (!hasCommand('curl', '--version')) context.skip('there is no curl command');
    for (const { http, name } of cluster.nodes) {
      // curl -d says application/x-www-form-urlencoded; with an empty header it says nothing.
      const url = `${http}/v1/secret/data/curl/${name}`;
      expect(curl('-d', '{"data":{"from":"curl"}}', url)).toMatchObject({
        status: 200,
        body: { data: { version: 1 } },
      });
      expect(curl('-H', 'Content-Type:', '-d', '{"data":{"from":"curl"}}', url)).toMatchObject({
        status: 200,
        body: { data: { version: 2 } },
      });
      const listed = curl('-X', 'LIST', `${http}/v1/secret/metadata/curl`);
      expect(listed).toMatchObject({ status: 200, body: { data: { keys: expect.arrayContaining([name]) } } });
    }
    const missing = curl('-X', 'LIST', `${anyNode().http}/v1/secret/metadata/nowhere`);
    expect(missing).toEqual({ status: 404, body: { errors: [] } });
  });
});

test('node-vault writes through one node and reads through the others, over TLS', async () => {
  const clients = cluster.nodes.map((node) =>
    vault({
      endpoint: node.http,
      token: cluster.rootToken,
      requestOptions: { ca: readFileSync(cluster.files.caFile) },
    }),
  );
  for (const [at, client] of clients.entries()) {
    await client.write(`secret/data/node-vault/${at}`, { data: { value: at } });
    for (const other of clients)
      expect((await other.read(`secret/data/node-vault/${at}`)).data.data).toEqual({ value: at });
  }
  const [first = expect.unreachable()] = clients;
  expect((await first.list('secret/metadata/node-vault')).data.keys).toEqual(['0', '1', '2']);
  expect(await first.health()).toMatchObject({ initialized: true, sealed: false });
  await first.delete('secret/metadata/node-vault/1');
  await expect(first.read('secret/data/node-vault/1')).rejects.toThrow('Status 404');
  const stranger = vault({
    endpoint: anyNode().http,
    token: 'hvs.stranger',
    requestOptions: { ca: readFileSync(cluster.files.caFile) },
  });
  await expect(stranger.read('secret/data/node-vault/0')).rejects.toThrow('permission denied');
});

test('openssl accepts certificates issued from each node, before and after the leader is killed', async (context) => {
  if (!hasCommand('openssl', 'version')) context.skip('there is no openssl command');
  const must = async (node: DevNode, path: string, body: { readonly [name: string]: unknown }): Promise<Issued> => {
    const answer = await cluster.call(node, 'POST', path, body);
    expect([path, answer.status, answer.body['errors']]).toEqual([path, answer.text === '' ? 204 : 200, undefined]);
    return (answer.body['data'] ?? {}) as Issued;
  };
  await must(anyNode(), 'sys/mounts/pki', { type: 'pki', config: { max_lease_ttl: '87600h' } });
  const names = { common_name: 'Test root', ttl: '8760h', key_type: 'ec' };
  const root = (await must(anyNode(), 'pki/root/generate/internal', names)).certificate;
  for (const type of ['ec', 'rsa', 'ed25519'])
    await must(anyNode(), `pki/roles/${type}`, { allow_any_name: true, key_type: type, max_ttl: '72h' });
  const folder = mkdtempSync(join(directory, 'certificates-'));
  writeFileSync(join(folder, 'ca.pem'), root);
  const issueAndVerify = async (node: DevNode, type: string, when: string): Promise<void> => {
    const { certificate } = await must(node, `pki/issue/${type}`, { common_name: `${type}.example.com`, ttl: '1h' });
    const file = join(folder, `${node.name}-${type}-${when}.pem`);
    writeFileSync(file, certificate);
    const verified = spawnSync('openssl', ['verify', '-x509_strict', '-CAfile', join(folder, 'ca.pem'), file], {
      encoding: 'utf8',
    });
    expect(verified.stdout + verified.stderr).toBe(`${file}: OK\n`);
  };
  for (const node of cluster.nodes)
    for (const type of ['ec', 'rsa', 'ed25519']) await issueAndVerify(node, type, 'before');
  const leader = await cluster.waitForLeader();
  isLeaderKilled = true;
  await leader.process.kill();
  const next = await cluster.waitForLeader();
  expect(next.name).not.toBe(leader.name);
  leader.process.start();
  await cluster.waitUntilReady(leader);
  for (const node of cluster.nodes) await issueAndVerify(node, 'ec', 'after');
}, 60_000);

interface Issued {
  readonly certificate: string;
}
