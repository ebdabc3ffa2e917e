import { isUtf8 } from 'node:buffer';
import { LockstepError } from '@lockstep/contract/errors';
import { isObject } from '@lockstep/contract/fields';
import { jsonDepthMax, jsonTokensMax } from './limits.ts';

/**
 * A JSON object from a caller's bytes. Looks at the bytes before it parses them, since `JSON.parse` blocks for hundreds of
 * milliseconds on a megabyte made for that. Refuses what would change on the way: numbers that a double cannot hold. Repeated
 * keys are as `JSON.parse` has them: the last one counts. `null` is an empty object.
 */
export function parseJsonObject(bytes: Buffer): { readonly [name: string]: unknown } {
  if (!isUtf8(bytes)) refuse('is not UTF-8');
  const found = scanJson(bytes, { looks: 0 });
  const value = parse(bytes);
  if (value === null) return {};
  if (!isObject(value)) return refuse('must be a JSON object');
  if (found.isSuspicious) refuseForbiddenKeys(value);
  return value;
}

function refuse(rule: string): never {
  throw new LockstepError('invalid-input', `request body ${rule}`);
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (fault) {
    // The parser's message quotes the body, which may hold a secret: only its position may be told, and no cause kept.
    const position = fault instanceof Error ? / at position (\d+)/.exec(fault.message)?.[1] : undefined;
    return refuse(position === undefined ? 'is not valid JSON' : `is not valid JSON (at character ${position})`);
  }
}

const quote = 0x22;
const backslash = 0x5c;

/** How often a byte was looked at: what a scan costs, on any machine. */
export interface ScanCost {
  looks: number;
}

/**
 * Bounds depth and tokens, checks numbers, and tells whether any string could be a key that pollutes prototypes. Looks at each byte
 * `jsonLooksPerByteMax` times at most, whatever the bytes are.
 */
export function scanJson(bytes: Buffer, cost: ScanCost): { readonly isSuspicious: boolean } {
  let depth = 0;
  let tokens = 0;
  let isSuspicious = false;
  const hasEscapes = bytes.includes(backslash);
  let at = 0;
  while (at < bytes.length) {
    const byte = bytes[at] ?? 0;
    cost.looks += 1;
    if (byte === quote) {
      const end = endOfString(bytes, at + 1, cost);
      isSuspicious ||= mayBeForbiddenKey(bytes, { start: at + 1, end, hasEscapes });
      at = end + 1;
      tokens += 1;
    } else if (byte === 0x7b || byte === 0x5b) {
      depth += 1;
      tokens += 1;
      if (depth > jsonDepthMax) refuse(`nests deeper than ${jsonDepthMax} levels`);
      at += 1;
    } else if (byte === 0x7d || byte === 0x5d) {
      depth -= 1;
      at += 1;
    } else if (byte <= 0x20 || byte === 0x2c || byte === 0x3a) at += 1;
    else {
      const end = endOfWord(bytes, at);
      cost.looks += end - at;
      if (byte === 0x2d || (byte >= 0x30 && byte <= 0x39)) checkNumber(bytes, at, end);
      at = end;
      tokens += 1;
    }
    if (tokens > jsonTokensMax) refuse(`holds more than ${jsonTokensMax} values`);
  }
  return { isSuspicious };
}

function endOfString(bytes: Buffer, start: number, cost: ScanCost): number {
  for (let at = start; ; at++) {
    const found = bytes.indexOf(quote, at);
    const end = found < 0 ? bytes.length : found;
    cost.looks += end - at;
    if (found < 0) return end;
    let escapes = 0;
    while (bytes[end - 1 - escapes] === backslash && end - 1 - escapes >= start) escapes += 1;
    cost.looks += escapes + 1;
    if (escapes % 2 === 0) return end;
    at = end;
  }
}

function endOfWord(bytes: Buffer, start: number): number {
  let at = start + 1;
  while (at < bytes.length) {
    const byte = bytes[at] ?? 0;
    if (byte <= 0x20 || byte === 0x2c || byte === 0x3a || byte === quote) break;
    if (byte === 0x7b || byte === 0x7d || byte === 0x5b || byte === 0x5d) break;
    at += 1;
  }
  return at;
}

/** Integers of up to 15 digits are always exact; most numbers are, and pass without being looked at. */
const digitsAlwaysExact = 15;
/** No number that a double holds needs more digits than this. */
const digitsMax = 400;

function checkNumber(bytes: Buffer, start: number, end: number): void {
  const digits = bytes.subarray(start, end);
  if (digits.length <= digitsAlwaysExact && !digits.includes(0x65) && !digits.includes(0x45)) return;
  if (digits.length > digitsMax) refuse('has a number with too many digits');
  const text = digits.toString('latin1');
  const value = Number(text);
  const isExact = /^-?\d+$/.test(text) ? Number.isSafeInteger(value) : Number.isFinite(value);
  // What is no number at all is left to the parser.
  if (!isExact && !Number.isNaN(value)) refuse('has a number that a double cannot hold; send it as a string');
}

const forbidden = '__proto__';
const suspicious = 'constructor';

function mayBeForbiddenKey(
  bytes: Buffer,
  { start, end, hasEscapes }: { readonly start: number; readonly end: number; readonly hasEscapes: boolean },
): boolean {
  const length = end - start;
  if (length < forbidden.length) return false;
  if (length === forbidden.length && bytes[start] === 0x5f) return bytes.toString('latin1', start, end) === forbidden;
  if (length === suspicious.length && bytes[start] === 0x63) return bytes.toString('latin1', start, end) === suspicious;
  // Every character could be written as \u00XX: six bytes.
  return hasEscapes && length <= suspicious.length * 6 && bytes.subarray(start, end).includes(backslash);
}

/** `__proto__` anywhere, and `constructor` with a `prototype` below it: the two ways to change every object of a careless program. */
function refuseForbiddenKeys(value: unknown): void {
  if (Array.isArray(value)) for (const element of value) refuseForbiddenKeys(element);
  if (!isObject(value)) return;
  for (const [key, member] of Object.entries(value)) {
    if (key === forbidden) refuse('has the forbidden key "__proto__"');
    if (key === suspicious && isObject(member) && Object.hasOwn(member, 'prototype'))
      refuse('has the forbidden key "constructor.prototype"');
    refuseForbiddenKeys(member);
  }
}
