import * as asn1js from 'asn1js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  bitString,
  encode,
  explicit,
  integer,
  integerOfBytes,
  isPrintable,
  namedBits,
  octetString,
  oid,
  oidOf,
  oidTextOf,
  sequence,
  time,
  utf8String,
} from './der.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('DER', () => {
  test.each([
    ['no object identifier', ''],
    ['one arc', '1'],
    ['a first arc above 2', '3.1'],
    ['a second arc above 39 below 2', '1.40'],
    ['a leading zero', '1.2.03'],
    ['an arc of 16 digits', '1.2.1234567890123456'],
    ['an empty arc', '1..2'],
    ['33 arcs', `1${'.1'.repeat(31)}`],
  ])('%s is no object identifier', (_, text) => {
    expect(oidOf(text)).toBeUndefined();
  });

  test('an object identifier of 31 arcs is one', () => {
    expect(oidOf(`1${'.1'.repeat(30)}`)).toBeDefined();
  });

  test.each([
    ['1.2.840.10045.4.3.2', '06082a8648ce3d040302'],
    ['2.5.29.17', '0603551d11'],
    ['2.999.3', '0603883703'],
    ['0.9.2342.19200300.100.1.1', '060a0992268993f22c640101'],
  ])('%s is written as X.690 has it, and read back', (dotted, encoded) => {
    expect(hex(oid(dotted))).toBe(encoded);
    expect(oidTextOf(oid(dotted))).toBe(dotted);
  });

  test.each([
    [0, '020100'],
    [127, '02017f'],
    [128, '02020080'],
    [255, '020200ff'],
    [256, '02020100'],
    [2 ** 53 - 1, '02071fffffffffffff'],
  ])('the integer %d is minimal and positive', (n, encoded) => {
    expect(hex(encode(integer(n)))).toBe(encoded);
  });

  test('an integer of bytes loses leading zeros and gets a sign byte', () => {
    expect(hex(encode(integerOfBytes(Buffer.from('0000ff', 'hex'))))).toBe('020200ff');
    expect(hex(encode(integerOfBytes(Buffer.from('000000', 'hex'))))).toBe('020100');
    expect(hex(encode(integerOfBytes(Buffer.alloc(0))))).toBe('020100');
  });

  test.each([
    [127, '047f'],
    [128, '048180'],
    [255, '0481ff'],
    [256, '04820100'],
    [65_535, '0482ffff'],
    [65_536, '0483010000'],
  ])('a length of %d is minimal', (length, header) => {
    expect(hex(encode(octetString(Buffer.alloc(length))).subarray(0, header.length / 2))).toBe(header);
  });

  test.each([
    [[0], '03020780'],
    [[5, 6], '03020106'],
    [[0, 2, 4], '030203a8'],
    [[8], '0303070080'],
  ])('the bits %j leave trailing zeros out', (bits, encoded) => {
    expect(hex(encode(namedBits(bits)))).toBe(encoded);
  });

  test('a time is UTCTime until the end of 2049 and GeneralizedTime from 2050 on', () => {
    const last = Date.UTC(2049, 11, 31, 23, 59, 59);
    expect(encode(time(last)).toString('latin1').slice(2)).toBe('491231235959Z');
    expect(encode(time(last))[0]).toBe(0x17);
    expect(
      encode(time(last + 1000))
        .toString('latin1')
        .slice(2),
    ).toBe('20500101000000Z');
    expect(encode(time(last + 1000))[0]).toBe(0x18);
    expect(encode(time(Date.UTC(1949, 11, 31)))[0]).toBe(0x18);
  });

  test('an underscore, an asterisk and an @ are not printable', () => {
    expect(['a_b', '*.a', 'a@b', 'é'].map(isPrintable)).toEqual([false, false, false, false]);
    expect(isPrintable("Acme (Berlin), Inc. - 50/50: a+b=c? '")).toBe(true);
  });

  test('a tree of any shape is read by an independent parser to the same bytes', () => {
    const leaf = fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map((bytes) => octetString(bytes)),
      fc.uint8Array({ maxLength: 300 }).map((bytes) => bitString(bytes)),
      fc.nat().map(integer),
      fc.string({ maxLength: 50, unit: 'grapheme' }).map(utf8String),
    );
    const list = fc.array(leaf, { maxLength: 5 }).map((parts) => sequence(...parts));
    const tree = fc
      .array(fc.oneof(leaf, list), { maxLength: 6 })
      .map((parts) => sequence(explicit(3, ...parts), ...parts));
    fc.assert(
      fc.property(tree, (der) => {
        const bytes = encode(der);
        expect(bytes.length).toBe(der.length);
        const read = asn1js.fromBER(bytes);
        expect(read.offset).toBe(bytes.length);
        expect(hex(new Uint8Array(read.result.toBER()))).toBe(hex(bytes));
      }),
      { numRuns: 100 },
    );
  });
});
