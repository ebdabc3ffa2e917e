// Names in their final form: what a certificate holds and what roles are matched against.
import { domainToASCII, domainToUnicode } from 'node:url';
import { hostnameLengthMax, mailboxLengthMax } from './limits.ts';

const label = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
const hostname = new RegExp(`^${label}(?:\\.${label})*$`);

/**
 * A host's name in lower-case ASCII (RFC 1123 §2.1), or undefined. Unicode becomes punycode where that is reversible to the very
 * same text; look-alikes that IDNA would map away (full-width letters, the Kelvin sign) are no hostnames, nor are addresses.
 */
export function hostnameOf(text: string): string | undefined {
  const ascii = isAscii(text) ? text.toLowerCase() : punycodeOf(text);
  if (ascii === undefined || ascii.length > hostnameLengthMax || !hostname.test(ascii)) return undefined;
  if (ascii.includes('xn--') && !isPunycode(ascii)) return undefined;
  // A last label of digits alone would be read as an address (URL standard, IPv4 parser).
  return /(?:^|\.)\d+$/.test(ascii) ? undefined : ascii;
}

/** Does every label that says it is punycode decode, and encode to itself again? */
function isPunycode(ascii: string): boolean {
  const unicode = domainToUnicode(ascii);
  return !/(?:^|\.)xn--/.test(unicode) && domainToASCII(unicode) === ascii;
}

function isAscii(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text);
}

function punycodeOf(text: string): string | undefined {
  if (text.length > hostnameLengthMax) return undefined;
  const ascii = domainToASCII(text);
  return ascii !== '' && domainToUnicode(ascii) === text ? ascii : undefined;
}

/** A name with its parts apart, every one in its final form. */
export interface ParsedName {
  /** What the certificate gets. */
  readonly name: string;
  readonly kind: 'host' | 'wildcard' | 'email';
  /** The host, what follows `*.`, or what follows the `@`. */
  readonly host: string;
}

/** `host`, `*.host` or `mailbox@host`. Undefined where it is none of them. A `*` must be the whole leftmost label (RFC 9525 §6.3). */
export function parseName(text: string): ParsedName | undefined {
  if (text.includes('@')) return parseEmail(text);
  if (!text.includes('*')) {
    const host = hostnameOf(text);
    return host === undefined ? undefined : { name: host, kind: 'host', host };
  }
  const host = text.startsWith('*.') ? hostnameOf(text.slice(2)) : undefined;
  return host === undefined ? undefined : { name: `*.${host}`, kind: 'wildcard', host };
}

/** The mailbox is a dot-atom (RFC 5322 §3.2.3) in ASCII. */
function parseEmail(text: string): ParsedName | undefined {
  const [mailbox = '', domain = '', more] = text.split('@');
  const host = hostnameOf(domain);
  const isAtom = /^[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*$/.test(mailbox);
  if (more !== undefined || host === undefined || !isAtom || mailbox.length > mailboxLengthMax) return undefined;
  return { name: `${mailbox}@${host}`, kind: 'email', host };
}

/** Where `*` in the pattern stands for any text, empty too. Takes time in proportion to the product of the lengths, never more. */
export function matchesGlob(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let starAt = -1;
  let retryAt = 0;
  while (t < text.length) {
    if (pattern[p] === '*') {
      starAt = p++;
      retryAt = t;
    } else if (p < pattern.length && pattern[p] === text[t]) {
      p++;
      t++;
    } else if (starAt >= 0) {
      p = starAt + 1;
      t = ++retryAt;
    } else return false;
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}
