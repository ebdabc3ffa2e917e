import { LockstepError } from '@lockstep/contract/errors';
import type { Json, JsonObject } from '@lockstep/contract/json';
import { secretBytesMax, secretDepthMax, secretKeyBytesMax, secretKeysMax } from './limits.ts';

/**
 * A secret as JSON in UTF-8, keys in order at every level, so that the same secret has the same bytes. Any key is stored as it came,
 * `__proto__` too: no object is built from it here. Refuses a secret past the limits.
 */
export function encodeSecret(data: JsonObject): Buffer {
  const json = Buffer.from(ordered(data, 1, { keys: 0 }));
  if (json.length > secretBytesMax)
    throw new LockstepError('too-large', `data must be at most ${secretBytesMax} bytes of JSON, not ${json.length}`);
  return json;
}

function ordered(value: Json | undefined, depth: number, count: { keys: number }): string {
  if (value === undefined) return 'null';
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (depth > secretDepthMax)
    throw new LockstepError('invalid-input', `data must be nested at most ${secretDepthMax} levels deep`);
  if (isList(value)) return `[${value.map((item) => ordered(item, depth + 1, count)).join(',')}]`;
  const keys = Object.keys(value).sort();
  count.keys += keys.length;
  if (count.keys > secretKeysMax)
    throw new LockstepError('invalid-input', `data must have at most ${secretKeysMax} keys`);
  const members = keys.map((key) => {
    if (Buffer.byteLength(key) > secretKeyBytesMax)
      throw new LockstepError('invalid-input', `data: each key must be at most ${secretKeyBytesMax} bytes long`);
    return `${JSON.stringify(key)}:${ordered(value[key], depth + 1, count)}`;
  });
  return `{${members.join(',')}}`;
}

function isList(value: object): value is readonly Json[] {
  return Array.isArray(value);
}

/** What was stored. */
export function decodeSecret(json: Uint8Array): JsonObject {
  return JSON.parse(Buffer.from(json.buffer, json.byteOffset, json.byteLength).toString('utf8'));
}

/** RFC 7396: members of the patch replace those of the target, null removes one, objects merge. */
export function mergePatch(target: JsonObject, patch: JsonObject): JsonObject {
  // Without a prototype, so that `__proto__` is a key like any other.
  const merged: { [key: string]: Json | undefined } = Object.assign(Object.create(null), target);
  for (const key of Object.keys(patch)) {
    const change = patch[key];
    if (change === null || change === undefined) delete merged[key];
    else if (isJsonObject(change)) {
      const before = merged[key];
      merged[key] = mergePatch(isJsonObject(before) ? before : {}, change);
    } else merged[key] = change;
  }
  return merged;
}

function isJsonObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The keys of the data with null in place of every value that isn't an object; objects below `depth` (0 is any) are null too. */
export function subkeysOf(data: JsonObject, depth: number): JsonObject {
  const subkeys: { [key: string]: Json } = Object.create(null);
  for (const key of Object.keys(data)) {
    const value = data[key];
    const isOpen = isJsonObject(value) && Object.keys(value).length > 0 && depth !== 1;
    subkeys[key] = isOpen ? subkeysOf(value, depth === 0 ? 0 : depth - 1) : null;
  }
  return subkeys;
}
