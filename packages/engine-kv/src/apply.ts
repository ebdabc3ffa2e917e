import type { AppliedAt } from '@lockstep/contract/engine';
import type { JsonObject } from '@lockstep/contract/json';
import type { WritableState } from '@lockstep/contract/state';
import { type ChangedMetadata, type ChangedVersions, configWritten, type KvFact } from './facts.ts';
import { configKey, metadataKey, settingsKey, versionKey } from './keys.ts';
import { versionsKeptDefault } from './limits.ts';
import {
  isGone,
  readKvConfig,
  readMetadata,
  readSettings,
  type SecretMetadata,
  type SecretVersion,
  secretMetadata,
  secretSettings,
} from './records.ts';
import { versionReply } from './replies.ts';

/** Returns, for a written secret, what the caller is told about the new version. */
export function apply(state: WritableState, fact: KvFact, at: AppliedAt): JsonObject | undefined {
  switch (fact.type) {
    case 'secretWritten':
      return writeSecret(state, fact, at.timeMs);
    case 'versionsDeleted':
      return change(state, fact, (version) =>
        isGone(version, at.timeMs) ? version : { ...version, deletionMs: at.timeMs },
      );
    case 'versionsUndeleted':
      return change(state, fact, (version) => (version.isDestroyed ? version : { ...version, deletionMs: 0 }));
    case 'versionsDestroyed':
      return change(state, fact, (version) => {
        state.delete(versionKey(fact.path, version.version));
        return { ...version, isDestroyed: true };
      });
    case 'metadataWritten':
      return writeSettings(state, fact, at.timeMs);
    case 'secretRemoved':
      return remove(state, fact.path);
    case 'configWritten':
      state.put(configKey, configWritten.encode(fact));
      return undefined;
    default:
      return fact satisfies never;
  }
}

function writeSecret(
  state: WritableState,
  written: { readonly path: string; readonly data: Uint8Array },
  timeMs: number,
): JsonObject {
  const { path, data } = written;
  const config = readKvConfig(state);
  const settings = readSettings(state, path);
  const before = metadataOf(state, path, timeMs);
  const lives = [config.deleteVersionAfterSeconds, settings.deleteVersionAfterSeconds].filter((seconds) => seconds > 0);
  const version: SecretVersion = {
    version: before.currentVersion + 1,
    createdMs: timeMs,
    deletionMs: lives.length === 0 ? 0 : timeMs + Math.min(...lives) * 1000,
    isDestroyed: false,
  };
  // As in Vault, the larger of both: a secret can't keep fewer than its mount says.
  const kept = Math.max(config.maxVersions, settings.maxVersions) || versionsKeptDefault;
  const versions = [...before.versions, version];
  const pruned = versions.splice(0, Math.max(0, versions.length - kept));
  for (const old of pruned) state.delete(versionKey(path, old.version));
  state.put(versionKey(path, version.version), data);
  putMetadata(state, path, {
    ...before,
    updatedMs: timeMs,
    currentVersion: version.version,
    oldestVersion: pruned.length === 0 ? before.oldestVersion : (versions[0]?.version ?? version.version),
    versions,
  });
  return versionReply(version, settings);
}

function change(
  state: WritableState,
  changed: ChangedVersions,
  to: (version: SecretVersion) => SecretVersion,
): undefined {
  const before = readMetadata(state, changed.path);
  if (before === undefined) return;
  const named = new Set(changed.versions);
  const versions = before.versions.map((version) => (named.has(version.version) ? to(version) : version));
  putMetadata(state, changed.path, { ...before, versions });
}

function writeSettings(state: WritableState, changed: ChangedMetadata, timeMs: number): undefined {
  const before = readSettings(state, changed.path);
  const after = {
    maxVersions: changed.maxVersions ?? before.maxVersions,
    isCasRequired: changed.isCasRequired ?? before.isCasRequired,
    deleteVersionAfterSeconds: changed.deleteVersionAfterSeconds ?? before.deleteVersionAfterSeconds,
    customMetadata: changed.hasCustomMetadata ? changed.customMetadata : before.customMetadata,
  };
  state.put(settingsKey(changed.path), secretSettings.encode(after));
  putMetadata(state, changed.path, { ...metadataOf(state, changed.path, timeMs), updatedMs: timeMs });
}

function remove(state: WritableState, path: string): undefined {
  for (const { version } of readMetadata(state, path)?.versions ?? []) state.delete(versionKey(path, version));
  state.delete(metadataKey(path));
  state.delete(settingsKey(path));
}

function metadataOf(state: WritableState, path: string, timeMs: number): SecretMetadata {
  return readMetadata(state, path) ?? { ...secretMetadata.initial, createdMs: timeMs, updatedMs: timeMs };
}

function putMetadata(state: WritableState, path: string, metadata: SecretMetadata): void {
  state.put(metadataKey(path), secretMetadata.encode(metadata));
}
