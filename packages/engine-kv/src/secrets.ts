import { type Call, type Decision, unchanged } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import type { JsonObject } from '@lockstep/contract/json';
import type { KvFact } from './facts.ts';
import { metadataKey, versionKey } from './keys.ts';
import { pathLengthMax, secretBytesMax } from './limits.ts';
import { readKvConfig, readMetadata, type SecretMetadata } from './records.ts';
import { versionReply } from './replies.ts';

/** Refuses what can't be a secret's path. */
export function requirePath(path: string): string {
  if (path === '') throw new LockstepError('invalid-input', 'path must name a secret');
  if (path.length > pathLengthMax)
    throw new LockstepError('invalid-input', `path must be at most ${pathLengthMax} characters long`);
  return path;
}

/** Reads a version, the current one unless given. Nothing there is 404; a deleted one is 404 with its metadata, as Vault's clients expect. */
export function readSecret(
  call: Call,
  path: string,
  asked: number,
): { readonly data: JsonObject; readonly metadata: JsonObject } {
  const metadata = readMetadata(call.state, requirePath(path));
  const version = metadata?.versions.find((one) => one.version === (asked || metadata.currentVersion));
  if (version === undefined) throw new LockstepError('not-found', '');
  const stored = call.state.get(versionKey(path, version.version));
  const reply = versionReply(version);
  if (version.isDestroyed || version.deletedMs > 0 || stored === undefined)
    throw new LockstepError('not-found', '', { replyBody: { data: null, metadata: reply } });
  return { data: JSON.parse(Buffer.from(stored).toString('utf8')), metadata: reply };
}

export interface WriteValues {
  readonly path: string;
  readonly data: JsonObject;
  readonly options: JsonObject;
}

/** Writes the next version. With check-and-set, only if the current version is the one given. */
export function writeSecret(call: Call, values: WriteValues): Decision<KvFact> {
  const path = requirePath(values.path);
  const data = Buffer.from(JSON.stringify(values.data));
  if (data.length > secretBytesMax)
    throw new LockstepError('too-large', `data must be at most ${secretBytesMax} bytes of JSON, not ${data.length}`);
  const metadata = readMetadata(call.state, path);
  const expects = checkAndSet(call, { path, metadata, options: values.options });
  return {
    facts: [{ type: 'secretWritten', path, data }],
    expects,
    reply: ([written]) => (written === undefined ? {} : { data: written }),
  };
}

function checkAndSet(
  call: Call,
  asked: { readonly path: string; readonly metadata: SecretMetadata | undefined; readonly options: JsonObject },
): Decision<KvFact>['expects'] & object {
  const { path, metadata, options } = asked;
  const unknown = Object.keys(options).filter((name) => name !== 'cas');
  if (unknown.length > 0) throw new LockstepError('invalid-input', `options has unknown keys: ${unknown.join(', ')}`);
  const { cas } = options;
  if (cas === undefined || cas === null) {
    if (metadata?.isCasRequired === true || readKvConfig(call.state).isCasRequired)
      throw new LockstepError('failed-precondition', 'check-and-set parameter required for this call');
    return [];
  }
  const wanted = Number(cas);
  if (!Number.isSafeInteger(wanted) || wanted < 0)
    throw new LockstepError('invalid-input', 'options.cas must be a whole number, not negative');
  if (wanted !== (metadata?.currentVersion ?? 0))
    throw new LockstepError('failed-precondition', 'check-and-set parameter did not match the current version');
  return [unchanged(call.state, metadataKey(path))];
}

/** Changes a secret's data as a JSON merge patch says (RFC 7396). */
export function patchSecret(call: Call, values: WriteValues): Decision<KvFact> {
  const { data } = readSecret(call, values.path, 0);
  const decision = writeSecret(call, { ...values, data: mergePatch(data, values.data) });
  return { ...decision, expects: [unchanged(call.state, metadataKey(values.path))] };
}

function mergePatch(target: JsonObject, patch: JsonObject): JsonObject {
  const merged: { [name: string]: JsonObject[string] } = { ...target };
  for (const [name, value] of Object.entries(patch)) {
    const before = merged[name];
    if (value === null) delete merged[name];
    else merged[name] = isPlain(value) ? mergePatch(isPlain(before) ? before : {}, value) : value;
  }
  return merged;
}

function isPlain(value: JsonObject[string]): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Which versions a request names; refuses none, and what is no number. */
export function requireVersions(given: readonly string[]): readonly number[] {
  const versions = given.map(Number);
  if (versions.length === 0) throw new LockstepError('invalid-input', 'No version number provided');
  if (!versions.every((version) => Number.isSafeInteger(version) && version > 0))
    throw new LockstepError('invalid-input', 'versions must be whole numbers from 1 up');
  return versions;
}
