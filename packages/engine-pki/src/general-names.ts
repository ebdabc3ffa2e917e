// Subject alternative names (RFC 5280 §4.2.1.6).
import { isIPv4, isIPv6 } from 'node:net';
import { type Der, explicit, implicit, sequence, utf8String, wrap } from './der.ts';

export interface OtherName {
  readonly oid: string;
  readonly oidDer: Uint8Array;
  readonly value: string;
}

/** Names that a certificate holds, each in the form in which it is written. */
export interface AlternativeNames {
  readonly dns: readonly string[];
  readonly emails: readonly string[];
  /** Four or sixteen bytes each. */
  readonly ips: readonly Uint8Array[];
  readonly uris: readonly string[];
  readonly others: readonly OtherName[];
}

export const noNames: AlternativeNames = { dns: [], emails: [], ips: [], uris: [], others: [] };

export function nameCount(names: AlternativeNames): number {
  return names.dns.length + names.emails.length + names.ips.length + names.uris.length + names.others.length;
}

const ascii = (text: string): Buffer => Buffer.from(text, 'latin1');

export function generalNames(names: AlternativeNames): Der {
  const parts: Der[] = [];
  for (const { oidDer, value } of names.others) parts.push(explicit(0, oidDer, explicit(0, utf8String(value))));
  for (const email of names.emails) parts.push(implicit(1, ascii(email)));
  for (const name of names.dns) parts.push(implicit(2, ascii(name)));
  for (const uri of names.uris) parts.push(implicit(6, ascii(uri)));
  for (const ip of names.ips) parts.push(implicit(7, ip));
  return sequence(...parts);
}

/** `[0]` with one URI, as distribution points and access descriptions hold it. */
export const uriName = (uri: string): Der => wrap(0x86, [ascii(uri)]);

/** The bytes of an address, four where it is IPv4 or maps one; undefined where it is none, or has a zone. */
export function ipBytes(text: string): Uint8Array | undefined {
  if (isIPv4(text)) return Uint8Array.from(text.split('.').map(Number));
  if (!isIPv6(text) || text.includes('%')) return undefined;
  return shortestIp(ipv6Bytes(text));
}

/** An IPv4 address that came mapped into IPv6 (RFC 4291 §2.5.5.2) as its four bytes, so that rules for IPv4 hold for it. */
export function shortestIp(bytes: Uint8Array): Uint8Array {
  const mapsIpv4 =
    bytes.length === 16 &&
    bytes.subarray(0, 10).every((byte) => byte === 0) &&
    bytes[10] === 0xff &&
    bytes[11] === 0xff;
  return mapsIpv4 ? bytes.subarray(12) : bytes;
}

/** `text` is an IPv6 address by node:net's judgement; the URL parser writes it without a dotted part. */
function ipv6Bytes(text: string): Uint8Array {
  const [head = '', tail] = new URL(`http://[${text}]/`).hostname.slice(1, -1).split('::');
  const groups = (part: string): number[] => (part === '' ? [] : part.split(':').flatMap(groupBytes));
  const front = groups(head);
  const back = groups(tail ?? '');
  const bytes = new Uint8Array(16);
  bytes.set(front, 0);
  bytes.set(back, 16 - back.length);
  return bytes;
}

function groupBytes(group: string): readonly number[] {
  const value = Number.parseInt(group, 16);
  return [value >> 8, value & 0xff];
}

/** Addresses with one prefix. */
export interface Network {
  readonly bytes: Uint8Array;
  readonly prefixBits: number;
}

/** `10.0.0.0/8`, `fd00::/8`. Undefined where it is not one, or has bits set past its prefix. */
export function networkOf(text: string): Network | undefined {
  const [address = '', prefix = '', more] = text.split('/');
  const bytes = ipBytes(address);
  if (bytes === undefined || more !== undefined || !/^(0|[1-9]\d{0,2})$/.test(prefix)) return undefined;
  const prefixBits = Number(prefix);
  if (prefixBits > bytes.length * 8 || (bytes.length === 4 && address.includes(':'))) return undefined;
  const masked = bytes.every((byte, at) => (byte & ~maskByte(prefixBits, at) & 0xff) === 0);
  return masked ? { bytes, prefixBits } : undefined;
}

export function isWithin(ip: Uint8Array, { bytes, prefixBits }: Network): boolean {
  if (ip.length !== bytes.length) return false;
  return bytes.every((byte, at) => ((byte ^ (ip[at] ?? 0)) & maskByte(prefixBits, at)) === 0);
}

function maskByte(prefixBits: number, at: number): number {
  const bits = Math.min(8, Math.max(0, prefixBits - at * 8));
  return (0xff << (8 - bits)) & 0xff;
}

export function ipText(ip: Uint8Array): string {
  if (ip.length === 4) return ip.join('.');
  const groups = Array.from({ length: 8 }, (_, i) => (((ip[2 * i] ?? 0) << 8) | (ip[2 * i + 1] ?? 0)).toString(16));
  return groups.join(':');
}
