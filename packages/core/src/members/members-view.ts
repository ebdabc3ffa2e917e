import type { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import type { Membership } from '../raft/types.ts';

/** What the leader knows of the cluster when it is asked. Everything that is decided about members is decided by this. */
export interface MembersView {
  readonly leader: NodeId;
  readonly term: Term;
  readonly commit: LogIndex;
  readonly lastIndex: LogIndex;
  readonly membership: Membership;
  /** An entry of the leader's term is committed: before that no change is taken. */
  readonly isReady: boolean;
  /** A change was appended and may not have taken effect yet. */
  readonly isChangePending: boolean;
  /** Of every member, the leader included. */
  readonly health: readonly MemberHealth[];
}

export interface MemberHealth {
  readonly node: NodeId;
  /** The last index known to be in its log. */
  readonly match: LogIndex;
  /** Milliseconds since it was last heard; 0 of the leader itself, and no number when it never was since the leader started. */
  readonly silentMs: number | undefined;
  /** It is being sent a snapshot, or must be. */
  readonly isBehindLog: boolean;
}

export function healthOf(view: MembersView, node: NodeId): MemberHealth | undefined {
  return view.health.find((health) => health.node === node);
}

/** How many entries it is behind. */
export function lagOf(view: MembersView, node: NodeId): number {
  return view.lastIndex - (healthOf(view, node)?.match ?? 0);
}
