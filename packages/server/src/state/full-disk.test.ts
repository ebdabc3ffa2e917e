import { spawnSync } from 'node:child_process';
import type { KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MountId, rootNamespace } from '@lockstep/contract/ids';
import { Secret } from '@lockstep/contract/secret';
import { Keyring } from '@lockstep/seal/keyring';
import { pooledRandom } from '@lockstep/seal/random';
import { RecordSealer } from '@lockstep/seal/record-sealer';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openState } from './state-db.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockstep-full-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const clusterId = 'c1';
const keyBytes = 5;
const keyringOf = (): Keyring =>
  new Keyring(clusterId, [{ version: 1, key: new Secret(Buffer.alloc(32, keyBytes)), createdMs: 1 }]);

/** Applies entries, each synced, until the disk takes no more; prints the last index that was reported durable. */
const writer = `
  const at = (path) => import(new URL(path, process.argv[2]).href);
  const [{ openState }, { Keyring }, { RecordSealer }, { pooledRandom }, { Secret }] = await Promise.all([
    at('./state-db.ts'), import('@lockstep/seal/keyring'), import('@lockstep/seal/record-sealer'), import('@lockstep/seal/random'), import('@lockstep/contract/secret'),
  ]);
  const keyring = new Keyring('${clusterId}', [{ version: 1, key: new Secret(Buffer.alloc(32, ${keyBytes})), createdMs: 1 }]);
  const sealer = new RecordSealer({ keyring, use: 'state', random: pooledRandom() });
  let synced = 0;
  const state = await openState({
    directory: process.argv[1],
    clusterId: '${clusterId}',
    values: () => sealer,
    hashKey: () => keyring.lastingKey('state-hash'),
    onFatal: () => { console.log(synced); process.exit(74); },
  });
  for (let n = 1; n < 1000; n++) {
    state.applyEntry(n, (entry) => entry.mount('kv').put('k' + n, Buffer.alloc(1000, n)));
    synced = await state.sync();
  }
  console.log('never full');`;

it('a node whose disk is full stops at the first failed write, and lost nothing that it called durable', async () => {
  const directory = join(folder, 'state');
  // A limit on the size of files stands for a full disk. LevelDB would go on after the failure, and lose what it acknowledged then.
  const script = 'ulimit -f 200 && exec "$0" --input-type=module -e "$1" "$2" "$3"';
  const run = spawnSync('sh', ['-c', script, process.execPath, writer, directory, import.meta.url], {
    encoding: 'utf8',
    cwd: import.meta.dirname,
  });
  expect(run.status, run.stderr).toBe(74);
  const synced = Number(run.stdout);
  expect(synced).toBeGreaterThan(10);
  const keyring = keyringOf();
  const sealer = new RecordSealer({ keyring, use: 'state', random: pooledRandom() });
  const hashKey = (): KeyObject => keyring.lastingKey('state-hash');
  const onFatal = (error: unknown): never => {
    throw error;
  };
  const state = await openState({ directory, clusterId, values: () => sealer, hashKey, onFatal });
  const kv = state.mountState(rootNamespace, MountId('kv'));
  // The write that failed may be there after all, never more than that.
  expect([synced, synced + 1]).toContain(state.appliedIndex);
  for (let n = 1; n <= synced; n++) expect(kv.get(`k${n}`)?.length, `k${n}`).toBe(1000);
  await state.close();
});
