import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { recordOverheadBytes } from '@lockstep/seal/aead';
import { savedChunkBytes, savedHeadBytesMax } from './limits.ts';
import { chunkPlace, savedFileBytes, SavedFileParser, savedHead, type SavedSnapshot, sha256 } from './saved-file.ts';

const saved = (bytes: number): SavedSnapshot => ({
  clusterId: 'c1',
  snapshotId: `${'7'.padStart(16, '0')}-${'ab'.repeat(32)}`,
  index: 7,
  term: 2,
  logTimeMs: 1_700_000_000_000,
  savedMs: 1_700_000_000_001,
  bytes,
  records: 3,
  factVersion: 1,
  program: '0.1.0',
  node: 'n1',
  seal: Buffer.from('seal'),
  versionOffset: 0,
});

/** A file whose chunks hold nothing that opens: the parser doesn't look. */
function fileOf(bytes: number, change: (parts: Buffer[]) => void = () => undefined): Buffer {
  const parts = [savedHead(saved(bytes))];
  for (let left = bytes; left > 0 || parts.length === 1; left -= savedChunkBytes) {
    const sealed = Buffer.alloc(Math.min(left, savedChunkBytes) + recordOverheadBytes, parts.length);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(sealed.length);
    parts.push(Buffer.concat([length, sealed]));
  }
  parts.push(Buffer.alloc(4));
  change(parts);
  const body = Buffer.concat(parts);
  return Buffer.concat([body, createHash('sha256').update(body).digest()]);
}

function parsed(file: Uint8Array, pieceBytes = 10_000): ReturnType<SavedFileParser['finish']> & { chunks: string[] } {
  const chunks: string[] = [];
  const parser = new SavedFileParser({
    onHead: () => undefined,
    onChunk: (sealed, { number, isLast }) =>
      chunks.push(`${number} ${sealed[0]} ${sealed.length}${isLast ? ' last' : ''}`),
  });
  for (let at = 0; at < file.length; at += pieceBytes) {
    // A buffer that is used again for the next piece, as streams do.
    const piece = Buffer.from(file.subarray(at, at + pieceBytes));
    parser.push(piece);
    piece.fill(0);
  }
  return { ...parser.finish(), chunks };
}

describe('a file is refused', () => {
  const small = fileOf(100);

  test('when it is cut anywhere', () => {
    for (let length = 0; length < small.length; length++)
      expect(() => parsed(small.subarray(0, length)), `cut at ${length}`).toThrow(/cut short|no saved snapshot/);
  });

  test('when any of its bits is flipped', () => {
    for (let at = 0; at < small.length; at++) {
      const flipped = Buffer.from(small);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
      expect(() => parsed(flipped), `byte ${at}`).toThrow(/^the file /);
    }
  });

  test('when more follows its end', () => {
    expect(() => parsed(Buffer.concat([small, Buffer.from([0])]))).toThrow('the file has bytes after its end');
  });

  test('when it is of a newer format', () => {
    const newer = Buffer.from(small);
    newer[4] = 2;
    expect(() => parsed(newer)).toThrow('the file has format 2; this version reads format 1');
  });

  test('when it is something else, as soon as that can be seen', () => {
    const parser = new SavedFileParser({ onHead: () => undefined });
    expect(() => parser.push(Buffer.from('PK'))).toThrow('the file is no saved snapshot');
  });

  test('when its head is larger than a head may be', () => {
    const file = Buffer.from(small);
    file.writeUInt32BE(savedHeadBytesMax + 1, 5);
    expect(() => parsed(file)).toThrow(/head of 524289 bytes, at most 524288/);
    file.writeUInt32BE(savedHeadBytesMax, 5);
    expect(() => parsed(file)).toThrow('the file is cut short');
  });

  test.each([
    ['a chunk too few', (parts: Buffer[]) => void parts.splice(1, 1)],
    ['a chunk too many', (parts: Buffer[]) => void parts.splice(2, 0, parts[1] ?? expect.unreachable())],
    ['chunks in another order', (parts: Buffer[]) => void parts.splice(1, 2, parts[2]!, parts[1]!)],
  ])('when it has %s, whatever its hash says', (_what, change) => {
    expect(() => parsed(fileOf(savedChunkBytes + 5, change))).toThrow(/^the file has /);
  });
});

describe('a file', () => {
  test.each([1, 100, savedChunkBytes, savedChunkBytes + 1, 3 * savedChunkBytes])(
    'of %d bytes is as long as was foretold',
    (bytes) => {
      const file = fileOf(bytes);
      expect(file.length).toBe(savedFileBytes(savedHead(saved(bytes)).length, bytes));
      expect(parsed(file).saved).toEqual(saved(bytes));
    },
  );

  test('is read alike in pieces of any size, and its id is its hash', () => {
    const file = fileOf(2 * savedChunkBytes + 7);
    const whole = parsed(file, file.length);
    expect(whole.id).toBe(file.subarray(-32).toString('hex'));
    expect(whole.chunks).toEqual([
      `0 1 ${savedChunkBytes + recordOverheadBytes}`,
      `1 2 ${savedChunkBytes + recordOverheadBytes}`,
      `2 3 ${7 + recordOverheadBytes} last`,
    ]);
    fc.assert(
      fc.property(fc.integer({ min: 1000, max: 2 * savedChunkBytes }), (pieceBytes) => {
        expect(parsed(file, pieceBytes)).toEqual(whole);
      }),
      { numRuns: 20 },
    );
  });

  test('has no two chunks bound to the same place', () => {
    const heads = [sha256(Buffer.from('a')), sha256(Buffer.from('b'))];
    const places = heads.flatMap((head) =>
      [0, 1, 2 ** 33].flatMap((number) =>
        [true, false].map((isLast) => chunkPlace(head, number, isLast).toString('hex')),
      ),
    );
    expect(new Set(places).size).toBe(places.length);
  });
});
