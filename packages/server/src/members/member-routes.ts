// START HERE: one row for each route of sys/cluster, and Vault's own paths for the same.
import { defineEngine, type Engine, type Route, routesOf } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import { booleanField, integerField, textField } from '@lockstep/contract/fields';
import type { NodeId } from '@lockstep/contract/ids';
import { defaultRules } from '@lockstep/core/members/plan-change';
import type { Consensus } from '@lockstep/core/port';
import type { MembershipStep } from '@lockstep/core/raft/types';
import { defaultTimings } from '@lockstep/core/timings';
import type { ReadableState } from '@lockstep/contract/state';
import { readAutopilot, readIntent } from '@lockstep/engine-system/cluster-state';
import { systemFacts, type SystemFact } from '@lockstep/engine-system/facts';
import { askMembers } from './ask-leader.ts';
import { askAutopilot, autopilotReply } from './autopilot-state.ts';
import { type ChangeParts, changeMember, transferLeadership } from './change-members.ts';
import { joinRoutes, type JoinRouteParts } from './join-routes.ts';
import { membersReply } from './member-replies.ts';
import { recoveriesReply } from '../recover/recoveries.ts';
import { raftConfiguration } from './vault-raft.ts';

export interface MemberRouteParts extends Omit<JoinRouteParts, 'rules'> {
  readonly consensus: Consensus;
  /** This node. */
  readonly id: NodeId;
  /** The system's own state, for what is not asked for by a request. */
  readonly state: () => ReadableState;
}

const dryRun = booleanField({ description: 'Only tell what would happen to the quorum', default: false });
const changeFields = {
  if_membership_index: integerField({
    description: 'Refuse unless the membership is that of this entry (membership_index in a reply)',
    min: 1,
  }),
  dry_run: dryRun,
};
const node = textField({ description: 'Id or name of the member', required: true, max: 64 });
const serverId = textField({ description: 'Id or name of the member', required: true, max: 64 });

/** Who is in the cluster, and changes of that. What facts there are belong to the system's mount. */
export function memberRoutes(of: MemberRouteParts): Engine {
  return defineEngine<SystemFact>({
    kind: 'members',
    description: 'who is in the cluster',
    facts: systemFacts,
    routes: [...ownRoutes(of), ...joinRoutes({ ...of, rules: () => partsOf(of).rules }), ...vaultRoutes(of)],
    apply: () => {
      throw new Error('invariant broken: facts of members are applied by the system’s mount');
    },
  });
}

const route = routesOf<SystemFact>();

/** Vault's min_quorum holds for operators too. */
function partsOf({ consensus, state, record }: MemberRouteParts): ChangeParts {
  const votersMin = Math.max(1, readAutopilot(state()).minQuorum);
  const rules = { ...defaultRules(defaultTimings), votersMin };
  return { consensus, rules, intend: async (steps) => await record(steps.flatMap(intentOf), []) };
}

function intentOf({ kind, node: member }: MembershipStep): readonly SystemFact[] {
  if (kind === 'update') return [];
  return [{ type: 'memberIntended', node: member, isVoter: kind === 'add-voter', isGone: kind === 'remove' }];
}

function ownRoutes(of: MemberRouteParts): readonly Route<SystemFact>[] {
  const changeRoute = (
    path: string,
    kind: 'add-voter' | 'add-learner' | 'remove',
    summary: string,
  ): Route<SystemFact> =>
    route({
      operation: 'write',
      path,
      summary,
      needsSudo: true,
      fields: { node, ...changeFields },
      handle: async (_call, fields) => await changeMember(partsOf(of), { kind, ...fields }),
    });
  return [
    route({
      operation: 'read',
      path: 'cluster/members',
      summary: 'Who the members are, how they are, and what the quorum is',
      fields: {},
      handle: async ({ state }) => {
        const isMeantToVote = (member: NodeId): boolean | undefined => readIntent(state, member)?.isVoter;
        const { rules } = partsOf(of);
        const data = membersReply(await askMembers(of.consensus), { rules, isMeantToVote });
        return { reply: { data: { ...data, recoveries: recoveriesReply(state) } } };
      },
    }),
    changeRoute('cluster/promote', 'add-voter', 'Make a voter of a learner that is caught up'),
    changeRoute('cluster/demote', 'add-learner', 'Make a learner of a voter'),
    changeRoute('cluster/remove', 'remove', 'Remove a member: it never comes back under its id'),
    route({
      operation: 'write',
      path: 'cluster/transfer',
      summary: 'Move leadership to a voter, or to the one that has most of the log',
      needsSudo: true,
      fields: { node: textField({ description: 'Id or name of the voter', max: 64 }), dry_run: dryRun },
      handle: async (_call, fields) => await transferLeadership(partsOf(of), fields),
    }),
    route({
      operation: 'write',
      path: 'cluster/leave',
      summary: 'Drain this node: it hands leadership over and leaves the cluster',
      needsSudo: true,
      fields: changeFields,
      handle: async (_call, fields) =>
        await changeMember(partsOf(of), { kind: 'remove', node: String(of.id), ...fields }),
    }),
  ];
}

function vaultRoutes(of: MemberRouteParts): readonly Route<SystemFact>[] {
  const changeRoute = (
    path: string,
    kind: 'add-voter' | 'add-learner' | 'remove',
    summary: string,
  ): Route<SystemFact> =>
    route({
      operation: 'write',
      path: `storage/raft/${path}`,
      summary,
      needsSudo: true,
      fields: { server_id: serverId, ...changeFields },
      handle: async (_call, { server_id, ...fields }) =>
        await changeMember(partsOf(of), { kind, node: server_id, ...fields }),
    });
  return [
    route({
      operation: 'read',
      path: 'storage/raft/configuration',
      summary: 'The members, in the form of Vault',
      fields: {},
      handle: async () => ({ reply: { data: raftConfiguration(await askMembers(of.consensus)) } }),
    }),
    route({
      operation: 'read',
      path: 'storage/raft/autopilot/state',
      summary: 'How the members are, as the leader’s autopilot sees them',
      fields: {},
      handle: async ({ state, now }) => ({
        reply: { data: autopilotReply(await askAutopilot(of.consensus), { settings: readAutopilot(state), now }) },
      }),
    }),
    changeRoute('remove-peer', 'remove', 'As cluster/remove'),
    changeRoute('promote', 'add-voter', 'As cluster/promote'),
    changeRoute('demote', 'add-learner', 'As cluster/demote'),
    ...(['bootstrap', 'bootstrap/challenge', 'bootstrap/answer'] as const).map((path) =>
      route({
        operation: 'write',
        path: `storage/raft/${path}`,
        summary: 'Not offered: nodes join by an invitation',
        fields: {},
        needsSudo: true,
        handle: () => {
          throw new LockstepError(
            'failed-precondition',
            'nodes of another program can not join; a node of Lockstep joins by an invitation: lockstep cluster invite',
          );
        },
      }),
    ),
  ];
}
