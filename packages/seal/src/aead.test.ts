import { createSecretKey, type KeyObject } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BatchSealer, type RecordContext, RecordOpener, recordOverheadBytes } from './aead.ts';
import { contextBytesMax, derivedKeysKept, placeBytesMax, recordBytesMax } from './limits.ts';
import { pooledRandom } from './random.ts';

const random = pooledRandom();
const key = createSecretKey(Buffer.alloc(32, 7));
const otherKey = createSecretKey(Buffer.alloc(32, 8));
const context: RecordContext = { clusterId: 'c1', purpose: 'state' };
const place = 's/root/kv1/a';

const sealerOf = (change: { context?: RecordContext; version?: number; key?: KeyObject } = {}): BatchSealer =>
  new BatchSealer({
    useKey: { version: change.version ?? 3, key: change.key ?? key },
    context: change.context ?? context,
    salt: random(24),
  });
const openerOf = (change: { context?: RecordContext; key?: KeyObject } = {}): RecordOpener =>
  new RecordOpener({
    context: change.context ?? context,
    keyOf: (version) => (version >= 3 && version < 9 ? (change.key ?? key) : undefined),
  });
const record = sealerOf().seal(place, Buffer.from('the secret'));
const broken = expect.objectContaining({ code: 'internal', message: expect.stringContaining('does not open') });

describe('a sealed record', () => {
  it('matches one that Python made with hashlib and cryptography', () => {
    const use = Buffer.from('fc802984d0d80e45f3d413d98e853613b775629a46d443242050c92850223530', 'hex');
    const salt = Buffer.from(Array.from({ length: 24 }, (_, i) => 100 + i));
    const sealer = new BatchSealer({ useKey: { version: 1, key: createSecretKey(use) }, context, salt });
    const sealed = sealer.seal('s/root/kv1/a', Buffer.from('hello'));
    expect(sealed.toString('hex')).toBe(
      `01${'00000001'}${salt.toString('hex')}b6a04feec218936010f667bb87bf98d0${'00000001'}f46470f3b4c2d33c86d9db3c739a6fda4034dfa5e0`,
    );
  });

  it('does not open with any one bit flipped', () => {
    for (let bit = 0; bit < record.length * 8; bit++) {
      const changed = Buffer.from(record);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => openerOf().open(place, changed), `bit ${bit}`).toThrow();
    }
  });

  it('does not open when it is cut, or has bytes after it', () => {
    for (const length of [0, 1, recordOverheadBytes - 1, recordOverheadBytes, record.length - 1])
      expect(() => openerOf().open(place, record.subarray(0, length))).toThrow(broken);
    expect(() => openerOf().open(place, Buffer.concat([record, Buffer.alloc(1)]))).toThrow(broken);
  });

  it('does not open at another place', () => {
    expect(() => openerOf().open('s/root/kv1/b', record)).toThrow(broken);
    expect(() => openerOf().open('', record)).toThrow(broken);
  });

  it('does not open in another cluster or for another purpose, even with the same key', () => {
    expect(() => openerOf({ context: { ...context, clusterId: 'c2' } }).open(place, record)).toThrow(broken);
    expect(() => openerOf({ context: { ...context, purpose: 'log' } }).open(place, record)).toThrow(broken);
  });

  it('keeps cluster, purpose and place apart, so that none can borrow bytes of the next', () => {
    const sealed = sealerOf({ context: { clusterId: 'ab', purpose: 'c' } }).seal('de', Buffer.from('x'));
    expect(() => openerOf({ context: { clusterId: 'a', purpose: 'bc' } }).open('de', sealed)).toThrow(broken);
    expect(() => openerOf({ context: { clusterId: 'ab', purpose: 'cd' } }).open('e', sealed)).toThrow(broken);
  });

  it('names a key version that the keyring lacks', () => {
    const sealed = sealerOf({ version: 9 }).seal(place, Buffer.from('x'));
    expect(() => openerOf().open(place, sealed)).toThrow(
      expect.objectContaining({ code: 'unavailable', message: expect.stringContaining('key version 9') }),
    );
  });

  it('does not open when its key version is rewritten, though both versions have the same key', () => {
    const sealed = sealerOf({ version: 3 }).seal(place, Buffer.from('x'));
    sealed.writeUInt32BE(4, 1);
    expect(() => openerOf().open(place, sealed)).toThrow(broken);
  });

  it('is committed to its key: another key is refused before anything is decrypted', () => {
    expect(() => openerOf({ key: otherKey }).open(place, record)).toThrow(/belongs to another key/);
  });

  it('cannot be swapped with another of its batch', () => {
    const sealer = sealerOf();
    const a = sealer.seal('a', Buffer.from('for a'));
    const b = sealer.seal('b', Buffer.from('for b'));
    const opener = openerOf();
    expect(() => opener.open('a', b)).toThrow(broken);
    expect(() => opener.open('b', a)).toThrow(broken);
    expect(opener.open('a', a).toString()).toBe('for a');
  });

  it('opens to what was sealed, for any bytes and any place', () => {
    const opener = openerOf();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), fc.string({ unit: 'binary', maxLength: 300 }), (plain, where) => {
        const sealed = sealerOf().seal(where, plain);
        expect(sealed.length).toBe(plain.length + recordOverheadBytes);
        expect(opener.open(where, sealed)).toEqual(Buffer.from(plain));
      }),
      { numRuns: 200 },
    );
  });

  it('never repeats key and nonce', () => {
    const seen = new Set<string>();
    for (let batch = 0; batch < 100; batch++) {
      const sealer = sealerOf();
      for (let i = 0; i < 20; i++) seen.add(sealer.seal(place, Buffer.from('same')).toString('hex', 5, 49));
    }
    expect(seen.size).toBe(2000);
  });
});

describe('bounds', () => {
  it('a plaintext of recordBytesMax is sealed and opened, one byte more is refused', () => {
    const largest = Buffer.alloc(recordBytesMax, 1);
    expect(openerOf().open(place, sealerOf().seal(place, largest)).equals(largest)).toBe(true);
    expect(() => sealerOf().seal(place, Buffer.alloc(recordBytesMax + 1))).toThrow(
      expect.objectContaining({ code: 'too-large' }),
    );
  });

  it('a place of placeBytesMax is bound in full, one byte more is refused', () => {
    const longest = 'é'.repeat(placeBytesMax / 2);
    const sealed = sealerOf().seal(longest, Buffer.from('x'));
    expect(openerOf().open(longest, sealed).toString()).toBe('x');
    expect(() => openerOf().open(`${longest.slice(0, -1)}e`, sealed)).toThrow(broken);
    expect(() => sealerOf().seal(`${longest}e`, Buffer.from('x'))).toThrow(
      expect.objectContaining({ code: 'too-large' }),
    );
  });

  it('a cluster id is 1 to contextBytesMax bytes long', () => {
    expect(() => sealerOf({ context: { ...context, clusterId: '' } })).toThrow(/cluster id/);
    expect(() => sealerOf({ context: { ...context, clusterId: 'c'.repeat(contextBytesMax + 1) } })).toThrow(
      /cluster id/,
    );
    expect(() => sealerOf({ context: { ...context, clusterId: 'c'.repeat(contextBytesMax) } })).not.toThrow();
  });

  it('an opener that has forgotten a derived key derives it again', () => {
    const opener = openerOf();
    for (let i = 0; i <= derivedKeysKept; i++) {
      const sealed = sealerOf().seal(place, Buffer.from([i & 255]));
      expect(opener.open(place, sealed)[0]).toBe(i & 255);
    }
    expect(opener.open(place, record).toString()).toBe('the secret');
  });

  it('pooled randomness never hands out a byte twice, small or large', () => {
    const drawn = new Set(Array.from({ length: 1000 }, () => random(24).toString('hex')));
    expect(drawn.size).toBe(1000);
    expect(random(5000).length).toBe(5000);
  });
});
