import { LogIndex } from '@lockstep/contract/ids';
import { type Core, createCore, noNode, type RaftOptions } from '@lockstep/core/raft/core';
import { decodeMembershipChange } from '@lockstep/core/raft/membership-codec';
import { Raft } from '@lockstep/core/raft/raft';
import type { Membership, Message, Ready } from '@lockstep/core/raft/types';
import { changesOf, eventOf, messageOf, ownAnswer, type StateEvent, type StateSeen, stateOf } from './state-event.ts';

/**
 * A core that tells each step in the terms of etcd's specification (etcd-io/raft, tla/etcdraft.tla), by what it was before a call
 * and what it is after: receiving, a change of role, what the leader appends and commits, what is sent, and `Ready`. The
 * specification is of less than this core: it knows no joint membership, no disk that keeps part of a write, and no answer that
 * tells of a later term without refusing, as etcd's own to an earlier leader does; a trace with those in it is one that it need not
 * admit. Pre-votes and reads are left out.
 */
export function tracedRaft(options: RaftOptions, tell: (event: StateEvent) => void): Raft {
  const core = createCore(options);
  const raft = new Raft(options, core);
  const steps = new CoreSteps(core, tell);
  const untraced = {
    step: raft.step.bind(raft),
    tick: raft.tick.bind(raft),
    propose: raft.propose.bind(raft),
    campaign: raft.campaign.bind(raft),
    transferLeader: raft.transferLeader.bind(raft),
    stepDown: raft.stepDown.bind(raft),
    snapshotOffered: raft.snapshotOffered.bind(raft),
    persisted: raft.persisted.bind(raft),
    appliedTo: raft.appliedTo.bind(raft),
    proposeMembership: raft.proposeMembership.bind(raft),
    applyMembership: raft.applyMembership.bind(raft),
    entriesFetched: raft.entriesFetched.bind(raft),
    ready: raft.ready.bind(raft),
  };
  raft.step = (message) => steps.traced(() => untraced.step(message), message);
  raft.tick = () => steps.traced(() => untraced.tick());
  raft.propose = (data, type) => steps.traced(() => untraced.propose(data, type));
  raft.campaign = () => steps.traced(() => untraced.campaign());
  raft.transferLeader = (to) => steps.traced(() => untraced.transferLeader(to));
  raft.stepDown = () => steps.traced(() => untraced.stepDown());
  raft.snapshotOffered = (to, meta) => steps.traced(() => untraced.snapshotOffered(to, meta));
  raft.persisted = (sequence) => steps.persisted(() => untraced.persisted(sequence));
  raft.appliedTo = (index) => steps.traced(() => untraced.appliedTo(index));
  raft.proposeMembership = (change) => steps.traced(() => untraced.proposeMembership(change));
  raft.applyMembership = (change, index) => steps.applied(() => untraced.applyMembership(change, index));
  raft.entriesFetched = (id, entries) => steps.traced(() => untraced.entriesFetched(id, entries));
  raft.ready = () => steps.ready(() => untraced.ready());
  return raft;
}

/** Tells what each call of a core came to. */
class CoreSteps {
  readonly #core: Core;
  readonly #tell: (event: StateEvent) => void;
  /** This node's answers to itself that are on their way, as text. */
  readonly #toItself = new Set<string>();

  constructor(core: Core, tell: (event: StateEvent) => void) {
    this.#core = core;
    this.#tell = tell;
    this.#say('InitState', stateOf(core));
  }

  persisted(run: () => void): void {
    const core = this.#core;
    const before = stateOf(core);
    const hadVoted = core.votes.has(core.id);
    this.traced(run, undefined, () => {
      if (before.role === 'StateLeader') this.#heardItself('MsgAppResp', before, core.log.stable);
      // A candidate that has just won has forgotten who voted.
      const isOwnVote =
        before.role === 'StateCandidate' && !hadVoted && (core.votes.has(core.id) || core.role === 'leader');
      if (isOwnVote) this.#heardItself('MsgVoteResp', before, LogIndex(0));
    });
  }

  applied(run: () => Membership): Membership {
    const core = this.#core;
    const before = stateOf(core);
    return this.traced(run, undefined, () => {
      if (!isOtherConf(before.membership, core.membership)) return;
      this.#say('ApplyConfChange', before, { prop: { cc: { newconf: core.membership.voters.map(String) } } });
    });
  }

  ready(run: () => Ready): Ready {
    const core = this.#core;
    const told = core.messages.length;
    const ready = run();
    const seen = stateOf(core);
    this.#sent(ready.messages.slice(told), seen);
    this.#say('Ready', seen);
    return ready;
  }

  /** `first`: what comes before whatever follows from it. */
  traced<Result>(run: () => Result, received?: Message, first: () => void = () => undefined): Result {
    const core = this.#core;
    const before = stateOf(core);
    const told = { now: core.messages.length, later: core.messagesAfterPersist.length };
    const result = run();
    const after = stateOf(core);
    const sent = [...core.messages.slice(told.now), ...core.messagesAfterPersist.slice(told.later)];
    // A vote that this node hears of too early is as good as lost on the way.
    const isLost = received?.type === 'vote' && !sent.some(({ to }) => to === received.from);
    if (received !== undefined && !isLost) this.#received(received, before);
    first();
    this.#changedRole(before, after);
    this.#appended(before, after);
    if (after.role === 'StateLeader' && after.commit > before.commit) this.#say('Commit', after);
    this.#sent(sent, after);
    return result;
  }

  #received(message: Message, before: StateSeen): void {
    const traced = messageOf(message);
    if (traced !== undefined) this.#say(`Receive${traced.kind}`, before, { msg: traced.msg });
  }

  /** Before anything was appended in the new role. */
  #changedRole(before: StateSeen, { term, vote, role, membership }: StateSeen): void {
    if (before.term === term && before.role === role) return;
    const seen = { ...before, term, vote, role, membership };
    if (role === 'StateFollower') {
      this.#say('BecomeFollower', { ...seen, vote: before.term === term ? vote : noNode });
      return;
    }
    this.#say(role === 'StateLeader' ? 'BecomeLeader' : 'BecomeCandidate', seen);
    if (role === 'StateCandidate') this.#toldItself('MsgVoteResp', seen, 0);
  }

  /** What a leader appended. */
  #appended(before: StateSeen, after: StateSeen): void {
    if (after.role !== 'StateLeader' || after.lastIndex === before.lastIndex) return;
    const seen = { ...after, commit: before.commit };
    for (let at = before.lastIndex + 1; at <= after.lastIndex; at++) {
      const entry = this.#core.log.entryAt(LogIndex(at));
      const changes = entry?.type === 'membership' ? changesOf(decodeMembershipChange(entry.data).steps) : [];
      const lastIndex = at - 1;
      if (changes.length > 0) this.#say('ChangeConf', { ...seen, lastIndex }, { prop: { cc: { changes } } });
      else this.#say('Replicate', { ...seen, lastIndex });
    }
    this.#toldItself('MsgAppResp', seen, after.lastIndex);
  }

  #sent(messages: readonly Message[], seen: StateSeen): void {
    for (const message of messages) {
      const traced = messageOf(message);
      if (traced !== undefined) this.#say(`Send${traced.kind}`, seen, { msg: traced.msg });
    }
  }

  #toldItself(type: 'MsgAppResp' | 'MsgVoteResp', seen: StateSeen, index: number): void {
    const msg = ownAnswer(this.#core.id, type, { term: seen.term, index });
    this.#toItself.add(JSON.stringify(msg));
    this.#say(`Send${kindOf(type)}`, seen, { msg });
  }

  #heardItself(type: 'MsgAppResp' | 'MsgVoteResp', seen: StateSeen, index: LogIndex): void {
    const msg = ownAnswer(this.#core.id, type, { term: seen.term, index });
    if (this.#toItself.delete(JSON.stringify(msg))) this.#say(`Receive${kindOf(type)}`, seen, { msg });
  }

  #say(name: string, seen: StateSeen, more: Pick<StateEvent, 'msg' | 'prop'> = {}): void {
    this.#tell(eventOf({ name, node: this.#core.id, seen }, more));
  }
}

/** Who votes and learns, not what else is known of them. */
function isOtherConf(a: Membership, b: Membership): boolean {
  const conf = ({ voters, votersOutgoing, learners }: Membership): string =>
    JSON.stringify([voters, votersOutgoing, learners]);
  return conf(a) !== conf(b);
}

function kindOf(type: 'MsgAppResp' | 'MsgVoteResp'): string {
  return type === 'MsgAppResp' ? 'AppendEntriesResponse' : 'RequestVoteResponse';
}
