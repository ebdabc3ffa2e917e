import type { NodeId } from '@lockstep/contract/ids';
import { mostAdvanced } from './leadership.ts';
import { handOverEveryMs } from './limits.ts';
import type { MemberReports } from './member-reports.ts';
import type { DiskLevel } from './peers/node-report.ts';
import { voteResult, type Voters } from './raft/quorum.ts';
import type { Raft } from './raft/raft.ts';
import type { Clock } from './timings.ts';

export interface WriteGateOptions {
  readonly id: NodeId;
  readonly core: Raft;
  readonly clock: Clock;
  readonly voters: () => Voters;
  readonly reports: MemberReports;
  readonly transferLeader: (to: NodeId) => void;
}

/**
 * Keeps clients' writes from meeting a disk that is full: they are refused while the leader's disk, or those of so many voters
 * that the rest are no quorum, have less free than they need. A leader whose disk is full hands over to a voter that has room.
 */
export class WriteGate {
  readonly #options: WriteGateOptions;
  #handedOverMs = Number.NEGATIVE_INFINITY;

  constructor(options: WriteGateOptions) {
    this.#options = options;
  }

  /** Nothing is stored here that can wait, not even what frees space. */
  get isExhausted(): boolean {
    return this.#level(this.#options.id) === 'exhausted';
  }

  get isFull(): boolean {
    return isFull(this.#level(this.#options.id));
  }

  /** Whether clients' writes are refused now. Without a leader they wait for one. */
  refusesWrites(): boolean {
    const { core, voters } = this.#options;
    if (core.leader === 0) return false;
    if (isFull(this.#level(core.leader))) return true;
    return voteResult(voters(), (node) => !isFull(this.#level(node))) !== 'won';
  }

  /** Once for each tick. */
  maybeHandOver(): void {
    const { core, clock, transferLeader } = this.#options;
    if (core.role !== 'leader' || !this.isFull) return;
    const nowMs = clock.nowMs();
    if (nowMs - this.#handedOverMs < handOverEveryMs) return;
    const target = mostAdvanced(core, (node) => this.hasRoom(node));
    if (target === undefined) return;
    this.#handedOverMs = nowMs;
    transferLeader(target);
  }

  /** Whether that node has said lately that clients' writes find room there. */
  hasRoom(node: NodeId): boolean {
    const level = this.#level(node);
    return level !== undefined && !isFull(level);
  }

  /** Undefined for a node that is silent: it may have room. */
  #level(node: NodeId): DiskLevel | undefined {
    return this.#options.reports.of(node)?.disk;
  }
}

function isFull(level: DiskLevel | undefined): boolean {
  return level === 'full' || level === 'exhausted';
}
