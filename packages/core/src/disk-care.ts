import type { NodeId } from '@lockstep/contract/ids';
import { DiskStall } from './disk-stall.ts';
import { DurableTerm } from './durable-term.ts';
import { mostAdvanced } from './leadership.ts';
import { type Footprint, MemberReports, type OwnReport } from './member-reports.ts';
import type { MembershipHistory } from './membership-history.ts';
import type { DriverStatus, NodeOptions } from './node-options.ts';
import type { NodeReport } from './peers/node-report.ts';
import type { PeerMessage } from './peers/peers.ts';
import { votersOf } from './raft/core.ts';
import type { Raft } from './raft/raft.ts';
import type { Message, PersistBatch } from './raft/types.ts';
import type { Timings } from './timings.ts';
import { WriteGate } from './write-gate.ts';

export interface DiskCareOptions {
  readonly node: NodeOptions;
  readonly core: Raft;
  readonly timings: Timings;
  readonly memberships: MembershipHistory;
  readonly send: (to: NodeId, message: PeerMessage) => void;
  /** This node's disk has gone back. */
  readonly onRolledBack: (why: string) => void;
}

const unmeasured = { level: 'ok', freeBytes: 0, stopBytes: 0 } as const;

/** All that this node does about disks that are full, hang, or have gone back: its own, and what the others tell of theirs. */
export class DiskCare {
  readonly #options: DiskCareOptions;
  readonly #stall: DiskStall;
  readonly #reports: MemberReports;
  readonly #gate: WriteGate;
  readonly #durableTerm: DurableTerm;

  constructor(options: DiskCareOptions) {
    this.#options = options;
    const { node, core, timings, memberships, send } = options;
    const { id, clock, store, stored, log, memory } = node;
    this.#stall = new DiskStall({ store, clock, timings, log });
    this.#durableTerm = new DurableTerm(stored.hardState.term);
    this.#reports = new MemberReports({
      id,
      clock,
      membership: () => memberships.current,
      contacts: node.members.map((contact) => contact.node),
      send,
      own: () => this.#own(),
      run: node.random(2 ** 47),
      memory,
      log,
      onRolledBack: options.onRolledBack,
    });
    this.#gate = new WriteGate({
      id,
      core,
      clock,
      voters: () => votersOf(memberships.current),
      reports: this.#reports,
      ownLevel: () => node.diskSpace?.().level ?? 'ok',
      transferLeader: (to) => core.transferLeader(to),
    });
  }

  /** A write of the log hangs. */
  get isStalled(): boolean {
    return this.#stall.isStalled;
  }

  /** Nothing is stored any more that can wait. */
  get isExhausted(): boolean {
    return this.#gate.isExhausted;
  }

  /** No write has hung for some time, and clients' writes find room. */
  get isFit(): boolean {
    return this.#stall.isCalm && !this.#gate.isFull;
  }

  /** Clients' writes are refused. */
  get refusesWrites(): boolean {
    return this.#gate.refusesWrites;
  }

  /** Once for each tick. */
  tick(): void {
    const { core } = this.#options;
    this.#reports.maybeTell();
    this.#stall.watch();
    this.#gate.tick();
    if (!this.#stall.isStalled) return;
    const target = this.successor();
    if (core.role === 'leader' && target !== undefined) core.transferLeader(target);
  }

  /** The voter that should lead instead of this node: one with room on its disk, if there is one. */
  successor(): NodeId | undefined {
    const { core } = this.#options;
    return mostAdvanced(core, (node) => this.#gate.hasRoom(node)) ?? mostAdvanced(core);
  }

  /** What a member has told about itself lately; undefined where that is nothing, or does not count. */
  reportOf(node: NodeId): OwnReport | undefined {
    return this.#reports.isTrusted(node) ? this.#reports.of(node) : undefined;
  }

  greeting(): readonly PeerMessage[] {
    return this.#reports.greeting();
  }

  told(from: NodeId, report: NodeReport): void {
    this.#reports.told(from, report);
  }

  accused(from: NodeId, known: Footprint): void {
    this.#reports.accused(from, known);
  }

  /** A batch is to be written, and later all up to `sequence` are durable. */
  writing(batch: PersistBatch | undefined): void {
    this.#durableTerm.writing(batch);
  }

  written(sequence: number): void {
    this.#durableTerm.written(sequence);
  }

  /**
   * Whether a Raft message may be stepped. Not one from a node whose disk has gone back. On an exhausted disk entries are as good as
   * lost on the way: what is on it already stays safe, and votes still fit.
   */
  admits(from: NodeId, message: Message): boolean {
    if (!this.#reports.isTrusted(from)) return false;
    if (message.type === 'heartbeat' && this.#isPastEnd(message)) return false;
    if (!this.#gate.isExhausted) return true;
    return message.type !== 'snapshot' && (message.type !== 'append' || message.entries.length === 0);
  }

  status(): Pick<DriverStatus, 'isDiskStalled' | 'diskStalls' | 'diskSpace' | 'reports'> {
    return {
      isDiskStalled: this.#stall.isStalled,
      diskStalls: this.#stall.count,
      diskSpace: this.#options.node.diskSpace?.(),
      reports: this.#reports.all(),
    };
  }

  /** A leader tells no node a commit index above what that node has acknowledged, durably, to it or to an earlier leader. */
  #isPastEnd({ from, term, commit }: Extract<Message, { type: 'heartbeat' }>): boolean {
    const { core, onRolledBack } = this.#options;
    if (term < core.term || commit <= core.lastIndex) return false;
    onRolledBack(
      `leader ${from} knows that this node acknowledged entry ${commit}, but its log ends at entry ${core.lastIndex} in term ${core.term}`,
    );
    return true;
  }

  #own(): OwnReport {
    const { core, node } = this.#options;
    const { commit, stable, firstIndex } = core.status();
    const { level, freeBytes, stopBytes } = node.diskSpace?.() ?? unmeasured;
    return {
      term: this.#durableTerm.term,
      lastIndex: Math.max(stable, firstIndex - 1),
      floor: Math.min(commit, stable),
      disk: level,
      freeBytes,
      stopBytes,
      checkpoint: node.machine.checkpoint?.(),
    };
  }
}
