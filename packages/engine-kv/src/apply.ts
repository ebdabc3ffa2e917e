import type { AppliedAt } from '@lockstep/contract/engine';
import type { JsonObject } from '@lockstep/contract/json';
import type { WritableState } from '@lockstep/contract/state';
import type { ChangedVersions, KvFact, MetadataSettings } from './facts.ts';
import { configKey, metadataKey, versionKey } from './keys.ts';
import { versionsKeptDefault } from './limits.ts';
import {
  kvConfig,
  readKvConfig,
  readMetadata,
  type SecretMetadata,
  type SecretVersion,
  secretMetadata,
} from './records.ts';
import { versionReply } from './replies.ts';

export function apply(state: WritableState, fact: KvFact, at: AppliedAt): JsonObject | undefined {
  switch (fact.type) {
    case 'secretWritten':
      return writeSecret(state, fact, at);
    case 'versionsDeleted':
      return change(state, fact, (version) => (version.deletedMs > 0 ? version : { ...version, deletedMs: at.timeMs }));
    case 'versionsUndeleted':
      return change(state, fact, (version) => ({ ...version, deletedMs: 0 }));
    case 'versionsDestroyed':
      for (const version of fact.versions) state.delete(versionKey(fact.path, version));
      return change(state, fact, (version) => ({ ...version, isDestroyed: true }));
    case 'metadataWritten':
      return writeSettings(state, fact, at);
    case 'secretRemoved':
      return remove(state, fact.path);
    case 'configWritten':
      state.put(configKey, kvConfig.encode(fact));
      return undefined;
    default:
      return fact satisfies never;
  }
}

function fresh(at: AppliedAt): SecretMetadata {
  return {
    createdMs: at.timeMs,
    updatedMs: at.timeMs,
    currentVersion: 0,
    maxVersions: 0,
    isCasRequired: false,
    versions: [],
  };
}

function writeSecret(
  state: WritableState,
  fact: { readonly path: string; readonly data: Uint8Array },
  at: AppliedAt,
): JsonObject {
  const before = readMetadata(state, fact.path) ?? fresh(at);
  const version: SecretVersion = {
    version: before.currentVersion + 1,
    createdMs: at.timeMs,
    deletedMs: 0,
    isDestroyed: false,
  };
  const kept = before.maxVersions || readKvConfig(state).maxVersions || versionsKeptDefault;
  const all = [...before.versions, version];
  for (const dropped of all.slice(0, -kept)) state.delete(versionKey(fact.path, dropped.version));
  state.put(versionKey(fact.path, version.version), fact.data);
  put(state, fact.path, {
    ...before,
    updatedMs: at.timeMs,
    currentVersion: version.version,
    versions: all.slice(-kept),
  });
  return versionReply(version);
}

function change(
  state: WritableState,
  changed: ChangedVersions,
  to: (version: SecretVersion) => SecretVersion,
): undefined {
  const before = readMetadata(state, changed.path);
  if (before === undefined) return;
  const versions = before.versions.map((version) =>
    changed.versions.includes(version.version) && !version.isDestroyed ? to(version) : version,
  );
  put(state, changed.path, { ...before, versions });
}

function writeSettings(
  state: WritableState,
  fact: { readonly path: string } & MetadataSettings,
  at: AppliedAt,
): undefined {
  const before = readMetadata(state, fact.path) ?? fresh(at);
  put(state, fact.path, {
    ...before,
    updatedMs: at.timeMs,
    maxVersions: fact.maxVersions ?? before.maxVersions,
    isCasRequired: fact.isCasRequired ?? before.isCasRequired,
  });
}

function remove(state: WritableState, path: string): undefined {
  for (const { version } of readMetadata(state, path)?.versions ?? []) state.delete(versionKey(path, version));
  state.delete(metadataKey(path));
}

function put(state: WritableState, path: string, metadata: SecretMetadata): void {
  state.put(metadataKey(path), secretMetadata.encode(metadata));
}
