import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret } from '@lockstep/contract/secret';
import { emptyMemoryLogImage, type MemoryLogImage } from '@lockstep/core/log/memory-log';
import { staticSeal } from '@lockstep/seal/seals';
import { afterEach, expect, test } from 'vitest';
import { type FoundedCluster, foundCluster } from './initialise-cluster.ts';
import { openRecordedNode, type RecordedNode, recordedNodeId, until } from './recorded/recorded-node.fixture.ts';

const directory = mkdtempSync(join(tmpdir(), 'lockstep-init-'));
const place = { directory, clusterId: 'initialised-twice', staticKey: randomBytes(32), startMs: 1_790_000_000_000 };
let node: RecordedNode | undefined;

afterEach(async () => {
  await node?.close();
  rmSync(directory, { recursive: true, force: true });
});

async function open(image: MemoryLogImage): Promise<RecordedNode> {
  node = await openRecordedNode({ ...place, image });
  return node;
}

async function found(): Promise<FoundedCluster> {
  const seal = staticSeal({ key: new Secret(Buffer.from(place.staticKey)), random: randomBytes });
  return await foundCluster({
    clusterId: place.clusterId,
    seal: { kind: 'auto', seal },
    nowMs: place.startMs,
    random: randomBytes,
  });
}

// Each of two nodes, asked at the same time, has begun to initialize the cluster before it learns of the other.
test('of two initializations the first in the log holds, for good; the other is nothing', async () => {
  const [first, second] = [await found(), await found()];
  const voters = { voters: [recordedNodeId], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
  const before = await open(emptyMemoryLogImage(voters));
  for (const { controlEntry } of [first, second]) before.consensus.proposeControl(controlEntry, () => undefined);
  await until('both are applied', () => !before.keeper.isSealed && before.state.appliedIndex >= 3);
  const lookup = { operation: 'read', path: 'auth/token/lookup-self', token: first.rootToken.revealText() } as const;
  expect((await before.ask(lookup)).data).toMatchObject({ display_name: 'root' });
  await expect(before.ask({ ...lookup, token: second.rootToken.revealText() })).rejects.toThrow('permission denied');
  expect([before.keeper.isInForce(first.configuration), before.keeper.isInForce(second.configuration)]).toEqual([
    true,
    false,
  ]);
  const image = before.image();
  await before.close();

  const after = await open(image);
  expect((await after.ask(lookup)).data).toMatchObject({ display_name: 'root' });
  expect(after.failures).toEqual([]);
});
