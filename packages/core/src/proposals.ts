import { assert } from '@lockstep/contract/errors';
import { LogIndex, type NodeId, Term } from '@lockstep/contract/ids';
import type { DiskCare } from './disk-care.ts';
import type { Leadership } from './leadership.ts';
import {
  entryBytesMax,
  proposalBytesWaitingMax,
  proposalsForwardedMax,
  proposalsWaitingMax,
  transactionBytesMax,
  transactionsPerEntryMax,
} from './limits.ts';
import type { LogTime } from './log-time.ts';
import type { AskRefusal, LeaderAnswer } from './peers/leader-asks.ts';
import type { PeerMessage, RefusedReason } from './peers/peers.ts';
import type { ProposeOutcome, StateMachine } from './port.ts';
import type { Raft } from './raft/raft.ts';
import type { Proposed } from './raft/types.ts';
import type { Clock, Timings } from './timings.ts';

type Done = (outcome: ProposeOutcome) => void;
type PeerOutcome = Extract<PeerMessage, { kind: 'proposed' }>['outcome'];

/** What waits to be ordered: a transaction from here, or a peer's batch, which stays together in one entry. */
type Waiting = { readonly bytes: number; readonly deadlineMs: number } & (
  | { readonly from: 'here'; readonly transaction: Uint8Array; readonly done: Done }
  | { readonly from: 'peer'; readonly node: NodeId; readonly id: number; readonly transactions: readonly Uint8Array[] }
);
type Own = Extract<Waiting, { from: 'here' }>;

interface Forwarded {
  readonly leader: NodeId;
  readonly sent: readonly Own[];
  readonly deadlineMs: number;
}

export interface ProposalsOptions {
  readonly id: NodeId;
  readonly core: Raft;
  readonly machine: StateMachine;
  readonly leadership: Leadership;
  readonly time: LogTime;
  readonly clock: Clock;
  readonly timings: Timings;
  readonly send: (to: NodeId, message: PeerMessage) => void;
  readonly wake: () => void;
  readonly disk: Pick<DiskCare, 'isExhausted' | 'isStalled' | 'refusesWrites'>;
}

/**
 * Brings transactions to the leader and into the log. On the leader, all that wait become one entry for each turn. A
 * transaction is sent to a leader once and never forwarded by it; `refused` is said only of what was certainly not appended.
 */
export class Proposals {
  readonly #options: ProposalsOptions;
  #waiting: Waiting[] = [];
  #waitingCount = 0;
  #waitingBytes = 0;
  #forwarded = new Map<number, Forwarded>();
  #forwardedCount = 0;
  /** Begins at random, so that an answer meant for an earlier run of this node finds nothing. */
  #nextId: number;
  /** The core had no room at this commit index: encoding again before it moves would be wasted. */
  #fullAt: LogIndex | undefined;
  /** Who refused for not being the leader: asked again only at the next tick, not at the speed of the network. */
  #refusedBy: NodeId | undefined;
  #isClosed = false;
  unknownCount = 0;
  forwardedTotal = 0;

  constructor(options: ProposalsOptions, firstId: number) {
    this.#options = options;
    this.#nextId = firstId;
  }

  get waitingCount(): number {
    return this.#waitingCount;
  }

  /** Relief (what deletes or revokes) is taken from a client even while others' writes are refused for want of room. */
  propose(transaction: Uint8Array, done: Done, isRelief: boolean = false): void {
    if (!isRelief && this.#options.disk.refusesWrites) return done(refused('disk-full'));
    if (transaction.length > transactionBytesMax) return done(refused('too-large'));
    if (this.#isClosed) return done(refused('no-leader'));
    if (!this.#hasRoom(1, transaction.length)) return done(refused('busy'));
    const deadlineMs = this.#options.clock.nowMs() + this.#options.timings.leaderWaitMs;
    this.#push({ from: 'here', transaction, done, bytes: transaction.length, deadlineMs });
    this.#options.wake();
  }

  /** One unsealed entry by itself. Only the leader takes it; it need not be unsealed. */
  appendControl(data: Uint8Array, done: (answer: LeaderAnswer) => void): void {
    const refuse = (reason: AskRefusal, text: string): void => done({ kind: 'refused', reason, text });
    if (data.length > transactionBytesMax) return refuse('too-large', 'a control entry is too large');
    if (this.#options.disk.isExhausted) return refuse('disk-full', 'the disk of the leader is full');
    const proposed = this.#options.core.propose([data], 'control');
    this.#options.wake();
    if (proposed.kind === 'appended')
      return done({ kind: 'appended', index: proposed.firstIndex, term: proposed.term });
    if (proposed.reason === 'uncommitted-limit')
      return refuse('busy', 'the leader has too much that is not committed yet');
    return refuse('no-leader', 'this node does not order entries now');
  }

  /** A peer's batch. What this node can't order now is refused at once, except that a new leader's first commit is waited for. */
  receive(node: NodeId, id: number, transactions: readonly Uint8Array[]): void {
    const bytes = transactions.reduce((sum, transaction) => sum + transaction.length, 0);
    const fits = bytes <= entryBytesMax && transactions.length <= transactionsPerEntryMax;
    if (!fits || transactions.some((transaction) => transaction.length > transactionBytesMax)) {
      this.#answer(node, id, { kind: 'refused', reason: 'too-large' });
    } else if (!this.#options.leadership.isLeader()) {
      this.#answer(node, id, { kind: 'refused', reason: 'no-leader' });
    } else if (!this.#hasRoom(transactions.length, bytes)) {
      this.#answer(node, id, { kind: 'refused', reason: 'busy' });
    } else if (transactions.length > 0) {
      const deadlineMs = this.#options.clock.nowMs() + this.#options.timings.leaderWaitMs;
      this.#push({ from: 'peer', node, id, transactions, bytes, deadlineMs });
    }
  }

  /** The leader's answer to a batch that was sent from here. */
  answered(id: number, outcome: PeerOutcome): void {
    const forwarded = this.#takeForwarded(id);
    if (forwarded === undefined) return;
    if (outcome.kind === 'appended') {
      const { index, term, firstOrdinal } = outcome;
      for (const [position, own] of forwarded.sent.entries()) own.done(appended(index, term, firstOrdinal + position));
    } else if (outcome.reason === 'no-leader' || outcome.reason === 'sealed') {
      // Certainly not appended: it waits for the next leader, within its first deadline.
      this.#refusedBy = forwarded.leader;
      for (const own of forwarded.sent) this.#push(own);
    } else {
      for (const own of forwarded.sent) own.done(refused(outcome.reason));
    }
  }

  /** The stream broke: what was sent on it may or may not have been appended. */
  disconnected(node: NodeId): void {
    for (const [id, forwarded] of this.#forwarded) if (forwarded.leader === node) this.#giveUp(id);
  }

  /** Once for each turn: orders what waits, or sends it to the leader. */
  drain(): void {
    if (this.#waiting.length === 0) return;
    const { core, leadership, id } = this.#options;
    if (leadership.isLeader()) {
      if (this.#options.disk.isExhausted) this.#refuseAll('disk-full');
      // What were appended now would only wait behind the write that hangs.
      else if (this.#options.disk.isStalled) return;
      else if (this.#options.machine.encoder() === undefined) this.#refuseAll('sealed');
      else if (leadership.isReady()) this.#append();
      return;
    }
    this.#refusePeers('no-leader');
    const { leader } = core;
    if (leader !== 0 && leader !== id && leader !== this.#refusedBy) this.#forward(leader);
  }

  /** Once for each tick. */
  expire(): void {
    const nowMs = this.#options.clock.nowMs();
    this.#fullAt = undefined;
    this.#refusedBy = undefined;
    if (this.#waiting.some((waiting) => waiting.deadlineMs <= nowMs)) {
      const reason = this.#options.leadership.isLeader() ? 'busy' : 'no-leader';
      for (const waiting of this.#takeAll()) {
        if (waiting.deadlineMs <= nowMs) this.#refuse(waiting, reason);
        else this.#push(waiting);
      }
    }
    for (const [id, forwarded] of this.#forwarded) if (forwarded.deadlineMs <= nowMs) this.#giveUp(id);
  }

  close(): void {
    this.#isClosed = true;
    this.#refuseAll('no-leader');
    for (const id of this.#forwarded.keys()) this.#giveUp(id);
  }

  #append(): void {
    const { core, machine, time } = this.#options;
    const encoder = machine.encoder();
    if (encoder === undefined || core.commit === this.#fullAt) return;
    const taken = this.#takeForEntry();
    const transactions = taken.flatMap((waiting) =>
      waiting.from === 'here' ? [waiting.transaction] : waiting.transactions,
    );
    const place = { index: LogIndex(core.lastIndex + 1), term: core.term };
    const proposed = core.propose([encoder.encode(place, time.now(), transactions)], 'transactions');
    if (proposed.kind === 'dropped') return this.#putBack(taken, proposed);
    assert(
      proposed.firstIndex === place.index && proposed.term === place.term,
      'an entry landed elsewhere than sealed for',
    );
    this.#tellPlaces(taken, place);
    if (this.#waiting.length > 0) this.#options.wake();
  }

  #tellPlaces(taken: readonly Waiting[], place: { readonly index: LogIndex; readonly term: Term }): void {
    let ordinal = 0;
    for (const waiting of taken) {
      if (waiting.from === 'here') {
        waiting.done(appended(place.index, place.term, ordinal));
        ordinal++;
      } else {
        this.#answer(waiting.node, waiting.id, { kind: 'appended', ...place, firstOrdinal: ordinal });
        ordinal += waiting.transactions.length;
      }
    }
  }

  #putBack(taken: readonly Waiting[], dropped: Extract<Proposed, { kind: 'dropped' }>): void {
    const later = this.#takeAll();
    for (const waiting of [...taken, ...later]) this.#push(waiting);
    // Its turn comes when something commits, a transfer ends, or its deadline passes.
    if (dropped.reason === 'not-member') this.#refuseAll('no-leader');
    else this.#fullAt = this.#options.core.commit;
  }

  #forward(leader: NodeId): void {
    const { id: from, clock, timings, send } = this.#options;
    while (this.#waiting.length > 0 && this.#forwardedCount < proposalsForwardedMax) {
      const sent = this.#takeForEntry().filter((waiting): waiting is Own => waiting.from === 'here');
      const id = this.#nextId++;
      this.#forwarded.set(id, { leader, sent, deadlineMs: clock.nowMs() + timings.forwardTimeoutMs });
      this.#forwardedCount += sent.length;
      this.forwardedTotal += sent.length;
      send(leader, { kind: 'propose', from, id, transactions: sent.map((own) => own.transaction) });
    }
  }

  #giveUp(id: number): void {
    const forwarded = this.#takeForwarded(id);
    for (const own of forwarded?.sent ?? []) {
      this.unknownCount++;
      own.done({ kind: 'unknown' });
    }
  }

  #takeForwarded(id: number): Forwarded | undefined {
    const forwarded = this.#forwarded.get(id);
    if (forwarded === undefined) return undefined;
    this.#forwarded.delete(id);
    this.#forwardedCount -= forwarded.sent.length;
    return forwarded;
  }

  /** As many from the front as one entry may hold. */
  #takeForEntry(): Waiting[] {
    let bytes = 0;
    let transactions = 0;
    let items = 0;
    for (const waiting of this.#waiting) {
      bytes += waiting.bytes;
      transactions += countOf(waiting);
      if (items > 0 && (bytes > entryBytesMax || transactions > transactionsPerEntryMax)) break;
      items++;
    }
    return this.#remove(this.#waiting.splice(0, items));
  }

  #takeAll(): Waiting[] {
    const all = this.#waiting;
    this.#waiting = [];
    return this.#remove(all);
  }

  #remove(taken: Waiting[]): Waiting[] {
    for (const waiting of taken) {
      this.#waitingCount -= countOf(waiting);
      this.#waitingBytes -= waiting.bytes;
    }
    return taken;
  }

  #push(waiting: Waiting): void {
    this.#waiting.push(waiting);
    this.#waitingCount += countOf(waiting);
    this.#waitingBytes += waiting.bytes;
  }

  #hasRoom(count: number, bytes: number): boolean {
    return this.#waitingCount + count <= proposalsWaitingMax && this.#waitingBytes + bytes <= proposalBytesWaitingMax;
  }

  #refuseAll(reason: RefusedReason): void {
    for (const waiting of this.#takeAll()) this.#refuse(waiting, reason);
  }

  #refusePeers(reason: RefusedReason): void {
    if (!this.#waiting.some((waiting) => waiting.from === 'peer')) return;
    for (const waiting of this.#takeAll()) {
      if (waiting.from === 'peer') this.#refuse(waiting, reason);
      else this.#push(waiting);
    }
  }

  #refuse(waiting: Waiting, reason: RefusedReason): void {
    if (waiting.from === 'here') waiting.done(refused(reason));
    else this.#answer(waiting.node, waiting.id, { kind: 'refused', reason });
  }

  #answer(node: NodeId, id: number, outcome: PeerOutcome): void {
    this.#options.send(node, { kind: 'proposed', id, outcome });
  }
}

function countOf(waiting: Waiting): number {
  return waiting.from === 'here' ? 1 : waiting.transactions.length;
}

function refused(reason: RefusedReason): ProposeOutcome {
  return { kind: 'refused', reason };
}

function appended(index: number, term: number, ordinal: number): ProposeOutcome {
  return { kind: 'appended', index: LogIndex(index), term: Term(term), ordinal };
}

/** Requests are numbered from a random place on, so that an answer to an earlier run of this node finds no request. */
export function firstRequestId(random: (below: number) => number): number {
  return random(2 ** 30) * 2 ** 20 + 1;
}
