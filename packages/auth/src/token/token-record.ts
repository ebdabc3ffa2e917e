import { bool, embed, type MessageCodec, message, uint } from '@lockstep/contract/wire';
import { type IssuedToken, tokenIssued } from './facts.ts';

/** What is stored for a token. */
export interface TokenRecord extends IssuedToken {
  /** 0 is never renewed. */
  readonly renewedMs: number;
  /** Revoked, but its children live on: all that is left is the answer to their question about their parent. */
  readonly isReleased: boolean;
}

/** As in protos/lockstep/facts/token/v1/records.proto. */
export const tokenRecordWire: MessageCodec<{
  readonly issued: IssuedToken | undefined;
  readonly renewedMs: number;
  readonly isReleased: boolean;
}> = message({ issued: embed(1, tokenIssued), renewedMs: uint(2), isReleased: bool(3) });

export function encodeTokenRecord(record: TokenRecord): Buffer {
  const { renewedMs, isReleased, ...issued } = record;
  return tokenRecordWire.encode({ issued, renewedMs, isReleased });
}

export function decodeTokenRecord(bytes: Uint8Array): TokenRecord {
  const { issued, renewedMs, isReleased } = tokenRecordWire.decode(bytes);
  return { ...(issued ?? tokenIssued.initial), renewedMs, isReleased };
}

/** What `revoke-orphan` leaves of a token. */
export function releasedRecord(token: TokenRecord): TokenRecord {
  return { ...tokenIssued.initial, id: token.id, accessor: token.accessor, renewedMs: 0, isReleased: true };
}
