import type { NodeId } from '@lockstep/contract/ids';
import type { PeerMessage, Peers } from './peers/peers.ts';

/** What a turn has to say to the other nodes: one frame for each of them. */
export class Outbox {
  readonly #waiting = new Map<NodeId, PeerMessage[]>();

  add(to: NodeId, message: PeerMessage): void {
    const waiting = this.#waiting.get(to);
    if (waiting === undefined) this.#waiting.set(to, [message]);
    else waiting.push(message);
  }

  flush(peers: Peers): void {
    for (const [to, messages] of this.#waiting) peers.send(to, messages);
    this.#waiting.clear();
  }

  clear(): void {
    this.#waiting.clear();
  }
}
