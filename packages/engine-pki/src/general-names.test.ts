import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ipBytes, ipText, isWithin, type Network, networkOf } from './general-names.ts';

function network(text: string): Network {
  const found = networkOf(text);
  if (found === undefined) throw new Error(`${text} is not a network`);
  return found;
}

describe('addresses', () => {
  test.each([
    '',
    '1.2.3',
    '1.2.3.4.5',
    '256.0.0.1',
    '010.0.0.1',
    '1.2.3.4/8',
    'fe80::1%eth0',
    '::g',
    ':::',
    '[::1]',
    ' 1.2.3.4',
    '１.2.3.4',
  ])('"%s" is none', (text) => {
    expect(ipBytes(text)).toBeUndefined();
  });
  test.each([
    ['1.2.3.4', '01020304'],
    ['::', '0'.repeat(32)],
    ['::1', `${'0'.repeat(31)}1`],
    ['2001:db8::ff00:42:8329', '20010db8000000000000ff0000428329'],
    ['::ffff:1.2.3.4', '01020304'],
    ['::FFFF:102:304', '01020304'],
    ['64:ff9b::1.2.3.4', '0064ff9b000000000000000001020304'],
    ['1::', `0001${'0'.repeat(28)}`],
  ])('%s is %s', (text, hex) => {
    expect(Buffer.from(ipBytes(text) ?? []).toString('hex')).toBe(hex);
  });
  test('are read back from their own text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const bytes = ipBytes(text);
        if (bytes === undefined) throw new Error(`${text} is refused`);
        expect(ipBytes(ipText(bytes))).toEqual(bytes);
      }),
    );
  });
});

describe('networks', () => {
  test.each([
    '10.0.0.0',
    '10.0.0.0/33',
    '10.0.0.0/08',
    '10.0.0.0/-1',
    '10.0.0.1/24',
    '::/129',
    '::1/64',
    '10.0.0.0/8/8',
    '::ffff:10.0.0.0/104',
  ])('%s is none', (text) => {
    expect(networkOf(text)).toBeUndefined();
  });
  test('hold the addresses of their prefix and no others', () => {
    const inside = (ip: string, cidr: string): boolean => isWithin(ipBytes(ip) ?? new Uint8Array(), network(cidr));
    expect(inside('10.255.255.255', '10.0.0.0/8')).toBe(true);
    expect(inside('11.0.0.0', '10.0.0.0/8')).toBe(false);
    expect(inside('10.0.0.127', '10.0.0.0/25')).toBe(true);
    expect(inside('10.0.0.128', '10.0.0.0/25')).toBe(false);
    expect(inside('::ffff:10.1.1.1', '10.0.0.0/8')).toBe(true);
    expect(inside('fd00::1', 'fd00::/8')).toBe(true);
    expect(inside('fe00::1', 'fd00::/8')).toBe(false);
    expect(inside('1.2.3.4', '0.0.0.0/0')).toBe(true);
    expect(inside('1.2.3.4', '::/0')).toBe(false);
    expect(inside('1.2.3.4', '1.2.3.4/32')).toBe(true);
  });
});
