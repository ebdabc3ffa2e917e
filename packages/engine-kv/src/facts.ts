import {
  bool,
  bytes,
  type Codec,
  facts,
  type MessageCodec,
  message,
  optionalBool,
  optionalUint,
  repeatedEmbed,
  repeatedUint,
  text,
  uint,
} from '@lockstep/contract/wire';

export interface ChangedVersions {
  readonly path: string;
  readonly versions: readonly number[];
}

export interface MetadataPair {
  readonly key: string;
  readonly value: string;
}

/** What is undefined stays as it is. */
export interface ChangedMetadata {
  readonly path: string;
  readonly maxVersions: number | undefined;
  readonly isCasRequired: boolean | undefined;
  readonly deleteVersionAfterSeconds: number | undefined;
  readonly hasCustomMetadata: boolean;
  /** All of it, when there is any change. */
  readonly customMetadata: readonly MetadataPair[];
}

/** Settings of a mount. */
export interface KvConfig {
  /** 0 is the default. */
  readonly maxVersions: number;
  readonly isCasRequired: boolean;
  /** 0 is never. */
  readonly deleteVersionAfterSeconds: number;
}

/** Everything that can happen to the secrets of a mount. */
export type KvFact =
  /** Its version number is the next one in apply, so that writers without check-and-set don't get in each other's way. */
  | { readonly type: 'secretWritten'; readonly path: string; readonly data: Uint8Array }
  /** What they hold is still there. */
  | ({ readonly type: 'versionsDeleted' } & ChangedVersions)
  | ({ readonly type: 'versionsUndeleted' } & ChangedVersions)
  /** What they held is gone for good. */
  | ({ readonly type: 'versionsDestroyed' } & ChangedVersions)
  | ({ readonly type: 'metadataWritten' } & ChangedMetadata)
  /** With all versions and settings. */
  | { readonly type: 'secretRemoved'; readonly path: string }
  | ({ readonly type: 'configWritten' } & KvConfig);

const changedVersions: MessageCodec<ChangedVersions> = message({ path: text(1), versions: repeatedUint(2) });
const metadataPair: MessageCodec<MetadataPair> = message({ key: text(1), value: text(2) });
const metadataWritten: MessageCodec<ChangedMetadata> = message({
  path: text(1),
  maxVersions: optionalUint(2),
  isCasRequired: optionalBool(3),
  deleteVersionAfterSeconds: optionalUint(4),
  hasCustomMetadata: bool(5),
  customMetadata: repeatedEmbed(6, metadataPair),
});
export const configWritten: MessageCodec<KvConfig> = message({
  maxVersions: uint(1),
  isCasRequired: bool(2),
  deleteVersionAfterSeconds: uint(3),
});

/** On the wire as in protos/lockstep/facts/kv/v1/facts.proto. */
export const kvFacts: Codec<KvFact> = facts({
  secretWritten: [1, message({ path: text(1), data: bytes(2) })],
  versionsDeleted: [2, changedVersions],
  versionsUndeleted: [3, changedVersions],
  versionsDestroyed: [4, changedVersions],
  metadataWritten: [5, metadataWritten],
  secretRemoved: [6, message({ path: text(1) })],
  configWritten: [7, configWritten],
});
