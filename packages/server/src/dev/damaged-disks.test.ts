import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { defaultTimings } from '@lockstep/core/timings';
import { Level } from 'level';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../real-node.fixture.ts';
import { DevCluster, type DevNode } from './dev-cluster.ts';

// Three real processes whose disks hang, and lose what was written: the cluster goes on, and each node mends itself.
const directory = mkdtempSync(join(tmpdir(), 'lockstep-disks-'));
const hook = join(import.meta.dirname, 'hanging-disk.fixture.ts');
const timeoutMs = 60_000;
let cluster: DevCluster;

beforeAll(async () => {
  cluster = await DevCluster.start(
    { directory, nodes: 3, basePort: 22_900, plainHttp: true },
    { report: () => undefined, nodeArguments: ['--import', hook] },
  );
}, timeoutMs);
afterAll(async () => {
  await cluster?.stop();
  rmSync(directory, { recursive: true, force: true });
});

const home = (node: DevNode): string => dirname(node.configFile);
const logged = (node: DevNode): string => readFileSync(node.logFile, 'utf8');
const others = (node: DevNode): readonly DevNode[] => cluster.nodes.filter((other) => other !== node);
const other = (node: DevNode): DevNode => others(node)[0] ?? expect.unreachable();

let count = 0;
async function write(node: DevNode): Promise<string> {
  const value = `value-${++count}`;
  await until(async () => (await cluster.call(node, 'POST', 'secret/data/disks', { data: { value } })).status === 200);
  return value;
}

async function read(node: DevNode): Promise<unknown> {
  const { status, body } = await cluster.call(node, 'GET', 'secret/data/disks');
  if (status !== 200) return status;
  const { data } = body as { data: { data: { value: unknown } } };
  return data.data.value;
}

async function metric(node: DevNode, name: string): Promise<number> {
  const { text } = await cluster.call(node, 'GET', 'sys/metrics');
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
}

/** The longest that an election timeout is drawn. */
const electionMs = 2 * defaultTimings.tickMs * defaultTimings.electionTicks;

test(
  'a leader whose disk hangs loses its leadership within three election timeouts, and is back by itself',
  async () => {
    const leader = await cluster.waitForLeader();
    await write(leader);
    const since = performance.now();
    writeFileSync(join(home(leader), 'HANG'), '');
    // A disk that nobody writes to does not show that it hangs.
    const written = cluster
      .call(leader, 'POST', 'secret/data/hung', { data: { value: 'hung' } })
      .catch(() => undefined);
    await until(async () => {
      const now = await cluster.leader();
      return now !== undefined && now !== leader;
    });
    expect(performance.now() - since).toBeLessThan(3 * electionMs);
    expect(logged(leader)).toContain('"event":"disk-stalled"');
    const value = await write(other(leader));
    rmSync(join(home(leader), 'HANG'));
    await until(async () => (await read(leader)) === value);
    await until(() => Promise.resolve(logged(leader).includes('"event":"disk-recovered"')));
    // What was written while it hung was either told to be so, and is there, or was not.
    const outcome = await written;
    const found = await cluster.call(other(leader), 'GET', 'secret/data/hung');
    if (outcome?.status === 200) expect(found.status).toBe(200);
    expect(await metric(leader, 'lockstep_log_disk_stalls_total')).toBeGreaterThan(0);
  },
  timeoutMs,
);

/** Stops a node, changes what lies on its disk, starts it, and resolves when it serves again. */
async function change(node: DevNode, disk: (data: string) => Promise<void>): Promise<string> {
  const before = logged(node).length;
  await node.process.stop();
  await disk(join(home(node), 'data'));
  node.process.start({ nodeArguments: cluster.nodeArguments });
  await until(async () => (await metric(node, 'lockstep_state_refetched_total').catch(() => 0)) === 1);
  await cluster.waitUntilReady(node);
  return logged(node).slice(before);
}

function currentState(data: string): string {
  return join(data, 'state', readFileSync(join(data, 'state', 'current'), 'utf8').trim());
}

test(
  'a value that changed on the disk is recognised when it is read, and the state is fetched anew from another node',
  async () => {
    const node = other(await cluster.waitForLeader());
    const value = await write(node);
    const reading = { until: false };
    const flip = async (data: string): Promise<void> => {
      const database = new Level<string, Uint8Array>(currentState(data), { valueEncoding: 'view', compression: false });
      await database.open();
      let changed = 0;
      for await (const [key, stored] of database.iterator({ gte: 's/', lt: 't' })) {
        if (!key.includes('disks') || stored.length <= 8) continue;
        await database.put(key, Uint8Array.from(stored).with(-1, (stored.at(-1) ?? 0) ^ 1));
        changed++;
      }
      await database.close();
      expect(changed).toBeGreaterThan(0);
      reading.until = true;
    };
    const answers = new Set<unknown>();
    const watching = until(async () => {
      if (!reading.until) return false;
      const answer = await read(node).catch(() => 'none');
      answers.add(answer);
      return answer === value;
    });
    const lines = await change(node, flip);
    await watching;
    expect(lines).toMatch(/"event":"state-damaged","reason":"a value on its disk is not what was written there"/);
    expect(lines).toContain('"event":"state-refetched"');
    // Refused, or the truth: never another value.
    for (const answer of answers) expect(['none', 500, 501, 503, value]).toContain(answer);
    const next = await write(node);
    for (const any of cluster.nodes) expect(await read(any)).toBe(next);
  },
  timeoutMs,
);

test(
  'a state that is gone is fetched anew, while its log goes on',
  async () => {
    const node = other(await cluster.waitForLeader());
    const value = await write(node);
    const lines = await change(node, async (data) => rmSync(join(data, 'state'), { recursive: true }));
    expect(lines).toMatch(/"event":"state-damaged","reason":"it was gone/);
    expect(await read(node)).toBe(value);
  },
  timeoutMs,
);

test(
  'a state that ends before its log begins is fetched anew',
  async () => {
    const node = other(await cluster.waitForLeader());
    await write(node);
    const older = join(directory, 'older-state');
    await node.process.stop();
    cpSync(join(home(node), 'data', 'state'), older, { recursive: true });
    node.process.start({ nodeArguments: cluster.nodeArguments });
    await cluster.waitUntilReady(node);
    const value = await write(node);
    await until(async () => (await read(node)) === value);
    expect((await cluster.call(node, 'POST', 'sys/storage/raft/compact', {})).status).toBeLessThan(300);
    const lines = await change(node, async (data) => {
      rmSync(join(data, 'state'), { recursive: true });
      cpSync(older, join(data, 'state'), { recursive: true });
    });
    expect(lines).toMatch(/"event":"state-damaged","reason":"it ends at entry \d+, but the log begins after \d+"/);
    expect(await read(node)).toBe(value);
  },
  timeoutMs,
);
