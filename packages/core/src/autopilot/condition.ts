import type { NodeId } from '@lockstep/contract/ids';

/** How one member is, as the leader's autopilot sees it. */
export interface MemberCondition {
  readonly node: NodeId;
  /** In lower case; empty of a healthy one. */
  readonly ailment: string;
  /** As it told lately; 0 where it told none. */
  readonly term: number;
  /** For how long it has been healthy without a break; undefined of one that is not. */
  readonly stableMs: number | undefined;
  /** For how long it has not been heard while this leader was looking. */
  readonly unheardMs: number;
}

/** What the leader's autopilot knows. Why it changes nothing now is told in `heldBy`; empty where nothing stands against it. */
export interface MembersCondition {
  readonly members: readonly MemberCondition[];
  readonly heldBy: string;
}
