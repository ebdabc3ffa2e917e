import { memoise, type ReadableState } from '@lockstep/contract/state';
import { bool, type MessageCodec, message, repeatedEmbed, uint } from '@lockstep/contract/wire';
import { configKey, metadataKey } from './keys.ts';

export interface SecretVersion {
  readonly version: number;
  readonly createdMs: number;
  /** 0 is not deleted. */
  readonly deletedMs: number;
  readonly isDestroyed: boolean;
}
export interface SecretMetadata {
  readonly createdMs: number;
  readonly updatedMs: number;
  readonly currentVersion: number;
  /** 0 is the mount's. */
  readonly maxVersions: number;
  readonly isCasRequired: boolean;
  /** Oldest first; those beyond the kept number are gone. */
  readonly versions: readonly SecretVersion[];
}
export interface KvConfig {
  readonly maxVersions: number;
  readonly isCasRequired: boolean;
}

const version: MessageCodec<SecretVersion> = message({
  version: uint(1),
  createdMs: uint(2),
  deletedMs: uint(3),
  isDestroyed: bool(4),
});
export const secretMetadata: MessageCodec<SecretMetadata> = message({
  createdMs: uint(1),
  updatedMs: uint(2),
  currentVersion: uint(3),
  maxVersions: uint(4),
  isCasRequired: bool(5),
  versions: repeatedEmbed(6, version),
});
export const kvConfig: MessageCodec<KvConfig> = message({ maxVersions: uint(1), isCasRequired: bool(2) });

type PointState = Pick<ReadableState, 'get'>;
const parseMetadata = memoise((bytes) => secretMetadata.decode(bytes));

export function readMetadata(state: PointState, path: string): SecretMetadata | undefined {
  const stored = state.get(metadataKey(path));
  return stored === undefined ? undefined : parseMetadata(stored);
}

export function readKvConfig(state: PointState): KvConfig {
  const stored = state.get(configKey);
  return stored === undefined ? { maxVersions: 0, isCasRequired: false } : kvConfig.decode(stored);
}
