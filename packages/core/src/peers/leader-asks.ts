import type { NodeId } from '@lockstep/contract/ids';
import type { MembersCondition } from '../autopilot/condition.ts';
import type { MembersView } from '../members/members-view.ts';
import type { ChangeRefusal } from '../members/plan-change.ts';
import type { MembershipChange } from '../raft/types.ts';

/** What only the leader can decide or tell. A node that is asked for it passes it on. */
export type LeaderAsk =
  | {
      readonly kind: 'change';
      readonly change: MembershipChange;
      /** 0: whatever membership is in force. */
      readonly ifMembershipIndex: number;
      readonly votersMin: number;
    }
  /** An unsealed control entry to be appended. */
  | { readonly kind: 'control'; readonly data: Uint8Array }
  /** Leadership is to move to this voter; 0: to the one that has most of the log. */
  | { readonly kind: 'hand-over'; readonly to: NodeId }
  | { readonly kind: 'members' }
  /** How its autopilot finds the members. */
  | { readonly kind: 'autopilot' };

export type LeaderAnswer =
  /** The change is in force: the membership is that of entry `index`. */
  | { readonly kind: 'changed'; readonly index: number }
  | { readonly kind: 'appended'; readonly index: number; readonly term: number }
  | { readonly kind: 'handed-over'; readonly to: NodeId; readonly term: number }
  | { readonly kind: 'members'; readonly view: MembersView }
  | { readonly kind: 'autopilot'; readonly view: MembersView; readonly condition: MembersCondition }
  /** Nothing was changed. `text` says why, in lower case. */
  | { readonly kind: 'refused'; readonly reason: AskRefusal; readonly text: string };

export type AskRefusal =
  | ChangeRefusal
  | 'no-leader'
  | 'busy'
  | 'too-large'
  | 'disk-full'
  /** Leadership is on its way to another node. */
  | 'transferring'
  /** There is no voter that leadership could move to. */
  | 'no-target'
  | 'transfer-failed';
