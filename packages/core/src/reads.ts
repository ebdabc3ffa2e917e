import { LogIndex, type NodeId } from '@lockstep/contract/ids';
import type { Leadership } from './leadership.ts';
import { peerReadsWaitingMax, readRoundsMax, readsWaitingMax } from './limits.ts';
import type { LogTime } from './log-time.ts';
import type { PeerMessage, RefusedReason } from './peers/peers.ts';
import type { ReadOutcome, StateMachine } from './port.ts';
import type { Raft } from './raft/raft.ts';
import type { ReadConfirmed } from './raft/types.ts';
import type { Clock, Timings } from './timings.ts';

type PeerOutcome = Extract<PeerMessage, { kind: 'read-index-reply' }>['outcome'];

interface Read {
  readonly done: (outcome: ReadOutcome) => void;
  readonly deadlineMs: number;
}

interface PeerRead {
  readonly node: NodeId;
  readonly id: number;
  readonly deadlineMs: number;
}

/** One ReadIndex under way: as leader with the core, as follower with the leader. All reads of a turn share it. */
type Round =
  | { readonly with: 'core'; readonly reads: readonly Read[]; readonly peerReads: readonly PeerRead[] }
  | { readonly with: 'leader'; readonly leader: NodeId; readonly reads: readonly Read[]; readonly resendMs: number };

export interface ReadsOptions {
  readonly id: NodeId;
  readonly core: Raft;
  readonly machine: StateMachine;
  readonly leadership: Leadership;
  readonly time: LogTime;
  readonly clock: Clock;
  readonly timings: Timings;
  readonly send: (to: NodeId, message: PeerMessage) => void;
  readonly wake: () => void;
}

/**
 * Linearizable reads by ReadIndex (Ongaro's thesis §6.4). A read joins a round that begins after it, never one under way; a
 * round that is lost or dropped is repeated under a fresh id, so that a late confirmation can't answer for it (etcd #20418).
 */
export class Reads {
  readonly #options: ReadsOptions;
  #waiting: Read[] = [];
  #peerWaiting: PeerRead[] = [];
  readonly #rounds = new Map<number, Round>();
  #readsUnderWay = 0;
  /** Begins at random, so that an answer meant for an earlier run of this node finds nothing. */
  #nextId: number;
  #refusedBy: NodeId | undefined;
  /** The core takes no reads (it hands leadership over): asked again at the next tick. */
  #isDeclined = false;
  #isClosed = false;

  constructor(options: ReadsOptions, firstId: number) {
    this.#options = options;
    this.#nextId = firstId;
  }

  get hasWaiting(): boolean {
    return this.#waiting.length > 0 || this.#peerWaiting.length > 0;
  }

  readIndex(done: (outcome: ReadOutcome) => void): void {
    if (this.#isClosed) return done(refused('no-leader'));
    if (this.#waiting.length + this.#readsUnderWay >= readsWaitingMax) return done(refused('busy'));
    this.#waiting.push({ done, deadlineMs: this.#options.clock.nowMs() + this.#options.timings.readDeadlineMs });
    this.#options.wake();
  }

  /** A peer asks this node as leader. */
  receive(node: NodeId, id: number): void {
    if (!this.#options.leadership.isLeader()) return this.#answer(node, id, { kind: 'refused', reason: 'no-leader' });
    if (this.#peerWaiting.length >= peerReadsWaitingMax) {
      return this.#answer(node, id, { kind: 'refused', reason: 'busy' });
    }
    const deadlineMs = this.#options.clock.nowMs() + this.#options.timings.readDeadlineMs;
    this.#peerWaiting.push({ node, id, deadlineMs });
  }

  /** The core has confirmed a round with a quorum. */
  confirmed({ id, index }: ReadConfirmed): void {
    const round = this.#takeRound(id);
    if (round?.with !== 'core') return;
    const timeMs = this.#options.time.now();
    for (const read of round.reads) read.done({ kind: 'confirmed', index, timeMs });
    for (const peer of round.peerReads) this.#answer(peer.node, peer.id, { kind: 'confirmed', index, timeMs });
  }

  /** The core can't confirm a round any more. */
  dropped(id: number): void {
    const round = this.#takeRound(id);
    if (round?.with !== 'core') return;
    this.#isDeclined = this.#options.leadership.isLeader();
    this.#waiting.push(...round.reads);
    this.#peerWaiting.push(...round.peerReads);
  }

  /** The leader's answer to a round that was sent from here. */
  answered(id: number, outcome: PeerOutcome): void {
    const round = this.#takeRound(id);
    if (round?.with !== 'leader') return;
    if (outcome.kind === 'confirmed') {
      const index = LogIndex(outcome.index);
      for (const read of round.reads) read.done({ kind: 'confirmed', index, timeMs: outcome.timeMs });
    } else if (outcome.reason === 'no-leader' || outcome.reason === 'sealed') {
      this.#refusedBy = round.leader;
      this.#waiting.push(...round.reads);
    } else {
      for (const read of round.reads) read.done(refused(outcome.reason));
    }
  }

  disconnected(node: NodeId): void {
    for (const [id, round] of this.#rounds) {
      if (round.with === 'leader' && round.leader === node) this.#repeat(id);
    }
  }

  /** Once for each turn: begins a round for all that wait. */
  drain(): void {
    if (this.#waiting.length === 0 && this.#peerWaiting.length === 0) return;
    const { core, leadership, machine, id } = this.#options;
    if (leadership.isLeader()) {
      if (leadership.isReady()) this.#beginWithCore();
      // Its time can't be known: entries are opaque to a node without the keys.
      else if (machine.encoder() === undefined) this.#refuseAll('sealed');
      return;
    }
    for (const peer of this.#peerWaiting.splice(0))
      this.#answer(peer.node, peer.id, { kind: 'refused', reason: 'no-leader' });
    const { leader } = core;
    if (leader !== 0 && leader !== id && leader !== this.#refusedBy) this.#beginWithLeader(leader);
  }

  /** Once for each tick. */
  expire(): void {
    const nowMs = this.#options.clock.nowMs();
    this.#refusedBy = undefined;
    this.#isDeclined = false;
    for (const [id, round] of this.#rounds) {
      if (round.with === 'leader' && round.resendMs <= nowMs) this.#repeat(id);
    }
    const isLate = (read: { readonly deadlineMs: number }): boolean => read.deadlineMs <= nowMs;
    if (this.#waiting.some(isLate)) {
      const late = this.#waiting.filter(isLate);
      this.#waiting = this.#waiting.filter((read) => !isLate(read));
      for (const read of late) read.done(refused('no-leader'));
    }
    // The asker has given up or asked again.
    if (this.#peerWaiting.some(isLate)) this.#peerWaiting = this.#peerWaiting.filter((peer) => !isLate(peer));
  }

  close(): void {
    this.#isClosed = true;
    for (const id of this.#rounds.keys()) this.#repeat(id);
    this.#refuseAll('no-leader');
  }

  #beginWithCore(): void {
    if (this.#isDeclined || this.#roundsWith('core') >= readRoundsMax) return;
    const id = this.#nextId++;
    this.#begin(id, { with: 'core', reads: this.#waiting, peerReads: this.#peerWaiting });
    this.#waiting = [];
    this.#peerWaiting = [];
    this.#options.core.readIndex(id);
  }

  #beginWithLeader(leader: NodeId): void {
    if (this.#waiting.length === 0 || this.#roundsWith('leader') >= readRoundsMax) return;
    const { clock, timings, send, id: from } = this.#options;
    const id = this.#nextId++;
    this.#begin(id, { with: 'leader', leader, reads: this.#waiting, resendMs: clock.nowMs() + timings.readResendMs });
    this.#waiting = [];
    send(leader, { kind: 'read-index', from, id });
  }

  #begin(id: number, round: Round): void {
    this.#rounds.set(id, round);
    this.#readsUnderWay += round.reads.length;
  }

  #repeat(id: number): void {
    const round = this.#takeRound(id);
    if (round !== undefined) this.#waiting.push(...round.reads);
  }

  #takeRound(id: number): Round | undefined {
    const round = this.#rounds.get(id);
    if (round === undefined) return undefined;
    this.#rounds.delete(id);
    this.#readsUnderWay -= round.reads.length;
    return round;
  }

  #roundsWith(where: Round['with']): number {
    let count = 0;
    for (const round of this.#rounds.values()) if (round.with === where) count++;
    return count;
  }

  #refuseAll(reason: RefusedReason): void {
    for (const read of this.#waiting.splice(0)) read.done(refused(reason));
    for (const peer of this.#peerWaiting.splice(0)) this.#answer(peer.node, peer.id, { kind: 'refused', reason });
  }

  #answer(node: NodeId, id: number, outcome: PeerOutcome): void {
    this.#options.send(node, { kind: 'read-index-reply', id, outcome });
  }
}

function refused(reason: RefusedReason): ReadOutcome {
  return { kind: 'refused', reason };
}
