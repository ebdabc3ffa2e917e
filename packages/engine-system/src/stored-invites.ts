import { bool, bytes, embed, type MessageCodec, message, text, uint } from '@lockstep/contract/wire';
import type { Invite } from './facts.ts';

/** Who joined with an invitation. */
export interface InviteUse {
  readonly node: number;
  readonly pin: string;
}

export interface StoredInvite extends Invite {
  /** Undefined as long as nobody has. */
  readonly use: InviteUse | undefined;
}

const inviteUse: MessageCodec<InviteUse> = message({ node: uint(1), pin: text(2) });

/** As in protos/lockstep/facts/system/v1/records.proto. */
export const storedInvite: MessageCodec<StoredInvite> = message({
  id: text(1),
  key: bytes(2),
  note: text(3),
  isVoter: bool(4),
  createdMs: uint(5),
  expiresMs: uint(6),
  use: embed(7, inviteUse),
});
