import {
  bool,
  bytes,
  type Codec,
  facts,
  type MessageCodec,
  message,
  repeatedEmbed,
  repeatedText,
  text,
  uint,
} from '@lockstep/contract/wire';

/** One pair of a token's metadata. */
export interface MetaPair {
  readonly key: string;
  readonly value: string;
}

/** A token as it was issued. Of the token itself only `id`, its keyed hash, is ever written. */
export interface IssuedToken {
  readonly id: string;
  readonly accessor: string;
  /** Sorted, each once. */
  readonly policies: readonly string[];
  readonly displayName: string;
  readonly meta: readonly MetaPair[];
  readonly createdMs: number;
  /** 0 is never: root tokens only. Alive while the time is below it. */
  readonly expiresMs: number;
  readonly ttlSeconds: number;
  /** 0 is none. */
  readonly explicitMaxTtlSeconds: number;
  /** 0 is not periodic. */
  readonly periodSeconds: number;
  /** 0 is unlimited. */
  readonly numUses: number;
  readonly isRenewable: boolean;
  /** The API path that issued it. */
  readonly path: string;
  /** Empty for an orphan. */
  readonly parentId: string;
  /** Tells the parent from a later token of the same chosen id. */
  readonly parentAccessor: string;
  /** Ancestors that it has. */
  readonly depth: number;
}

/** Everything that can happen to tokens. */
export type TokenFact =
  /** Once, when the cluster is initialised. */
  | { readonly type: 'tokenSaltDrawn'; readonly salt: Uint8Array }
  | ({ readonly type: 'tokenIssued' } & IssuedToken)
  | { readonly type: 'tokenRenewed'; readonly id: string; readonly expiresMs: number; readonly renewedMs: number }
  /** With it all its descendants, unless it releases its children: then those are orphans from now on. */
  | { readonly type: 'tokenRevoked'; readonly id: string; readonly releasesChildren: boolean }
  /** One use of a token with a bounded number of them. */
  | { readonly type: 'tokenUsed'; readonly id: string };

const metaPair: MessageCodec<MetaPair> = message({ key: text(1), value: text(2) });
export const tokenIssued: MessageCodec<IssuedToken> = message({
  id: text(1),
  accessor: text(2),
  policies: repeatedText(3),
  displayName: text(4),
  meta: repeatedEmbed(5, metaPair),
  createdMs: uint(6),
  expiresMs: uint(7),
  ttlSeconds: uint(8),
  explicitMaxTtlSeconds: uint(9),
  periodSeconds: uint(10),
  numUses: uint(11),
  isRenewable: bool(12),
  path: text(13),
  parentId: text(14),
  parentAccessor: text(15),
  depth: uint(16),
});
const tokenSaltDrawn = message({ salt: bytes(1) });
const tokenRenewed = message({ id: text(1), expiresMs: uint(2), renewedMs: uint(3) });
const tokenRevoked = message({ id: text(1), releasesChildren: bool(2) });
const tokenUsed = message({ id: text(1) });

/** On the wire as in protos/lockstep/facts/token/v1/facts.proto. */
export const tokenFacts: Codec<TokenFact> = facts({
  tokenSaltDrawn: [1, tokenSaltDrawn],
  tokenIssued: [2, tokenIssued],
  tokenRenewed: [3, tokenRenewed],
  tokenRevoked: [4, tokenRevoked],
  tokenUsed: [5, tokenUsed],
});
