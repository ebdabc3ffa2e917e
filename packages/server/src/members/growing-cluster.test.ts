import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { foundCluster } from './found-cluster.ts';
import { type KeptNode, KeptNodes } from './kept-nodes.fixture.ts';

// One node founds a cluster, others join it by invitation, and it goes on as those that were there at first go.
const cluster = new KeptNodes();
afterAll(() => cluster.close());

async function joinBy(node: KeptNode, by: KeptNode): Promise<void> {
  const { token } = await by.data('POST', 'sys/cluster/invite', { note: node.name });
  writeFileSync(join(node.folder, 'token'), String(token));
  node.configure({ join_token_file: 'token' });
  node.process.start();
  await node.untilServing();
}

async function votersSeenBy(node: KeptNode): Promise<readonly string[]> {
  const { members } = await node.data('GET', 'sys/cluster/members');
  const all: readonly { readonly name: string; readonly role: string }[] = Array.isArray(members) ? members : [];
  return all.filter(({ role }) => role === 'voter').map(({ name }) => name);
}

/** Once it is caught up, whether it is asked for or done before. */
async function untilVoter(node: KeptNode, by: KeptNode): Promise<void> {
  await by.until(`${node.name} votes`, async () => {
    if ((await votersSeenBy(by)).includes(node.name)) return true;
    await by.call('POST', 'sys/cluster/promote', { node: node.name });
    return false;
  });
}

test('a cluster grows from one node to three, and goes on without the one that founded it', {
  timeout: 180_000,
}, async () => {
  const first = await cluster.make('node-1');
  await foundCluster(first.configFile, { nowMs: Date.now(), isDryRun: false });
  first.process.start();
  await first.until('it leads', async () => (await first.call('GET', 'sys/leader')).body['is_self'] === true);
  cluster.rootToken = String((await first.data('PUT', 'sys/init', {}))['root_token']);
  await first.untilServing();
  await first.data('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } });
  await first.data('POST', 'secret/data/kept', { data: { word: 'plover' } });
  const [second, third] = [await cluster.make('node-2'), await cluster.make('node-3')];
  for (const node of [second, third]) {
    await joinBy(node, first);
    await untilVoter(node, first);
  }
  expect((await votersSeenBy(third)).toSorted()).toEqual(['node-1', 'node-2', 'node-3']);
  const left = await first.call('POST', 'sys/cluster/leave', {});
  expect([left.status, left.text]).toEqual([200, expect.stringContaining('"after"')]);
  await first.process.stop();
  await second.until('two vote', async () => (await votersSeenBy(second)).length === 2);
  const { data } = await third.data('GET', 'secret/data/kept');
  expect(data).toEqual({ word: 'plover' });
});
