import type { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import type { AutopilotHost } from './autopilot/autopilot.ts';
import type { ClusterHealth } from './autopilot/condition.ts';
import type { CompactionPolicy } from './compaction.ts';
import type { DiskSpace } from './free-space.ts';
import type { NodeLoad } from './node-load.ts';
import type { LogStore, StoredLog } from './log/log-store.ts';
import type { PeerMemory } from './member-reports.ts';
import type { FoundingMember } from './members/founding.ts';
import type { PeerEvents, Peers } from './peers/peers.ts';
import type { PullSnapshot } from './peers/snapshot-transfer.ts';
import type { Consensus, NodeStatus, StateMachine } from './port.ts';
import type { RaftOptions } from './raft/core.ts';
import type { LeaseOptions } from './raft/lease.ts';
import type { RaftLimits } from './raft/limits.ts';
import type { Raft } from './raft/raft.ts';
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
  /**
   * A new log that names no voters begins with all of them, this node included, as voters. What the membership in force says of them
   * comes before what is said here.
   */
  readonly members: readonly FoundingMember[];
  /** This node joins a cluster that is there already: `members` are whom to hear from, until a snapshot tells who the members are. */
  readonly isJoining?: boolean;
  /** Drawn when this node's disk was formatted; the leader records it in the membership. */
  readonly incarnation?: number;
  readonly log: (event: string, fields: Readonly<Record<string, string | number | boolean>>) => void;
  /** Called at most once, after which the loop stands still: the process must end. */
  readonly onFatal: (error: unknown) => void;
  readonly timings?: Partial<Timings>;
  readonly compaction?: CompactionPolicy;
  readonly raftLimits?: RaftLimits;
  /** Makes the core: one that also tells what it does. Default a plain `Raft`. */
  readonly newRaft?: (options: RaftOptions) => Raft;
  /** Leases of the core, which trust clocks: all members have them, or none. Default none; the driver's own reads never rely on them. */
  readonly lease?: LeaseOptions;
  /** What is free on this node's disk. Without it there is always room. */
  readonly diskSpace?: () => DiskSpace;
  /** Where the others' footprints are kept over restarts. Without it they are forgotten with the process. */
  readonly memory?: PeerMemory;
  /** Why this node must not take part: from an earlier run, which told it by `onQuarantine`. */
  readonly quarantine?: string;
  /** This node's disk has gone back: it takes no part from now on, nor after a restart. `why` must be kept, and handed to each later run. */
  readonly onQuarantine?: (why: string) => void;
  /** Promotes and removes members by itself while this node leads. Without it only operators do. */
  readonly autopilot?: AutopilotHost;
  /** Runs a turn after the input that is already there. Default `setImmediate`. */
  readonly schedule?: (turn: () => void) => void;
}

/** What the process around the node needs besides the port. */
export interface ConsensusNode extends Consensus {
  /** The state machine can take entries again (it was unsealed). */
  readonly resumeApply: () => void;
  /** Begins an election now, for tests and for the first start of a cluster. */
  readonly campaign: () => void;
  /** Hands leadership over without a word, if this node leads: to `to`, or to the voter that has most of the log. */
  readonly transferLeader: (to?: NodeId) => void;
  /** The term of a committed entry; undefined once compaction has passed it. */
  readonly termAt: (index: LogIndex) => Term | undefined;
  readonly status: () => DriverStatus;
  readonly load: () => NodeLoad;
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
  /** Times that a write of the log took so long that this node gave up leadership, or would have. */
  readonly diskStalls: number;
  /** The state is damaged, and another node's is awaited. */
  readonly isStateRefetching: boolean;
  readonly statesRefetched: number;
  /** Undefined where nobody measures it. */
  readonly diskSpace: DiskSpace | undefined;
  /** How far a leader's clock is ahead of the median of the voters'; 0 elsewhere. */
  readonly clockOffMs: number;
  /** As the autopilot of this node sees it while it leads; undefined elsewhere. */
  readonly clusterHealth: ClusterHealth | undefined;
}
