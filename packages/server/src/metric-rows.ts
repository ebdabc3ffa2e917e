// What a node tells of itself when it is scraped: one row for each metric without labels.
import type { AutopilotCounts } from './members/autopilot-steps.ts';
import type { DiskSpace } from '@lockstep/core/free-space';
import type { DriverStatus } from '@lockstep/core/node';
import type { DiskLevel } from '@lockstep/core/peers/node-report';

export interface MetricsSource {
  readonly status: () => DriverStatus;
  readonly isSealed: () => boolean;
  /** 0 or 1. */
  readonly isQuarantined: () => number;
  readonly waitingWrites: () => number;
  readonly statePendingBytes: () => number;
  readonly auditQueue: () => number;
  readonly auditSinkFailures: () => { readonly request: number; readonly response: number };
  readonly offloadQueue: () => number;
  readonly keysSwept: () => number;
  /** 0 or 1. */
  readonly isStateDamaged: () => number;
  readonly scrubPasses: () => number;
  readonly scrubbedBytes: () => number;
  readonly autopilotSteps: () => AutopilotCounts;
}

export type Row = readonly [name: string, help: string, value: () => number];

/** What only grows, from 0 at the start of the process. */
export function counters(source: MetricsSource): readonly Row[] {
  const { status, auditSinkFailures } = source;
  const sinkFailures = (): number => auditSinkFailures().request + auditSinkFailures().response;
  return [
    [
      'lockstep_raft_committed_entries_total',
      'Entries of the log that were committed',
      () => status().committedEntries,
    ],
    ['lockstep_raft_elections_total', 'Elections that this node began', () => status().electionsStarted],
    ['lockstep_raft_snapshots_installed_total', 'Snapshots installed here', () => status().snapshotsInstalled],
    ['lockstep_raft_snapshots_taken_total', 'Snapshots taken here', () => status().snapshotsTaken],
    ['lockstep_raft_compactions_total', 'Compactions of the log', () => status().compactions],
    [
      'lockstep_raft_outcomes_unknown_total',
      'Forwarded transactions whose outcome stayed unknown',
      () => status().outcomesUnknown,
    ],
    ['lockstep_log_syncs_total', 'Synced writes of the log', () => status().log.syncs],
    ['lockstep_log_writes_total', 'Writes of the log', () => status().log.writes],
    [
      'lockstep_state_refetched_total',
      "States that were damaged and replaced by another node's",
      () => status().statesRefetched,
    ],
    [
      'lockstep_state_scrub_passes_total',
      'Times that the whole state was read and found as it should be, or not',
      source.scrubPasses,
    ],
    ['lockstep_state_scrubbed_bytes_total', 'What was read for it', source.scrubbedBytes],
    ['lockstep_log_disk_stalls_total', 'Times that a write of the log hung', () => status().diskStalls],
    ['lockstep_audit_sink_failures_total', 'Audit lines that a sink did not take', sinkFailures],
    ...autopilotCounters(source),
    ['lockstep_swept_keys_total', 'What was over and has been removed from the state', source.keysSwept],
    ['vault_raft_apply', 'As lockstep_raft_committed_entries_total', () => status().committedEntries],
    [
      'vault_audit_log_request_failure',
      'Lines of requests that a sink did not take',
      () => auditSinkFailures().request,
    ],
    [
      'vault_audit_log_response_failure',
      'Lines of answers that a sink did not take',
      () => auditSinkFailures().response,
    ],
  ];
}

function autopilotCounters({ autopilotSteps }: MetricsSource): readonly Row[] {
  return [
    ['lockstep_autopilot_promotions_total', 'Learners that autopilot promoted here', () => autopilotSteps().promoted],
    ['lockstep_autopilot_removals_total', 'Dead members that autopilot removed here', () => autopilotSteps().removed],
    [
      'lockstep_autopilot_failed_steps_total',
      'Changes that autopilot began here and that came to nothing',
      () => autopilotSteps().failed,
    ],
  ];
}

/** What only a leader knows: no number elsewhere, so that no alert takes a follower for an unhealthy cluster. */
function autopilotGauges({ status }: MetricsSource): readonly Row[] {
  const health = (): DriverStatus['clusterHealth'] => status().clusterHealth;
  const healthy = (): number => (health() === undefined ? Number.NaN : Number(health()?.isHealthy === true));
  const tolerance = (): number => health()?.failureTolerance ?? Number.NaN;
  return [
    ['lockstep_autopilot_healthy', '1 where every member is healthy; NaN on all but the leader', healthy],
    [
      'lockstep_autopilot_failure_tolerance',
      'Healthy voters that may be lost before there is no quorum; NaN on all but the leader',
      tolerance,
    ],
    ['vault_autopilot_healthy', 'As lockstep_autopilot_healthy', healthy],
    ['vault_autopilot_failure_tolerance', 'As lockstep_autopilot_failure_tolerance', tolerance],
  ];
}

/** What is so now. */
export function gauges(source: MetricsSource): readonly Row[] {
  const isUnsealed = (): number => Number(!source.isSealed());
  return [
    ...raftGauges(source),
    ...diskGauges(source),
    ...autopilotGauges(source),
    ['lockstep_writes_waiting', 'Requests waiting for their write to be applied', source.waitingWrites],
    ['lockstep_state_pending_bytes', 'Applied to the state and not yet written to disk', source.statePendingBytes],
    ['lockstep_audit_queue', 'Audit lines not yet held by a sink', source.auditQueue],
    ['lockstep_offload_queue', 'Heavy work waiting for a worker', source.offloadQueue],
    ['lockstep_unsealed', '1 while unsealed', isUnsealed],
    ['vault_core_unsealed', 'As lockstep_unsealed', isUnsealed],
  ];
}

function raftGauges({ status }: MetricsSource): readonly Row[] {
  const raft = (): DriverStatus['raft'] => status().raft;
  const is = (role: string) => (): number => Number(raft().role === role);
  const members = (): number => status().membership.voters.length + status().membership.learners.length;
  return [
    ['lockstep_raft_term', 'Current term', () => raft().term],
    ['lockstep_raft_is_leader', '1 on the leader', is('leader')],
    ['lockstep_raft_commit_index', 'Last committed index', () => raft().commit],
    ['lockstep_raft_applied_index', 'Last index applied to the state', () => status().appliedIndex],
    ['lockstep_raft_last_index', 'Last index in the log', () => raft().lastIndex],
    ['lockstep_raft_members', 'Voters and learners of the cluster', members],
    ['lockstep_raft_proposals_waiting', 'Transactions waiting for a place in the log', () => status().proposalsWaiting],
    [
      'lockstep_raft_clock_off_seconds',
      "How far a leader's clock is ahead of the voters'",
      () => status().clockOffMs / 1000,
    ],
    ['lockstep_log_last_sync_seconds', 'How long the last synced write took', () => status().log.lastSyncMs / 1000],
    [
      'lockstep_log_oldest_pending_seconds',
      'How long the write under way has taken so far',
      () => status().log.oldestPendingMs / 1000,
    ],
    ['vault_core_active', 'As lockstep_raft_is_leader', is('leader')],
    ['vault_raft_state_leader', '1 while it leads', is('leader')],
    ['vault_raft_state_follower', '1 while it follows', is('follower')],
    ['vault_raft_state_candidate', '1 while it stands for election', is('candidate')],
    ['vault_raft_peers', 'As lockstep_raft_members', members],
    ['vault_raft_storage_stats_commit_index', 'As lockstep_raft_commit_index', () => raft().commit],
    ['vault_raft_storage_stats_applied_index', 'As lockstep_raft_applied_index', () => status().appliedIndex],
    [
      'vault_raft_storage_stats_fsm_pending',
      'Entries that are committed and not yet applied',
      () => Math.max(0, raft().commit - status().appliedIndex),
    ],
  ];
}

function diskGauges(source: MetricsSource): readonly Row[] {
  const levels: readonly DiskLevel[] = ['ok', 'low', 'full', 'exhausted'];
  const space = (): DiskSpace | undefined => source.status().diskSpace;
  return [
    ['lockstep_disk_free_bytes', "Free where the node's data lies", () => space()?.freeBytes ?? 0],
    ['lockstep_disk_warn_bytes', 'Below it the disk is low', () => space()?.warnBytes ?? 0],
    [
      'lockstep_disk_stop_bytes',
      "Below it the disk is full: clients' writes are refused",
      () => space()?.stopBytes ?? 0,
    ],
    ['lockstep_disk_level', '0 ok, 1 low, 2 full, 3 exhausted', () => levels.indexOf(space()?.level ?? 'ok')],
    ['lockstep_state_damaged', "1 where the state is damaged and another node's is awaited", source.isStateDamaged],
    ['lockstep_quarantined', '1 where the disk has gone back and the node takes no part', source.isQuarantined],
  ];
}
