/** Time as the driver sees it. Production gives it the process's clocks, the simulator its own. */
export interface Clock {
  /** Monotonic milliseconds; only differences mean anything. */
  readonly nowMs: () => number;
  /** Milliseconds since the Unix epoch, by this machine's clock, right or wrong. */
  readonly wallMs: () => number;
  /** Calls `run` once, not before `ms` have passed; the result cancels it. */
  readonly setTimer: (ms: number, run: () => void) => () => void;
}

export interface Timings {
  /** Raft's unit of time. */
  readonly tickMs: number;
  readonly heartbeatTicks: number;
  /** Election timeouts are drawn from this to twice this. */
  readonly electionTicks: number;
  /** How long a transaction or a read waits for a leader before `no-leader`. */
  readonly leaderWaitMs: number;
  /** How long a forwarded transaction waits for the leader's answer before its outcome is unknown. */
  readonly forwardTimeoutMs: number;
  /** How long a read is retried before it is refused. */
  readonly readDeadlineMs: number;
  /** After how long a forwarded read is asked again, under a fresh id. */
  readonly readResendMs: number;
  /** After how long a snapshot that was offered and not yet installed is offered again. */
  readonly snapshotOfferMs: number;
  /** How long compaction waits for a follower that installs a snapshot. */
  readonly snapshotHoldMs: number;
}

/**
 * Elections after 1–2 s: under that, a busy JavaScript process or one slow fsync costs a leader (etcd 1 s, hashicorp/raft 1 s).
 * A leader wait of 5 s covers the longest timeout and two tied votes. A forwarded transaction is answered right after its
 * append, so 10 s of silence is a leader that is gone or paused. Reads are asked again after one shortest election timeout.
 */
export const defaultTimings: Timings = {
  tickMs: 50,
  heartbeatTicks: 2,
  electionTicks: 20,
  leaderWaitMs: 5_000,
  forwardTimeoutMs: 10_000,
  readDeadlineMs: 5_000,
  readResendMs: 1_000,
  snapshotOfferMs: 10_000,
  snapshotHoldMs: 600_000,
};
