import type { NodeId } from '@lockstep/contract/ids';
import { asksWaitingMax, leavingMs, transactionBytesMax } from './limits.ts';
import type { AskRefusal, LeaderAnswer, LeaderAsk } from './peers/leader-asks.ts';
import type { PeerMessage } from './peers/peers.ts';
import type { Raft } from './raft/raft.ts';
import type { Clock, Timings } from './timings.ts';

export type AskOutcome = LeaderAnswer | { readonly kind: 'unknown' };
type Done = (outcome: AskOutcome) => void;

interface Waiting {
  readonly ask: LeaderAsk;
  readonly done: Done;
  readonly deadlineMs: number;
  /** Why it was not taken so far. */
  readonly refused: LeaderAnswer & { readonly kind: 'refused' };
}

/** Given to a leader, which may be this node. */
interface Given {
  readonly waiting: Waiting;
  readonly leader: NodeId;
  readonly deadlineMs: number;
}

export interface LeaderCallsOptions {
  readonly id: NodeId;
  readonly core: Raft;
  readonly clock: Clock;
  readonly timings: Timings;
  /** Does it, on the leader. `done` is called once. */
  readonly handle: (ask: LeaderAsk, done: (answer: LeaderAnswer) => void) => void;
  readonly send: (to: NodeId, message: PeerMessage) => void;
  readonly wake: () => void;
}

/** Nothing happened, and it may go better with the next leader, or a moment later. */
const worthAnotherTry: ReadonlySet<AskRefusal> = new Set(['no-leader', 'transferring', 'not-ready']);

const noLeader = { kind: 'refused', reason: 'no-leader', text: 'the cluster has no leader at the moment' } as const;

/**
 * Brings to the leader what only the leader can decide. An ask is sent to one leader at a time, and again only when that one has
 * certainly done nothing; a leader never passes it on. An ask whose answer is lost is `unknown`, but for one that changes nothing.
 */
export class LeaderCalls {
  readonly #options: LeaderCallsOptions;
  #waiting: Waiting[] = [];
  readonly #given = new Map<number, Given>();
  /** This node is to leave, and who was asked for it was lost: that it is removed will be said by any member. */
  #leaving: { readonly done: Done; readonly deadlineMs: number }[] = [];
  #nextId: number;
  /** Who has refused for not being able to: asked again only at the next tick, not at the speed of the network. */
  #refusedBy: NodeId | undefined;
  #isClosed = false;

  constructor(options: LeaderCallsOptions, firstId: number) {
    this.#options = options;
    this.#nextId = firstId;
  }

  get hasWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** `done` is called once, within the waits for a leader and for its answer. */
  ask(ask: LeaderAsk, done: Done): void {
    if (this.#isClosed) return done(noLeader);
    if (ask.kind === 'control' && ask.data.length > transactionBytesMax)
      return done({ kind: 'refused', reason: 'too-large', text: 'a control entry is too large' });
    if (this.#waiting.length + this.#given.size + this.#leaving.length >= asksWaitingMax)
      return done({ kind: 'refused', reason: 'busy', text: 'too many requests wait for the leader' });
    const { clock, timings } = this.#options;
    this.#waiting.push({ ask, done, deadlineMs: clock.nowMs() + timings.leaderWaitMs, refused: noLeader });
    this.#options.wake();
  }

  receive(from: NodeId, id: number, ask: LeaderAsk): void {
    const answer = (given: LeaderAnswer): void => this.#options.send(from, { kind: 'answer', id, answer: given });
    if (this.#options.core.role !== 'leader') return answer(noLeader);
    this.#options.handle(ask, answer);
  }

  answered(from: NodeId, id: number, answer: LeaderAnswer): void {
    const given = this.#given.get(id);
    if (given === undefined || given.leader !== from) return;
    this.#given.delete(id);
    this.#settle(given.waiting, answer, from);
  }

  /** The stream broke: what was sent on it may or may not have been done. */
  disconnected(node: NodeId): void {
    for (const [id, given] of this.#given) if (given.leader === node) this.#lose(id, given);
  }

  /** Once for each turn. */
  drain(): void {
    if (this.#waiting.length === 0) return;
    const { leader } = this.#options.core;
    if (leader === 0 || leader === this.#refusedBy) return;
    for (const waiting of this.#takeAll()) this.#give(leader, waiting);
  }

  /** Once for each tick. */
  expire(): void {
    this.#refusedBy = undefined;
    const nowMs = this.#options.clock.nowMs();
    for (const waiting of this.#takeAll()) {
      if (waiting.deadlineMs <= nowMs) waiting.done(waiting.refused);
      else this.#waiting.push(waiting);
    }
    for (const [id, given] of this.#given) if (given.deadlineMs <= nowMs) this.#lose(id, given);
    const late = this.#leaving.filter(({ deadlineMs }) => deadlineMs <= nowMs);
    this.#leaving = this.#leaving.filter((leaving) => !late.includes(leaving));
    for (const { done } of late) done({ kind: 'unknown' });
  }

  /** This node was removed, by the membership of that entry: the answer to who asked for it. */
  removed(index: number): void {
    const changed = { kind: 'changed', index } as const;
    for (const { done } of this.#leaving.splice(0)) done(changed);
    // Whoever was asked need not answer any more: its word may be lost after this one.
    for (const [id, { waiting }] of this.#given) {
      if (!this.#isOwnRemoval(waiting.ask)) continue;
      this.#given.delete(id);
      waiting.done(changed);
    }
    for (const waiting of this.#takeAll()) {
      if (this.#isOwnRemoval(waiting.ask)) waiting.done(changed);
      else this.#waiting.push(waiting);
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const { done } of this.#leaving.splice(0)) done({ kind: 'unknown' });
    for (const waiting of this.#takeAll()) waiting.done(waiting.refused);
    for (const [id, { waiting }] of this.#given) {
      this.#given.delete(id);
      waiting.done({ kind: 'unknown' });
    }
  }

  #give(leader: NodeId, waiting: Waiting): void {
    const { id: from, clock, timings, send, handle } = this.#options;
    const { ask } = waiting;
    const id = this.#nextId++;
    this.#given.set(id, { waiting, leader, deadlineMs: clock.nowMs() + timings.forwardTimeoutMs });
    if (leader === from) handle(ask, (answer) => this.answered(from, id, answer));
    else send(leader, { kind: 'ask', from, id, ask });
  }

  #settle(waiting: Waiting, answer: LeaderAnswer, by: NodeId): void {
    if (answer.kind !== 'refused' || !worthAnotherTry.has(answer.reason) || this.#isClosed) return waiting.done(answer);
    this.#refusedBy = by;
    this.#waiting.push({ ...waiting, refused: answer });
  }

  #lose(id: number, { waiting }: Given): void {
    this.#given.delete(id);
    const { ask, done } = waiting;
    if (ask.kind === 'members' || ask.kind === 'autopilot') this.#waiting.push(waiting);
    else if (this.#isOwnRemoval(ask)) this.#leaving.push({ done, deadlineMs: this.#options.clock.nowMs() + leavingMs });
    else done({ kind: 'unknown' });
  }

  /** And nothing besides: of its other steps the word that this node is gone does not tell. */
  #isOwnRemoval(ask: LeaderAsk): boolean {
    if (ask.kind !== 'change') return false;
    const [step, ...others] = ask.change.steps;
    return others.length === 0 && step?.kind === 'remove' && step.node === this.#options.id;
  }

  #takeAll(): Waiting[] {
    const all = this.#waiting;
    this.#waiting = [];
    return all;
  }
}
