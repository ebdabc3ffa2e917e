import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { adminCall } from '../dev/admin-call.ts';
import { type ClusterFiles, openClusterFiles } from '../dev/cluster-files.ts';
import { anyBasePort } from '../dev/free-ports.ts';
import { NodeProcess } from '../dev/node-process.ts';
import { KeptNodes } from './kept-nodes.fixture.ts';

// Three nodes whose configurations name each other take in a fourth by a token, and one of the three leaves.
const cluster = new KeptNodes();
const withinMs = 240_000;
const askEveryMs = 50;
let files: ClusterFiles;
let old: readonly NodeProcess[] = [];

async function call(
  at: number,
  method: string,
  path: string,
  body?: { readonly [name: string]: unknown },
): Promise<{ readonly [name: string]: unknown }> {
  const token = cluster.rootToken === '' ? {} : { token: cluster.rootToken };
  const address = files.nodes[at]?.http ?? '';
  const answer = await adminCall({ address, caFile: files.caFile, method, path, ...token, ...(body && { body }) });
  if (answer.status > 204) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
  return typeof answer.body['data'] === 'object' ? { ...answer.body['data'] } : answer.body;
}

async function until<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (
    const deadline = performance.now() + withinMs / 3;
    ;
    await new Promise((resolve) => setTimeout(resolve, askEveryMs))
  ) {
    const found = await ask().catch((error: unknown) => {
      if (performance.now() > deadline) throw error;
    });
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error('it did not come true');
  }
}

beforeAll(async () => {
  const directory = join(cluster.directory, 'configured');
  files = await openClusterFiles({ directory, nodes: 3, basePort: anyBasePort(), plainHttp: false });
  old = files.nodes.map(
    ({ configFile, name }) => new NodeProcess({ configFile, logFile: join(directory, `${name}.log`) }),
  );
  for (const node of old) node.start();
  cluster.rootToken = await until(async () => {
    const leading = await Promise.all([0, 1, 2].map(async (at) => (await call(at, 'GET', 'sys/leader'))['is_self']));
    const leader = leading.indexOf(true);
    return leader < 0 ? undefined : String((await call(leader, 'PUT', 'sys/init', {}))['root_token']);
  });
  await until(async () => (await Promise.all([0, 1, 2].map((at) => call(at, 'GET', 'sys/mounts')))).length);
}, withinMs);
afterAll(async () => {
  await Promise.all(old.map((node) => node.kill()));
  await cluster.close();
}, withinMs);

test('a node joins a configured cluster by a token, votes in it, and takes the place of one that leaves', {
  timeout: withinMs,
}, async () => {
  const newcomer = await cluster.make('node-4');
  newcomer.configure({ seal: { type: 'static', key_file: join(files.directory, 'seal.key') } });
  const { token } = await call(1, 'POST', 'sys/cluster/invite', {});
  newcomer.startWith(String(token));
  await newcomer.untilServing();
  await newcomer.untilVoter(newcomer);
  expect(await call(0, 'POST', 'sys/cluster/leave', { dry_run: true })).toMatchObject({
    allowed: true,
    after: { quorum: 2, failures_tolerated: 1 },
  });
  await call(0, 'POST', 'sys/cluster/leave', {});
  await until(async () => (await newcomer.membersSeen()).length === 3 || undefined);
  await old[0]?.stop();
  // It is one of the quorum that is left when another stops.
  await old[1]?.stop();
  await newcomer.until('it writes', async () => {
    const written = await newcomer.call('POST', 'sys/policies/acl/written', {
      policy: 'path "a" { capabilities = ["read"] }',
    });
    return written.status === 204;
  });
  expect(await newcomer.membersSeen()).toEqual(['node-2 voter', 'node-3 voter', 'node-4 voter']);
});
