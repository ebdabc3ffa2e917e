import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'node:https';
import { readFileSync } from 'node:fs';
import { isObject } from '@lockstep/contract/fields';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { adminCall } from './admin-call.ts';
import { DevCluster, type DevNode } from './dev-cluster.ts';
import { anyBasePort } from './free-ports.ts';

// What depends on how the parts of a node play together, on three real processes for the whole file.
const directory = mkdtempSync(join(tmpdir(), 'lockstep-callers-'));
/** The sweeper's pace, twice, and an election. */
const sweptWithinMs = 20_000;
let cluster: DevCluster;

beforeAll(async () => {
  cluster = await DevCluster.start(
    { directory, nodes: 3, basePort: anyBasePort(), plainHttp: false },
    { report: () => undefined },
  );
  await must('POST', 'sys/mounts/pki', { type: 'pki' });
}, 60_000);

afterAll(async () => {
  await cluster?.stop();
  rmSync(directory, { recursive: true, force: true });
});

function anyNode(): DevNode {
  return cluster.nodes[1] ?? expect.unreachable();
}

type Body = { readonly [name: string]: unknown };

async function as(token: string, method: string, path: string, body?: Body): Promise<{ status: number; body: Body }> {
  const address = anyNode().http;
  return await adminCall({ address, caFile: cluster.files.caFile, method, path, token, ...(body && { body }) });
}

async function must(method: string, path: string, body?: Body): Promise<Body> {
  const answer = await as(cluster.rootToken, method, path, body);
  if (answer.status > 204) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/** With an idempotency key. */
function once(key: string, path: string, body: Body): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const headers = { 'X-Vault-Token': cluster.rootToken, 'Idempotency-Key': key };
    const ca = readFileSync(cluster.files.caFile);
    const sent = request(`${anyNode().http}/v1/${path}`, { method: 'POST', headers, ca, agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
    });
    sent.on('error', reject);
    sent.end(JSON.stringify(body));
  });
}

async function tokenWith(name: string, policy: string, more: Body = {}): Promise<string> {
  await must('PUT', `sys/policies/acl/${name}`, { policy });
  const { auth } = await must('POST', 'auth/token/create', { policies: [name], ...more });
  return isObject(auth) ? String(auth['client_token']) : expect.unreachable();
}

describe('a token', () => {
  test('is shown to who presents it, as a login must store it', async () => {
    const token = await tokenWith('looker', 'path "x" { capabilities = ["read"] }');
    const found = await as(token, 'GET', 'auth/token/lookup-self');
    expect(found.body['data']).toMatchObject({ id: token });
    const renewed = await as(token, 'POST', 'auth/token/renew-self', {});
    expect(renewed.body['auth']).toMatchObject({ client_token: token });
  });

  test('is told which mount a path lies in where its policies grant anything there, and nothing of others', async () => {
    const token = await tokenWith('reader', 'path "secret/data/web/*" { capabilities = ["read"] }');
    const mount = await as(token, 'GET', 'sys/internal/ui/mounts/secret/web/config');
    expect([mount.status, mount.body['data']]).toMatchObject([
      200,
      { path: 'secret/', type: 'kv', options: { version: '2' } },
    ]);
    expect((await as(token, 'GET', 'sys/internal/ui/mounts/pki/issue')).status).toBe(403);
    const all = await as(token, 'GET', 'sys/internal/ui/mounts');
    expect(Object.keys((all.body['data'] as { secret: object }).secret)).toEqual(['secret/']);
    expect((await as('', 'GET', 'sys/internal/ui/mounts/secret/web')).status).toBe(403);
  });
});

describe('a repeat with the same idempotency key', () => {
  test('is refused where the first reply told a private key: it was kept nowhere', async () => {
    const first = await once('ca-1', 'pki/root/generate/exported', { common_name: 'once', ttl: '1h' });
    expect(first.status).toBe(200);
    expect(first.body).toContain('PRIVATE KEY');
    const second = await once('ca-1', 'pki/root/generate/exported', { common_name: 'once', ttl: '1h' });
    expect([second.status, second.body]).toEqual([400, expect.stringContaining('held a secret that is not kept')]);
  });

  test('is no option where nothing is stored: the first certificate could not be taken back', async () => {
    await must('POST', 'pki/roles/fleeting', { allow_any_name: true, no_store: true, ttl: '5m' });
    const refused = await once('leaf-1', 'pki/issue/fleeting', { common_name: 'a.example.com' });
    expect([refused.status, refused.body]).toEqual([400, expect.stringContaining('leave the key out')]);
  });
});

test('what is over is removed from the state: expired tokens, and the contents of disabled mounts', async () => {
  await must('POST', 'sys/mounts/brief', { type: 'kv', options: { version: '2' } });
  for (const name of ['a', 'b', 'c']) await must('POST', `brief/data/${name}`, { data: { name } });
  await must('DELETE', 'sys/mounts/brief');
  const { auth } = await must('POST', 'auth/token/create', { ttl: '1s', policies: ['default'] });
  const accessor = isObject(auth) ? auth['accessor'] : undefined;
  const isSwept = async (): Promise<boolean> => {
    const { data } = await must('LIST', 'auth/token/accessors');
    const swept = await Promise.all(cluster.nodes.map(async (node) => await keysSwept(node)));
    const isGone = isObject(data) && Array.isArray(data['keys']) && !data['keys'].includes(accessor);
    // Three secrets are at least three keys, and the token is one more.
    return isGone && Math.max(...swept) >= 4;
  };
  await expect.poll(isSwept, { timeout: sweptWithinMs, interval: 250 }).toBe(true);
  // A mount of the same name begins empty.
  await must('POST', 'sys/mounts/brief', { type: 'kv', options: { version: '2' } });
  expect((await as(cluster.rootToken, 'GET', 'brief/data/a')).status).toBe(404);
}, 40_000);

async function keysSwept(node: DevNode): Promise<number> {
  const token = cluster.files.metricsToken;
  const { text } = await adminCall({
    address: node.http,
    caFile: cluster.files.caFile,
    method: 'GET',
    path: 'sys/metrics?format=prometheus',
    token,
  });
  return Number(/^lockstep_swept_keys_total (\d+)$/m.exec(text)?.[1] ?? 0);
}
