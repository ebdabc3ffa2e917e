import type { PhaseResult } from './phase.ts';

/** Of several results for one figure: each field's median by itself. */
export function medianOf(rounds: readonly PhaseResult[]): PhaseResult {
  const of = (field: (result: PhaseResult) => number): number => {
    const sorted = rounds.map(field).toSorted((a, b) => a - b);
    return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
  };
  return {
    per_second: of((result) => result.per_second),
    p50_ms: of((result) => result.p50_ms),
    p99_ms: of((result) => result.p99_ms),
    refused: of((result) => result.refused),
    unknown: of((result) => result.unknown),
    cpu_microseconds: {
      leader: of((result) => result.cpu_microseconds.leader),
      follower: of((result) => result.cpu_microseconds.follower),
    },
    per_entry: of((result) => result.per_entry),
    per_leader_sync: of((result) => result.per_leader_sync),
    other_busy_cores: of((result) => result.other_busy_cores),
    fdatasync_per_second: of((result) => result.fdatasync_per_second),
    fdatasync_p50_ms: of((result) => result.fdatasync_p50_ms),
    fdatasync_p99_ms: of((result) => result.fdatasync_p99_ms),
  };
}
