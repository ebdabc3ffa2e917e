import {
  bool,
  type Codec,
  type Field,
  facts,
  type MessageCodec,
  message,
  repeatedEmbed,
  text,
  uint,
} from '@lockstep/contract/wire';

export interface MountOption {
  readonly key: string;
  readonly value: string;
}

/** One mount: an engine at a path. */
export interface MountRecord {
  /** Random, never used again. */
  readonly id: string;
  readonly kind: string;
  /** With a trailing slash. */
  readonly path: string;
  readonly namespace: string;
  readonly description: string;
  readonly options: readonly MountOption[];
  /** 0 is the system's default. */
  readonly defaultLeaseTtlSeconds: number;
  readonly maxLeaseTtlSeconds: number;
  readonly accessor: string;
  readonly uuid: string;
  readonly createdMs: number;
  readonly isListed: boolean;
}

export interface TunedMount {
  readonly id: string;
  readonly description: string;
  readonly options: readonly MountOption[];
  readonly defaultLeaseTtlSeconds: number;
  readonly maxLeaseTtlSeconds: number;
  readonly isListed: boolean;
}

/** Everything that can happen to the mount table, and to the cluster as one. */
export type SystemFact =
  | ({ readonly type: 'mountEnabled' } & MountRecord)
  | { readonly type: 'mountDisabled'; readonly id: string }
  | ({ readonly type: 'mountTuned' } & TunedMount)
  /** Every member speaks it. */
  | { readonly type: 'factVersionRaised'; readonly version: number };

const option: MessageCodec<MountOption> = message({ key: text(1), value: text(2) });

/** The fields of a mount, in the fact and in the stored table alike. */
export const mountShape: { readonly [K in keyof MountRecord]: Field<MountRecord[K]> } = {
  id: text(1),
  kind: text(2),
  path: text(3),
  namespace: text(4),
  description: text(5),
  options: repeatedEmbed(6, option),
  defaultLeaseTtlSeconds: uint(7),
  maxLeaseTtlSeconds: uint(8),
  accessor: text(9),
  uuid: text(10),
  createdMs: uint(11),
  isListed: bool(12),
};
const mountEnabled: MessageCodec<MountRecord> = message(mountShape);
const mountDisabled = message({ id: text(1) });
const mountTuned: MessageCodec<TunedMount> = message({
  id: text(1),
  description: text(2),
  options: repeatedEmbed(3, option),
  defaultLeaseTtlSeconds: uint(4),
  maxLeaseTtlSeconds: uint(5),
  isListed: bool(6),
});

/** On the wire as in protos/lockstep/facts/system/v1/facts.proto. */
export const systemFacts: Codec<SystemFact> = facts({
  mountEnabled: [1, mountEnabled],
  mountDisabled: [2, mountDisabled],
  mountTuned: [3, mountTuned],
  factVersionRaised: [4, message({ version: uint(1) })],
});
