import type { Message } from '@lockstep/core/raft/types';
import { insist } from '../violation.ts';

/**
 * How far one run of one node has been shown that what it holds is committed. A follower that commits more takes entries for the
 * leader's that no message has compared (Raft figure 2: the least of the leader's commit and the last *new* entry), even where chance
 * has made them the same.
 */
export class ShownCommits {
  #most: number;

  /** `most`: what its disk said when it started. */
  constructor(most: number) {
    this.#most = most;
  }

  received(message: Message): void {
    this.#most = Math.max(this.#most, shownBy(message));
  }

  requireShown(node: number, commit: number): void {
    insist(
      '13 a follower commits only what it was shown to hold',
      commit <= this.#most,
      () => `node ${node} committed ${commit}, it was shown ${this.#most}`,
    );
  }
}

function shownBy(message: Message): number {
  switch (message.type) {
    case 'append':
      return Math.min(message.commit, message.prevIndex + message.entries.length);
    case 'heartbeat':
      return message.commit;
    case 'snapshot':
      return message.meta.index;
    case 'pre-vote-reply':
    case 'vote-reply':
      return message.commit ?? 0;
    case 'pre-vote':
    case 'vote':
    case 'append-reply':
    case 'heartbeat-reply':
    case 'timeout-now':
      return 0;
    default:
      return message satisfies never;
  }
}
