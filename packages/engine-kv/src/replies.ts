import { goDuration } from '@lockstep/contract/duration';
import { LockstepError } from '@lockstep/contract/errors';
import type { JsonObject } from '@lockstep/contract/json';
import type { SecretMetadata, SecretSettings, SecretVersion } from './records.ts';

/** What a write answers, and what stands beside what a version holds, in Vault's shape. */
export function versionReply(version: SecretVersion, settings: SecretSettings): JsonObject {
  return { ...versionTimes(version), custom_metadata: customMetadataReply(settings), version: version.version };
}

export function metadataReply(metadata: SecretMetadata, settings: SecretSettings): JsonObject {
  return {
    cas_required: settings.isCasRequired,
    created_time: rfc3339(metadata.createdMs),
    current_version: metadata.currentVersion,
    custom_metadata: customMetadataReply(settings),
    delete_version_after: goDuration(settings.deleteVersionAfterSeconds),
    max_versions: settings.maxVersions,
    oldest_version: metadata.oldestVersion,
    updated_time: rfc3339(metadata.updatedMs),
    versions: Object.fromEntries(metadata.versions.map((one) => [String(one.version), versionTimes(one)])),
  };
}

/** There is no such secret or version: Vault's plain 404. */
export function nothingThere(): LockstepError {
  return new LockstepError('not-found', '');
}

/** The version was deleted or destroyed: a 404 that still tells its metadata, as Vault's clients expect. */
export function versionGone(reply: JsonObject): LockstepError {
  return new LockstepError('not-found', '', { replyBody: reply });
}

function versionTimes(version: SecretVersion): JsonObject {
  return {
    created_time: rfc3339(version.createdMs),
    deletion_time: version.deletionMs === 0 ? '' : rfc3339(version.deletionMs),
    destroyed: version.isDestroyed,
  };
}

function customMetadataReply(settings: SecretSettings): JsonObject | null {
  if (settings.customMetadata.length === 0) return null;
  return Object.fromEntries(settings.customMetadata.map(({ key, value }) => [key, value]));
}

/** Of a time that was given, so it is the same on every node. */
function rfc3339(ms: number): string {
  return new Date(ms).toISOString();
}
