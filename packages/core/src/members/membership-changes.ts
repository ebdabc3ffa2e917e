import { LogIndex, type NodeId, type Term } from '@lockstep/contract/ids';
import { mostAdvanced } from '../leadership.ts';
import { asksWaitingMax } from '../limits.ts';
import type { LeaderAnswer, LeaderAsk } from '../peers/leader-asks.ts';
import { isJoint } from '../raft/membership.ts';
import type { Raft } from '../raft/raft.ts';
import { decodeMembers } from '../raft/roster-codec.ts';
import type { Entry, Membership, MembershipChange, Proposed } from '../raft/types.ts';
import type { Clock, Timings } from '../timings.ts';
import type { MembersView } from './members-view.ts';
import { defaultRules, indexOf, planChange, type Refusal } from './plan-change.ts';

type Done = (answer: LeaderAnswer) => void;

/** A change that was appended here, and whoever waits for it to be in force. */
interface Pending {
  readonly index: LogIndex;
  readonly term: Term;
  readonly deadlineMs: number;
  readonly done: Done;
  readonly isInForce: boolean;
}

export interface MembershipChangesOptions {
  readonly id: NodeId;
  readonly core: Raft;
  readonly membership: () => Membership;
  readonly clock: Clock;
  readonly timings: Timings;
  /** When a node was last heard, by the clock; undefined when it never was. */
  readonly heardMs: (node: NodeId) => number | undefined;
  readonly log: (event: string, fields: Readonly<Record<string, string | number | boolean>>) => void;
}

/** The leader's side of changes: holds each to what `planChange` says, appends it, and tells when it is in force. */
export class MembershipChanges {
  readonly #options: MembershipChangesOptions;
  #pending: Pending[] = [];
  /** In force here, but a restart could forget it. */
  #unsaved: { readonly index: LogIndex; readonly tell: () => void }[] = [];

  constructor(options: MembershipChangesOptions) {
    this.#options = options;
  }

  /** Only on the leader does it mean anything. */
  view(): MembersView {
    const { core, membership, clock, heardMs, id } = this.#options;
    const { leader, term, commit, lastIndex, progress } = core.status();
    const nowMs = clock.nowMs();
    const silentMs = (node: NodeId): number | undefined => {
      const heard = node === id ? nowMs : heardMs(node);
      return heard === undefined ? undefined : Math.round(nowMs - heard);
    };
    const health = progress.map(({ node, match, state }) => ({
      node,
      match,
      silentMs: silentMs(node),
      isBehindLog: state === 'snapshot',
    }));
    const { hasCommittedInTerm: isReady, isMembershipPending: isChangePending } = core;
    return { leader, term, commit, lastIndex, membership: membership(), isReady, isChangePending, health };
  }

  change(ask: LeaderAsk & { readonly kind: 'change' }, done: Done): void {
    const { core } = this.#options;
    const { change, ifMembershipIndex, votersMin } = ask;
    const wanted = { steps: change.steps, members: decodeMembers(change.context) };
    const plan = planChange(this.view(), wanted, {
      ...defaultRules(this.#options.timings),
      ifMembershipIndex: ifMembershipIndex === 0 ? undefined : LogIndex(ifMembershipIndex),
      votersMin,
    });
    const [refusal] = plan.refusals;
    if (refusal !== undefined) return done(refused(refusal));
    if (plan.isLeaderLeaving) {
      // It goes on elsewhere, where the change is in force before anybody is told so.
      const next = mostAdvanced(core, (node) => plan.after.voters.includes(node));
      if (next !== undefined) core.transferLeader(next);
      // Whoever asks tries again: right after a check of the quorum nobody may have answered yet.
      const to = next === undefined ? 'the first voter that stays and is heard' : `node ${next}`;
      return done({
        kind: 'refused',
        reason: 'transferring',
        text: `leadership moves to ${to} before the leader leaves`,
      });
    }
    return this.append(change, done);
  }

  /** Appends a change that needs no plan. */
  append(change: MembershipChange, done: Done): void {
    const { core, clock, timings, log } = this.#options;
    if (this.#pending.length >= asksWaitingMax)
      return done({ kind: 'refused', reason: 'busy', text: 'too many changes are waited for' });
    const proposed = core.proposeMembership(change);
    if (proposed.kind === 'dropped') return done(refused(dropped(proposed)));
    log('membership-proposed', { index: proposed.firstIndex, term: proposed.term, steps: stepsText(change) });
    const deadlineMs = clock.nowMs() + timings.forwardTimeoutMs;
    this.#pending.push({ index: proposed.firstIndex, term: proposed.term, deadlineMs, done, isInForce: false });
  }

  /** A membership entry has taken effect here, on whichever node: the membership before it is in force until the host says so. */
  applied({ index, term }: Entry, membership: Membership): void {
    const before = this.#options.membership();
    // Of a joint membership that a snapshot took this node past nobody here knows how it was left, nor what came after.
    const isOvertaken = (pending: Pending): boolean => pending.isInForce && indexOf(before) !== pending.index;
    this.#pending = this.#pending.flatMap((pending) => {
      if (isOvertaken(pending)) return [];
      const isTaken = pending.isInForce || (pending.index === index && pending.term === term);
      if (isTaken && isJoint(membership)) return [{ ...pending, isInForce: true }];
      const changed: LeaderAnswer = { kind: 'changed', index: indexOf(membership) };
      if (isTaken) this.#unsaved.push({ index, tell: () => pending.done(changed) });
      else if (pending.index === index) pending.done(replaced);
      return isTaken || pending.index <= index ? [] : [pending];
    });
  }

  /**
   * What took effect with that entry is durable here. Only now is a change told: whoever hears of it may switch off a node that it removed, and
   * those who are left may need this node's word that it is committed, and no election without it.
   */
  saved(index: LogIndex): void {
    const told = this.#unsaved.filter((unsaved) => unsaved.index <= index);
    this.#unsaved = this.#unsaved.filter((unsaved) => unsaved.index > index);
    for (const { tell } of told) tell();
  }

  /** Once for each tick: an answer that is not known in time is none; whoever asked finds its outcome unknown. */
  expire(): void {
    if (this.#pending.length === 0) return;
    const nowMs = this.#options.clock.nowMs();
    this.#pending = this.#pending.filter((pending) => pending.deadlineMs > nowMs);
  }
}

const replaced: LeaderAnswer = {
  kind: 'refused',
  reason: 'no-leader',
  text: 'leadership was lost, and another entry took the place of the change',
};

function refused({ reason, text }: Refusal | (LeaderAnswer & { readonly kind: 'refused' })): LeaderAnswer {
  return { kind: 'refused', reason, text };
}

function dropped({ reason }: Proposed & { readonly kind: 'dropped' }): LeaderAnswer & { readonly kind: 'refused' } {
  const kind = 'refused' as const;
  switch (reason) {
    case 'membership-pending':
      return { kind, reason: 'change-pending', text: 'another change of the membership has not taken effect yet' };
    case 'membership-invalid':
    case 'unsupported':
      return { kind, reason: 'invalid', text: 'the membership in force can not be changed so' };
    case 'uncommitted-limit':
      return { kind, reason: 'busy', text: 'the leader has too much that is not committed yet' };
    case 'transferring':
      return { kind, reason: 'transferring', text: 'leadership is on its way to another node' };
    case 'no-leader':
    case 'not-member':
      return { kind, reason: 'no-leader', text: 'this node does not lead' };
    default:
      return reason satisfies never;
  }
}

function stepsText(change: MembershipChange): string {
  return change.steps.map(({ kind, node }) => `${kind} ${node}`).join(', ');
}
