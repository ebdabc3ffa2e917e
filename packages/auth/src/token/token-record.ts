import { bool, embed, message, uint } from '@lockstep/contract/wire';
import { type IssuedToken, tokenIssued } from './facts.ts';

/** What is stored for a token. */
export interface TokenRecord extends IssuedToken {
  /** 0 is never renewed. */
  readonly renewedMs: number;
  /** Revoked, but its children live on: all that is left is the answer to their question about their parent. */
  readonly isReleased: boolean;
}

const stored = message({ issued: embed(1, tokenIssued), renewedMs: uint(2), isReleased: bool(3) });

export function encodeTokenRecord(record: TokenRecord): Buffer {
  const { renewedMs, isReleased, ...issued } = record;
  return stored.encode({ issued, renewedMs, isReleased });
}

export function decodeTokenRecord(bytes: Uint8Array): TokenRecord {
  const { issued, renewedMs, isReleased } = stored.decode(bytes);
  return { ...(issued ?? tokenIssued.initial), renewedMs, isReleased };
}

/** What `revoke-orphan` leaves of a token. */
export function releasedRecord(token: TokenRecord): TokenRecord {
  return { ...tokenIssued.initial, id: token.id, accessor: token.accessor, renewedMs: 0, isReleased: true };
}
