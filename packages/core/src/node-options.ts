import type { NodeId } from '@lockstep/contract/ids';
import type { CompactionPolicy } from './compaction.ts';
import type { LogStore, StoredLog } from './log/log-store.ts';
import type { PeerAddress, PeerEvents, Peers } from './peers/peers.ts';
import type { PullSnapshot } from './peers/snapshot-transfer.ts';
import type { Consensus, NodeStatus, StateMachine } from './port.ts';
import type { RaftLimits } from './raft/limits.ts';
import type { Clock, Timings } from './timings.ts';

export interface NodeOptions {
  readonly id: NodeId;
  readonly clock: Clock;
  /** An integer in [0, below). */
  readonly random: (below: number) => number;
  readonly store: LogStore;
  readonly stored: StoredLog;
  /** Opens the streams to the other nodes. */
  readonly peers: (events: PeerEvents) => Peers;
  readonly pullSnapshot: PullSnapshot;
  readonly machine: StateMachine;
  /** Where the members are, this node included. A new log that names no voters begins with all of them. */
  readonly members: readonly PeerAddress[];
  readonly log: (event: string, fields: Readonly<Record<string, string | number | boolean>>) => void;
  /** Called at most once, after which the loop stands still: the process must end. */
  readonly onFatal: (error: unknown) => void;
  readonly timings?: Partial<Timings>;
  readonly compaction?: CompactionPolicy;
  readonly raftLimits?: RaftLimits;
  /** Runs a turn after the input that is already there. Default `setImmediate`. */
  readonly schedule?: (turn: () => void) => void;
}

/** What the process around the node needs besides the port. */
export interface ConsensusNode extends Consensus {
  /** The state machine can take entries again (it was unsealed). */
  readonly resumeApply: () => void;
  /** Begins an election now, for tests and for the first start of a cluster. */
  readonly campaign: () => void;
  /** Hands leadership over, if this node leads: to `to`, or to the voter that has most of the log. */
  readonly transferLeader: (to?: NodeId) => void;
  readonly status: () => DriverStatus;
}

/** Counted since this process started. */
export interface DriverStatus extends NodeStatus {
  readonly turns: number;
  readonly lateTicks: number;
  readonly messagesDropped: number;
  readonly proposalsForwarded: number;
  readonly outcomesUnknown: number;
  readonly compactions: number;
  readonly snapshotsTaken: number;
  readonly snapshotsInstalled: number;
  readonly isDiskStalled: boolean;
  /** How far a leader's clock is ahead of the median of the voters'; 0 elsewhere. */
  readonly clockOffMs: number;
}
