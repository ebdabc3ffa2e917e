import type { Message, Role } from '@lockstep/core/raft/types';
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

  /** `begin`: the log begins after it, so that a snapshot has shown it. */
  requireShown(node: number, of: { readonly role: Role; readonly commit: number; readonly begin: number }): void {
    const { role, commit, begin } = of;
    insist(
      '13 a follower commits only what it was shown to hold',
      role === 'leader' || commit <= Math.max(this.#most, begin),
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
