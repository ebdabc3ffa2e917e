import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openClusterFiles } from '../dev/cluster-files.ts';
import { DevCluster, type DevNode } from '../dev/dev-cluster.ts';
import { anyBasePort } from '../dev/free-ports.ts';

// Restores on three real processes: what is kept, what is brought back, and what is refused.
const folder = mkdtempSync(join(tmpdir(), 'lockstep-restored-'));
const timeoutMs = 60_000;
let cluster: DevCluster;

beforeAll(async () => {
  cluster = await start('own', 22_800);
}, timeoutMs);
afterAll(async () => {
  await cluster?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const start = (name: string, basePort: number): Promise<DevCluster> =>
  DevCluster.start(
    { directory: join(folder, name), nodes: 3, basePort, plainHttp: false },
    { report: () => undefined },
  );

interface Got {
  readonly status: number;
  readonly body: Buffer;
}

function exchange(
  of: DevCluster,
  node: DevNode,
  sent: { method: string; path: string; body?: Buffer },
  caFile = of.files.caFile,
): Promise<Got> {
  return new Promise((resolve, reject) => {
    const headers = { 'X-Vault-Token': of.rootToken };
    const ca = readFileSync(caFile);
    const { method, path, body } = sent;
    const asked = request(`${node.http}/v1/${path}`, { method, headers, ca, agent: false }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(pieces) }));
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

async function save(of: DevCluster, node: DevNode): Promise<Buffer> {
  const { status, body } = await exchange(of, node, { method: 'GET', path: 'sys/storage/raft/snapshot' });
  expect(status).toBe(200);
  return body;
}

async function restore(of: DevCluster, file: Buffer, force = false): Promise<{ status: number; text: string }> {
  const path = `sys/storage/raft/snapshot${force ? '-force' : ''}`;
  const { status, body } = await exchange(of, await of.waitForLeader(), { method: 'POST', path, body: file });
  return { status, text: body.toString() };
}

async function put(of: DevCluster, path: string, value: string): Promise<void> {
  const answer = await of.call(await of.waitForLeader(), 'POST', `secret/data/${path}`, { data: { value } });
  expect(answer.status).toBe(200);
}

async function valueAt(of: DevCluster, node: DevNode, path: string): Promise<unknown> {
  const { status, body } = await of.call(node, 'GET', `secret/data/${path}`);
  if (status === 404) return undefined;
  expect(status).toBe(200);
  return (body as { data: { data: { value: unknown } } }).data.data.value;
}

async function until(holds: () => boolean): Promise<void> {
  await expect.poll(holds, { timeout: timeoutMs, interval: 1 }).toBe(true);
}

const everywhere = async (path: string): Promise<readonly unknown[]> =>
  await Promise.all(cluster.nodes.map((node) => valueAt(cluster, node, path)));

describe('a cluster', () => {
  let saved: Buffer;

  test(
    'takes a restore through its leader alone; others say who that is, and change nothing',
    async () => {
      const leader = await cluster.waitForLeader();
      const follower = cluster.nodes.find((node) => node !== leader)!;
      const body = await save(cluster, follower);
      const refused = await exchange(cluster, follower, { method: 'POST', path: 'sys/storage/raft/snapshot', body });
      expect(refused.status).toBe(503);
      expect(refused.body.toString()).toContain(`this node is not the leader; send the restore to ${leader.http}`);
    },
    timeoutMs,
  );

  test(
    'is brought back to what it held, on every node, and goes on from there',
    async () => {
      await put(cluster, 'kept', 'old');
      saved = await save(cluster, cluster.nodes[2]!);
      await put(cluster, 'kept', 'new');
      await put(cluster, 'later', 'gone with the restore');
      const { status, text } = await restore(cluster, saved);
      expect(text).toContain('"sealed":false');
      expect(status).toBe(200);
      expect(await everywhere('kept')).toEqual(['old', 'old', 'old']);
      expect(await everywhere('later')).toEqual([undefined, undefined, undefined]);
      await put(cluster, 'after', '1');
      await put(cluster, 'kept', 'newer');
      expect(await everywhere('after')).toEqual(['1', '1', '1']);
      expect(await everywhere('kept')).toEqual(['newer', 'newer', 'newer']);
    },
    timeoutMs,
  );

  test(
    'whose node was down during a restore, and was killed, comes to the same state',
    async () => {
      const leader = await cluster.waitForLeader();
      const down = cluster.nodes.find((node) => node !== leader)!;
      await down.process.kill();
      await put(cluster, 'while-down', 'gone');
      expect((await restore(cluster, saved)).status).toBe(200);
      await put(cluster, 'since', 'there');
      down.process.start({ nodeArguments: [] });
      await cluster.waitUntilReady(down);
      expect(await everywhere('while-down')).toEqual([undefined, undefined, undefined]);
      expect(await everywhere('since')).toEqual(['there', 'there', 'there']);
      expect(await everywhere('kept')).toEqual(['old', 'old', 'old']);
    },
    timeoutMs,
  );

  test(
    'whose leader dies in the middle of a restore is restored everywhere or nowhere',
    async () => {
      const leader = await cluster.waitForLeader();
      const file = await save(cluster, leader);
      await put(cluster, 'kept', 'before the restore');
      const restoring = restore(cluster, file).then(
        ({ status }) => status,
        () => undefined,
      );
      // As soon as another node holds the file: from here on it may be ordered any moment.
      const other = cluster.nodes.find((node) => node !== leader)!;
      const id = file.subarray(-32).toString('hex');
      await until(() => existsSync(join(folder, 'own', other.name, 'data', 'restores', `${id}.saved`)));
      await leader.process.kill();
      const status = await restoring;
      leader.process.start({ nodeArguments: [] });
      await Promise.all(cluster.nodes.map((node) => cluster.waitUntilReady(node)));
      const values = await everywhere('kept');
      expect(new Set(values).size).toBe(1);
      expect(status === 200 ? ['old'] : ['old', 'before the restore']).toContain(values[0]);
      await put(cluster, 'since', 'there');
    },
    timeoutMs,
  );

  test(
    'keeps the restored state when all of it is killed and started again',
    async () => {
      await Promise.all(cluster.nodes.map((node) => node.process.kill()));
      for (const node of cluster.nodes) node.process.start({ nodeArguments: [] });
      await Promise.all(cluster.nodes.map((node) => cluster.waitUntilReady(node)));
      expect(await everywhere('since')).toEqual(['there', 'there', 'there']);
      expect(new Set(await everywhere('kept')).size).toBe(1);
    },
    timeoutMs,
  );
});

test(
  "another cluster's file is taken by force alone, and then opens with the seal that it was saved under",
  async () => {
    await put(cluster, 'moved', 'along');
    const file = await save(cluster, await cluster.waitForLeader());
    const choice = { directory: join(folder, 'other'), nodes: 1, basePort: anyBasePort(), plainHttp: false };
    const other = await DevCluster.start(choice, { report: () => undefined });
    await put(other, 'own', 'of the other');
    const refused = await restore(other, file);
    expect([refused.status, refused.text]).toEqual([400, expect.stringMatching(/restore it by force/)]);
    const unopened = await restore(other, file, true);
    expect([unopened.status, unopened.text]).toEqual([
      400,
      expect.stringMatching(/static seal that this node can't open/),
    ]);
    expect(await valueAt(other, other.nodes[0]!, 'own')).toBe('of the other');
    await other.stop();

    // A cluster whose seal both have: as two that use one key of a KMS.
    const sharing = { ...choice, directory: join(folder, 'sharing') };
    await openClusterFiles(sharing);
    copyFileSync(join(folder, 'own', 'seal.key'), join(sharing.directory, 'seal.key'));
    const taker = await DevCluster.start(sharing, { report: () => undefined });
    try {
      const taken = await restore(taker, file, true);
      expect([taken.status, taken.text]).toEqual([200, expect.stringMatching(/"sealed":true/)]);
      // Its own root token is gone with its state; the other cluster's is there.
      const [node] = taker.nodes;
      await expect
        .poll(() => exchange(cluster, node!, { method: 'GET', path: 'secret/data/moved' }, taker.files.caFile), {
          timeout: timeoutMs,
        })
        .toMatchObject({ status: 200 });
      expect((await taker.call(node!, 'GET', 'secret/data/own')).status).toBe(403);
    } finally {
      await taker.stop();
    }
  },
  timeoutMs,
);
