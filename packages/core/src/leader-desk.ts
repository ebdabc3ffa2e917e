import { LogIndex, NodeId } from '@lockstep/contract/ids';
import { Autopilot, type AutopilotHost } from './autopilot/autopilot.ts';
import type { ClusterHealth } from './autopilot/condition.ts';
import type { DiskCare } from './disk-care.ts';
import { LeaderCalls, type LeaderCallsOptions } from './leader-calls.ts';
import { HandOvers } from './members/hand-overs.ts';
import { Incarnations } from './members/incarnations.ts';
import { MembershipChanges, type MembershipChangesOptions } from './members/membership-changes.ts';
import {
  autopilotOutcome,
  changeOutcome,
  controlOutcome,
  handOverOutcome,
  membersOutcome,
} from './members/outcomes.ts';
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
  readonly autopilot?: AutopilotHost;
  readonly disk: Pick<DiskCare, 'reportOf'>;
  readonly enter: (run: () => void) => void;
}

/** Everything besides transactions and reads that a node is asked for and its leader decides: both sides of it. */
export class LeaderDesk {
  readonly calls: LeaderCalls;
  readonly #options: LeaderDeskOptions;
  readonly #changes: MembershipChanges;
  readonly #handOvers: HandOvers;
  readonly #incarnations: Incarnations;
  readonly #autopilot: Autopilot | undefined;
  readonly #heardMs = new Map<NodeId, number>();

  constructor(options: LeaderDeskOptions) {
    this.#options = options;
    this.#changes = new MembershipChanges({ ...options, heardMs: (node) => this.#heardMs.get(node) });
    this.#handOvers = new HandOvers(options);
    this.#incarnations = new Incarnations({ ...options, changes: this.#changes, own: options.incarnation });
    this.#autopilot = this.#newAutopilot(options.autopilot);
    const handle = (ask: LeaderAsk, done: (answer: LeaderAnswer) => void): void => this.#handle(ask, done);
    this.calls = new LeaderCalls({ ...options, handle }, firstRequestId(options.random));
  }

  /** What of the consensus port it answers. */
  get port(): Pick<Consensus, 'changeMembership' | 'handOver' | 'members' | 'autopilot' | 'proposeControl'> {
    return {
      changeMembership: (request, done) => this.#changeMembership(request, done),
      handOver: (to, done) =>
        this.calls.ask({ kind: 'hand-over', to: to ?? NodeId(0) }, (answer) => done(handOverOutcome(answer))),
      members: (done) => this.calls.ask({ kind: 'members' }, (answer) => done(membersOutcome(answer))),
      autopilot: (done) => this.calls.ask({ kind: 'autopilot' }, (answer) => done(autopilotOutcome(answer))),
      proposeControl: (data, done) => this.#proposeControl(data, done),
    };
  }

  /** As this node's autopilot sees it while it leads. */
  get clusterHealth(): ClusterHealth | undefined {
    return this.#autopilot?.health;
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

  /** What took effect with that entry is durable here. */
  saved(index: LogIndex): void {
    this.#changes.saved(index);
  }

  /** Once for each tick. */
  expire(): void {
    this.#incarnations.record();
    this.#handOvers.expire();
    this.#changes.expire();
    this.#autopilot?.tick();
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

  #newAutopilot(host: AutopilotHost | undefined): Autopilot | undefined {
    if (host === undefined) return undefined;
    const { disk } = this.#options;
    return new Autopilot({
      ...this.#options,
      host,
      view: () => this.#changes.view(),
      reportOf: (node) => disk.reportOf(node),
      change: (ask, done) => this.#changes.change(ask, done),
    });
  }

  #condition(): LeaderAnswer {
    const { autopilot: host } = this.#options;
    const members = this.#autopilot?.conditions();
    if (host === undefined) return { kind: 'refused', reason: 'invalid', text: 'the leader has no autopilot' };
    if (members === undefined)
      return { kind: 'refused', reason: 'not-ready', text: "the leader can't read autopilot's configuration yet" };
    return { kind: 'autopilot', view: this.#changes.view(), condition: { members, heldBy: host.heldBy() ?? '' } };
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
      case 'autopilot':
        return done(this.#condition());
      default:
        return ask satisfies never;
    }
  }
}
