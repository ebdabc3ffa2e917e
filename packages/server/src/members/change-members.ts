import type { Decision } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import { LogIndex, NodeId } from '@lockstep/contract/ids';
import type { MembersView } from '@lockstep/core/members/members-view';
import { type ChangePlan, type ChangeRules, planChange } from '@lockstep/core/members/plan-change';
import type { Consensus } from '@lockstep/core/port';
import { membersOf } from '@lockstep/core/raft/membership';
import type { MembershipStep } from '@lockstep/core/raft/types';
import { askMembers, changeMembers, handOver } from './ask-leader.ts';
import { refusedByLeader } from './member-errors.ts';
import { planReply } from './member-replies.ts';

/** Fields of every change: for whom, for which membership, and whether it is only to be told. */
export interface ChangeFields {
  readonly if_membership_index: number | undefined;
  readonly dry_run: boolean;
}

export interface ChangeParts {
  readonly consensus: Consensus;
  /** What changes are held to, besides what the caller says. */
  readonly rules: ChangeRules;
  /** Has it known, in the state, whether members are to vote: autopilot must not undo what an operator has done. */
  readonly intend: (steps: readonly MembershipStep[]) => Promise<void>;
}

/** Promotes, demotes or removes one node, or says what that would do. A name stands for a node's id where only one has it. */
export async function changeMember(
  parts: ChangeParts,
  asked: { readonly kind: MembershipStep['kind']; readonly node: string } & ChangeFields,
): Promise<Decision<never>> {
  const view = await askMembers(parts.consensus);
  const node = nodeOf(view, asked.node);
  return await change(parts, { view, steps: [{ kind: asked.kind, node }] }, asked);
}

export async function change(
  { consensus, rules, intend }: ChangeParts,
  of: { readonly view: MembersView; readonly steps: readonly MembershipStep[] },
  { if_membership_index: given, dry_run: isDryRun }: ChangeFields,
): Promise<Decision<never>> {
  const ifMembershipIndex = given === undefined ? undefined : LogIndex(given);
  const wanted = { steps: of.steps, members: [] };
  const plan = planChange(of.view, wanted, { ...rules, ifMembershipIndex });
  if (isDryRun) return { reply: { data: { dry_run: true, ...planReply(plan) } } };
  refuseAsPlanned(plan);
  // Before the change: a node that leaves can record nothing afterwards. Of a member that votes it says nothing.
  await intend(of.steps);
  const { votersMin } = rules;
  const index = await changeMembers(consensus, {
    ...wanted,
    votersMin,
    ...(ifMembershipIndex === undefined ? {} : { ifMembershipIndex }),
  });
  return { reply: { data: { ...planReply(plan), membership_index: index } } };
}

/** Moves leadership, or says to whom it would go. */
export async function transferLeadership(
  { consensus, rules }: Pick<ChangeParts, 'consensus' | 'rules'>,
  asked: { readonly node: string | undefined; readonly dry_run: boolean },
): Promise<Decision<never>> {
  const view = await askMembers(consensus);
  const to = asked.node === undefined || asked.node === '' ? undefined : nodeOf(view, asked.node);
  const { leader } = view;
  if (asked.dry_run) return { reply: { data: { dry_run: true, ...transferPlan(view, { to, rules }) } } };
  const next = await handOver(consensus, to);
  return { reply: { data: { leader_id: String(next), before: String(leader) } } };
}

function transferPlan(
  view: MembersView,
  { to, rules }: { readonly to: NodeId | undefined; readonly rules: ChangeRules },
): { readonly allowed: boolean; readonly leader_id: string; readonly candidates: readonly string[] } {
  const isThere = (node: NodeId): boolean => {
    const silentMs = view.health.find((health) => health.node === node)?.silentMs;
    return silentMs !== undefined && silentMs <= rules.silentMsMax;
  };
  const { voters, votersOutgoing } = view.membership;
  const candidates = [...new Set([...voters, ...votersOutgoing])].filter(
    (node) => node !== view.leader && isThere(node) && (to === undefined || node === to),
  );
  return { allowed: candidates.length > 0, leader_id: String(view.leader), candidates: candidates.map(String) };
}

function refuseAsPlanned(plan: ChangePlan): void {
  // What passes by itself is left to the leader, which is asked again.
  const lasting = plan.refusals.filter(({ reason }) => reason !== 'change-pending' && reason !== 'joint');
  const [first] = lasting;
  if (first !== undefined) throw refusedByLeader(first, planReply(plan));
}

/** A member's id, given as that or by its name. Throws `not-found`, or `invalid-input` for a name that two have. */
export function nodeOf({ membership }: Pick<MembersView, 'membership'>, given: string): NodeId {
  const nodes = membersOf(membership);
  const byId = /^\d{1,16}$/.test(given) && Number.isSafeInteger(Number(given)) ? NodeId(Number(given)) : undefined;
  if (byId !== undefined && nodes.includes(byId)) return byId;
  const named = (membership.roster?.members ?? []).filter(({ node, name }) => name === given && nodes.includes(node));
  if (named.length > 1)
    throw new LockstepError('invalid-input', `node "${given}" is the name of ${named.length} members: give the id`);
  const [found] = named;
  // One that left is told apart from one that never was by the leader.
  const gone = byId === undefined ? undefined : membership.roster?.removed.find(({ node }) => node === byId)?.node;
  const node = found?.node ?? gone;
  if (node === undefined) throw new LockstepError('not-found', `node "${given}" is not a member of this cluster`);
  return node;
}
