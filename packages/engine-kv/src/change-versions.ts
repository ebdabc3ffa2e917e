import { type Call, type Decision, unchanged } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import { type FieldSpec, integerField, listField } from '@lockstep/contract/fields';
import type { KvFact } from './facts.ts';
import { metadataKey } from './keys.ts';
import { versionsPerRequestMax } from './limits.ts';
import { isGone, readMetadata } from './records.ts';
import { requireSecretPath } from './secret-path.ts';

export const versionsField: FieldSpec<readonly string[]> = listField({
  description: 'Numbers of versions',
  default: [],
  max: versionsPerRequestMax,
});

/** Deletes the newest version; it can be brought back. Nothing to delete is no error, as in Vault. */
export function deleteNewest(call: Call, request: { readonly path: string }): Decision<KvFact> {
  const path = requireSecretPath(request.path);
  const metadata = readMetadata(call.state, path);
  const newest = metadata?.versions.find((one) => one.version === metadata.currentVersion);
  if (newest === undefined || isGone(newest, call.now)) return { reply: {} };
  return {
    facts: [{ type: 'versionsDeleted', path, versions: [newest.version] }],
    expects: [unchanged(call.state, metadataKey(path))],
    reply: {},
  };
}

/** Deletes, brings back or destroys versions. Those that aren't there are passed over, as in Vault. */
export function changeVersions(
  call: Call,
  request: { readonly path: string; readonly versions: readonly string[] },
  type: 'versionsDeleted' | 'versionsUndeleted' | 'versionsDestroyed',
): Decision<KvFact> {
  const path = requireSecretPath(request.path);
  const versions = requireVersions(request.versions);
  if (readMetadata(call.state, path) === undefined) return { reply: {} };
  return { facts: [{ type, path, versions }], reply: {} };
}

const versionNumber = integerField({ description: 'Number of a version', required: true, min: 1 });

function requireVersions(given: readonly string[]): readonly number[] {
  if (given.length === 0) throw new LockstepError('invalid-input', 'No version number provided');
  return [...new Set(given.map((number) => versionNumber.parse('versions', number)))].sort((a, b) => a - b);
}
