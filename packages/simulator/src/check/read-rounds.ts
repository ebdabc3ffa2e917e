import type { NodeId } from '@lockstep/contract/ids';
import type { Message } from '@lockstep/core/raft/types';
import { insist } from '../violation.ts';
import type { Voting } from './membership-model.ts';
import { hasQuorum } from './quorums.ts';

/**
 * The reads of one run of one node, as its peers see them: which heartbeats left after which reads were taken up, and which of those
 * were echoed. A count of events stands for time.
 */
export class ReadRounds {
  #now = 0;
  #term = 0;
  readonly #takenUp = new Map<number, number>();
  /** When a position was in a heartbeat of this term for the first time. */
  readonly #sent = new Map<number, number>();
  /** For each peer, when the newest heartbeat that it certainly heard was sent. */
  readonly #heard = new Map<NodeId, number>();

  /** The core is asked to confirm a read. */
  asked(id: number): void {
    this.#takenUp.set(id, this.#now++);
  }

  sent(message: Message): void {
    if (message.type !== 'heartbeat') return;
    this.#inTerm(message.term);
    if (!this.#sent.has(message.readPosition)) this.#sent.set(message.readPosition, this.#now++);
  }

  received(message: Message): void {
    if (message.type !== 'heartbeat-reply' || message.term !== this.#term) return;
    const sent = this.#sent.get(message.readPosition);
    if (sent === undefined) return;
    this.#heard.set(message.from, Math.max(sent, this.#heard.get(message.from) ?? 0));
  }

  /** The core says that a quorum has confirmed a read. */
  confirmed(id: number, by: { readonly self: NodeId; readonly voting: Voting }): void {
    const takenUp = this.#takenUp.get(id);
    this.#takenUp.delete(id);
    insist('21 only a read that was asked is confirmed', takenUp !== undefined, () => `read ${id} on node ${by.self}`);
    const hasHeard = (voter: NodeId): boolean => voter === by.self || (this.#heard.get(voter) ?? -1) > (takenUp ?? 0);
    insist(
      '21 a quorum heard the leader after the read was asked',
      hasQuorum(by.voting, hasHeard),
      () =>
        `read ${id} on node ${by.self}, term ${this.#term}: heard by ${[...this.#heard.keys()].filter(hasHeard).join(', ')}`,
    );
  }

  dropped(id: number): void {
    this.#takenUp.delete(id);
  }

  #inTerm(term: number): void {
    if (term === this.#term) return;
    this.#term = term;
    this.#sent.clear();
    this.#heard.clear();
  }
}
