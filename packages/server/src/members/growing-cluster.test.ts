import { afterAll, expect, test } from 'vitest';
import { KeptNodes } from './kept-nodes.fixture.ts';

// One node founds a cluster, others join it by invitation, and it goes on as those that were there at first go.
const cluster = new KeptNodes();
afterAll(() => cluster.close());

test('a cluster grows from one node to three, and goes on without the one that founded it', {
  timeout: 180_000,
}, async () => {
  const first = await cluster.found('node-1');
  await first.data('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } });
  await first.data('POST', 'secret/data/kept', { data: { word: 'plover' } });
  const [second, third] = [await cluster.make('node-2'), await cluster.make('node-3')];
  for (const node of [second, third]) {
    await node.joinBy(first);
    await node.untilVoter(first);
  }
  expect(await third.membersSeen()).toEqual(['node-1 voter', 'node-2 voter', 'node-3 voter']);
  const left = await first.call('POST', 'sys/cluster/leave', {});
  expect([left.status, left.text]).toEqual([200, expect.stringContaining('"after"')]);
  await first.process.stop();
  await second.until('two are left', async () => (await second.membersSeen()).length === 2);
  const { data } = await third.data('GET', 'secret/data/kept');
  expect(data).toEqual({ word: 'plover' });
});
