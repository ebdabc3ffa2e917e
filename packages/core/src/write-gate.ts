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
  /** Of this node's disk. */
  readonly ownLevel: () => DiskLevel;
  readonly transferLeader: (to: NodeId) => void;
}

/**
 * Keeps clients' writes from meeting a disk that is full: they are refused while the leader's disk, or those of so many voters
 * that the rest are no quorum, have less free than they need. A leader whose disk is full hands over to a voter that has room.
 */
export class WriteGate {
  readonly #options: WriteGateOptions;
  #refusesWrites = false;
  #handedOverMs = Number.NEGATIVE_INFINITY;

  constructor(options: WriteGateOptions) {
    this.#options = options;
  }

  /** Nothing is stored here that can wait, not even what frees space. */
  get isExhausted(): boolean {
    return this.#options.ownLevel() === 'exhausted';
  }

  get isFull(): boolean {
    return isFull(this.#options.ownLevel());
  }

  /** Whether clients' writes are refused, as of the last tick: a request asks for no more than that. Without a leader they wait for one. */
  get refusesWrites(): boolean {
    return this.#refusesWrites;
  }

  /** Once for each tick. */
  tick(): void {
    const { core, voters } = this.#options;
    const isLeaderFull = core.leader !== 0 && isFull(this.#level(core.leader));
    const hasQuorumRoom = voteResult(voters(), (node) => !isFull(this.#level(node))) === 'won';
    this.#refusesWrites = isLeaderFull || (core.leader !== 0 && !hasQuorumRoom);
    this.#maybeHandOver();
  }

  /** Whether that node has said lately that clients' writes find room there. */
  hasRoom(node: NodeId): boolean {
    const level = this.#level(node);
    return level !== undefined && !isFull(level);
  }

  #maybeHandOver(): void {
    const { core, clock, transferLeader } = this.#options;
    if (core.role !== 'leader' || !this.isFull) return;
    const nowMs = clock.nowMs();
    if (nowMs - this.#handedOverMs < handOverEveryMs) return;
    const target = mostAdvanced(core, (node) => this.hasRoom(node));
    if (target === undefined) return;
    this.#handedOverMs = nowMs;
    transferLeader(target);
  }

  /** Undefined for a node that is silent: it may have room. */
  #level(node: NodeId): DiskLevel | undefined {
    const { id, reports, ownLevel } = this.#options;
    return node === id ? ownLevel() : reports.of(node)?.disk;
  }
}

function isFull(level: DiskLevel | undefined): boolean {
  return level === 'full' || level === 'exhausted';
}
