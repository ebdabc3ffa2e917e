import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type KeptNode, KeptNodes } from './kept-nodes.fixture.ts';

// What autopilot does, and what is told of it, on nodes that are processes of their own. The dead are those of core's tests: here they
// would have to be dead for a minute.
const cluster = new KeptNodes();
const withinMs = 180_000;
const configuration = 'sys/storage/raft/autopilot/configuration';
const state = 'sys/storage/raft/autopilot/state';
let first: KeptNode;
let second: KeptNode;
let third: KeptNode;

beforeAll(async () => {
  first = await cluster.found('node-1');
  second = await cluster.make('node-2');
  third = await cluster.make('node-3');
}, withinMs);
afterAll(() => cluster.close(), withinMs);

interface Server {
  readonly id: string;
  readonly name: string;
  readonly healthy: boolean;
  readonly ailment: string;
  readonly stable_since: string;
  readonly status: string;
  readonly [name: string]: unknown;
}

async function serversSeenBy(node: KeptNode): Promise<readonly Server[]> {
  const { servers } = await node.data('GET', state);
  return Object.values(servers as { readonly [id: string]: Server });
}

async function auditedBy(node: KeptNode): Promise<readonly string[]> {
  const lines = readFileSync(join(node.folder, 'audit.log'), 'utf8').trim().split('\n');
  return lines.filter((line) => line.includes('"display_name":"autopilot"'));
}

async function metric(node: KeptNode, name: string): Promise<string | undefined> {
  const { text } = await node.call('GET', 'sys/metrics');
  return new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1];
}

describe('settings', { timeout: withinMs }, () => {
  test('are those of Vault until they are changed, and are the same over both doors', async () => {
    const defaults = {
      cleanup_dead_servers: false,
      dead_server_last_contact_threshold: '24h0m0s',
      last_contact_threshold: '10s',
      min_quorum: 0,
      server_stabilization_time: '10s',
    };
    expect(await first.data('GET', configuration)).toEqual({ ...defaults, max_trailing_logs: 1000 });
    expect(await first.grpc('AutopilotConfiguration', {})).toMatchObject(defaults);
  });

  test('that can’t be are refused, naming the field', async () => {
    const refused = await first.call('POST', configuration, { cleanup_dead_servers: true });
    expect([refused.status, refused.text]).toEqual([
      400,
      expect.stringContaining('min_quorum must be at least 3 where cleanup_dead_servers is set'),
    ]);
    await expect(first.grpc('ConfigureAutopilot', { last_contact_threshold: '10ms' })).rejects.toThrow(
      'last_contact_threshold must be at least 1s',
    );
  });

  test('are changed by what `operator raft autopilot set-config` sends, and over gRPC', async () => {
    await first.grpc('ConfigureAutopilot', { server_stabilization_time: '2s' });
    const sent = { last_contact_threshold: '20s', max_trailing_logs: 500, min_quorum: 1 };
    expect((await first.call('PUT', configuration, sent)).status).toBe(204);
    expect(await first.data('GET', configuration)).toMatchObject({ ...sent, server_stabilization_time: '2s' });
  });
});

describe('a node that joined', { timeout: withinMs }, () => {
  test('votes once it was healthy for the time that is asked, audited and counted, without a word of an operator', async () => {
    await second.joinBy(first);
    await first.until('node-2 votes', async (node) => (await node.membersSeen()).includes('node-2 voter'));
    await first.until('it is audited', async (node) => (await auditedBy(node)).length === 2);
    const [asked, answered] = (await auditedBy(first)).map((line) => JSON.parse(line));
    expect(asked).toMatchObject({
      type: 'request',
      auth: { display_name: 'autopilot' },
      request: { operation: 'update', path: 'sys/cluster/promote', mount_point: 'sys/' },
    });
    expect(answered).toMatchObject({ type: 'response', request: { id: asked.request.id } });
    expect(answered.response.data.membership_index).toBeGreaterThan(asked.request.data.if_membership_index);
    expect(first.logged).toMatch(/"autopilot-step".*node \d+ has been healthy for \d+ ms, and is meant to vote/);
    expect(await metric(first, 'lockstep_autopilot_promotions_total')).toBe('1');
  });

  test('as one that does not vote stays so, however long it is healthy', async () => {
    const { token } = await first.data('POST', 'sys/cluster/invite', { non_voter: true });
    third.startWith(String(token));
    await third.untilServing();
    await first.until('node-3 has been stable for longer than any voter must', async (node) => {
      const since = (await serversSeenBy(node)).find(({ name }) => name === 'node-3')?.stable_since ?? '';
      return Date.parse(since) > 0 && Date.now() - Date.parse(since) > 5_000;
    });
    expect(await first.membersSeen()).toEqual(['node-1 voter', 'node-2 voter', 'node-3 learner']);
  });
});

describe('the state', { timeout: withinMs }, () => {
  test('is told by each node, as Vault’s clients read it', async () => {
    const all = { voters: 2, non_voters: 1 };
    for (const node of [first, second, third]) {
      const { servers, voters, non_voters, leader, ...told } = await node.data('GET', state);
      expect(told).toEqual({ healthy: true, failure_tolerance: 0, held_by: '' });
      expect([voters, non_voters].map((ids) => (Array.isArray(ids) ? ids.length : 0))).toEqual(Object.values(all));
      const [one] = Object.entries(servers as { [id: string]: Server }).filter(([id]) => id === leader);
      expect(one?.[1]).toMatchObject({
        id: leader,
        name: 'node-1',
        address: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
        node_status: 'alive',
        node_type: 'voter',
        status: 'leader',
        last_contact: '0s',
        healthy: true,
        ailment: '',
      });
    }
    expect(await third.grpc('AutopilotState', {})).toMatchObject({ healthy: true, failure_tolerance: 0 });
  });

  test('tells what ails a node, and the leader’s metrics do', async () => {
    await first.data('POST', configuration, { last_contact_threshold: '1s' });
    await third.process.kill();
    await first.until('node-3 is found silent', async (node) =>
      (await serversSeenBy(node)).some(({ name, healthy }) => name === 'node-3' && !healthy),
    );
    const found = (await serversSeenBy(second)).find(({ name }) => name === 'node-3');
    expect(found).toMatchObject({ healthy: false, stable_since: '0001-01-01T00:00:00Z', status: 'non-voter' });
    expect(found?.ailment).toMatch(/^it was heard last \d+ ms ago, at most 1000 ms are healthy$/);
    expect(await first.data('GET', state)).toMatchObject({ healthy: false, failure_tolerance: 0 });
    await first.until('it is counted', async (node) => (await metric(node, 'vault_autopilot_healthy')) === '0');
    expect(await metric(second, 'vault_autopilot_healthy')).toBe('Nan');
  });
});
