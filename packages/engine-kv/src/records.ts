import type { Expect } from '@lockstep/contract/engine';
import { memoise, type ReadableState } from '@lockstep/contract/state';
import { bool, type MessageCodec, message, repeatedEmbed, text, uint } from '@lockstep/contract/wire';
import { configWritten, type KvConfig, type MetadataPair } from './facts.ts';
import { configKey, metadataKey, settingsKey } from './keys.ts';

/** One version of a secret, without what it holds. */
export interface SecretVersion {
  readonly version: number;
  readonly createdMs: number;
  /** 0 is none. Deleted from then on, which may be still to come. */
  readonly deletionMs: number;
  readonly isDestroyed: boolean;
}

export interface SecretMetadata {
  readonly createdMs: number;
  readonly updatedMs: number;
  /** 0 while there is none. */
  readonly currentVersion: number;
  /** The oldest that is kept, once one was pruned; 0 before. */
  readonly oldestVersion: number;
  /** Oldest first; those beyond the kept number are gone. */
  readonly versions: readonly SecretVersion[];
}

/** Settings of one secret, beside the mount's. */
export interface SecretSettings extends KvConfig {
  readonly customMetadata: readonly MetadataPair[];
}

const secretVersion: MessageCodec<SecretVersion> = message({
  version: uint(1),
  createdMs: uint(2),
  deletionMs: uint(3),
  isDestroyed: bool(4),
});
export const secretMetadata: MessageCodec<SecretMetadata> = message({
  createdMs: uint(1),
  updatedMs: uint(2),
  currentVersion: uint(3),
  oldestVersion: uint(4),
  versions: repeatedEmbed(5, secretVersion),
});
export const secretSettings: MessageCodec<SecretSettings> = message({
  maxVersions: uint(1),
  isCasRequired: bool(2),
  deleteVersionAfterSeconds: uint(3),
  customMetadata: repeatedEmbed(4, message({ key: text(1), value: text(2) })),
});

type PointState = Pick<ReadableState, 'get'>;
const parseMetadata = memoise((bytes) => secretMetadata.decode(bytes));
const parseSettings = memoise((bytes) => secretSettings.decode(bytes));
const parseConfig = memoise((bytes) => configWritten.decode(bytes));

/** Undefined where there is no such secret. */
export function readMetadata(state: PointState, path: string): SecretMetadata | undefined {
  const stored = state.get(metadataKey(path));
  return stored === undefined ? undefined : parseMetadata(stored);
}

export function readSettings(state: PointState, path: string): SecretSettings {
  const stored = state.get(settingsKey(path));
  return stored === undefined ? secretSettings.initial : parseSettings(stored);
}

export function readKvConfig(state: PointState): KvConfig {
  const stored = state.get(configKey);
  return stored === undefined ? configWritten.initial : parseConfig(stored);
}

/** Whether the version can't be read at `nowMs`. */
export function isGone(version: SecretVersion, nowMs: number): boolean {
  return version.isDestroyed || (version.deletionMs > 0 && version.deletionMs <= nowMs);
}

/** Who may only create must not change what another made meanwhile: a secret that is new when a write is decided must be so still. */
export function expectsNew(state: PointState, path: string): readonly Expect[] {
  return readMetadata(state, path) === undefined ? [{ kind: 'absent', key: metadataKey(path) }] : [];
}
