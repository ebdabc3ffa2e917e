import { defaultRaftLimits, type RaftLimits } from '@lockstep/core/raft/limits';
import type { Random } from './random.ts';

/** How one run misbehaves. Drawn anew for each seed, and most faults are off in most runs: too many at once hide each other. */
export interface Swarm {
  readonly nodes: number;
  readonly tickMs: number;
  readonly heartbeatTicks: number;
  readonly electionTicks: number;
  /** A frame's way: at least this, and an exponentially distributed more. */
  readonly delayMs: { readonly least: number; readonly more: number };
  readonly lateShare: number;
  readonly lossShare: number;
  readonly duplicateShare: number;
  readonly isReordering: boolean;
  /** Mean times between two faults of a kind; 0 for never. */
  readonly every: {
    readonly partition: number;
    readonly disconnect: number;
    readonly crash: number;
    readonly crashInWrite: number;
    readonly crashAll: number;
    readonly pause: number;
    readonly crashAtEffect: number;
    readonly failWrite: number;
    readonly slowDisk: number;
    readonly stallDisk: number;
    readonly clockJump: number;
    readonly compact: number;
    readonly fullDisk: number;
    readonly seal: number;
    readonly transfer: number;
    readonly campaign: number;
  };
  /** The mean time between two wishes to change the membership; 0 for never. */
  readonly membershipMs: number;
  /** The mean time between two saves or restores of the whole state; 0 for never. */
  readonly restoreMs: number;
  /** The cores keep leases: nobody reads by them, and they must be right all the same. */
  readonly hasLeases: boolean;
  readonly syncMs: { readonly least: number; readonly more: number };
  readonly downMs: number;
  readonly partitionMs: number;
  readonly pauseMs: number;
  readonly stallMs: number;
  readonly compaction: { readonly everyEntries: number; readonly tailEntries: number };
  /** Small, so that windows fill, one append is not enough, and logs leave memory. */
  readonly raft: {
    readonly appendBytesMax: number;
    readonly inflightMessagesMax: number;
    readonly committedBytesPerReadyMax: number;
    readonly tailBytesMax: number;
    readonly uncommittedBytesMax: number;
  };
  readonly clients: number;
  /** The share of requests whose answer a client waits for before its next one. */
  readonly patience: number;
  /** The share of writes that a client repeats, as the same request, until it knows what became of them. */
  readonly repeatShare: number;
  readonly thinkMs: number;
  readonly readShare: number;
  readonly keys: number;
}

/** The limits of every core of a run. */
export function limitsOf({ raft }: Swarm): RaftLimits {
  return { ...defaultRaftLimits, inflightBytesMax: 8_000, ...raft };
}

export function drawSwarm(random: Random, nodes: number | undefined): Swarm {
  const maybe = (probability: number, from: number, to: number): number =>
    random.chance(probability) ? random.between(from, to) : 0;
  // Drawn in any case, so that a count that is given leaves the rest as it was.
  const drawn = random.chance(0.7) ? 3 : 5;
  return {
    nodes: nodes ?? drawn,
    tickMs: random.pick([10, 20, 50]),
    heartbeatTicks: random.pick([1, 2, 3]),
    electionTicks: random.pick([10, 15, 20]),
    delayMs: { least: random.between(0.05, 2), more: random.pick([0.2, 1, 5, 20]) },
    lateShare: maybe(0.4, 0.001, 0.05),
    lossShare: maybe(0.6, 0.001, 0.3),
    duplicateShare: maybe(0.5, 0.01, 0.3),
    isReordering: random.chance(0.5),
    every: {
      partition: maybe(0.7, 500, 8_000),
      disconnect: maybe(0.4, 500, 5_000),
      crash: maybe(0.7, 500, 10_000),
      crashInWrite: maybe(0.6, 500, 8_000),
      crashAll: maybe(0.3, 5_000, 20_000),
      pause: maybe(0.4, 1_000, 10_000),
      crashAtEffect: maybe(0.5, 300, 5_000),
      failWrite: maybe(0.3, 1_000, 10_000),
      slowDisk: maybe(0.4, 1_000, 10_000),
      stallDisk: maybe(0.3, 2_000, 15_000),
      clockJump: maybe(0.4, 1_000, 10_000),
      compact: maybe(0.5, 300, 5_000),
      fullDisk: maybe(0.3, 2_000, 15_000),
      seal: maybe(0.25, 1_000, 10_000),
      transfer: maybe(0.3, 500, 5_000),
      campaign: maybe(0.3, 500, 5_000),
    },
    membershipMs: maybe(0.5, 400, 5_000),
    hasLeases: random.chance(0.3),
    syncMs: { least: random.between(0.1, 2), more: random.pick([0.2, 2, 10]) },
    downMs: random.pick([20, 300, 3_000]),
    partitionMs: random.pick([100, 1_000, 4_000]),
    pauseMs: random.pick([200, 1_000, 3_000]),
    stallMs: random.pick([300, 2_000, 10_000]),
    compaction: { everyEntries: random.pick([10, 50, 200, 5_000]), tailEntries: random.pick([0, 5, 30]) },
    raft: {
      appendBytesMax: random.pick([100, 600, 4_000]),
      inflightMessagesMax: random.pick([1, 2, 8, 64]),
      committedBytesPerReadyMax: random.pick([300, 4_000]),
      tailBytesMax: random.pick([300, 4_000, 100_000]),
      uncommittedBytesMax: random.pick([2_000, 20_000, 200_000]),
    },
    clients: 2 + random.below(7),
    patience: random.pick([1, 0.9, 0.5]),
    repeatShare: random.pick([0, 0.5, 1]),
    thinkMs: random.pick([10, 40, 150]),
    readShare: random.between(0.1, 0.6),
    keys: 1 + random.below(6),
    // Drawn last, so that the seeds without it are what they were.
    restoreMs: maybe(0.25, 1_000, 8_000),
  };
}

/** The same cluster with no faults at all. */
export function healed(swarm: Swarm): Swarm {
  const never: Swarm['every'] = {
    partition: 0,
    disconnect: 0,
    crash: 0,
    crashInWrite: 0,
    crashAll: 0,
    pause: 0,
    crashAtEffect: 0,
    failWrite: 0,
    slowDisk: 0,
    stallDisk: 0,
    clockJump: 0,
    compact: 0,
    fullDisk: 0,
    seal: 0,
    transfer: 0,
    campaign: 0,
  };
  return {
    ...swarm,
    every: never,
    membershipMs: 0,
    restoreMs: 0,
    delayMs: { least: 0.1, more: 0.5 },
    lateShare: 0,
    lossShare: 0,
    duplicateShare: 0,
    isReordering: false,
    syncMs: { least: 0.1, more: 0.5 },
  };
}
