import type { NodeId, Term } from '@lockstep/contract/ids';
import { mostAdvanced } from '../leadership.ts';
import { asksWaitingMax } from '../limits.ts';
import type { LeaderAnswer } from '../peers/leader-asks.ts';
import type { Raft } from '../raft/raft.ts';
import type { Clock, Timings } from '../timings.ts';

interface HandOver {
  readonly term: Term;
  readonly to: NodeId;
  readonly deadlineMs: number;
  readonly done: (answer: LeaderAnswer) => void;
}

/** The leader's side of handing leadership over on request: tells who leads afterwards. */
export class HandOvers {
  readonly #options: { readonly id: NodeId; readonly core: Raft; readonly clock: Clock; readonly timings: Timings };
  #underWay: HandOver[] = [];

  constructor(options: {
    readonly id: NodeId;
    readonly core: Raft;
    readonly clock: Clock;
    readonly timings: Timings;
  }) {
    this.#options = options;
  }

  /** `to` 0: to the voter that has most of the log, among those that are heard. */
  begin(to: NodeId, done: (answer: LeaderAnswer) => void): void {
    const { id, core, clock, timings } = this.#options;
    // Not to one that is about to leave: it would have to hand over again.
    const { voters } = core.status().membership;
    const target = to === 0 ? mostAdvanced(core, (node) => voters.includes(node)) : to;
    if (target === undefined) return done(refusal('no-target', 'there is no other voter that is heard'));
    if (target === id) return done(refusal('no-change', `node ${id} leads already`));
    if (!voters.includes(target)) return done(refusal('not-member', `node ${target} is not a voter`));
    if (this.#underWay.length >= asksWaitingMax)
      return done(refusal('busy', 'too many transfers of leadership are waited for'));
    core.transferLeader(target);
    // The core gives up after one election timeout; a target that does win needs another to be heard.
    const deadlineMs = clock.nowMs() + 3 * timings.electionTicks * timings.tickMs;
    this.#underWay.push({ term: core.term, to: target, deadlineMs, done });
  }

  /** Once for each tick. */
  expire(): void {
    if (this.#underWay.length === 0) return;
    const { id, core, clock } = this.#options;
    const nowMs = clock.nowMs();
    this.#underWay = this.#underWay.filter(({ term, to, deadlineMs, done }) => {
      if (core.term > term && core.leader !== 0 && core.leader !== id) {
        done({ kind: 'handed-over', to: core.leader, term: core.term });
        return false;
      }
      if (nowMs < deadlineMs) return true;
      done(refusal('transfer-failed', `node ${to} did not take over in time`));
      return false;
    });
  }
}

function refusal(reason: (LeaderAnswer & { readonly kind: 'refused' })['reason'], text: string): LeaderAnswer {
  return { kind: 'refused', reason, text };
}
