import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openRealNode, type RealNode } from './real-node.fixture.ts';

let node: RealNode;

beforeAll(async () => {
  node = await openRealNode();
  await node.call('POST', 'sys/mounts/secret', { body: { type: 'kv', options: { version: '2' } } });
  await node.call('POST', 'secret/data/a', { body: { data: { a: 1 } } });
  await node.call('GET', 'secret/data/none');
});
afterAll(() => node.close());

async function scraped(token = node.metricsToken): Promise<string> {
  const answer = await node.call('GET', 'sys/metrics?format=prometheus', { token });
  expect(answer.status).toBe(200);
  return answer.text;
}

function valueOf(text: string, name: string): number {
  const found = new RegExp(`^${name.replace(/[{}+]/g, '\\$&')} ([-+.e0-9]+)$`, 'm').exec(text);
  return found === null ? Number.NaN : Number(found[1]);
}

describe('are refused', () => {
  test('without a token, with a stranger\u2019s, and to one whose policies say nothing of them', async () => {
    const { body } = await node.call('POST', 'auth/token/create', { body: { policies: ['default'] } });
    const narrow = (body['auth'] as { readonly client_token: string }).client_token;
    for (const token of ['', 'hvs.stranger', `${node.metricsToken}x`, narrow])
      expect([token, (await node.call('GET', 'sys/metrics', { token })).status]).toEqual([token, 403]);
  });

  test('in a form that there is none of, which is named', async () => {
    const answer = await node.call('GET', 'sys/metrics?format=xml');
    expect([answer.status, answer.text]).toEqual([400, '{"errors":["format must be one of prometheus, json"]}']);
  });
});

describe('tell', () => {
  test.each([
    'lockstep_raft_committed_entries_total',
    'lockstep_raft_commit_index',
    'lockstep_raft_elections_total',
    'lockstep_raft_is_leader',
    'lockstep_log_syncs_total',
    'lockstep_log_sync_seconds_count',
    'lockstep_log_sync_seconds_sum',
    'lockstep_requests_total{operation="write",door="http",code="ok"}',
    'lockstep_requests_total{operation="read",door="http",code="not-found"}',
    'lockstep_request_seconds_count{operation="write"}',
    'lockstep_unsealed',
    'lockstep_build_info{version="0.1.0"}',
    'vault_core_unsealed',
    'vault_core_active',
    'vault_core_handle_request_count',
    'vault_raft_state_leader',
    'vault_raft_peers',
    'vault_raft_apply',
    'vault_raft_storage_stats_commit_index',
    'vault_raft_storage_stats_applied_index',
  ])('%s, and it is above zero', async (name) => {
    expect(valueOf(await scraped(), name)).toBeGreaterThan(0);
  });

  test.each([
    'lockstep_requests_under_way',
    'lockstep_raft_proposals_waiting',
    'lockstep_writes_waiting',
    'lockstep_state_pending_bytes',
    'lockstep_audit_queue',
    'lockstep_offload_queue',
    'lockstep_audit_sink_failures_total',
    'lockstep_swept_keys_total',
    'vault_raft_storage_stats_fsm_pending',
    'vault_audit_log_request_failure',
    'vault_audit_log_response_failure',
  ])('%s', async (name) => {
    expect(valueOf(await scraped(), name)).toBeGreaterThanOrEqual(0);
  });

  test('every commit of a write, and every fsync, in its bucket', async () => {
    const before = await scraped();
    for (let n = 0; n < 5; n++) await node.call('POST', 'secret/data/a', { body: { data: { n } } });
    const after = await scraped();
    const grown = (name: string): number => valueOf(after, name) - valueOf(before, name);
    expect(grown('lockstep_raft_committed_entries_total')).toBeGreaterThanOrEqual(5);
    expect(grown('lockstep_log_sync_seconds_count')).toBe(grown('lockstep_log_syncs_total'));
    expect(grown('lockstep_log_sync_seconds_bucket{le="+Inf"}')).toBe(grown('lockstep_log_syncs_total'));
    expect(grown('lockstep_requests_total{operation="write",door="http",code="ok"}')).toBe(5);
  });
});

test('are well-formed: each with its help and type, counters of ours named as such, no label that a caller could choose', async () => {
  const labels = new Set<string>();
  const types = new Map<string, string>();
  let helped = '';
  for (const line of (await scraped()).split('\n').filter((one) => one !== '')) {
    const [, kind, name = '', type = ''] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (kind === 'HELP') helped = name;
    else if (kind === 'TYPE') types.set(name, type);
    else {
      const [, metric = '', inBraces = ''] = /^(\w+)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
      expect(metric.startsWith(helped), line).toBe(true);
      for (const [, label = ''] of inBraces.matchAll(/(\w+)="/g)) if (metric.startsWith('lockstep_')) labels.add(label);
    }
  }
  expect([...labels].toSorted()).toEqual(['code', 'door', 'le', 'operation', 'version']);
  for (const [name, type] of types)
    if (name.startsWith('lockstep_'))
      expect([name, type]).toEqual([name, name.endsWith('_total') ? 'counter' : expect.not.stringMatching('counter')]);
});

test('come as JSON in the shape that Vault has', async () => {
  const { status, body } = await node.call('GET', 'sys/metrics?format=json', { token: node.metricsToken });
  expect(status).toBe(200);
  expect(body).toMatchObject({
    Timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC$/),
    Points: [],
    Gauges: expect.arrayContaining([{ Name: 'vault_core_unsealed', Value: 1, Labels: {} }]),
    Counters: expect.arrayContaining([
      {
        Name: 'lockstep_requests_total',
        Count: expect.any(Number),
        Sum: expect.any(Number),
        Labels: { operation: 'write', door: 'http', code: 'ok' },
      },
    ]),
    Samples: expect.arrayContaining([
      {
        Name: 'lockstep_log_sync_seconds',
        Count: expect.any(Number),
        Sum: expect.any(Number),
        Mean: expect.any(Number),
        Labels: {},
      },
    ]),
  });
});

test('of a sealed node are for its own metrics token alone: it can look no other up', async () => {
  expect((await node.call('POST', 'sys/seal', { body: {} })).status).toBe(204);
  expect((await node.call('GET', 'sys/metrics')).status).toBe(503);
  expect((await node.call('GET', 'sys/metrics', { token: '' })).status).toBe(503);
  const text = await scraped();
  expect([valueOf(text, 'vault_core_unsealed'), valueOf(text, 'lockstep_unsealed')]).toEqual([0, 0]);
  expect(valueOf(text, 'lockstep_raft_commit_index')).toBeGreaterThan(0);
});
