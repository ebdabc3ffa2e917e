import type { NodeId } from '@lockstep/contract/ids';
import type { Core } from '@lockstep/core/raft/core';
import type { Membership, MembershipStep, Message } from '@lockstep/core/raft/types';

/** What a line of the trace says of a node: before what happened where it received something, after it otherwise. */
export interface StateSeen {
  readonly term: number;
  readonly vote: NodeId;
  readonly commit: number;
  readonly role: 'StateFollower' | 'StateCandidate' | 'StateLeader';
  readonly lastIndex: number;
  readonly membership: Membership;
}

/** As etcd's `TracingEvent` is written (etcd-io/raft, state_trace.go). */
export interface StateEvent {
  readonly name: string;
  readonly nid: string;
  readonly state: { readonly term: number; readonly vote: string; readonly commit: number };
  readonly role: StateSeen['role'];
  readonly log: number;
  readonly conf: readonly [readonly string[], readonly string[]];
  readonly msg?: StateMessage;
  readonly prop?: { readonly cc: ConfChange };
}

export interface StateMessage {
  readonly type: string;
  readonly term: number;
  readonly from: string;
  readonly to: string;
  readonly entries: number;
  readonly logTerm: number;
  readonly index: number;
  readonly commit: number;
  readonly vote: string;
  readonly reject: boolean;
  readonly rejectHint: number;
}

interface ConfChange {
  readonly changes?: readonly { readonly nid: string; readonly action: string }[];
  readonly newconf?: readonly string[];
}

/** The specification knows of no pre-vote: who asks for one has not left its term, and follows. */
export function stateOf(core: Core): StateSeen {
  const { term, vote, log, membership } = core;
  const role = core.role === 'leader' ? 'StateLeader' : core.role === 'candidate' ? 'StateCandidate' : 'StateFollower';
  return { term, vote, commit: log.commit, role, lastIndex: log.lastIndex, membership };
}

export function eventOf(
  of: { readonly name: string; readonly node: NodeId; readonly seen: StateSeen },
  more: Pick<StateEvent, 'msg' | 'prop'> = {},
): StateEvent {
  const { term, vote, commit, role, lastIndex, membership } = of.seen;
  const conf = [membership.voters.map(String), membership.votersOutgoing.map(String)] as const;
  return {
    name: of.name,
    nid: String(of.node),
    state: { term, vote: String(vote), commit },
    role,
    log: lastIndex,
    conf,
    ...more,
  };
}

const nothingElse = { entries: 0, logTerm: 0, index: 0, commit: 0, vote: '0', reject: false, rejectHint: 0 };

/** What a traced message says, and what its sending and receiving are called; undefined for those that the specification does not know. */
export function messageOf(message: Message): { readonly kind: string; readonly msg: StateMessage } | undefined {
  const { term } = message;
  const base = { term, from: String(message.from), to: String(message.to), ...nothingElse };
  switch (message.type) {
    case 'append': {
      const { prevIndex: index, prevTerm: logTerm, commit } = message;
      const msg = { ...base, type: 'MsgApp', index, logTerm, commit, entries: message.entries.length };
      return { kind: 'AppendEntriesRequest', msg };
    }
    case 'heartbeat':
      return { kind: 'AppendEntriesRequest', msg: { ...base, type: 'MsgHeartbeat', commit: message.commit } };
    case 'snapshot':
      return { kind: 'AppendEntriesRequest', msg: { ...base, type: 'MsgSnap', entries: message.meta.index } };
    case 'append-reply': {
      const { index, rejected: reject, hintIndex: rejectHint, hintTerm: logTerm } = message;
      return {
        kind: 'AppendEntriesResponse',
        msg: { ...base, type: 'MsgAppResp', index, reject, rejectHint, logTerm },
      };
    }
    case 'heartbeat-reply':
      return { kind: 'AppendEntriesResponse', msg: { ...base, type: 'MsgHeartbeatResp' } };
    case 'vote': {
      const { lastIndex: index, lastTerm: logTerm } = message;
      return { kind: 'RequestVoteRequest', msg: { ...base, type: 'MsgVote', index, logTerm } };
    }
    case 'vote-reply':
      return { kind: 'RequestVoteResponse', msg: { ...base, type: 'MsgVoteResp', reject: message.rejected } };
    default:
      return undefined;
  }
}

/** A node's answer to itself, which etcd sends as a message and this core counts without one. */
export function ownAnswer(
  node: NodeId,
  type: 'MsgAppResp' | 'MsgVoteResp',
  of: { term: number; index: number },
): StateMessage {
  return { ...nothingElse, ...of, type, from: String(node), to: String(node) };
}

const actions = { 'add-voter': 'AddNewServer', 'add-learner': 'AddLearner', remove: 'RemoveServer', update: undefined };

export function changesOf(steps: readonly MembershipStep[]): readonly { nid: string; action: string }[] {
  return steps.flatMap(({ kind, node }) => {
    const action = actions[kind];
    return action === undefined ? [] : [{ nid: String(node), action }];
  });
}
