import { Secret } from '@lockstep/contract/secret';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { freshKey } from '../keyring.ts';
import { pooledRandom } from '../random.ts';
import { ShareCollection } from './share-collection.ts';
import { parseShare, shareBytes, shareOf, shareTexts } from './share.ts';
import { combineShares, splitKey } from './split-key.ts';

const random = pooledRandom();
const setId = Buffer.alloc(16, 5);
const foreign = 'unseal key is not part of the current share set';
const textsOf = async (options: { key: Secret; shares: number; threshold: number }): Promise<string[]> =>
  (await splitKey({ ...options, setId })).map((share) => shareTexts(share).hex);

describe('a share', () => {
  it.each([
    '',
    'zz',
    'ab'.repeat(shareBytes - 1),
    'ab'.repeat(shareBytes + 1),
    `${'ab'.repeat(shareBytes)} `,
    'A'.repeat(1000),
  ])('must be 37 bytes in hex or base64: %j is refused', (text) => {
    expect(() => parseShare(text, setId)).toThrow('unseal key must be 37 bytes in hex or base64');
  });

  it('with any one byte changed is not part of the set', async () => {
    const [text] = await textsOf({ key: freshKey(random), shares: 2, threshold: 2 });
    for (let at = 0; at < shareBytes; at++) {
      const bytes = Buffer.from(text!, 'hex');
      bytes[at] = (bytes[at] ?? 0) ^ 0x40;
      expect(() => parseShare(bytes.toString('hex'), setId)).toThrow(foreign);
    }
  });

  it('of another set, or with coordinate zero, is refused', async () => {
    const [text] = await textsOf({ key: freshKey(random), shares: 2, threshold: 2 });
    expect(() => parseShare(text!, Buffer.alloc(16, 6))).toThrow(foreign);
    expect(() => parseShare(shareTexts(shareOf(new Uint8Array(33), setId)).hex, setId)).toThrow(foreign);
  });

  it('is read from hex of either case and from base64 with or without padding', async () => {
    const [share] = await splitKey({ key: freshKey(random), shares: 1, threshold: 1, setId });
    const { hex, base64 } = shareTexts(share!);
    for (const text of [hex, hex.toUpperCase(), base64, base64.replaceAll('=', '')])
      expect(parseShare(text, setId).coordinate).toBe(1);
  });
});

describe('base64', () => {
  it('with spare bits set is refused: a share has one spelling', async () => {
    const [share] = await splitKey({ key: freshKey(random), shares: 1, threshold: 1, setId });
    const { base64 } = shareTexts(share!);
    const last = base64.replaceAll('=', '').at(-1)!;
    const next = String.fromCharCode(last.charCodeAt(0) + 1);
    expect(() => parseShare(`${base64.slice(0, -3)}${next}==`, setId)).toThrow(/in hex or base64/);
  });
});

describe('splitting', () => {
  it('rebuilds a key from shares in the layout that Vault uses: y, then x', async () => {
    // f(x) = 0x53 + 0xca·x over GF(2^8) with x^8+x^4+x^3+x+1, for every byte: f(1) = 0x99, f(2) = 0x53 ^ 0x8f = 0xdc.
    const shareAt = (x: number, y: number) => {
      const point = new Uint8Array(33).fill(y);
      point[32] = x;
      return parseShare(shareTexts(shareOf(point, setId)).hex, setId);
    };
    const key = await combineShares([shareAt(1, 0x99), shareAt(2, 0xdc)]);
    expect(key.reveal()).toEqual(Buffer.alloc(32, 0x53));
  });

  it('a key of one share of one is that share', async () => {
    const key = freshKey(random);
    const [share] = await splitKey({ key, shares: 1, threshold: 1, setId });
    expect(share!.reveal().subarray(0, 32)).toEqual(key.reveal());
    const rebuilt = await combineShares([parseShare(shareTexts(share!).hex, setId)]);
    expect(rebuilt.equals(key)).toBe(true);
  });

  it('any threshold of the shares rebuild the key, one fewer do not', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2, max: 12 }), fc.nat(), fc.nat(), async (shares, t, shuffle) => {
        const threshold = 2 + (t % (shares - 1));
        const key = freshKey(random);
        const texts = await textsOf({ key, shares, threshold });
        const from = shuffle % shares;
        const chosen = [...texts.slice(from), ...texts.slice(0, from)].slice(0, threshold);
        const parse = (some: readonly string[]) => some.map((text) => parseShare(text, setId));
        expect((await combineShares(parse(chosen))).equals(key)).toBe(true);
        expect((await combineShares(parse(chosen.slice(1)))).equals(key)).toBe(false);
      }),
      { numRuns: 40 },
    );
  });

  it('leaves no copy of the point behind', async () => {
    const point = new Uint8Array(33).fill(3);
    shareOf(point, setId);
    expect(point.every((byte) => byte === 0)).toBe(true);
  });
});

describe('collecting shares', () => {
  it('counts them under one nonce, and gives the key at the threshold', async () => {
    const key = freshKey(random);
    const texts = await textsOf({ key, shares: 5, threshold: 3 });
    const collection = new ShareCollection({ threshold: 3, setId }, random);
    expect(collection.progress).toEqual({ given: 0, needed: 3, nonce: '' });
    const first = await collection.give(texts[0]!);
    expect(first).toMatchObject({ kind: 'collecting', given: 1, needed: 3 });
    const { nonce } = collection.progress;
    expect(nonce).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(await collection.give(texts[0]!)).toEqual({ kind: 'repeated', given: 1, needed: 3, nonce });
    expect(await collection.give(texts[4]!)).toEqual({ kind: 'collecting', given: 2, needed: 3, nonce });
    const last = await collection.give(texts[2]!);
    expect(last.kind === 'complete' && last.key.equals(key)).toBe(true);
    expect(collection.progress).toEqual({ given: 0, needed: 3, nonce: '' });
  });

  it('refuses two different shares with one coordinate, and keeps what it had', async () => {
    const [text] = await textsOf({ key: freshKey(random), shares: 2, threshold: 2 });
    const forged = Buffer.from(text!, 'hex').subarray(0, 33);
    forged[0] = (forged[0] ?? 0) ^ 1;
    const collection = new ShareCollection({ threshold: 2, setId }, random);
    await collection.give(text!);
    await expect(collection.give(shareTexts(shareOf(forged, setId)).hex)).rejects.toThrow(/contradicts another/);
    expect(collection.progress.given).toBe(1);
  });

  it('begins anew after a reset', async () => {
    const texts = await textsOf({ key: freshKey(random), shares: 3, threshold: 3 });
    const collection = new ShareCollection({ threshold: 3, setId }, random);
    await collection.give(texts[0]!);
    const { nonce } = collection.progress;
    collection.reset();
    expect(collection.progress).toEqual({ given: 0, needed: 3, nonce: '' });
    expect(await collection.give(texts[0]!)).toMatchObject({ kind: 'collecting', given: 1 });
    expect(collection.progress.nonce).not.toBe(nonce);
  });
});
