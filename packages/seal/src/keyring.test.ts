import { Secret } from '@lockstep/contract/secret';
import { describe, expect, it } from 'vitest';
import { freshKey, Keyring, newKeyring, openKeyring, sealKeyring } from './keyring.ts';
import { keyVersionsMax } from './limits.ts';
import { pooledRandom } from './random.ts';
import { RecordSealer } from './record-sealer.ts';

const random = pooledRandom();
const clusterId = 'c1';
const rootKey = new Secret(Buffer.alloc(32, 9));
const counting = (): Secret => new Secret(Buffer.from(Array.from({ length: 32 }, (_, i) => i)));

describe('keyring', () => {
  it('refuses a gap, a short key, no version, and one version too many', () => {
    const one = { version: 1, key: counting(), createdMs: 5 };
    expect(() => new Keyring(clusterId, [])).toThrow(/1 to 4096/);
    expect(() => new Keyring(clusterId, [{ ...one, version: 2 }])).toThrow(/out of order/);
    expect(() => new Keyring(clusterId, [{ ...one, key: new Secret(Buffer.alloc(31)) }])).toThrow(/32 bytes/);
    const many = (count: number): Keyring =>
      new Keyring(
        clusterId,
        Array.from({ length: count }, (_, i) => ({ ...one, version: i + 1 })),
      );
    const full = many(keyVersionsMax);
    expect(
      openKeyring({ sealed: sealKeyring({ keyring: full, rootKey, random }), rootKey, clusterId }).activeVersion,
    ).toBe(keyVersionsMax);
    expect(() => many(keyVersionsMax + 1)).toThrow(/1 to 4096/);
  });

  it('does not open under another root key, in another cluster, or with a bit flipped', () => {
    const sealed = sealKeyring({ keyring: newKeyring({ clusterId, nowMs: 1, random }), rootKey, random });
    const other = new Secret(Buffer.alloc(32, 10));
    expect(() => openKeyring({ sealed, rootKey: other, clusterId })).toThrow(/another key/);
    expect(() => openKeyring({ sealed, rootKey, clusterId: 'c2' })).toThrow(/does not open/);
    sealed[60] = (sealed[60] ?? 0) ^ 1;
    expect(() => openKeyring({ sealed, rootKey, clusterId })).toThrow(/does not open/);
  });

  it('derives the key of a use as RFC 5869 says (checked with Python)', () => {
    const keyring = new Keyring(clusterId, [{ version: 1, key: counting(), createdMs: 1 }]);
    expect(keyring.useKey('state')?.key.export().toString('hex')).toBe(
      'fc802984d0d80e45f3d413d98e853613b775629a46d443242050c92850223530',
    );
  });

  it('has a different key for each use, version and cluster', () => {
    const keyring = newKeyring({ clusterId, nowMs: 1, random }).withVersion({ key: freshKey(random), createdMs: 2 });
    const elsewhere = new Keyring('c2', [{ version: 1, key: counting(), createdMs: 1 }]);
    const uses = ['log', 'state', 'snapshot', 'audit', 'token'] as const;
    const keys = [keyring, elsewhere].flatMap((ring) =>
      ring
        .versions()
        .flatMap(({ version }) => uses.map((use) => ring.useKey(use, version)?.key.export().toString('hex'))),
    );
    expect(new Set(keys).size).toBe(15);
  });

  it('seals with the newest version and opens what older ones sealed', () => {
    const before = newKeyring({ clusterId, nowMs: 1, random });
    const old = new RecordSealer({ keyring: before, use: 'state', random }).startBatch().seal('k', Buffer.from('v1'));
    const after = before.withVersion({ key: freshKey(random), createdMs: 2 });
    const sealer = new RecordSealer({ keyring: after, use: 'state', random });
    const young = sealer.startBatch().seal('k', Buffer.from('v2'));
    expect([old.readUInt32BE(1), young.readUInt32BE(1)]).toEqual([1, 2]);
    expect(sealer.open('k', old).toString()).toBe('v1');
    expect(() => new RecordSealer({ keyring: before, use: 'state', random }).open('k', young)).toThrow(/key version 2/);
  });

  it('keeps lasting keys across rotations', () => {
    const before = newKeyring({ clusterId, nowMs: 1, random });
    const after = before.withVersion({ key: freshKey(random), createdMs: 2 });
    expect(after.lastingKey('token').equals(before.lastingKey('token'))).toBe(true);
    expect(after.lastingKey('token').equals(after.lastingKey('audit'))).toBe(false);
  });

  it('comes back from its sealed form with every version and its time', () => {
    const keyring = newKeyring({ clusterId, nowMs: 1_700_000_000_000, random }).withVersion({
      key: freshKey(random),
      createdMs: 1_800_000_000_000,
    });
    const opened = openKeyring({ sealed: sealKeyring({ keyring, rootKey, random }), rootKey, clusterId });
    expect(opened.versions()).toEqual(keyring.versions());
    expect(opened.encode().equals(keyring.encode())).toBe(true);
  });

  it('has no key left after a wipe, and its copies do', () => {
    const keyring = newKeyring({ clusterId, nowMs: 1, random });
    const next = keyring.withVersion({ key: freshKey(random), createdMs: 2 });
    keyring.wipe();
    expect(
      keyring
        .encode()
        .reveal()
        .subarray(15)
        .every((byte) => byte === 0),
    ).toBe(true);
    expect(
      next
        .encode()
        .reveal()
        .subarray(15, 47)
        .some((byte) => byte !== 0),
    ).toBe(true);
  });
});
