import { type Call, type Decision, unchanged } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import type { JsonObject } from '@lockstep/contract/json';
import type { KvFact, MetadataPair } from './facts.ts';
import { metadataKey, settingsKey } from './keys.ts';
import { customMetadataKeyBytesMax, customMetadataKeysMax, customMetadataValueBytesMax } from './limits.ts';
import { expectsNew, readMetadata, readSettings } from './records.ts';
import { metadataReply, nothingThere } from './replies.ts';
import { requireSecretPath } from './secret-path.ts';
import type { GivenSettings } from './settings.ts';

export function readSecretMetadata(call: Call, request: { readonly path: string }): Decision<KvFact> {
  const path = requireSecretPath(request.path);
  const metadata = readMetadata(call.state, path);
  if (metadata === undefined) throw nothingThere();
  return { reply: { data: metadataReply(metadata, readSettings(call.state, path)) } };
}

export interface MetadataRequest extends GivenSettings {
  readonly path: string;
  readonly custom_metadata: JsonObject | undefined;
  readonly metadata_cas: number | undefined;
  readonly metadata_cas_required: boolean | undefined;
}

/** Changes a secret's settings; what isn't given stays, custom metadata is replaced as a whole. The secret need not exist. */
export function writeSecretMetadata(call: Call, request: MetadataRequest): Decision<KvFact> {
  const path = requireSecretPath(request.path);
  const given = request.custom_metadata;
  const customMetadata = given === undefined ? undefined : requireFew(pairsOf(given));
  return { facts: [changed(path, request, customMetadata)], expects: expectsNew(call.state, path), reply: {} };
}

/** As `writeSecretMetadata`, but merges custom metadata (null removes a key), and only where the secret exists. */
export function patchSecretMetadata(call: Call, request: MetadataRequest): Decision<KvFact> {
  const path = requireSecretPath(request.path);
  if (readMetadata(call.state, path) === undefined) throw nothingThere();
  const given = request.custom_metadata;
  return {
    facts: [changed(path, request, given === undefined ? undefined : requireFew(merged(call, path, given)))],
    expects: [unchanged(call.state, metadataKey(path)), unchanged(call.state, settingsKey(path))],
    reply: {},
  };
}

/** Removes a secret for good, with all versions and settings. */
export function removeSecret(call: Call, request: { readonly path: string }): Decision<KvFact> {
  const path = requireSecretPath(request.path);
  if (readMetadata(call.state, path) === undefined) return { reply: {} };
  return { facts: [{ type: 'secretRemoved', path }], reply: {} };
}

function changed(path: string, request: MetadataRequest, customMetadata: readonly MetadataPair[] | undefined): KvFact {
  // They are a condition, which must not be passed over.
  if (request.metadata_cas !== undefined || request.metadata_cas_required !== undefined)
    throw new LockstepError('invalid-input', 'metadata_cas and metadata_cas_required are not supported yet');
  return {
    type: 'metadataWritten',
    path,
    maxVersions: request.max_versions,
    isCasRequired: request.cas_required,
    deleteVersionAfterSeconds: request.delete_version_after,
    hasCustomMetadata: customMetadata !== undefined,
    customMetadata: customMetadata ?? [],
  };
}

function merged(call: Call, path: string, given: JsonObject): readonly MetadataPair[] {
  const kept = readSettings(call.state, path).customMetadata.filter(({ key }) => !Object.hasOwn(given, key));
  return [...kept, ...pairsOf(Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null)))];
}

function pairsOf(given: JsonObject): readonly MetadataPair[] {
  const refuse = (rule: string): never => {
    throw new LockstepError('invalid-input', `custom_metadata ${rule}`);
  };
  return Object.entries(given).map(([key, value]): MetadataPair => {
    if (key === '' || Buffer.byteLength(key) > customMetadataKeyBytesMax)
      refuse(`must have keys of 1 to ${customMetadataKeyBytesMax} bytes`);
    if (typeof value !== 'string') return refuse('must hold strings only');
    if (Buffer.byteLength(value) > customMetadataValueBytesMax)
      refuse(`must have values of at most ${customMetadataValueBytesMax} bytes`);
    return { key, value };
  });
}

function requireFew(pairs: readonly MetadataPair[]): readonly MetadataPair[] {
  if (pairs.length > customMetadataKeysMax)
    throw new LockstepError('invalid-input', `custom_metadata must have at most ${customMetadataKeysMax} keys`);
  return pairs.toSorted((a, b) => (a.key < b.key ? -1 : 1));
}
