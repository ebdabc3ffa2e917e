// DER (X.690) values as a tree that knows its length, so that a whole certificate is written into one buffer in one pass.

/** An encoded value, or one that is encoded with its parts. */
export type Der = Uint8Array | Wrapped;

interface Wrapped {
  readonly tag: number;
  readonly contentLength: number;
  /** Tag, length and content: what a parent adds up. */
  readonly length: number;
  readonly parts: readonly Der[];
}

export function encode(der: Der): Buffer {
  const out = Buffer.allocUnsafe(der.length);
  write(out, 0, der);
  return out;
}

function write(out: Buffer, start: number, der: Der): number {
  if (der instanceof Uint8Array) {
    out.set(der, start);
    return start + der.length;
  }
  let at = start;
  out[at++] = der.tag;
  at = writeLength(out, at, der.contentLength);
  for (const part of der.parts) at = write(out, at, part);
  return at;
}

function writeLength(out: Buffer, at: number, length: number): number {
  if (length < 0x80) {
    out[at] = length;
    return at + 1;
  }
  const bytes = lengthBytes(length);
  out[at] = 0x80 | bytes;
  out.writeUIntBE(length, at + 1, bytes);
  return at + 1 + bytes;
}

function lengthBytes(length: number): number {
  return length < 0x100 ? 1 : length < 0x1_0000 ? 2 : length < 0x100_0000 ? 3 : 4;
}

/** One value under a tag of one byte. */
export function wrap(tag: number, parts: readonly Der[]): Wrapped {
  let contentLength = 0;
  for (const part of parts) contentLength += part.length;
  const header = contentLength < 0x80 ? 2 : 2 + lengthBytes(contentLength);
  return { tag, contentLength, length: header + contentLength, parts };
}

export const sequence = (...parts: readonly Der[]): Wrapped => wrap(0x30, parts);
/** A SET OF with one element, for which DER asks for no order. */
export const setOfOne = (part: Der): Wrapped => wrap(0x31, [part]);
export const octetString = (content: Der): Wrapped => wrap(0x04, [content]);
/** `[n] EXPLICIT`. */
export const explicit = (n: number, ...parts: readonly Der[]): Wrapped => wrap(0xa0 | n, parts);
/** `[n] IMPLICIT` of a value whose content is plain bytes. */
export const implicit = (n: number, content: Uint8Array): Wrapped => wrap(0x80 | n, [content]);

const zero = Buffer.from([0]);
/** A BIT STRING of whole bytes. */
export const bitString = (content: Uint8Array): Wrapped => wrap(0x03, [zero, content]);

/** A BIT STRING of named flags (X.680 §22.7): bit 0 is the first; trailing zero bits are left out. */
export function namedBits(bits: readonly number[]): Wrapped {
  const last = Math.max(...bits);
  const content = Buffer.alloc(2 + (last >> 3));
  content[0] = 7 - (last & 7);
  for (const bit of bits) {
    const at = 1 + (bit >> 3);
    content[at] = (content[at] ?? 0) | (0x80 >> (bit & 7));
  }
  return wrap(0x03, [content]);
}

/** A positive INTEGER from its big-endian bytes: leading zeros go, a sign byte comes where the top bit is set. */
export function integerOfBytes(bytes: Uint8Array): Wrapped {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const minimal = bytes.subarray(start);
  return wrap(0x02, (minimal[0] ?? 0) >= 0x80 ? [zero, minimal] : minimal.length === 0 ? [zero] : [minimal]);
}

export function integer(n: number): Wrapped {
  return integerOfBytes(Buffer.from(n.toString(16).padStart(16, '0'), 'hex'));
}

export const derTrue: Buffer = Buffer.from([0x01, 0x01, 0xff]);
export const derNull: Buffer = Buffer.from([0x05, 0x00]);

export const utf8String = (text: string): Wrapped => wrap(0x0c, [Buffer.from(text, 'utf8')]);
export const printableString = (text: string): Wrapped => wrap(0x13, [Buffer.from(text, 'latin1')]);

/** Is it made of PrintableString's characters only (X.680 §41.4)? */
export function isPrintable(text: string): boolean {
  return /^[A-Za-z0-9 '()+,\-./:=?]*$/.test(text);
}

/** A time in whole seconds: UTCTime to the end of 2049, GeneralizedTime after (RFC 5280 §4.1.2.5). */
export function time(ms: number): Wrapped {
  const iso = new Date(ms).toISOString();
  const digits = iso.slice(5, 7) + iso.slice(8, 10) + iso.slice(11, 13) + iso.slice(14, 16) + iso.slice(17, 19);
  return ms < utcTimeEndMs && ms >= utcTimeStartMs
    ? wrap(0x17, [Buffer.from(`${iso.slice(2, 4)}${digits}Z`, 'latin1')])
    : wrap(0x18, [Buffer.from(`${iso.slice(0, 4)}${digits}Z`, 'latin1')]);
}
const utcTimeStartMs = Date.UTC(1950, 0, 1);
const utcTimeEndMs = Date.UTC(2050, 0, 1);

/** An OBJECT IDENTIFIER from its dotted form, or undefined when it is not one. */
export function oidOf(dotted: string): Buffer | undefined {
  if (dotted.length > 128 || !/^[0-2](\.(0|[1-9]\d{0,14})){1,30}$/.test(dotted)) return undefined;
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  if (first < 2 && second > 39) return undefined;
  const content = [first * 40 + second, ...rest].flatMap(base128);
  return encode(wrap(0x06, [Buffer.from(content)]));
}

function base128(arc: number): readonly number[] {
  const digits = [arc % 0x80];
  for (let rest = Math.floor(arc / 0x80); rest > 0; rest = Math.floor(rest / 0x80))
    digits.unshift((rest % 0x80) | 0x80);
  return digits;
}

/** The dotted form of an encoded OBJECT IDENTIFIER, or undefined where it is not one that `oidOf` would write. */
export function oidTextOf(der: Uint8Array): string | undefined {
  const arcs: number[] = [];
  let arc = 0;
  for (const byte of der.subarray(2)) {
    arc = arc * 0x80 + (byte & 0x7f);
    if (byte >= 0x80) continue;
    arcs.push(arc);
    arc = 0;
  }
  const [first = 0, ...rest] = arcs;
  const top = Math.min(2, Math.floor(first / 40));
  const text = [top, first - top * 40, ...rest].join('.');
  return oidOf(text)?.equals(der) === true ? text : undefined;
}

/** An OBJECT IDENTIFIER that the code itself names. */
export function oid(dotted: string): Buffer {
  const encoded = oidOf(dotted);
  if (encoded === undefined) throw new Error(`invariant broken: ${dotted} is no object identifier`);
  return encoded;
}
