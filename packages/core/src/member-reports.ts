import type { NodeId } from '@lockstep/contract/ids';
import { reportMs, reportStaleMs } from './limits.ts';
import type { NodeReport } from './peers/node-report.ts';
import type { PeerMessage } from './peers/peers.ts';
import { membersOf } from './raft/membership.ts';
import type { Membership } from './raft/types.ts';
import type { Clock } from './timings.ts';

/** What a node has once said that it holds, durably. It can't have less later, unless its disk has gone back. */
export interface Footprint {
  readonly term: number;
  readonly floor: number;
}

/** Where a node remembers the others' footprints over restarts. Losing one only makes a rolled-back disk harder to notice. */
export interface PeerMemory {
  /** As remembered when the node started. */
  readonly footprints: ReadonlyMap<NodeId, Footprint>;
  /** Keeps the newest of each node, in its own time. */
  readonly remember: (node: NodeId, footprint: Footprint) => void;
}

/** What a node says of itself; run and sequence are added when it is told. */
export type OwnReport = Omit<NodeReport, 'run' | 'sequence'>;

export interface MemberReportsOptions {
  readonly id: NodeId;
  readonly clock: Clock;
  readonly membership: () => Membership;
  /** Whom to tell as long as the membership names nobody. */
  readonly contacts: readonly NodeId[];
  readonly send: (to: NodeId, message: PeerMessage) => void;
  readonly own: () => OwnReport;
  /** Drawn for this run of the process. */
  readonly run: number;
  readonly memory: PeerMemory | undefined;
  readonly log: (event: string, fields: Readonly<Record<string, string | number | boolean>>) => void;
  /** This node's own disk has gone back. */
  readonly onRolledBack: (why: string) => void;
}

/**
 * What the members tell each other about themselves: each second, and first of all on a new stream. A node that holds less than
 * it once said it held is on a disk that was rolled back (restored from an older copy): it has forgotten votes and
 * acknowledgements, so nothing that it says counts here, and it is told.
 */
export class MemberReports {
  readonly #options: MemberReportsOptions;
  readonly #reports = new Map<NodeId, { readonly report: NodeReport; readonly atMs: number }>();
  readonly #footprints: Map<NodeId, Footprint>;
  /** Nodes whose last report told of less than they had held. */
  readonly #rolledBack = new Set<NodeId>();
  #sequence = 0;
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(options: MemberReportsOptions) {
    this.#options = options;
    this.#footprints = new Map(options.memory?.footprints);
  }

  /** Once for each tick. */
  maybeTell(): void {
    const { id, clock, membership, contacts, send } = this.#options;
    const nowMs = clock.nowMs();
    if (nowMs - this.#toldMs < reportMs) return;
    this.#toldMs = nowMs;
    const message = this.#message();
    const members = membersOf(membership());
    for (const node of members.length > 0 ? members : contacts) if (node !== id) send(node, message);
  }

  greeting(): readonly PeerMessage[] {
    return [this.#message()];
  }

  /** A node's report arrived. Streams hand over nothing of a run once its next was heard; within a run, one may come late or twice. */
  told(from: NodeId, report: NodeReport): void {
    const { clock, id, send, log } = this.#options;
    const before = this.#reports.get(from)?.report;
    if (before?.run === report.run && before.sequence >= report.sequence) return;
    this.#reports.set(from, { report, atMs: clock.nowMs() });
    const known = this.#footprints.get(from);
    if (known !== undefined && (report.lastIndex < known.floor || report.term < known.term)) {
      send(from, { kind: 'rolled-back', from: id, ...known });
      if (this.#rolledBack.has(from)) return;
      this.#rolledBack.add(from);
      const { term, lastIndex } = report;
      log('peer-rolled-back', { node: from, term, lastIndex, knownTerm: known.term, knownFloor: known.floor });
      return;
    }
    this.#rolledBack.delete(from);
    if (known !== undefined && report.floor <= known.floor && report.term <= known.term) return;
    const { term, floor } = report;
    const newest = { term: Math.max(term, known?.term ?? 0), floor: Math.max(floor, known?.floor ?? 0) };
    this.#footprints.set(from, newest);
    this.#options.memory?.remember(from, newest);
  }

  /** Another node remembers that this one held more. */
  accused(from: NodeId, known: Footprint): void {
    const { term, lastIndex } = this.#options.own();
    if (lastIndex >= known.floor && term >= known.term) return;
    this.#options.onRolledBack(
      `node ${from} was told that this node held entry ${known.floor} and term ${known.term}, but its log ends at entry ${lastIndex} in term ${term}`,
    );
  }

  /** Whether what that node says about votes and entries counts. */
  isTrusted(node: NodeId): boolean {
    return !this.#rolledBack.has(node);
  }

  /** What a node has told lately; undefined when it has been silent. */
  of(node: NodeId): OwnReport | undefined {
    if (node === this.#options.id) return this.#options.own();
    const told = this.#reports.get(node);
    if (told === undefined || this.#options.clock.nowMs() - told.atMs > reportStaleMs) return undefined;
    return told.report;
  }

  /** What all members have told lately, this node included. */
  all(): ReadonlyMap<NodeId, OwnReport> {
    const all = new Map<NodeId, OwnReport>();
    for (const node of membersOf(this.#options.membership())) {
      const report = this.of(node);
      if (report !== undefined) all.set(node, report);
    }
    return all;
  }

  #message(): PeerMessage {
    const { id, own, run } = this.#options;
    this.#sequence++;
    return { kind: 'report', from: id, report: { ...own(), run, sequence: this.#sequence } };
  }
}
