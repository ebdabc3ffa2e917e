import { LockstepError } from '@lockstep/contract/errors';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encode, time } from './der.ts';
import { DerReader } from './der-reader.ts';

const reader = (hex: string): DerReader => new DerReader(Buffer.from(hex, 'hex'), 'csr');

describe('the DER reader', () => {
  test.each([
    ['nothing', '', 'offset 0: ends too early'],
    ['a tag alone', '30', 'offset 0: ends too early'],
    ['a tag of more bytes', '1f8100', 'offset 0: tags of more than one byte'],
    ['an indefinite length', '30800000', 'offset 0: indefinite lengths are not DER'],
    ['a long form for a short length', '30817f', 'offset 0: a length is not minimal'],
    ['a length with a leading zero', '30820080', 'offset 0: a length is not minimal'],
    ['a length of five bytes', '30850100000000', 'offset 0: a length has more than four bytes'],
    ['a length of 2^31', '308480000000', 'offset 0: a length reaches past the end'],
    ['a length that reaches one byte past the end', '040200', 'offset 0: a length reaches past the end'],
    ['a length that is cut short', '308201', 'offset 0: ends too early'],
  ])('refuses %s', (_, hex, message) => {
    expect(() => reader(hex).any()).toThrow(`csr: malformed DER at ${message}`);
  });

  test('refuses another tag than the schema has', () => {
    expect(() => reader('0400').next(0x30)).toThrow('expected tag 0x30');
  });

  test('refuses bytes after the value', () => {
    const from = reader('04000000');
    from.any();
    expect(() => from.finish()).toThrow('offset 2: bytes follow the value');
  });

  test.each([
    ['an empty integer', '0200'],
    ['a negative integer', '0201ff'],
    ['an integer with a needless zero', '0202007f'],
  ])('refuses %s', (_, hex) => {
    expect(() => reader(hex).positiveInteger()).toThrow('an integer is');
  });

  test('takes a sign byte away', () => {
    expect([...reader('02020080').positiveInteger()]).toEqual([0x80]);
    expect([...reader('020100').positiveInteger()]).toEqual([0]);
  });

  test('refuses a bit string with unused bits, or without their count', () => {
    expect(() => reader('03020180').bitString()).toThrow('unused bits');
    expect(() => reader('0300').bitString()).toThrow('unused bits');
  });

  test('refuses a boolean that is neither 00 nor ff', () => {
    expect(() => reader('010101').boolean()).toThrow('a boolean is not DER');
    expect(reader('0101ff').boolean()).toBe(true);
  });

  test.each(['1', '260101000000', '260101000000+0100', '20260101000000.5Z', '260230000000Z', '261301000000Z'])(
    'refuses the time %s',
    (text) => {
      const content = Buffer.from(text, 'latin1');
      expect(() => new DerReader(Buffer.concat([Buffer.from([0x17, content.length]), content]), 'csr').time()).toThrow(
        LockstepError,
      );
    },
  );

  test('reads the times that the writer writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 253_402_300_799 }), (seconds) => {
        expect(new DerReader(encode(time(seconds * 1000)), 'csr').time()).toBe(seconds * 1000);
      }),
    );
  });

  test('walks any bytes to an end or a refusal', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const from = new DerReader(bytes, 'csr');
        try {
          while (!from.isAtEnd) from.any();
        } catch (error) {
          expect(error).toBeInstanceOf(LockstepError);
        }
      }),
    );
  });
});
