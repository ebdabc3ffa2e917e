import type { JsonObject } from '@lockstep/contract/json';
import type { SecretMetadata, SecretVersion } from './records.ts';

const time = (ms: number): string => (ms === 0 ? '' : new Date(ms).toISOString());

/** What clients read as `data.metadata`, and as the reply to a write. */
export function versionReply(version: SecretVersion): JsonObject {
  return {
    created_time: time(version.createdMs),
    custom_metadata: null,
    deletion_time: time(version.deletedMs),
    destroyed: version.isDestroyed,
    version: version.version,
  };
}

export function metadataReply(metadata: SecretMetadata): JsonObject {
  return {
    cas_required: metadata.isCasRequired,
    created_time: time(metadata.createdMs),
    current_version: metadata.currentVersion,
    custom_metadata: null,
    delete_version_after: '0s',
    max_versions: metadata.maxVersions,
    oldest_version: metadata.versions[0]?.version ?? 0,
    updated_time: time(metadata.updatedMs),
    versions: Object.fromEntries(
      metadata.versions.map((one) => [
        String(one.version),
        { created_time: time(one.createdMs), deletion_time: time(one.deletedMs), destroyed: one.isDestroyed },
      ]),
    ),
  };
}
