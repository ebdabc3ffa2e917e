import type { NodeOptions } from './node-options.ts';
import { defaultRaftLimits } from './raft/limits.ts';
import { Raft } from './raft/raft.ts';
import type { Start } from './recover-start.ts';
import type { Timings } from './timings.ts';

/** The pure core of a node, as its log and state are at the start. */
export function coreOf(
  { id, random, raftLimits, lease, newRaft = (options) => new Raft(options) }: NodeOptions,
  { electionTicks, heartbeatTicks }: Timings,
  { stored, applied }: Start,
  isElectable: () => boolean,
): Raft {
  const { hardState, snapshot, membership } = stored;
  return newRaft({
    id,
    random,
    electionTicks,
    heartbeatTicks,
    hardState,
    snapshot,
    membership,
    applied,
    stored,
    limits: raftLimits ?? defaultRaftLimits,
    isElectable,
    ...(lease === undefined ? {} : { lease }),
  });
}
