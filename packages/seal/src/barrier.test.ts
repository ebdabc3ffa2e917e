import { LogIndex, Term } from '@lockstep/contract/ids';
import { Secret } from '@lockstep/contract/secret';
import { describe, expect, it } from 'vitest';
import { Barrier } from './barrier.ts';
import { initialise, type Initialised, type SealChoice } from './initialise.ts';
import { transactionsPerEntryMax } from './limits.ts';
import { pooledRandom } from './random.ts';
import { unwrapWithKey, unwrapWithSeal } from './root-key.ts';
import { decodeSealConfiguration, encodeSealConfiguration, type SealConfiguration } from './seal-configuration.ts';
import { ShareCollection } from './shamir/share-collection.ts';
import { shareTexts } from './shamir/share.ts';
import { staticSeal } from './static/static-seal.ts';

const random = pooledRandom();
const clusterId = 'c1';
const staticOf = (byte: number) => staticSeal({ key: new Secret(Buffer.alloc(32, byte)), random });
const init = (seal: SealChoice = { kind: 'auto', seal: staticOf(1) }): Promise<Initialised> =>
  initialise({ clusterId, seal, nowMs: 1000, random });

async function opened(): Promise<{ readonly barrier: Barrier; readonly configuration: SealConfiguration }> {
  const { configuration, rootKey } = await init();
  const barrier = new Barrier({ clusterId, random });
  barrier.unseal(configuration, rootKey);
  return { barrier, configuration };
}

async function sharesToRootKey(configuration: SealConfiguration, texts: readonly string[]): Promise<Secret> {
  const collection = new ShareCollection(configuration, random);
  for (const text of texts) {
    const outcome = await collection.give(text);
    if (outcome.kind === 'complete') return unwrapWithKey(configuration, outcome.key);
  }
  throw new Error('not enough shares');
}

describe('initialise', () => {
  it.each([
    [0, 1, 'secret_shares must be between 1 and 255, not 0'],
    [256, 3, 'secret_shares must be between 1 and 255, not 256'],
    [1.5, 1, 'secret_shares must be between 1 and 255, not 1.5'],
    [5, 0, 'secret_threshold must be between 1 and secret_shares (5), not 0'],
    [5, 6, 'secret_threshold must be between 1 and secret_shares (5), not 6'],
    [5, 1, 'secret_threshold must be greater than 1 when secret_shares is 5'],
  ])('refuses %d shares with threshold %d', async (shares, threshold, message) => {
    await expect(init({ kind: 'shamir', shares, threshold })).rejects.toMatchObject({ code: 'invalid-input', message });
  });

  it.each([
    [1, 1],
    [2, 2],
    [5, 3],
    [255, 255],
  ])('with %d shares, any %d of them unseal', async (shares, threshold) => {
    const { configuration, shares: made } = await init({ kind: 'shamir', shares, threshold });
    const texts = made.map((share, at) => (at % 2 === 0 ? shareTexts(share).hex : shareTexts(share).base64));
    expect(new Set(texts).size).toBe(shares);
    const rootKey = await sharesToRootKey(configuration, texts.reverse());
    const barrier = new Barrier({ clusterId, random });
    barrier.unseal(configuration, rootKey);
    expect(barrier.state.state).toBe('unsealed');
  });

  it('puts no share and no key into the configuration', async () => {
    const { configuration, rootKey, shares } = await init({ kind: 'shamir', shares: 3, threshold: 2 });
    const bytes = encodeSealConfiguration(configuration).toString('hex');
    for (const secret of [rootKey, ...shares])
      expect(bytes).not.toContain(secret.reveal().toString('hex').slice(0, 16));
  });

  it('refuses the shares of another cluster by name, and a forged set by the root key it does not open', async () => {
    const ours = await init({ kind: 'shamir', shares: 2, threshold: 2 });
    const theirs = await init({ kind: 'shamir', shares: 2, threshold: 2 });
    const [share] = theirs.shares;
    await expect(new ShareCollection(ours.configuration, random).give(shareTexts(share!).hex)).rejects.toThrow(
      'unseal key is not part of the current share set',
    );
    expect(() => unwrapWithKey(ours.configuration, new Secret(Buffer.alloc(32)))).toThrow(
      /at least one of them is wrong/,
    );
  });

  it('an AutoSeal opens it again; another key, or a seal of another kind, is refused', async () => {
    const { configuration } = await init();
    const rootKey = await unwrapWithSeal(configuration, staticOf(1));
    const barrier = new Barrier({ clusterId, random });
    barrier.unseal(configuration, rootKey);
    await expect(unwrapWithSeal(configuration, staticOf(2))).rejects.toMatchObject({ code: 'denied' });
    await expect(unwrapWithSeal({ ...configuration, setId: random(16) }, staticOf(1))).rejects.toMatchObject({
      code: 'denied',
    });
    await expect(unwrapWithSeal({ ...configuration, kind: 'aws-kms' }, staticOf(1))).rejects.toMatchObject({
      code: 'failed-precondition',
    });
  });
});

describe('seal configuration', () => {
  it('comes back from its bytes', async () => {
    const { configuration } = await init({ kind: 'shamir', shares: 5, threshold: 3 });
    const decoded = decodeSealConfiguration(encodeSealConfiguration(configuration));
    expect({ ...decoded, setId: Buffer.from(decoded.setId) }).toMatchObject({
      clusterId,
      shares: 5,
      threshold: 3,
      kind: 'shamir',
    });
    expect(encodeSealConfiguration(decoded)).toEqual(encodeSealConfiguration(configuration));
  });

  it.each([
    ['cluster_id', { clusterId: '' }],
    ['cluster_id', { clusterId: 'x'.repeat(65) }],
    ['version', { version: 0 }],
    ['kind', { kind: 'Shamir' }],
    ['kind', { kind: '' }],
    ['set_id', { setId: Buffer.alloc(15) }],
    ['secret_shares', { shares: 0 }],
    ['wrapped_root_key', { wrappedRootKey: Buffer.alloc(3) }],
    ['sealed_keyring', { sealedKeyring: Buffer.alloc(20) }],
    ['static seal has no shares', { kind: 'static' }],
    ['wrapped_root_key', { kind: 'static', shares: 0, threshold: 0, wrappedRootKey: Buffer.alloc(0) }],
    ['wrapped_root_key', { kind: 'static', shares: 0, threshold: 0, wrappedRootKey: Buffer.alloc(16 * 1024 + 1) }],
  ])('with a bad %s is refused', async (named, change) => {
    const { configuration } = await init({ kind: 'shamir', shares: 5, threshold: 3 });
    expect(() => encodeSealConfiguration({ ...configuration, ...change })).toThrow(
      expect.objectContaining({ code: 'invalid-input', message: expect.stringContaining(named) }),
    );
  });

  it('cut short anywhere is refused', async () => {
    const bytes = encodeSealConfiguration((await init()).configuration);
    for (let length = 0; length < bytes.length; length++)
      expect(() => decodeSealConfiguration(bytes.subarray(0, length)), `${length} bytes`).toThrow(
        expect.objectContaining({ code: 'invalid-input' }),
      );
  });
});

describe('barrier', () => {
  const place = { index: LogIndex(7), term: Term(2) };
  const transactions = [Buffer.from('one'), Buffer.alloc(0), Buffer.from('three')];

  it('while sealed opens nothing, seals nothing and rotates nothing', () => {
    const barrier = new Barrier({ clusterId, random });
    expect(barrier.entryEncoder()).toBeUndefined();
    expect(barrier.values()).toBeUndefined();
    expect(() => barrier.openEntry({ ...place, sealed: Buffer.alloc(100) })).toThrow(
      expect.objectContaining({ code: 'sealed' }),
    );
    expect(() => barrier.rotated({ nowMs: 1 })).toThrow(expect.objectContaining({ code: 'sealed' }));
  });

  it('refuses a wrong root key, a configuration of another cluster, and to be unsealed twice', async () => {
    const { configuration, rootKey } = await init();
    const barrier = new Barrier({ clusterId, random });
    expect(() => barrier.unseal(configuration, new Secret(Buffer.alloc(32)))).toThrow(/another key/);
    expect(() => new Barrier({ clusterId: 'c2', random }).unseal(configuration, rootKey)).toThrow(
      /belongs to cluster c1/,
    );
    expect(barrier.state.state).toBe('sealed');
    barrier.unseal(configuration, rootKey);
    expect(() => barrier.unseal(configuration, rootKey)).toThrow(/unsealed already/);
  });

  it('seals an entry for its place only', async () => {
    const { barrier } = await opened();
    const sealed = barrier.entryEncoder()!.encode(place, 123, transactions);
    expect(barrier.openEntry({ ...place, sealed })).toEqual({ timeMs: 123, transactions });
    expect(() => barrier.openEntry({ ...place, index: LogIndex(8), sealed })).toThrow(/does not open/);
    expect(() => barrier.openEntry({ ...place, term: Term(3), sealed })).toThrow(/does not open/);
    expect(() => barrier.values()!.open('k', sealed)).toThrow(/does not open/);
  });

  it('takes transactionsPerEntryMax transactions and refuses one more', async () => {
    const { barrier } = await opened();
    const many = Array.from({ length: transactionsPerEntryMax }, () => Buffer.from('t'));
    const sealed = barrier.entryEncoder()!.encode(place, 1, many);
    expect(barrier.openEntry({ ...place, sealed }).transactions.length).toBe(transactionsPerEntryMax);
    expect(() => barrier.entryEncoder()!.encode(place, 1, [...many, Buffer.from('t')])).toThrow(
      expect.objectContaining({ code: 'too-large' }),
    );
  });

  it('after a rotation seals with the new key version, and still opens what it sealed before', async () => {
    const { barrier, configuration } = await opened();
    const before = barrier.entryEncoder()!.encode(place, 1, transactions);
    const next = barrier.rotated({ nowMs: 2000 });
    expect(barrier.entryEncoder()!.encode(place, 1, []).at(4)).toBe(1);
    barrier.adopt(decodeSealConfiguration(encodeSealConfiguration(next)));
    barrier.adopt(configuration);
    const after = barrier.entryEncoder()!.encode(place, 1, transactions);
    expect(after.at(4)).toBe(2);
    expect(barrier.openEntry({ ...place, sealed: before }).timeMs).toBe(1);
    expect(barrier.openEntry({ ...place, sealed: after }).timeMs).toBe(1);
    const other = new Barrier({ clusterId, random });
    other.unseal(next, await unwrapWithSeal(next, staticOf(1)));
    expect(other.openEntry({ ...place, sealed: after }).timeMs).toBe(1);
  });

  it('sealed again, forgets its keys', async () => {
    const { barrier } = await opened();
    const encoder = barrier.entryEncoder()!;
    barrier.seal();
    expect(barrier.state).toEqual({ state: 'sealed' });
    expect(() => encoder.encode(place, 1, transactions)).toThrow(expect.objectContaining({ code: 'sealed' }));
  });
});
