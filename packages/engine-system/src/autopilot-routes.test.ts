import { randomBytes } from 'node:crypto';
import { type TriedEngine, tryEngine } from '@lockstep/contract/try-engine';
import { describe, expect, it } from 'vitest';
import { systemEngine } from './engine.ts';
import { autopilotQuorumMax } from './limits.ts';

const path = 'storage/raft/autopilot/configuration';
const system = (): TriedEngine => tryEngine(systemEngine, { random: randomBytes, mountPath: 'sys/' });
type Given = { readonly [name: string]: unknown };

const defaults = {
  cleanup_dead_servers: false,
  dead_server_last_contact_threshold: '24h0m0s',
  last_contact_threshold: '10s',
  max_trailing_logs: 1000,
  min_quorum: 0,
  server_stabilization_time: '10s',
};

describe('refused, with nothing changed', () => {
  it.each<[Given, string]>([
    [{ cleanup_dead_servers: 'perhaps' }, 'cleanup_dead_servers must be true or false'],
    [{ cleanup_dead_servers: true }, 'min_quorum must be at least 3 where cleanup_dead_servers is set, not 0'],
    [{ cleanup_dead_servers: true, min_quorum: 2 }, 'min_quorum must be at least 3'],
    [{ min_quorum: -1 }, 'min_quorum must be from 0 to 256'],
    [{ min_quorum: autopilotQuorumMax + 1 }, 'min_quorum must be from 0 to 256'],
    [{ max_trailing_logs: 0 }, 'max_trailing_logs must be at least 1'],
    [{ dead_server_last_contact_threshold: '59s' }, 'dead_server_last_contact_threshold must be at least 1m0s'],
    [
      { dead_server_last_contact_threshold: '1m', last_contact_threshold: '61s' },
      'dead_server_last_contact_threshold must be at least last_contact_threshold, which is 1m1s',
    ],
    [{ last_contact_threshold: '999ms' }, 'last_contact_threshold must be at least 1s'],
    [{ last_contact_threshold: 'soon' }, 'last_contact_threshold must be a duration'],
    [{ server_stabilization_time: '-1s' }, 'server_stabilization_time must not be negative'],
    [{ disable_upgrade_migration: false }, 'disable_upgrade_migration is not offered'],
  ])('%j', async (given, rule) => {
    const tried = system();
    await expect(tried.request('write', path, given)).rejects.toThrow(rule);
    expect((await tried.request('read', path)).data).toEqual(defaults);
  });

  it('where it would leave cleanup on without its least quorum', async () => {
    const tried = system();
    await tried.request('write', path, { cleanup_dead_servers: true, min_quorum: 3 });
    await expect(tried.request('write', path, { min_quorum: 2 })).rejects.toThrow('min_quorum must be at least 3');
    await tried.request('write', path, { min_quorum: 2, cleanup_dead_servers: false });
  });
});

describe('taken', () => {
  it.each<[Given, Given]>([
    [{ min_quorum: autopilotQuorumMax }, { min_quorum: autopilotQuorumMax }],
    [{ max_trailing_logs: 1 }, { max_trailing_logs: 1 }],
    [{ dead_server_last_contact_threshold: '60' }, { dead_server_last_contact_threshold: '1m0s' }],
    [{ last_contact_threshold: 1 }, { last_contact_threshold: '1s' }],
    [{ server_stabilization_time: '0s' }, { server_stabilization_time: '0s' }],
    [
      { dead_server_last_contact_threshold: '1m', last_contact_threshold: '1m' },
      { dead_server_last_contact_threshold: '1m0s', last_contact_threshold: '1m0s' },
    ],
    [
      { cleanup_dead_servers: true, min_quorum: '3' },
      { cleanup_dead_servers: true, min_quorum: 3 },
    ],
    [{}, {}],
  ])('%j', async (given, changed) => {
    const tried = system();
    expect(await tried.request('write', path, given)).toEqual({});
    expect((await tried.request('read', path)).data).toEqual({ ...defaults, ...changed });
  });

  it('one after another: what is not given stays', async () => {
    const tried = system();
    await tried.request('write', path, { min_quorum: 3 });
    await tried.request('write', path, { cleanup_dead_servers: true });
    await tried.request('write', path, { last_contact_threshold: '20s' });
    expect((await tried.request('read', path)).data).toEqual({
      ...defaults,
      min_quorum: 3,
      cleanup_dead_servers: true,
      last_contact_threshold: '20s',
    });
  });
});
