import type { NodeId } from '@lockstep/contract/ids';
import type { Membership } from '../raft/types.ts';

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

/** The cluster in two figures. */
export interface ClusterHealth {
  /** Of every member. */
  readonly isHealthy: boolean;
  /** Healthy voters that may be lost before the rest is no quorum; of a joint membership, in the worse half. */
  readonly failureTolerance: number;
}

export function clusterHealth(
  { voters, votersOutgoing }: Membership,
  members: readonly { readonly node: NodeId; readonly isHealthy: boolean }[],
): ClusterHealth {
  const tolerance = (half: readonly NodeId[]): number => {
    const healthy = members.filter(({ node, isHealthy }) => isHealthy && half.includes(node)).length;
    return Math.max(0, healthy - (Math.floor(half.length / 2) + 1));
  };
  const halves = votersOutgoing.length === 0 ? [voters] : [voters, votersOutgoing];
  return {
    isHealthy: members.every(({ isHealthy }) => isHealthy),
    failureTolerance: Math.min(...halves.map(tolerance)),
  };
}
