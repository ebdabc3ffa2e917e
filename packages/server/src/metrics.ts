import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { DiskSpace } from '@lockstep/core/free-space';
import type { DriverStatus } from '@lockstep/core/node';
import type { DiskLevel } from '@lockstep/core/peers/node-report';

/** What the host tells about itself when it is scraped. */
export interface MetricsSource {
  readonly status: () => DriverStatus;
  readonly isSealed: () => boolean;
  /** 0 or 1. */
  readonly isQuarantined: () => number;
  readonly waitingWrites: () => number;
  readonly auditQueue: () => number;
  readonly auditSinkFailures: () => number;
  readonly offloadQueue: () => number;
  readonly keysSwept: () => number;
}

/** One node's metrics, and Vault's names for those that dashboards know. Labels hold no path, name or secret: only closed sets. */
export class Metrics {
  readonly registry: Registry = new Registry();
  readonly #requests: Counter<'operation' | 'door' | 'code'>;
  readonly #duration: Histogram<'operation'>;

  constructor(source: MetricsSource) {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    this.#requests = new Counter({
      name: 'lockstep_requests_total',
      help: 'Requests answered, by outcome',
      labelNames: ['operation', 'door', 'code'],
      registers,
    });
    this.#duration = new Histogram({
      name: 'lockstep_request_seconds',
      help: 'Time from the door to the reply',
      labelNames: ['operation'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    });
    for (const [name, help, value] of counters(source)) {
      const counter: Counter = new Counter({
        name,
        help,
        registers,
        collect: () => {
          counter.reset();
          counter.inc(value());
        },
      });
    }
    for (const [name, help, value] of gauges(source)) {
      const gauge: Gauge = new Gauge({ name, help, registers, collect: () => gauge.set(value()) });
    }
  }

  requestAnswered(request: {
    readonly operation: string;
    readonly door: string;
    readonly code: string;
    readonly seconds: number;
  }): void {
    this.#requests.inc({ operation: request.operation, door: request.door, code: request.code });
    this.#duration.observe({ operation: request.operation }, request.seconds);
  }

  /** Refused at the door: there is no time to tell of. */
  requestRefused(request: { readonly operation: string; readonly door: string; readonly code: string }): void {
    this.#requests.inc({ operation: request.operation, door: request.door, code: request.code });
  }
}

type Row = readonly [name: string, help: string, value: () => number];

function counters(source: MetricsSource): readonly Row[] {
  return [['lockstep_audit_sink_failures_total', 'Audit lines that a sink did not take', source.auditSinkFailures]];
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
    [
      'lockstep_log_disk_stalls',
      'Times that a write of the log hung since the start',
      () => source.status().diskStalls,
    ],
    ['lockstep_quarantined', '1 where the disk has gone back and the node takes no part', source.isQuarantined],
  ];
}

function gauges(source: MetricsSource): readonly Row[] {
  const isLeader = (): number => Number(source.status().raft.role === 'leader');
  const isUnsealed = (): number => Number(!source.isSealed());
  const rows: readonly Row[] = [
    ['lockstep_raft_term', 'Current term', () => source.status().raft.term],
    ['lockstep_raft_is_leader', '1 on the leader', isLeader],
    ['lockstep_raft_commit_index', 'Last committed index', () => source.status().raft.commit],
    ['lockstep_raft_applied_index', 'Last index applied to the state', () => source.status().appliedIndex],
    ['lockstep_raft_last_index', 'Last index in the log', () => source.status().raft.lastIndex],
    ['lockstep_raft_committed_entries', 'Entries committed since the start', () => source.status().committedEntries],
    ['lockstep_raft_elections', 'Elections that this node started', () => source.status().electionsStarted],
    [
      'lockstep_raft_proposals_waiting',
      'Transactions waiting for a place in the log',
      () => source.status().proposalsWaiting,
    ],
    [
      'lockstep_raft_snapshots_installed',
      'Snapshots installed here since the start',
      () => source.status().snapshotsInstalled,
    ],
    ['lockstep_raft_snapshots_taken', 'Snapshots taken here since the start', () => source.status().snapshotsTaken],
    ['lockstep_raft_compactions', 'Compactions since the start', () => source.status().compactions],
    [
      'lockstep_raft_outcomes_unknown',
      'Forwarded transactions whose outcome stayed unknown',
      () => source.status().outcomesUnknown,
    ],
    ['lockstep_log_syncs', 'Synced writes of the log since the start', () => source.status().log.syncs],
    ['lockstep_log_writes', 'Writes of the log since the start', () => source.status().log.writes],
    [
      'lockstep_log_last_sync_seconds',
      'How long the last synced write took',
      () => source.status().log.lastSyncMs / 1000,
    ],
    [
      'lockstep_log_oldest_pending_seconds',
      'How long the write under way has taken so far',
      () => source.status().log.oldestPendingMs / 1000,
    ],
    ...diskGauges(source),
    ['lockstep_writes_waiting', 'Requests waiting for their write to be applied', source.waitingWrites],
    ['lockstep_audit_queue', 'Audit lines not yet held by a sink', source.auditQueue],
    ['lockstep_offload_queue', 'Heavy work waiting for a worker', source.offloadQueue],
    ['lockstep_swept_keys', 'What was over and has been removed from the state, since the start', source.keysSwept],
    ['lockstep_unsealed', '1 while unsealed', isUnsealed],
  ];
  return [
    ...rows,
    ['vault_core_unsealed', 'As lockstep_unsealed', isUnsealed],
    ['vault_core_active', 'As lockstep_raft_is_leader', isLeader],
    ['vault_raft_storage_stats_commit_index', 'As lockstep_raft_commit_index', () => source.status().raft.commit],
    ['vault_raft_storage_stats_applied_index', 'As lockstep_raft_applied_index', () => source.status().appliedIndex],
    ['vault_raft_state_leader', 'As lockstep_raft_is_leader', isLeader],
  ];
}
