import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hostnameOf, matchesGlob, parseName } from './hostnames.ts';

const label63 = 'a'.repeat(63);

describe('hostnameOf', () => {
  test.each([
    ['an empty name', ''],
    ['an empty label', 'a..b'],
    ['a leading dot', '.a'],
    ['a trailing dot', 'a.example.com.'],
    ['a leading hyphen', '-a.b'],
    ['a trailing hyphen', 'a-.b'],
    ['an underscore', '_dmarc.example.com'],
    ['a label of 64', `${label63}a.com`],
    ['254 characters', `${label63}.${label63}.${label63}.${'a'.repeat(62)}`],
    ['an IPv4 address', '10.0.0.1'],
    ['what a URL reads as an address', 'a.1'],
    ['an IPv6 address', '::1'],
    ['a space', 'a b.com'],
    ['a NUL', 'a\0.com'],
    ['a newline', 'a.com\n'],
    ['full-width letters', 'ａｄｍｉｎ.com'],
    ['the Kelvin sign', '\u212a.example.com'],
    ['a zero-width space', 'a\u200b.com'],
    ['upper case that IDNA would fold', 'Ä.example.com'],
    ['an NFD umlaut', 'a\u0308.example.com'],
    ['broken punycode', 'xn--a.example.com'],
    ['an ideographic full stop', 'a。com'],
  ])('refuses %s', (_, text) => {
    expect(hostnameOf(text)).toBeUndefined();
  });

  test.each([
    ['a.example.com', 'a.example.com'],
    ['A.Example.COM', 'a.example.com'],
    ['ä.example.com', 'xn--4ca.example.com'],
    ['xn--4ca.example.com', 'xn--4ca.example.com'],
    ['localhost', 'localhost'],
    ['1.a', '1.a'],
    [`${label63}.com`, `${label63}.com`],
    [`${label63}.${label63}.${label63}.${'a'.repeat(61)}`, `${label63}.${label63}.${label63}.${'a'.repeat(61)}`],
  ])('takes %s as %s', (text, host) => {
    expect(hostnameOf(text)).toBe(host);
  });

  test('a hostname of a hostname is itself', () => {
    fc.assert(
      fc.property(fc.oneof(fc.domain(), fc.string({ unit: 'grapheme' })), (text) => {
        const host = hostnameOf(text);
        if (host !== undefined) expect(hostnameOf(host)).toBe(host);
      }),
    );
  });

  test('a hostile name of 4096 characters is judged at once', () => {
    const start = performance.now();
    for (const text of ['a-'.repeat(2048), `${'a'.repeat(60)}-`.repeat(60), 'é'.repeat(4096)]) hostnameOf(text);
    expect(performance.now() - start).toBeLessThan(500);
  });
});

describe('parseName', () => {
  test.each(['*', '*.', '*a.b', 'a*.b', 'a.*.b', '*.*.b', '**.b', '*.10.0.0.1', '*.a.b.'])(
    '%s is no wildcard',
    (text) => {
      expect(parseName(text)).toBeUndefined();
    },
  );
  test.each([
    '@a.com',
    'a@',
    'a@b@c.com',
    'a b@c.com',
    '.a@c.com',
    'a..b@c.com',
    'é@c.com',
    '*@*.com',
    `${'a'.repeat(65)}@c.com`,
    'a@[1.2.3.4]',
  ])('%s is no mailbox', (text) => {
    expect(parseName(text)).toBeUndefined();
  });
  test('tells hosts, wildcards and mailboxes apart', () => {
    expect(parseName('A.b')).toEqual({ name: 'a.b', kind: 'host', host: 'a.b' });
    expect(parseName('*.A.b')).toEqual({ name: '*.a.b', kind: 'wildcard', host: 'a.b' });
    expect(parseName(`${'A'.repeat(64)}@B.c`)).toEqual({ name: `${'A'.repeat(64)}@b.c`, kind: 'email', host: 'b.c' });
  });
});

describe('matchesGlob', () => {
  const pattern = fc.array(fc.constantFrom('a', 'b', '*', '.'), { maxLength: 8 }).map((parts) => parts.join(''));
  const text = fc.array(fc.constantFrom('a', 'b', '.'), { maxLength: 10 }).map((parts) => parts.join(''));
  test('is what a regular expression with .* says', () => {
    fc.assert(
      fc.property(pattern, text, (glob, value) => {
        const regex = new RegExp(`^${glob.replaceAll('.', '\\.').replaceAll('*', '.*')}$`);
        expect(matchesGlob(glob, value)).toBe(regex.test(value));
      }),
      { numRuns: 500 },
    );
  });
  test('many stars take no exponential time', () => {
    const start = performance.now();
    expect(matchesGlob(`${'a*'.repeat(100)}b`, 'a'.repeat(4000))).toBe(false);
    expect(performance.now() - start).toBeLessThan(1000);
  });
});
