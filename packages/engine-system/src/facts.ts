import {
  bool,
  bytes,
  type Codec,
  type Field,
  facts,
  type MessageCodec,
  message,
  repeatedEmbed,
  repeatedText,
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
  | { readonly type: 'factVersionRaised'; readonly version: number }
  | ({ readonly type: 'clusterAuthorityMade' } & ClusterAuthority)
  | ({ readonly type: 'inviteMade' } & Invite)
  /** By the node that joins with it, which may come again; no other may. */
  | { readonly type: 'inviteUsed'; readonly id: string; readonly node: number; readonly pin: string }
  /** They were revoked, or are over. */
  | { readonly type: 'invitesForgotten'; readonly ids: readonly string[] }
  | ({ readonly type: 'memberIntended' } & MemberIntent)
  | ({ readonly type: 'autopilotConfigured' } & AutopilotSettings);

/** Signs the certificates of nodes. What counts between nodes is the keys that the membership pins; this is what a newcomer trusts. */
export interface ClusterAuthority {
  /** DER. */
  readonly certificate: Uint8Array;
  /** Storing it is the feature: state and log are sealed below apply. */
  readonly pkcs8: Uint8Array;
}

/** One node may join with it. */
export interface Invite {
  /** Random, in hexadecimal. */
  readonly id: string;
  /** Who joins proves that it has the secret which this was derived from. */
  readonly key: Uint8Array;
  /** For people to read. */
  readonly note: string;
  /** The node is to vote, once it has caught up. */
  readonly isVoter: boolean;
  readonly createdMs: number;
  readonly expiresMs: number;
}

/** Whether a member is to vote: what autopilot goes by. */
export interface MemberIntent {
  readonly node: number;
  readonly isVoter: boolean;
  /** It is a member no more. */
  readonly isGone: boolean;
}

/** Vault's settings, by Vault's defaults. Times in seconds. */
export interface AutopilotSettings {
  readonly cleansUpDeadServers: boolean;
  readonly deadServerLastContactSeconds: number;
  readonly lastContactSeconds: number;
  readonly maxTrailingLogs: number;
  /** Voters are not made fewer than this; 0 sets no bound. */
  readonly minQuorum: number;
  readonly serverStabilizationSeconds: number;
}

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

export const clusterAuthority: MessageCodec<ClusterAuthority> = message({ certificate: bytes(1), pkcs8: bytes(2) });
const inviteMade: MessageCodec<Invite> = message({
  id: text(1),
  key: bytes(2),
  note: text(3),
  isVoter: bool(4),
  createdMs: uint(5),
  expiresMs: uint(6),
});
const inviteUsed = message({ id: text(1), node: uint(2), pin: text(3) });
export const memberIntent: MessageCodec<MemberIntent> = message({ node: uint(1), isVoter: bool(2), isGone: bool(3) });
export const autopilotSettings: MessageCodec<AutopilotSettings> = message({
  cleansUpDeadServers: bool(1),
  deadServerLastContactSeconds: uint(2),
  lastContactSeconds: uint(3),
  maxTrailingLogs: uint(4),
  minQuorum: uint(5),
  serverStabilizationSeconds: uint(6),
});

/** On the wire as in protos/lockstep/facts/system/v1/facts.proto. */
export const systemFacts: Codec<SystemFact> = facts({
  mountEnabled: [1, mountEnabled],
  mountDisabled: [2, mountDisabled],
  mountTuned: [3, mountTuned],
  factVersionRaised: [4, message({ version: uint(1) })],
  clusterAuthorityMade: [5, clusterAuthority],
  inviteMade: [6, inviteMade],
  inviteUsed: [7, inviteUsed],
  invitesForgotten: [8, message({ ids: repeatedText(1) })],
  memberIntended: [9, memberIntent],
  autopilotConfigured: [10, autopilotSettings],
});
