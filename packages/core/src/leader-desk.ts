import { LogIndex, NodeId } from '@lockstep/contract/ids';
import { LeaderCalls, type LeaderCallsOptions } from './leader-calls.ts';
import { HandOvers } from './members/hand-overs.ts';
import { Incarnations } from './members/incarnations.ts';
import { MembershipChanges, type MembershipChangesOptions } from './members/membership-changes.ts';
import { changeOutcome, controlOutcome, handOverOutcome, membersOutcome } from './members/outcomes.ts';
import { changeOf } from './members/plan-change.ts';
import type { LeaderAnswer, LeaderAsk } from './peers/leader-asks.ts';
import type { Consensus, MembershipOutcome, MembershipRequest, ProposeOutcome } from './port.ts';
import { firstRequestId, type Proposals } from './proposals.ts';
import { decodeMembershipChange, encodeMembershipChange } from './raft/membership-codec.ts';
import type { Entry, Membership } from './raft/types.ts';

export interface LeaderDeskOptions
  extends Omit<LeaderCallsOptions, 'handle'>,
    Omit<MembershipChangesOptions, 'heardMs'> {
  readonly proposals: Proposals;
  /** Of this node's own disk, where it has one. */
  readonly incarnation?: number;
  /** An integer in [0, below). */
  readonly random: (below: number) => number;
}

/** Everything besides transactions and reads that a node is asked for and its leader decides: both sides of it. */
export class LeaderDesk {
  readonly calls: LeaderCalls;
  readonly #options: LeaderDeskOptions;
  readonly #changes: MembershipChanges;
  readonly #handOvers: HandOvers;
  readonly #incarnations: Incarnations;
  readonly #heardMs = new Map<NodeId, number>();

  constructor(options: LeaderDeskOptions) {
    this.#options = options;
    this.#changes = new MembershipChanges({ ...options, heardMs: (node) => this.#heardMs.get(node) });
    this.#handOvers = new HandOvers(options);
    this.#incarnations = new Incarnations({ ...options, changes: this.#changes, own: options.incarnation });
    const handle = (ask: LeaderAsk, done: (answer: LeaderAnswer) => void): void => this.#handle(ask, done);
    this.calls = new LeaderCalls({ ...options, handle }, firstRequestId(options.random));
  }

  /** What of the consensus port it answers. */
  get port(): Pick<Consensus, 'changeMembership' | 'handOver' | 'members' | 'proposeControl'> {
    return {
      changeMembership: (request, done) => this.#changeMembership(request, done),
      handOver: (to, done) =>
        this.calls.ask({ kind: 'hand-over', to: to ?? NodeId(0) }, (answer) => done(handOverOutcome(answer))),
      members: (done) => this.calls.ask({ kind: 'members' }, (answer) => done(membersOutcome(answer))),
      proposeControl: (data, done) => this.#proposeControl(data, done),
    };
  }

  /** Something has come from that peer. */
  heard(from: NodeId): void {
    this.#heardMs.set(from, this.#options.clock.nowMs());
  }

  /** A peer has shown the incarnation of its disk. */
  shown(node: NodeId, incarnation: number): void {
    this.#incarnations.shown(node, incarnation);
  }

  /** A membership entry has taken effect here. */
  applied(entry: Entry, membership: Membership): void {
    this.#changes.applied(entry, membership);
  }

  /** Once for each tick. */
  expire(): void {
    this.#incarnations.record();
    this.#handOvers.expire();
    this.#changes.expire();
    this.calls.expire();
  }

  #changeMembership(request: MembershipRequest, done: (outcome: MembershipOutcome) => void): void {
    const { ifMembershipIndex = LogIndex(0), votersMin = 1 } = request;
    // Whatever can't be written is refused here, by an error, and not by the leader.
    const change = decodeMembershipChange(encodeMembershipChange(changeOf(request)));
    this.calls.ask({ kind: 'change', change, ifMembershipIndex, votersMin }, (answer) => done(changeOutcome(answer)));
  }

  /** On the leader it is appended, or not, before this returns. */
  #proposeControl(data: Uint8Array, done: (outcome: ProposeOutcome) => void): void {
    const { core, proposals } = this.#options;
    const answered = (answer: Parameters<typeof controlOutcome>[0]): void => done(controlOutcome(answer));
    if (core.role === 'leader') proposals.appendControl(data, answered);
    else this.calls.ask({ kind: 'control', data }, answered);
  }

  #handle(ask: LeaderAsk, done: (answer: LeaderAnswer) => void): void {
    switch (ask.kind) {
      case 'change':
        return this.#changes.change(ask, done);
      case 'control':
        return this.#options.proposals.appendControl(ask.data, done);
      case 'hand-over':
        return this.#handOvers.begin(ask.to, done);
      case 'members':
        return done({ kind: 'members', view: this.#changes.view() });
      default:
        return ask satisfies never;
    }
  }
}
