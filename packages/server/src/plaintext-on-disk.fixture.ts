import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { LogIndex, MountId, rootNamespace } from '@lockstep/contract/ids';
import { openLevelLog } from '@lockstep/core/log/level-log';
import type { Entry } from '@lockstep/core/raft/types';
import { readMountTable } from '@lockstep/engine-system/mount-table';
import { Barrier } from '@lockstep/seal/barrier';
import { unwrapWithSeal } from '@lockstep/seal/root-key';
import { staticSeal } from '@lockstep/seal/seals';
import { readStaticKey } from '@lockstep/seal/static/static-seal';
import type { NodeConfig } from './config.ts';
import { decodeControlEntry, foundingPlace, sealInForce } from './control-entry.ts';
import { hostMount, policyMount, systemMount, tokenMount } from './mounts.ts';
import { openState, type StateDb } from './state/state-db.ts';

/** What a stopped node's disk says to somebody who has its keys: for tests that look for what must not be there. */
export interface PlaintextOnDisk {
  readonly state: Buffer;
  readonly log: Buffer;
}

const everything = 10_000;

/** Opens log and state of a stopped node with its own static seal, and puts every key, value and transaction in a row. */
export async function plaintextOnDisk(config: NodeConfig): Promise<PlaintextOnDisk> {
  const barrier = new Barrier({ clusterId: config.clusterId, random: randomBytes });
  const onFatal = (fault: unknown): never => {
    throw fault;
  };
  const state = await openState({
    directory: join(config.dataDirectory, 'state'),
    clusterId: config.clusterId,
    values: () => barrier.values(),
    hashKey: () => barrier.stateHashKey(),
    onFatal,
  });
  await unseal(barrier, state, config);
  const plaintext = { state: await stateOf(state), log: await logOf(barrier, config, onFatal) };
  await state.close();
  return plaintext;
}

async function unseal(barrier: Barrier, state: StateDb, { seal }: NodeConfig): Promise<void> {
  if (seal.type !== 'static' || state.controlRecord === undefined) throw new Error('not a node that opens by itself');
  const configuration = sealInForce(state.controlRecord);
  const auto = staticSeal({ key: readStaticKey(seal.keyFile), random: randomBytes });
  barrier.unseal(configuration, await unwrapWithSeal(configuration, auto));
}

async function stateOf(state: StateDb): Promise<Buffer> {
  const { mounts } = readMountTable(state.mountState(rootNamespace, systemMount));
  const parts: Uint8Array[] = [];
  for (const id of [hostMount, systemMount, policyMount, tokenMount, ...mounts.map((mount) => MountId(mount.id))]) {
    const mount = state.mountState(rootNamespace, id);
    for (const key of await mount.keys({ prefix: '', limit: everything }))
      parts.push(Buffer.from(`\n${id} ${key} `), mount.get(key) ?? Buffer.alloc(0));
  }
  return Buffer.concat(parts);
}

async function logOf(barrier: Barrier, config: NodeConfig, onFatal: (fault: unknown) => never): Promise<Buffer> {
  const { store, stored } = await openLevelLog({
    directory: join(config.dataDirectory, 'log'),
    clusterId: config.clusterId,
    node: config.node.id,
    onFatal,
  });
  const range = { from: stored.firstIndex, until: LogIndex(stored.lastIndex + 1), bytesMax: 2 ** 30 };
  const entries = await new Promise<readonly Entry[]>((resolve) =>
    store.read(range, (read) => resolve(read === 'compacted' ? [] : read)),
  );
  await store.close();
  const parts: Uint8Array[] = [];
  for (const { index, term, type, data } of entries) {
    if (type === 'transactions') parts.push(...barrier.openEntry({ index, term, sealed: data }).transactions);
    if (type !== 'control') continue;
    const { founding } = decodeControlEntry(data);
    if (founding.length > 0) parts.push(...barrier.openEntry({ ...foundingPlace, sealed: founding }).transactions);
  }
  return Buffer.concat(parts);
}
