import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readConfig } from '../config.ts';
import { type AdminAnswer, adminCall } from '../dev/admin-call.ts';
import { type ClusterFiles, type DevNodeFiles, openClusterFiles } from '../dev/cluster-files.ts';
import { anyBasePort } from '../dev/free-ports.ts';
import { NodeProcess } from '../dev/node-process.ts';
import { writeQuarantine } from '../disk/quarantine-file.ts';
import { exitDamaged } from '../exit-codes.ts';
import { commandBytesMax } from './limits.ts';
import { type RecoveredNode, recoverNode, type RecoverOptions } from './recover-node.ts';

// At three in the morning two of three nodes are gone for good. The tests go on from each other.
const directory = mkdtempSync(join(tmpdir(), 'lockstep-recover-'));
/** Cold starts and elections on a machine that does ten other things. */
const readyWithinMs = 120_000;
const askEveryMs = 50;
const nowMs = Date.UTC(2027, 0, 1, 3);
let cluster: ClusterFiles;
let nodes: readonly Node[];
let rootToken: string;
let share: string;

interface Node extends DevNodeFiles {
  readonly process: NodeProcess;
  readonly data: string;
}

beforeAll(async () => {
  cluster = await openClusterFiles({ directory, nodes: 3, basePort: anyBasePort(), plainHttp: false });
  nodes = cluster.nodes.map((files) => {
    const config: object = JSON.parse(readFileSync(files.configFile, 'utf8'));
    writeFileSync(files.configFile, JSON.stringify({ ...config, seal: { type: 'shamir' } }));
    return { ...files, process: new NodeProcess(files), data: readConfig(files.configFile).dataDirectory };
  });
  for (const node of nodes) node.process.start();
  const leader = await untilFound(async () => {
    for (const node of nodes) if ((await call(node, 'GET', 'sys/leader')).body['is_self'] === true) return node;
    return undefined;
  });
  const made = (await call(leader, 'PUT', 'sys/init', { secret_shares: 1, secret_threshold: 1 })).body;
  rootToken = String(made['root_token']);
  share = Array.isArray(made['keys_base64']) ? String(made['keys_base64'][0]) : '';
  for (const node of nodes) await untilFound(async () => (await unsealed(node)) || undefined);
  await until(async () => (await call(survivor(), 'GET', 'sys/mounts')).status === 200);
  await call(survivor(), 'POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } });
  await call(survivor(), 'POST', 'secret/data/kept', { data: { word: 'plover' } });
}, readyWithinMs);

afterAll(async () => {
  await Promise.all(nodes.map((node) => node.process.kill()));
  rmSync(directory, { recursive: true, force: true });
}, readyWithinMs);

function at(index: number): Node {
  return nodes[index] ?? expect.unreachable();
}

const survivor = (): Node => at(0);

async function call(
  { http }: DevNodeFiles,
  method: string,
  path: string,
  body?: { readonly [name: string]: unknown },
): Promise<AdminAnswer> {
  const more = { ...(rootToken === undefined ? {} : { token: rootToken }), ...(body === undefined ? {} : { body }) };
  return await adminCall({ address: http, caFile: cluster.caFile, method, path, ...more });
}

/** A node may not listen yet. */
async function untilFound<T>(ask: () => Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + readyWithinMs / 2;
  for (;;) {
    const found = await ask().catch(() => undefined);
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error('it did not come true');
    await new Promise((resolve) => setTimeout(resolve, askEveryMs));
  }
}

const until = async (isSo: () => Promise<boolean>): Promise<unknown> =>
  await untilFound(async () => (await isSo()) || undefined);

async function unsealed(node: Node): Promise<boolean> {
  const { body } = await call(node, 'GET', 'sys/seal-status');
  if (body['sealed'] === false) return true;
  return (await call(node, 'PUT', 'sys/unseal', { key: share })).body['sealed'] === false;
}

const recover = (options: Partial<RecoverOptions> = {}): Promise<RecoveredNode> =>
  recoverNode({
    at: { configFile: survivor().configFile },
    surviving: [],
    isConfirmed: true,
    nowMs,
    command: 'lockstep cluster recover --config node.json',
    by: 'root@here',
    uid: process.getuid?.(),
    ...options,
  });

test('nothing is recovered while the node runs', async () => {
  await expect(recover()).rejects.toMatchObject({
    code: 'failed-precondition',
    message: expect.stringMatching(/can't be opened/),
  });
});

test('of the last node of three, what would be is told, and changes nothing', { timeout: readyWithinMs }, async () => {
  await Promise.all(nodes.map((node) => node.process.kill()));
  rmSync(at(1).data, { recursive: true });
  renameSync(at(2).data, `${at(2).data}.away`);
  const told = await recover({ isConfirmed: false });
  expect(told).toMatchObject({ isDone: false, refusals: [], self: { name: 'node-1', node: survivor().id } });
  expect(told.forced.leftBehind.map(({ name }) => name).toSorted()).toEqual(['node-2', 'node-3']);
  expect(told.forced.before.roster?.epoch).toBe(0);
  expect(told.lastWrittenMs).toBeGreaterThan(0);
  expect(await recover({ isConfirmed: false })).toEqual(told);
});

test('nothing is recovered by a user whom the node does not run as, or by a command too long to be kept', async () => {
  await expect(recover({ uid: 4_294_967_294 })).rejects.toThrow(/run this as that user, not as 4294967294/);
  const length = (bytes: number): Partial<RecoverOptions> => ({ command: 'x'.repeat(bytes), isConfirmed: false });
  expect(await recover(length(commandBytesMax))).toMatchObject({ refusals: [] });
  await expect(recover(length(commandBytesMax + 1))).rejects.toMatchObject({ code: 'invalid-input' });
});

test('a quorum that survives is not left behind', async () => {
  await expect(recover({ surviving: ['node-3'] })).rejects.toMatchObject({
    code: 'failed-precondition',
    message: expect.stringMatching(/are a quorum of the voters: start them/),
  });
  expect((await recover({ isConfirmed: false, surviving: ['node-3'] })).refusals).toHaveLength(1);
});

test('a disk that went back is not recovered, nor one that no node ever used', async () => {
  writeQuarantine(survivor().data, 'it forgot entry 7');
  await expect(recover()).rejects.toThrow(/is quarantined \(it forgot entry 7\)/);
  rmSync(join(survivor().data, 'QUARANTINED'));
  const nowhere = recover({ at: { directory: join(directory, 'nowhere') } });
  await expect(nowhere).rejects.toMatchObject({ code: 'not-initialized' });
});

test('a recovered node starts alone, is unsealed as ever, has all that it had, and says what happened', {
  timeout: readyWithinMs,
}, async () => {
  const done = await recover();
  expect(done).toMatchObject({ isDone: true, forced: { after: { voters: [survivor().id] } } });
  await expect(recover()).rejects.toThrow('is its cluster’s only voter');
  survivor().process.start();
  await until(() => unsealed(survivor()));
  await until(async () => (await call(survivor(), 'GET', 'secret/data/kept')).status === 200);
  expect((await call(survivor(), 'GET', 'secret/data/kept')).body['data']).toMatchObject({ data: { word: 'plover' } });
  expect((await call(survivor(), 'POST', 'secret/data/after', { data: { word: 'xyzzy' } })).status).toBe(200);
  const { data } = (await call(survivor(), 'GET', 'sys/cluster/members')).body;
  expect(data).toMatchObject({
    epoch: 1,
    membership_index: done.forced.lastIndex + 1,
    members: [{ id: String(survivor().id), role: 'voter', is_leader: true }],
    recoveries: [
      {
        epoch: 1,
        node: String(survivor().id),
        time: '2027-01-01T03:00:00.000Z',
        command: 'lockstep cluster recover --config node.json',
        by: 'root@here',
        last_index: done.forced.lastIndex,
        left_behind: done.forced.leftBehind.map(({ node }) => String(node)),
      },
    ],
  });
});

test('a recovered node has nobody to fetch a state from: it refuses to start without one, and keeps what is left', {
  timeout: readyWithinMs,
}, async () => {
  await survivor().process.kill();
  const state = join(survivor().data, 'state');
  renameSync(state, `${state}.away`);
  const ended = new Promise<number | null>((resolve) => survivor().process.onUnexpectedExit(resolve));
  survivor().process.start();
  expect(await Promise.race([ended, until(() => unsealed(survivor()))])).toBe(exitDamaged);
  expect(readFileSync(survivor().logFile, 'utf8')).toContain('is not whole: its state is gone');
  expect(existsSync(state)).toBe(false);
  renameSync(`${state}.away`, state);
  survivor().process.start();
  await until(() => unsealed(survivor()));
  await until(async () => (await call(survivor(), 'GET', 'secret/data/after')).status === 200);
});

test('a node that was left behind is refused when it comes back, and says so', {
  timeout: readyWithinMs,
}, async () => {
  renameSync(`${at(2).data}.away`, at(2).data);
  at(2).process.start();
  await until(async () => (await call(at(2), 'GET', 'sys/health')).body['standing'] === 'left-behind');
  expect((await call(at(2), 'GET', 'sys/health')).status).toBe(530);
  expect((await call(at(2), 'GET', 'secret/data/kept')).text).toContain('went on without it, by force');
  expect(readFileSync(at(2).logFile, 'utf8')).toContain('"event":"left-behind"');
  await at(2).process.kill();
  const again = recover({ at: { configFile: at(2).configFile } });
  await expect(again).rejects.toThrow(/was removed from its cluster/);
  expect((await call(survivor(), 'GET', 'secret/data/after')).status).toBe(200);
});
