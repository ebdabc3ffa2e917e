import { LogIndex, type NodeId, type Term } from '@lockstep/contract/ids';
import { autopilotBeginMs, autopilotEveryMs, autopilotRetryMs } from '../limits.ts';
import type { MembersView } from '../members/members-view.ts';
import { type ChangeRules, changeOf, defaultRules } from '../members/plan-change.ts';
import type { LeaderAnswer, LeaderAsk } from '../peers/leader-asks.ts';
import type { Raft } from '../raft/raft.ts';
import type { MembershipStep } from '../raft/types.ts';
import type { Clock, Timings } from '../timings.ts';
import { type ClusterHealth, clusterHealth, type MemberCondition } from './condition.ts';
import type { ReportOf } from './judge-member.ts';
import { type AutopilotStep, nextStep } from './next-step.ts';
import type { AutopilotRules } from './rules.ts';
import { type MembersWatch, watchMembers } from './watch-members.ts';

/** What came of a step: `dropped` before it was proposed, with nothing changed. */
export type StepOutcome =
  | { readonly kind: 'changed'; readonly index: LogIndex }
  | { readonly kind: 'refused' | 'dropped'; readonly text: string }
  | { readonly kind: 'unknown' };

/** The side of autopilot that knows the operators' settings, and tells what is done. */
export interface AutopilotHost {
  /** The settings in force; undefined while this node can't tell (it is sealed, or its state is damaged). Asked at every look. */
  readonly rules: () => AutopilotRules | undefined;
  /** Whether a learner is meant to vote. */
  readonly mayVote: (node: NodeId) => boolean;
  /** Why nothing is to be changed now; undefined otherwise. */
  readonly heldBy: () => string | undefined;
  /** A step is due. `goOn` is called once with whether it may be made: then it is weighed again, and made if it is due still. */
  readonly begin: (step: AutopilotStep, goOn: (mayBe: boolean) => void) => void;
  /** Called once for each step that was begun, unless the node stops meanwhile. */
  readonly ended: (step: AutopilotStep, outcome: StepOutcome) => void;
}

export interface AutopilotOptions {
  readonly core: Raft;
  readonly clock: Clock;
  readonly timings: Timings;
  readonly host: AutopilotHost;
  readonly view: () => MembersView;
  readonly reportOf: ReportOf;
  readonly change: (ask: LeaderAsk & { readonly kind: 'change' }, done: (answer: LeaderAnswer) => void) => void;
  /** Runs it in the next turn of the loop. */
  readonly enter: (run: () => void) => void;
  readonly log: (event: string, fields: Readonly<Record<string, string | number | boolean>>) => void;
}

interface UnderWay {
  readonly step: AutopilotStep;
  readonly term: Term;
  readonly deadlineMs: number;
  readonly isProposed: boolean;
}

/**
 * The leader's loop: looks at the members, and makes one change at a time, each due by `nextStep` when it is begun and still when it is
 * proposed. On a node that doesn't lead it does nothing, and remembers nothing.
 */
export class Autopilot {
  readonly #options: AutopilotOptions;
  readonly #changeRules: ChangeRules;
  #watch: MembersWatch | undefined;
  #health: ClusterHealth | undefined;
  #underWay: UnderWay | undefined;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #restUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: AutopilotOptions) {
    this.#options = options;
    this.#changeRules = defaultRules(options.timings);
  }

  /** Once for each tick. */
  tick(): void {
    const { core, clock } = this.#options;
    const nowMs = clock.nowMs();
    this.#expire(nowMs);
    if (core.role !== 'leader') return this.#forget();
    if (nowMs - this.#lookedMs < autopilotEveryMs) return;
    this.#lookedMs = nowMs;
    const due = this.#look(nowMs);
    if (due !== undefined && this.#underWay === undefined && nowMs >= this.#restUntilMs) this.#begin(due, nowMs);
  }

  /** By the last look of this leader; undefined on other nodes, and where it can't tell. */
  get health(): ClusterHealth | undefined {
    return this.#health;
  }

  /** How the members are, as this leader sees them; undefined where it can't tell. */
  conditions(): readonly MemberCondition[] | undefined {
    const { core, clock } = this.#options;
    const nowMs = clock.nowMs();
    if (core.role === 'leader') this.#look(nowMs);
    return this.#watch?.members.map(({ node, ailment, healthyMs, heardMs }) => ({
      node,
      ailment: ailment ?? '',
      term: this.#options.reportOf(node)?.term ?? 0,
      stableMs: healthyMs === undefined ? undefined : Math.round(nowMs - healthyMs),
      unheardMs: Math.round(nowMs - heardMs),
    }));
  }

  /** Looks once more, and tells what is due by that. */
  #look(nowMs: number): AutopilotStep | undefined {
    const { host, view: viewNow, reportOf } = this.#options;
    const rules = host.rules();
    if (rules === undefined) {
      this.#forget();
      return undefined;
    }
    const view = viewNow();
    this.#watch = watchMembers(this.#watch, { view, reportOf, rules }, nowMs);
    this.#health = clusterHealth(
      view.membership,
      this.#watch.members.map(({ node, ailment }) => ({ node, isHealthy: ailment === undefined })),
    );
    if (host.heldBy() !== undefined) return undefined;
    const mayVote = (node: NodeId): boolean => host.mayVote(node);
    return nextStep({ view, watch: this.#watch, rules, changeRules: this.#changeRules, mayVote });
  }

  #forget(): void {
    this.#watch = undefined;
    this.#health = undefined;
  }

  #begin(step: AutopilotStep, nowMs: number): void {
    const { core, host, enter, log } = this.#options;
    const begun = { step, term: core.term, deadlineMs: nowMs + autopilotBeginMs, isProposed: false };
    this.#underWay = begun;
    log('autopilot-step', { step: step.kind, member: step.node, reason: step.reason });
    host.begin(step, (mayBe) => enter(() => this.#goOn(begun, mayBe)));
  }

  #goOn(begun: UnderWay, mayBe: boolean): void {
    if (this.#underWay !== begun) return;
    const { core, clock, change, timings } = this.#options;
    const { step, term } = begun;
    if (!mayBe) return this.#end({ kind: 'dropped', text: 'it could not be begun' });
    if (core.role !== 'leader' || core.term !== term)
      return this.#end({ kind: 'dropped', text: 'this node leads no more' });
    const nowMs = clock.nowMs();
    const due = this.#look(nowMs);
    if (due?.kind !== step.kind || due.node !== step.node || due.membershipIndex !== step.membershipIndex)
      return this.#end({ kind: 'dropped', text: 'it is not due any more' });
    const proposed = { ...begun, deadlineMs: nowMs + timings.forwardTimeoutMs, isProposed: true };
    this.#underWay = proposed;
    change(this.#changeFor(step), (answer) => {
      if (this.#underWay === proposed) this.#end(outcomeOf(answer));
    });
  }

  #changeFor({ kind, node, membershipIndex }: AutopilotStep): LeaderAsk & { readonly kind: 'change' } {
    const step: MembershipStep = { kind: kind === 'promote' ? 'add-voter' : 'remove', node };
    const votersMin = kind === 'promote' ? 1 : (this.#options.host.rules()?.votersMin ?? Number.MAX_SAFE_INTEGER);
    const change = changeOf({ steps: [step], members: [] });
    return { kind: 'change', change, ifMembershipIndex: membershipIndex, votersMin: Math.max(1, votersMin) };
  }

  #expire(nowMs: number): void {
    if (this.#underWay === undefined || nowMs < this.#underWay.deadlineMs) return;
    const { isProposed } = this.#underWay;
    this.#end(isProposed ? { kind: 'unknown' } : { kind: 'dropped', text: 'it was not begun in time' });
  }

  #end(outcome: StepOutcome): void {
    if (this.#underWay === undefined) return;
    const { host, clock, log } = this.#options;
    const { step } = this.#underWay;
    this.#underWay = undefined;
    if (outcome.kind !== 'changed') this.#restUntilMs = clock.nowMs() + autopilotRetryMs;
    const why = outcome.kind === 'refused' || outcome.kind === 'dropped' ? { reason: outcome.text } : {};
    log('autopilot-outcome', { step: step.kind, member: step.node, outcome: outcome.kind, ...why });
    host.ended(step, outcome);
  }
}

function outcomeOf(answer: LeaderAnswer): StepOutcome {
  if (answer.kind === 'changed') return { kind: 'changed', index: LogIndex(answer.index) };
  return answer.kind === 'refused' ? { kind: 'refused', text: answer.text } : { kind: 'unknown' };
}
