import type { NodeId } from '@lockstep/contract/ids';
import { heartbeatsWithheldMax } from './limits.ts';
import type { Message } from './raft/types.ts';

/** What passed between this node and one peer in a term, as far as it makes heartbeats superfluous. */
interface Line {
  readonly term: number;
  /** Entries were sent, and later ones than before acknowledged, since the last heartbeat was due. */
  isSent: boolean;
  isAnswered: boolean;
  acknowledged: number;
  /** The newest read position that the peer has echoed. */
  echoed: number;
  withheld: number;
}

/**
 * Withholds the heartbeats that say nothing. A peer that took entries and answered, all within a heartbeat's time, knows its leader and is
 * known to it; a heartbeat's answer would only make the leader send once more what is on its way. One that asks a read's question is
 * never withheld, and never more than a few in a row. To Raft they are lost messages.
 */
export class QuietHeartbeats {
  readonly #lines = new Map<NodeId, Line>();

  /** Whether to send what is to be sent. */
  isWanted(to: NodeId, message: Message): boolean {
    if (message.type === 'append' && message.entries.length > 0) this.#line(to, message.term).isSent = true;
    if (message.type !== 'heartbeat') return true;
    const line = this.#line(to, message.term);
    const isKnown = line.isSent && line.isAnswered && message.readPosition <= line.echoed;
    line.isSent = false;
    line.isAnswered = false;
    line.withheld = isKnown && line.withheld < heartbeatsWithheldMax ? line.withheld + 1 : 0;
    return line.withheld === 0;
  }

  heard(from: NodeId, message: Message): void {
    const line = this.#lines.get(from);
    if (line === undefined || line.term !== message.term) return;
    if (message.type === 'heartbeat-reply') line.echoed = Math.max(line.echoed, message.readPosition);
    if (message.type !== 'append-reply' || message.rejected || message.index <= line.acknowledged) return;
    line.acknowledged = message.index;
    line.isAnswered = true;
  }

  disconnected(from: NodeId): void {
    this.#lines.delete(from);
  }

  #line(node: NodeId, term: number): Line {
    const known = this.#lines.get(node);
    if (known?.term === term) return known;
    // Unknown yet what it has echoed: the first heartbeat goes out, whatever it asks.
    const line = { term, isSent: false, isAnswered: false, acknowledged: 0, echoed: -1, withheld: 0 };
    this.#lines.set(node, line);
    return line;
  }
}
