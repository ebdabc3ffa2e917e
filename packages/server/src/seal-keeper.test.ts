import { randomBytes } from 'node:crypto';
import { LogIndex, Term } from '@lockstep/contract/ids';
import { Secret } from '@lockstep/contract/secret';
import { Barrier } from '@lockstep/seal/barrier';
import { initialise } from '@lockstep/seal/initialise';
import { staticSeal } from '@lockstep/seal/seals';
import { expect, test } from 'vitest';
import { SealKeeper } from './seal-keeper.ts';

const clusterId = 'c1';
const place = { index: LogIndex(7), term: Term(1) };
const newBarrier = (): Barrier => new Barrier({ clusterId, random: randomBytes });

/** A cluster whose keyring was rotated once, and an entry that was sealed after it. */
async function rotatedCluster(seal: Parameters<typeof initialise>[0]['seal']) {
  const founded = await initialise({ clusterId, seal, nowMs: 1, random: randomBytes });
  const leader = newBarrier();
  leader.unseal(founded.configuration, founded.rootKey.copy());
  const rotated = leader.rotated({ nowMs: 2 });
  leader.adopt(rotated);
  const sealed = leader.entryEncoder()!.encode(place, 3, []);
  return { first: founded.configuration, rotated, sealed, shares: founded.shares };
}

test('a keyring that is rotated while a node unseals itself is the one that it opens', async () => {
  const autoSeal = staticSeal({ key: new Secret(randomBytes(32)), random: randomBytes });
  const { first, rotated, sealed } = await rotatedCluster({ kind: 'auto', seal: autoSeal });
  let timesUnsealed = 0;
  const keeper = new SealKeeper({
    barrier: newBarrier(),
    autoSeal,
    random: randomBytes,
    onUnsealed: () => timesUnsealed++,
    onSealed: () => undefined,
  });
  keeper.adopt(first);
  const opening = keeper.openByItself();
  keeper.adopt(rotated);
  await opening;
  expect(timesUnsealed).toBe(1);
  expect(keeper.barrier.openEntry({ ...place, sealed }).timeMs).toBe(3);
});

test('a keyring that is rotated while the last share is checked is the one that opens', async () => {
  const { first, rotated, sealed, shares } = await rotatedCluster({ kind: 'shamir', shares: 1, threshold: 1 });
  const keeper = new SealKeeper({
    barrier: newBarrier(),
    autoSeal: undefined,
    random: randomBytes,
    onUnsealed: () => undefined,
    onSealed: () => undefined,
  });
  keeper.adopt(first);
  const opening = keeper.giveShare(shares[0]!.reveal().toString('hex'));
  keeper.adopt(rotated);
  await opening;
  expect(keeper.barrier.openEntry({ ...place, sealed }).timeMs).toBe(3);
});
