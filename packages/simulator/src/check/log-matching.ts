import type { Entry } from '@lockstep/core/raft/types';
import { insist } from '../violation.ts';
import type { NodeView } from './node-view.ts';

/** What each entry holds, by position and term, with the term before it: by induction, whoever has the same entry has the same log before it. */
export class LogMatching {
  readonly #entries = new Map<number, Map<number, { readonly hash: number; readonly termBefore: number }>>();

  /** A node has this entry, last in its log so far or not. */
  has(node: NodeView, { index, term }: Entry): void {
    const hash = node.log.hashAt(index) ?? 0;
    const termBefore = node.log.termAt(index - 1) ?? 0;
    let terms = this.#entries.get(index);
    if (terms === undefined) {
      terms = new Map();
      this.#entries.set(index, terms);
    }
    const known = terms.get(term);
    if (known === undefined) {
      terms.set(term, { hash, termBefore });
      return;
    }
    insist(
      '3 logs match',
      known.hash === hash && known.termBefore === termBefore,
      () =>
        `node ${node.id} has an entry ${term}/${index} after term ${termBefore} that another node has after term ${known.termBefore}, or with other data`,
    );
  }
}
