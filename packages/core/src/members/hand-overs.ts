import type { NodeId, Term } from '@lockstep/contract/ids';
import { mostAdvanced } from '../leadership.ts';
import { asksWaitingMax } from '../limits.ts';
import type { LeaderAnswer } from '../peers/leader-asks.ts';
import type { Raft } from '../raft/raft.ts';
import type { Clock, Timings } from '../timings.ts';

interface HandOver {
  readonly term: Term;
  /** Undefined until one is heard. */
  readonly to: NodeId | undefined;
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

  /**
   * `to` 0: to the voter that has most of the log, among those that are heard; when nobody has been since the quorum was last
   * checked, to the first that is.
   */
  begin(to: NodeId, done: (answer: LeaderAnswer) => void): void {
    const { id, core, clock, timings } = this.#options;
    const { voters } = core.status().membership;
    if (to === id) return done(refusal('no-change', `node ${id} leads already`));
    if (to !== 0 && !voters.includes(to)) return done(refusal('not-member', `node ${to} is not a voter`));
    if (to === 0 && voters.every((voter) => voter === id)) return done(nobodyHeard());
    if (this.#underWay.length >= asksWaitingMax)
      return done(refusal('busy', 'too many transfers of leadership are waited for'));
    const target = to === 0 ? this.#successor() : to;
    if (target !== undefined) core.transferLeader(target);
    // The core gives up after one election timeout; a target that does win needs another to be heard.
    const deadlineMs = clock.nowMs() + 3 * timings.electionTicks * timings.tickMs;
    this.#underWay.push({ term: core.term, to: target, deadlineMs, done });
  }

  /** Once for each tick. */
  expire(): void {
    if (this.#underWay.length === 0) return;
    const { id, core, clock } = this.#options;
    const nowMs = clock.nowMs();
    this.#underWay = this.#underWay.flatMap((handOver) => {
      const { term, to, deadlineMs, done } = handOver;
      if (core.term > term && core.leader !== 0 && core.leader !== id) {
        done({ kind: 'handed-over', to: core.leader, term: core.term });
        return [];
      }
      if (nowMs >= deadlineMs) {
        done(to === undefined ? nobodyHeard() : refusal('transfer-failed', `node ${to} did not take over in time`));
        return [];
      }
      const found = to === undefined && core.term === term ? this.#successor() : undefined;
      if (found === undefined) return [handOver];
      core.transferLeader(found);
      return [{ ...handOver, to: found }];
    });
  }

  /** Not one that is about to leave: it would have to hand over again. */
  #successor(): NodeId | undefined {
    const { core } = this.#options;
    const { voters } = core.status().membership;
    return mostAdvanced(core, (node) => voters.includes(node));
  }
}

function nobodyHeard(): LeaderAnswer {
  return refusal('no-target', 'there is no other voter that is heard');
}

function refusal(reason: (LeaderAnswer & { readonly kind: 'refused' })['reason'], text: string): LeaderAnswer {
  return { kind: 'refused', reason, text };
}
