import { type Call, type Decision, type Route, routesOf, unchanged } from '@lockstep/contract/engine';
import { fieldError } from '@lockstep/contract/errors';
import { booleanField, durationField, integerField } from '@lockstep/contract/fields';
import { goDuration } from '@lockstep/contract/duration';
import type { JsonObject } from '@lockstep/contract/json';
import { readAutopilot } from './cluster-state.ts';
import type { AutopilotSettings, SystemFact } from './facts.ts';
import { autopilotKey } from './keys.ts';
import {
  autopilotContactSecondsMin,
  autopilotDeadSecondsMin,
  autopilotQuorumMax,
  autopilotQuorumMinForCleanup,
} from './limits.ts';

const route = routesOf<SystemFact>();

interface GivenSettings {
  readonly cleanup_dead_servers: boolean | undefined;
  readonly dead_server_last_contact_threshold: number | undefined;
  readonly last_contact_threshold: number | undefined;
  readonly max_trailing_logs: number | undefined;
  readonly min_quorum: number | undefined;
  readonly server_stabilization_time: number | undefined;
  readonly disable_upgrade_migration: boolean | undefined;
}

/** Autopilot's settings under Vault's names. How the members are is the server's to tell. */
export const autopilotRoutes: readonly Route<SystemFact>[] = [
  route({
    operation: 'read',
    path: 'storage/raft/autopilot/configuration',
    summary: "Autopilot's settings",
    fields: {},
    handle: (call) => ({ reply: { data: settingsReply(readAutopilot(call.state)) } }),
  }),
  route({
    operation: 'write',
    path: 'storage/raft/autopilot/configuration',
    summary: "Change autopilot's settings; what is not given stays as it is",
    fields: {
      cleanup_dead_servers: booleanField({ description: 'Remove members that were silent for too long' }),
      dead_server_last_contact_threshold: durationField({ description: 'A member that was silent for longer is dead' }),
      last_contact_threshold: durationField({ description: 'A member that was silent for longer is not healthy' }),
      max_trailing_logs: integerField({ description: 'A member that is more entries behind is not healthy', min: 1 }),
      min_quorum: integerField({ description: 'Voters are not made fewer than this', max: autopilotQuorumMax }),
      server_stabilization_time: durationField({
        description: 'A learner is promoted once it has been healthy for so long',
      }),
      disable_upgrade_migration: booleanField({ description: 'Not offered: there is no upgrade migration' }),
    },
    handle: configure,
  }),
];

function configure(call: Call, given: GivenSettings): Decision<SystemFact> {
  if (given.disable_upgrade_migration !== undefined)
    throw fieldError('disable_upgrade_migration', 'is not offered: there is no upgrade migration');
  const before = readAutopilot(call.state);
  const after: AutopilotSettings = {
    cleansUpDeadServers: given.cleanup_dead_servers ?? before.cleansUpDeadServers,
    deadServerLastContactSeconds: given.dead_server_last_contact_threshold ?? before.deadServerLastContactSeconds,
    lastContactSeconds: given.last_contact_threshold ?? before.lastContactSeconds,
    maxTrailingLogs: given.max_trailing_logs ?? before.maxTrailingLogs,
    minQuorum: given.min_quorum ?? before.minQuorum,
    serverStabilizationSeconds: given.server_stabilization_time ?? before.serverStabilizationSeconds,
  };
  requireSound(after);
  if (Object.values(given).every((value) => value === undefined)) return { reply: {} };
  return {
    facts: [{ type: 'autopilotConfigured', ...after }],
    // Two changes of different settings at once must both last.
    expects: [unchanged(call.state, autopilotKey)],
    reply: {},
  };
}

function requireSound(settings: AutopilotSettings): void {
  const { cleansUpDeadServers, deadServerLastContactSeconds, lastContactSeconds, minQuorum } = settings;
  if (lastContactSeconds < autopilotContactSecondsMin)
    throw fieldError('last_contact_threshold', `must be at least ${goDuration(autopilotContactSecondsMin)}`);
  if (deadServerLastContactSeconds < autopilotDeadSecondsMin)
    throw fieldError('dead_server_last_contact_threshold', `must be at least ${goDuration(autopilotDeadSecondsMin)}`);
  if (deadServerLastContactSeconds < lastContactSeconds)
    throw fieldError(
      'dead_server_last_contact_threshold',
      `must be at least last_contact_threshold, which is ${goDuration(lastContactSeconds)}`,
    );
  if (cleansUpDeadServers && minQuorum < autopilotQuorumMinForCleanup)
    throw fieldError(
      'min_quorum',
      `must be at least ${autopilotQuorumMinForCleanup} where cleanup_dead_servers is set, not ${minQuorum}`,
    );
}

/** As Vault's clients read it. */
function settingsReply(settings: AutopilotSettings): JsonObject {
  return {
    cleanup_dead_servers: settings.cleansUpDeadServers,
    dead_server_last_contact_threshold: goDuration(settings.deadServerLastContactSeconds),
    last_contact_threshold: goDuration(settings.lastContactSeconds),
    max_trailing_logs: settings.maxTrailingLogs,
    min_quorum: settings.minQuorum,
    server_stabilization_time: goDuration(settings.serverStabilizationSeconds),
  };
}
