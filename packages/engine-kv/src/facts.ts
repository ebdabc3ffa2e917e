import {
  bool,
  bytes,
  type Codec,
  facts,
  type MessageCodec,
  message,
  optionalBool,
  optionalUint,
  repeatedUint,
  text,
  uint,
} from '@lockstep/contract/wire';

export interface MetadataSettings {
  readonly maxVersions: number | undefined;
  readonly isCasRequired: boolean | undefined;
}
export interface ChangedVersions {
  readonly path: string;
  readonly versions: readonly number[];
}

/** Everything that can happen to the secrets of a mount. */
export type KvFact =
  /** Its version number is the next one in apply, so that writers without check-and-set don't get in each other's way. */
  | { readonly type: 'secretWritten'; readonly path: string; readonly data: Uint8Array }
  | ({ readonly type: 'versionsDeleted' } & ChangedVersions)
  | ({ readonly type: 'versionsUndeleted' } & ChangedVersions)
  | ({ readonly type: 'versionsDestroyed' } & ChangedVersions)
  | ({ readonly type: 'metadataWritten'; readonly path: string } & MetadataSettings)
  | { readonly type: 'secretRemoved'; readonly path: string }
  | { readonly type: 'configWritten'; readonly maxVersions: number; readonly isCasRequired: boolean };

const changedVersions: MessageCodec<ChangedVersions> = message({ path: text(1), versions: repeatedUint(2) });

/** On the wire as in protos/lockstep/facts/kv/v1/facts.proto. */
export const kvFacts: Codec<KvFact> = facts({
  secretWritten: [1, message({ path: text(1), data: bytes(2) })],
  versionsDeleted: [2, changedVersions],
  versionsUndeleted: [3, changedVersions],
  versionsDestroyed: [4, changedVersions],
  metadataWritten: [5, message({ path: text(1), maxVersions: optionalUint(2), isCasRequired: optionalBool(3) })],
  secretRemoved: [6, message({ path: text(1) })],
  configWritten: [7, message({ maxVersions: uint(1), isCasRequired: bool(2) })],
});
