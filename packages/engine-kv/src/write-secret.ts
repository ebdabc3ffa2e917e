import { type Call, type Decision, type Expect, unchanged } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import { integerField } from '@lockstep/contract/fields';
import type { JsonObject } from '@lockstep/contract/json';
import type { KvFact } from './facts.ts';
import { configKey, metadataKey, settingsKey } from './keys.ts';
import { findVersion } from './read-secret.ts';
import { expectsNew, readKvConfig, readMetadata, readSettings } from './records.ts';
import { encodeSecret, mergePatch } from './secret-json.ts';
import { requireSecretPath } from './secret-path.ts';

export interface WriteRequest {
  readonly path: string;
  readonly data: JsonObject | undefined;
  readonly options: JsonObject;
}

/**
 * Writes a new version. Without `options.cas` it takes its number when it is ordered, so that writers of the same secret don't wait for each
 * other; with it, only if that is the newest version then (0: if there is none).
 */
export function writeSecret(call: Call, request: WriteRequest): Decision<KvFact> {
  const path = requireSecretPath(request.path);
  const data = encodeSecret(requireData(request));
  return { ...written(path, data), expects: requireCas(call, path, casOf(request.options)) };
}

/** Merges into the newest version (RFC 7396), as a new one. Throws `not-found` where there is none, or it was deleted. */
export function patchSecret(call: Call, request: WriteRequest): Decision<KvFact> {
  const path = requireSecretPath(request.path);
  const patch = requireData(request);
  // A patch has the limits of a secret itself, before anything walks through it.
  encodeSecret(patch);
  const before = findVersion(call, { path, version: 0, replyName: 'data' });
  const data = encodeSecret(mergePatch(before.data, patch));
  // It is a check-and-set of the version that it was merged into.
  return { ...written(path, data), expects: requireCas(call, path, casOf(request.options) ?? before.version) };
}

function written(path: string, data: Uint8Array): Decision<KvFact> {
  return {
    facts: [{ type: 'secretWritten', path, data }],
    reply: ([version]) => (version === undefined ? {} : { data: version }),
  };
}

function requireData(request: WriteRequest): JsonObject {
  if (request.data === undefined) throw new LockstepError('invalid-input', 'no data provided');
  return request.data;
}

const casField = integerField({ description: 'The version that must be the newest', required: true });

function casOf(options: JsonObject): number | undefined {
  if (Object.keys(options).some((name) => name !== 'cas'))
    throw new LockstepError('invalid-input', 'options may hold cas only');
  const given = options['cas'];
  return given === undefined || given === null ? undefined : casField.parse('options.cas', given);
}

/** Refuses a write that the settings or the newest version don't allow; what that relied on must still hold when it is ordered. */
function requireCas(call: Call, path: string, cas: number | undefined): readonly Expect[] {
  const { state } = call;
  const isRequired = readKvConfig(state).isCasRequired || readSettings(state, path).isCasRequired;
  if (isRequired && cas === undefined)
    throw new LockstepError('failed-precondition', 'check-and-set parameter required for this call');
  if (cas !== undefined && cas !== (readMetadata(state, path)?.currentVersion ?? 0))
    throw new LockstepError('failed-precondition', 'check-and-set parameter did not match the current version');
  return [
    unchanged(state, configKey),
    unchanged(state, settingsKey(path)),
    ...(cas === undefined ? expectsNew(state, path) : [unchanged(state, metadataKey(path))]),
  ];
}
