import { goDuration } from '@lockstep/contract/duration';
import type { TimeMs } from '@lockstep/contract/ids';
import type { JsonObject } from '@lockstep/contract/json';
import { clusterHealth, type MemberCondition, type MembersCondition } from '@lockstep/core/autopilot/condition';
import { healthOf, type MembersView } from '@lockstep/core/members/members-view';
import type { AutopilotOutcome, Consensus } from '@lockstep/core/port';
import { memberOf } from '@lockstep/core/raft/roster';
import type { AutopilotSettings } from '@lockstep/engine-system/facts';
import { refusedByLeader } from './member-errors.ts';

/** What the leader's autopilot knows. Throws `no-leader` when none answers. */
export async function askAutopilot(consensus: Pick<Consensus, 'autopilot'>): Promise<Found> {
  const outcome = await new Promise<AutopilotOutcome>((resolve) => consensus.autopilot(resolve));
  if (outcome.kind === 'autopilot') return outcome;
  throw refusedByLeader(outcome);
}

interface Found {
  readonly view: MembersView;
  readonly condition: MembersCondition;
}

interface ToldBy {
  readonly settings: AutopilotSettings;
  readonly now: TimeMs;
}

/** `sys/storage/raft/autopilot/state`, as Vault's clients read it; `held_by` and each server's `ailment` are ours. */
export function autopilotReply({ view, condition }: Found, told: ToldBy): JsonObject {
  const { voters, learners } = view.membership;
  const { isHealthy, failureTolerance } = clusterHealth(
    view.membership,
    condition.members.map(({ node, ailment }) => ({ node, isHealthy: ailment === '' })),
  );
  return {
    healthy: isHealthy,
    failure_tolerance: failureTolerance,
    leader: String(view.leader),
    voters: voters.map(String),
    non_voters: learners.map(String),
    servers: Object.fromEntries(
      condition.members.map((member) => [String(member.node), serverReply(view, member, told)]),
    ),
    held_by: condition.heldBy,
  };
}

function serverReply(view: MembersView, condition: MemberCondition, { settings, now }: ToldBy): JsonObject {
  const { node, ailment, term, stableMs } = condition;
  const record = memberOf(view.membership, node);
  const health = healthOf(view, node);
  const isLeader = node === view.leader;
  const votes = view.membership.voters.includes(node);
  const silentMs = health?.silentMs ?? condition.unheardMs;
  const isAlive = health?.silentMs !== undefined && silentMs <= settings.lastContactSeconds * 1_000;
  return {
    id: String(node),
    name: record?.name ?? '',
    address: record?.peerAddress ?? '',
    node_status: isAlive ? 'alive' : 'failed',
    node_type: votes ? 'voter' : 'non-voter',
    status: isLeader ? 'leader' : votes ? 'voter' : 'non-voter',
    last_contact: goDuration(silentMs / 1_000),
    last_term: isLeader ? view.term : term,
    last_index: isLeader ? view.lastIndex : (health?.match ?? 0),
    healthy: ailment === '',
    // Go's zero time, where it is not stable at all.
    stable_since: stableMs === undefined ? '0001-01-01T00:00:00Z' : new Date(now - stableMs).toISOString(),
    ailment,
  };
}
