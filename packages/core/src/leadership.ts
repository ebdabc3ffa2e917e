import type { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import { LogIndex as asLogIndex, Term as asTerm } from '@lockstep/contract/ids';
import type { Raft } from './raft/raft.ts';

/**
 * Knows whether this node, as leader, may order transactions and confirm reads yet: once its state holds everything that
 * came before its own term, and a quorum has told its clocks. Only then is the log's time known (entries are opaque here), and the
 * keyring up to date.
 */
export class Leadership {
  readonly #core: Raft;
  readonly #appliedIndex: () => LogIndex;
  readonly #isTimeKnown: () => boolean;
  #term: Term = asTerm(0);
  #beginsAt: LogIndex = asLogIndex(0);

  constructor(core: Raft, of: { readonly appliedIndex: () => LogIndex; readonly isTimeKnown: () => boolean }) {
    this.#core = core;
    this.#appliedIndex = of.appliedIndex;
    this.#isTimeKnown = of.isTimeKnown;
  }

  isLeader(): boolean {
    return this.#core.role === 'leader';
  }

  /** To be asked in every turn before anything is proposed: the first time in a term, the log ends with the term's no-op. */
  isReady(): boolean {
    if (this.#core.role !== 'leader') return false;
    if (this.#core.term !== this.#term) {
      this.#term = this.#core.term;
      this.#beginsAt = this.#core.lastIndex;
    }
    return this.#appliedIndex() >= this.#beginsAt && this.#isTimeKnown();
  }
}

/** The voter that has most of the log, among those that were heard and that `isFit` takes; undefined when there is none. */
export function mostAdvanced(core: Raft, isFit: (node: NodeId) => boolean = () => true): NodeId | undefined {
  const { id, progress } = core.status();
  const fit = progress.filter(
    (peer) => peer.node !== id && !peer.isLearner && peer.isRecentlyActive && isFit(peer.node),
  );
  return fit.toSorted((a, b) => b.match - a.match)[0]?.node;
}
