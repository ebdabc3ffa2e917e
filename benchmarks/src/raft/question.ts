import type { PeerAddress } from '@lockstep/core/peers/peers';

/** What a process of the benchmark can be asked. `what` names the answer's shape. */
export type Question =
  | { readonly kind: 'start'; readonly members: readonly PeerAddress[] }
  | { readonly kind: 'address' }
  | { readonly kind: 'campaign' }
  | { readonly kind: 'load'; readonly load: LoadChoice }
  /** Ends the load, and tells of it. */
  | { readonly kind: 'end-load' }
  | { readonly kind: 'usage' }
  /** `count` control entries, each a log entry by itself, as fast as the leader takes them. */
  | { readonly kind: 'control-entries'; readonly count: number; readonly bytes: number }
  | { readonly kind: 'stop' };

/** Callers who begin the next operation when their last one has ended; or operations that begin at that rate, whatever became of earlier ones. */
export type Pace = { readonly inFlight: number } | { readonly perSecond: number };

export interface LoadChoice {
  readonly what: 'writes' | 'reads';
  readonly pace: Pace;
  readonly bytes: number;
  /** Not counted. */
  readonly warmUpMs: number;
}

/** What a load has seen since it was warm. */
export interface LoadSeen {
  readonly done: number;
  readonly refused: number;
  readonly unknown: number;
  /** For how long it was counted. */
  readonly warmMs: number;
  readonly histogram: readonly number[];
  /** Times without an acknowledged operation, as pairs of milliseconds on the machine's monotonic clock; only long ones. */
  readonly gaps: readonly (readonly [fromMs: number, toMs: number])[];
}

/** A process's counters since it started. The bare pipeline has only some of them. */
export interface Usage {
  /** The machine's monotonic clock. */
  readonly atMs: number;
  readonly cpuMicros: number;
  readonly rssBytes: number;
  readonly heapBytes: number;
  readonly outsideHeapBytes: number;
  /** Transactions applied (in the bare pipeline: payloads committed). */
  readonly transactions: number;
  readonly digest: number;
  readonly appliedIndex: number;
  readonly role: string;
  readonly leader: number;
  readonly term: number;
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly writes: number;
  readonly syncs: number;
  readonly turns: number;
  readonly lateTicks: number;
  readonly electionsStarted: number;
  readonly diskStalls: number;
  /** Times that this node, as leader, gave up its place right after its disk hung. */
  readonly stallsThatCostLeadership: number;
  readonly snapshotsTaken: number;
  readonly snapshotsInstalled: number;
  readonly compactions: number;
}

/** The machine's monotonic clock, which all its processes share. */
export function machineMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}
