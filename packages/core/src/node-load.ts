import type { DriverStatus } from './node-options.ts';
import type { Proposals } from './proposals.ts';
import type { Raft } from './raft/raft.ts';

/** The little of a node's status that a watcher of every turn looks at. */
export interface NodeLoad extends Pick<DriverStatus, 'raft' | 'proposalsWaiting'> {
  /** The core has more to hand out: the last turn ended at its limit of rounds, and another follows. */
  readonly hasMore: boolean;
}

export function loadOf({ core, proposals }: { readonly core: Raft; readonly proposals: Proposals }): NodeLoad {
  return { raft: core.status(), proposalsWaiting: proposals.waitingCount, hasMore: core.hasReady() };
}
