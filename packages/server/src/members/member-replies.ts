import type { JsonObject } from '@lockstep/contract/json';
import { healthOf, type MembersView } from '@lockstep/core/members/members-view';
import {
  type ChangePlan,
  indexOf,
  quorumNow,
  type QuorumState,
  type ChangeRules,
} from '@lockstep/core/members/plan-change';
import { membersOf } from '@lockstep/core/raft/membership';
import { memberOf } from '@lockstep/core/raft/roster';
import type { NodeId } from '@lockstep/contract/ids';

export interface ToldBy {
  readonly rules: ChangeRules;
  /** Whether a member was said to be meant to vote; undefined where nobody said. */
  readonly isMeantToVote: (node: NodeId) => boolean | undefined;
}

/** `sys/cluster/members`: who they are, how they are, and what the quorum is. */
export function membersReply(view: MembersView, told: ToldBy): JsonObject {
  const { membership, leader, lastIndex } = view;
  return {
    membership_index: indexOf(membership),
    epoch: membership.roster?.epoch ?? 0,
    leader_id: String(leader),
    last_index: lastIndex,
    commit_index: view.commit,
    is_joint: membership.votersOutgoing.length > 0,
    is_change_pending: view.isChangePending,
    quorum: quorumReply(quorumNow(view, told.rules)),
    members: membersOf(membership).map((node) => memberReply(view, node, told)),
    removed: (membership.roster?.removed ?? []).map(({ node }) => String(node)),
  };
}

function memberReply(view: MembersView, node: NodeId, { rules, isMeantToVote }: ToldBy): JsonObject {
  const record = memberOf(view.membership, node);
  const health = healthOf(view, node);
  const silentMs = health?.silentMs;
  const lag = view.lastIndex - (health?.match ?? 0);
  return {
    id: String(node),
    name: record?.name ?? '',
    role: roleOf(view, node),
    is_meant_to_vote: view.membership.voters.includes(node) || isMeantToVote(node) === true,
    is_leader: node === view.leader,
    peer_address: record?.peerAddress ?? '',
    api_address: record?.apiAddress ?? '',
    grpc_address: record?.grpcAddress ?? '',
    match_index: health?.match ?? 0,
    entries_behind: lag,
    silent_ms: silentMs ?? null,
    is_reachable: silentMs !== undefined && silentMs <= rules.silentMsMax,
    is_caught_up: health?.isBehindLog === false && lag <= rules.lagEntriesMax,
  };
}

export function roleOf({ membership }: Pick<MembersView, 'membership'>, node: NodeId): string {
  const { voters, votersOutgoing, learnersNext } = membership;
  if (voters.includes(node)) return votersOutgoing.length > 0 && !votersOutgoing.includes(node) ? 'incoming' : 'voter';
  if (!votersOutgoing.includes(node)) return 'learner';
  return learnersNext.includes(node) ? 'demoted' : 'outgoing';
}

/** What a change would do, or did. */
export function planReply(plan: ChangePlan): JsonObject {
  return {
    membership_index: plan.membershipIndex,
    allowed: plan.refusals.length === 0,
    refusals: plan.refusals.map(({ reason, text }) => ({ reason, text })),
    joint: plan.isJoint,
    leader_hands_over: plan.isLeaderLeaving,
    before: quorumReply(plan.before),
    after: quorumReply(plan.after),
  };
}

function quorumReply(state: QuorumState): JsonObject {
  return {
    voters: state.voters.map(String),
    learners: state.learners.map(String),
    quorum: state.quorum,
    reachable: state.reachable,
    failures_tolerated: state.failuresTolerated,
    failures_left: state.failuresLeft,
  };
}
