import type { NodeId } from '@lockstep/contract/ids';
import type { FoundingMember } from '@lockstep/core/members/founding';
import type { MemoryNetwork } from '@lockstep/core/peers/memory-peers';
import type { CommittedEntry } from '@lockstep/core/port';
import type { RaftOptions } from '@lockstep/core/raft/core';
import type { Raft } from '@lockstep/core/raft/raft';
import type { Agenda } from './agenda.ts';
import type { Checker } from './check/checker.ts';
import type { Applied } from './key-value.ts';
import type { Random } from './random.ts';
import type { SimulatedNode } from './simulated-node.ts';
import type { Swarm } from './swarm.ts';
import type { Trace } from './trace.ts';
import type { FrameKind } from './wires.ts';

/** What comes to a process from outside: while it stands still it waits. */
export type Wait = 'turn' | 'timer' | 'network' | 'disk';

export interface World {
  readonly agenda: Agenda;
  readonly random: Random;
  readonly trace: Trace;
  readonly checker: Checker;
  readonly network: MemoryNetwork;
  readonly swarm: () => Swarm;
  /** Undefined: the driver makes its core as in production. */
  readonly newRaft: ((options: RaftOptions) => Raft) | undefined;
  /** Runs a node's turn, and tells the checker of what its core hands out meanwhile. */
  readonly turning: (id: NodeId, turn: () => void) => void;
  readonly sending: (kind: FrameKind, send: () => void) => void;
  readonly onApply: (node: SimulatedNode, entry: CommittedEntry, applied: readonly Applied[]) => void;
  readonly onInstall: (node: SimulatedNode, index: number) => void;
  readonly onCrash: (node: SimulatedNode) => void;
}

export interface SimulatedNodeOptions {
  readonly world: World;
  /** Whom it is told of each time that it starts: it counts until a membership tells it. */
  readonly members: () => readonly FoundingMember[];
  readonly isJoining: boolean;
  /** Of its disk. */
  readonly incarnation: number;
}
