import type { NodeId } from '@lockstep/contract/ids';
import type { MemoryLog } from '@lockstep/core/log/memory-log';
import type { Footprint } from '@lockstep/core/member-reports';
import type { FoundingMember } from '@lockstep/core/members/founding';
import { startNode } from '@lockstep/core/node';
import type { ConsensusNode } from '@lockstep/core/node-options';
import type { MemoryEndpoint } from '@lockstep/core/peers/memory-peers';
import type { DiskLevel } from '@lockstep/core/peers/node-report';
import type { SnapshotSource } from '@lockstep/core/peers/snapshot-transfer';
import type { Machine } from './machine.ts';
import { limitsOf } from './swarm.ts';
import { Violation } from './violation.ts';
import { type Watch, watchedEvents, watchedMachine, watchedPeers, watchedStore } from './watched-parts.ts';
import type { Wait, World } from './world.ts';

/** Where a simulated wall clock starts: a day in 2026. */
const wallStartMs = 1_780_000_000_000;
/** From one turn of a loop to the next. */
const turnMs = 0.02;

export interface SimulatedDriverOptions {
  readonly node: {
    readonly id: NodeId;
    readonly members: readonly FoundingMember[];
    readonly isJoining: boolean;
    readonly incarnation: number;
  };
  readonly world: World;
  readonly log: MemoryLog;
  readonly machine: Machine;
  readonly watch: Watch;
  readonly wallOffsetMs: () => number;
  readonly freeSpace: () => DiskLevel;
  /** Of the other nodes: they outlive this run. */
  readonly footprints: Map<NodeId, Footprint>;
  /** Lets something happen to this run of the node. */
  readonly in: (kind: Wait, happen: () => void) => void;
  readonly turn: (turn: () => void) => void;
  readonly onFatal: (error: unknown) => void;
}

/** Starts the real driver on simulated parts. */
export function startSimulatedDriver(options: SimulatedDriverOptions): ConsensusNode {
  const { node, world, log, machine, watch, footprints } = options;
  const { agenda, random, swarm, trace } = world;
  const { tickMs, heartbeatTicks, electionTicks, compaction, hasLeases } = swarm();
  let endpoint: MemoryEndpoint | undefined;
  return startNode({
    ...node,
    clock: {
      nowMs: () => agenda.nowMs,
      wallMs: () => wallStartMs + agenda.nowMs + options.wallOffsetMs(),
      setTimer: (ms, fire) => agenda.after(ms, () => options.in('timer', fire)),
    },
    random: random.below,
    store: watchedStore(log, watch),
    stored: log.stored(),
    peers: (events) => {
      const read: SnapshotSource['read'] = (id, offset, bytesMax, done) =>
        machine.readSnapshot({ id, offset, bytesMax }, done);
      endpoint = world.network.join(node.id, watchedEvents(events, watch), { read }, node.incarnation);
      return watchedPeers(endpoint.peers, watch);
    },
    pullSnapshot: (...call) => {
      if (endpoint === undefined) throw new Error('invariant broken: a pull before the network');
      return endpoint.pullSnapshot(...call);
    },
    machine: watchedMachine(machine, watch),
    log: (event) => trace.note(agenda.nowMs, event, node.id),
    onFatal: options.onFatal,
    timings: { tickMs, heartbeatTicks, electionTicks, snapshotOfferMs: 3_000, readResendMs: 500 },
    compaction: { ...compaction, everyBytes: 1_000_000, tailBytes: 1_000_000 },
    raftLimits: limitsOf(swarm()),
    ...(world.newRaft === undefined ? {} : { newRaft: world.newRaft }),
    ...(hasLeases ? { lease: { nowMs: () => agenda.nowMs, lengthMs: (electionTicks - 1) * tickMs - 1 } } : {}),
    diskSpace: () => ({ level: options.freeSpace(), freeBytes: 0, warnBytes: 0, stopBytes: 0 }),
    memory: {
      footprints: new Map(footprints),
      remember: (other, footprint) => void footprints.set(other, footprint),
    },
    onQuarantine: (why) => {
      throw new Violation('no node is shut out whose disk is as it left it', `node ${node.id}: ${why}`);
    },
    schedule: (turn) => void agenda.after(turnMs, () => options.in('turn', () => options.turn(turn))),
  });
}
