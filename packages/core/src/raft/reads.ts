import { LogIndex, type NodeId } from '@lockstep/contract/ids';
import type { Lease } from './lease.ts';
import { quorumIndex, type Voters } from './quorum.ts';
import type { ReadConfirmed } from './types.ts';

/** Reads that a quorum is asked about together, by heartbeats that carry `position`. */
interface Round {
  readonly position: number;
  readonly index: LogIndex;
  readonly ids: readonly number[];
}

const none: readonly never[] = [];

/**
 * Linearizable reads by ReadIndex (thesis §6.4). A heartbeat carries a position that counts up within the leader's term; a
 * quorum that has echoed a position has heard from this leader after all reads of that round were asked. Positions are never the
 * caller's ids: an id that is used again could be confirmed by an answer to the first use (etcd #20418).
 */
export class Reads {
  readonly #waitingMax: number;
  readonly #lease: Lease | undefined;
  #waiting: number[] = [];
  #rounds: Round[] = [];
  #waitingCount = 0;
  #position = 0;
  #echoed = new Map<NodeId, LogIndex>();
  #confirmed: ReadConfirmed[] = [];
  #dropped: number[] = [];

  constructor(waitingMax: number, lease?: Lease) {
    this.#waitingMax = waitingMax;
    this.#lease = lease;
  }

  /** The newest position: every heartbeat carries it. */
  get position(): number {
    return this.#position;
  }

  /** Reads that are neither confirmed nor dropped. */
  get waitingCount(): number {
    return this.#waitingCount;
  }

  get hasWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  get hasResults(): boolean {
    return this.#confirmed.length > 0 || this.#dropped.length > 0;
  }

  /** Queues a read for the next round; drops it when too many wait. */
  ask(id: number): void {
    if (this.#waitingCount >= this.#waitingMax) {
      this.#dropped.push(id);
      return;
    }
    this.#waitingCount += 1;
    this.#waiting.push(id);
  }

  drop(id: number): void {
    this.#dropped.push(id);
  }

  /** Begins a round of all that waits. The heartbeats with the new position must be sent after this. */
  beginRound(commit: LogIndex): void {
    this.#position += 1;
    this.#rounds.push({ position: this.#position, index: commit, ids: this.#waiting });
    this.#waiting = [];
  }

  /** Heartbeats are about to leave. With leases each has a position of its own, so that its echo tells when it was sent. */
  sending(): void {
    if (this.#lease === undefined) return;
    this.#position += 1;
    this.#lease.sending(this.#position);
  }

  echoed(node: NodeId, position: number): void {
    if (position > this.#position || position <= (this.#echoed.get(node) ?? 0)) return;
    this.#echoed.set(node, LogIndex(position));
  }

  /** Confirms the rounds that a quorum has echoed; `self` has heard its own heartbeats. */
  confirm(voters: Voters, self: NodeId): void {
    if (this.#rounds.length === 0 && this.#lease === undefined) return;
    const position = LogIndex(this.#position);
    const confirmed = quorumIndex(voters, (node) =>
      node === self ? position : (this.#echoed.get(node) ?? LogIndex(0)),
    );
    this.#lease?.echoed(confirmed);
    let done = 0;
    for (const round of this.#rounds) {
      if (round.position > confirmed) break;
      for (const id of round.ids) this.#confirmed.push({ id, index: round.index });
      this.#waitingCount -= round.ids.length;
      done += 1;
    }
    this.#rounds.splice(0, done);
  }

  /** The term or the leader changed: nothing that waits can be confirmed any more, and positions begin anew. */
  reset(): void {
    for (const round of this.#rounds) for (const id of round.ids) this.#dropped.push(id);
    for (const id of this.#waiting) this.#dropped.push(id);
    this.#rounds = [];
    this.#waiting = [];
    this.#waitingCount = 0;
    this.#position = 0;
    this.#echoed.clear();
    this.#lease?.reset();
  }

  takeConfirmed(): readonly ReadConfirmed[] {
    if (this.#confirmed.length === 0) return none;
    const confirmed = this.#confirmed;
    this.#confirmed = [];
    return confirmed;
  }

  takeDropped(): readonly number[] {
    if (this.#dropped.length === 0) return none;
    const dropped = this.#dropped;
    this.#dropped = [];
    return dropped;
  }
}
