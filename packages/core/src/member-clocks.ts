import type { NodeId, Term } from '@lockstep/contract/ids';
import { mostAdvanced } from './leadership.ts';
import { clockAskMs, clockOffMsMax, clockReadingMs, clockRoundTripMsMax } from './limits.ts';
import type { PeerMessage } from './peers/peers.ts';
import { isVoter, voteResult, type Voters } from './raft/quorum.ts';
import type { Raft } from './raft/raft.ts';
import type { Membership } from './raft/types.ts';
import type { Clock } from './timings.ts';

/** A voter's wall clock, as what it is ahead of this node's monotonic clock. */
interface Reading {
  readonly aheadMs: number;
  readonly readMs: number;
}

export interface MemberClocksOptions {
  readonly id: NodeId;
  readonly core: Raft;
  readonly clock: Clock;
  readonly membership: () => Membership;
  readonly send: (to: NodeId, message: PeerMessage) => void;
  readonly handOver: (to: NodeId) => void;
  readonly log: (event: string, fields: Readonly<Record<string, string | number | boolean>>) => void;
}

/**
 * The leader's view of the voters' wall clocks. Log time follows their median, so that one clock that is wrong, or jumps, moves
 * nothing: neither the leader's own nor another's. Each reading is held against this node's monotonic clock, and refused when its
 * round trip was so long that it tells little.
 */
export class MemberClocks {
  readonly #options: MemberClocksOptions;
  readonly #readings = new Map<NodeId, Reading>();
  /** When each round was asked that may still be answered. */
  readonly #asked = new Map<number, number>();
  #lastId = 0;
  #lastAskedMs = Number.NEGATIVE_INFINITY;
  #term: Term | undefined;
  #isKnown = false;
  #isOff = false;
  #wasOff = false;

  constructor(options: MemberClocksOptions) {
    this.#options = options;
  }

  /** Once for each turn and tick: asks the voters when this node begins to lead, and every `clockAskMs` after. */
  maybeAsk(): void {
    const { core, clock } = this.#options;
    if (core.role !== 'leader') {
      this.#term = undefined;
      return;
    }
    const nowMs = clock.nowMs();
    if (this.#term !== core.term) this.#begin(core.term);
    else if (nowMs - this.#lastAskedMs < clockAskMs) return;
    this.#judge();
    for (const [id, askedMs] of this.#asked) if (nowMs - askedMs > clockRoundTripMsMax) this.#asked.delete(id);
    const id = this.#lastId + 1;
    this.#lastId = id;
    this.#lastAskedMs = nowMs;
    this.#asked.set(id, nowMs);
    for (const node of this.#others()) this.#options.send(node, { kind: 'clock-ask', from: this.#options.id, id });
  }

  /** A leader asks this node. */
  answer(from: NodeId, id: number): void {
    this.#options.send(from, { kind: 'clock', from: this.#options.id, id, wallMs: Math.max(0, this.#wallMs()) });
  }

  told(from: NodeId, id: number, wallMs: number): void {
    const { clock } = this.#options;
    const nowMs = clock.nowMs();
    const askedMs = this.#asked.get(id);
    if (this.#term === undefined || askedMs === undefined || nowMs - askedMs > clockRoundTripMsMax) return;
    const tripMs = nowMs - askedMs;
    this.#readings.set(from, { aheadMs: wallMs - (nowMs - tripMs / 2), readMs: nowMs });
  }

  /** Whether a quorum of the voters, this node included, has told its time since this node began to lead. Then time may be stamped. */
  isKnown(): boolean {
    if (this.#term !== this.#options.core.term) return false;
    const { id } = this.#options;
    this.#isKnown ||= voteResult(this.#voters(), (node) => node === id || this.#readings.has(node)) === 'won';
    return this.#isKnown;
  }

  /**
   * Milliseconds since the Unix epoch by the median of the voters' clocks; of an even number the earlier of the two in the middle,
   * since to expire late is safer than to expire early.
   */
  nowMs(): number {
    const { id, clock } = this.#options;
    const nowMs = clock.nowMs();
    const ahead = isVoter(this.#voters(), id) ? [this.#wallMs() - nowMs] : [];
    for (const node of this.#others()) {
      const reading = this.#readings.get(node);
      if (reading !== undefined && nowMs - reading.readMs <= clockReadingMs) ahead.push(reading.aheadMs);
    }
    ahead.sort((a, b) => a - b);
    return nowMs + (ahead[(ahead.length - 1) >> 1] ?? this.#wallMs() - nowMs);
  }

  /** How far this leader's own clock is ahead of the median. */
  get offMs(): number {
    return this.#term === undefined ? 0 : Math.round(this.#wallMs() - this.nowMs());
  }

  #begin(term: Term): void {
    this.#term = term;
    this.#isKnown = false;
    this.#wasOff = false;
    this.#readings.clear();
    this.#asked.clear();
  }

  /** A leader whose clock is off hands over to the voter that has most of the log among those whose clock is right. */
  #judge(): void {
    if (!this.isKnown()) return;
    const { core, handOver, log, clock } = this.#options;
    const { offMs } = this;
    // Found twice: all clocks may have been set at once, and the others' be read only now.
    const isOff = Math.abs(offMs) > clockOffMsMax && this.#wasOff;
    this.#wasOff = Math.abs(offMs) > clockOffMsMax;
    if (isOff !== this.#isOff) log(isOff ? 'clock-off' : 'clock-right', { offMs });
    this.#isOff = isOff;
    if (!isOff) return;
    const medianAheadMs = this.nowMs() - clock.nowMs();
    const isRight = (node: NodeId): boolean => {
      const reading = this.#readings.get(node);
      return reading !== undefined && Math.abs(reading.aheadMs - medianAheadMs) <= clockOffMsMax;
    };
    const target = mostAdvanced(core, isRight);
    if (target !== undefined) handOver(target);
  }

  #wallMs(): number {
    return Math.floor(this.#options.clock.wallMs());
  }

  #voters(): Voters {
    const { voters, votersOutgoing } = this.#options.membership();
    return { incoming: voters, outgoing: votersOutgoing };
  }

  #others(): readonly NodeId[] {
    const { incoming, outgoing } = this.#voters();
    return [...new Set([...incoming, ...outgoing])].filter((node) => node !== this.#options.id);
  }
}
