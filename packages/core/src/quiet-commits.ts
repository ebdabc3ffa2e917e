import type { NodeId } from '@lockstep/contract/ids';
import type { Append, PeerMessage } from './peers/peers.ts';

/** What one peer was sent of a term's log: up to where, and which commit index with it. */
interface Told {
  readonly term: number;
  readonly end: number;
  readonly commit: number;
}

/**
 * Tells the appends that say no more than a later commit index from those that somebody waits for. A peer needs the commit index at once
 * only for what it was told the place of: its own proposals, and the positions that its reads wait for. For the rest it
 * comes soon enough with whatever is sent next.
 */
export class QuietCommits {
  readonly #told = new Map<NodeId, Told>();
  /** The last place that each peer was told of and has no commit index for. */
  readonly #awaited = new Map<NodeId, number>();

  /** An answer that makes the peer wait for an entry. A commit index that waits leaves with it. */
  answered(to: NodeId, message: PeerMessage): void {
    if (message.kind !== 'proposed' && message.kind !== 'read-index-reply') return;
    if (message.outcome.kind === 'refused') return;
    const { index } = message.outcome;
    if ((this.#told.get(to)?.commit ?? 0) < index) this.#awaited.set(to, Math.max(this.#awaited.get(to) ?? 0, index));
  }

  /** Whether `append` may wait for company: it repeats the end of what the peer was sent with a later commit index, and nobody there awaits any. */
  mayWait(to: NodeId, append: Append): boolean {
    const { term, prevIndex, commit, entries } = append;
    const told = this.#told.get(to);
    if (entries.length > 0 || told?.term !== term || told.end !== prevIndex || told.commit >= commit) return false;
    return !this.#awaited.has(to);
  }

  /** It leaves with this turn, or waits. */
  sent(to: NodeId, { term, prevIndex, commit, entries }: Append): void {
    this.#told.set(to, { term, end: prevIndex + entries.length, commit });
    if ((this.#awaited.get(to) ?? Number.POSITIVE_INFINITY) <= commit) this.#awaited.delete(to);
  }

  disconnected(from: NodeId): void {
    this.#told.delete(from);
    this.#awaited.delete(from);
  }
}
