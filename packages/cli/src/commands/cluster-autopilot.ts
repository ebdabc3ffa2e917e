import type { JsonObject } from '@lockstep/client/client';
import type { Command } from 'commander';
import { isObject, objectIn } from '../api.ts';
import { command, type Connect } from '../command.ts';
import { parseKeyValues } from '../key-values.ts';
import { grid, json, printAnswer, spelled } from '../output.ts';

const configuration = 'sys/storage/raft/autopilot/configuration';

/** `cluster autopilot`: what the leader does about members by itself, and how it finds them. */
export function autopilotCommand(connect: Connect): Command {
  const made = command('autopilot', 'how the members are, and what is done about them without an operator', [
    'lockstep cluster autopilot state',
    'lockstep cluster autopilot config',
    'lockstep cluster autopilot config cleanup_dead_servers=true min_quorum=3',
  ]);
  return made.addCommand(state(connect)).addCommand(config(connect));
}

/** `operator raft autopilot`: the same under Vault's names. */
export function raftAutopilotCommand(connect: Connect): Command {
  const made = command('autopilot', 'autopilot, under the names that Vault gives its commands', [
    'lockstep operator raft autopilot state',
    'lockstep operator raft autopilot get-config',
    'lockstep operator raft autopilot set-config -min-quorum=3 -cleanup-dead-servers=true',
  ]);
  return made.addCommand(state(connect)).addCommand(getConfig(connect)).addCommand(setConfig(connect));
}

function getConfig(connect: Connect): Command {
  return command('get-config', 'show the settings', ['lockstep operator raft autopilot get-config']).action(
    async (_options: object, self: Command) => {
      const { api, format, terminal } = connect(self);
      printAnswer(terminal, await api.call('read', configuration), { format, done: '' });
    },
  );
}

/** By the option's name as commander gives it. */
const settings: { readonly [option: string]: string } = {
  cleanupDeadServers: 'cleanup_dead_servers',
  deadServerLastContactThreshold: 'dead_server_last_contact_threshold',
  lastContactThreshold: 'last_contact_threshold',
  maxTrailingLogs: 'max_trailing_logs',
  minQuorum: 'min_quorum',
  serverStabilizationTime: 'server_stabilization_time',
};

function setConfig(connect: Connect): Command {
  const made = command('set-config', 'change the settings that are given', [
    'lockstep operator raft autopilot set-config -server-stabilization-time=30s',
  ]);
  for (const name of Object.values(settings))
    made.option(`--${name.replaceAll('_', '-')} <value>`, 'as lockstep cluster autopilot config shows it');
  return made.action(async (options: { readonly [option: string]: string }, self: Command) => {
    const { api, format, terminal } = connect(self);
    if (Object.keys(options).length === 0) self.error('error: give at least one setting');
    const given = Object.entries(options).map(([option, value]) => [settings[option] ?? option, value]);
    const answer = await api.call('write', configuration, Object.fromEntries(given));
    printAnswer(terminal, answer, { format, done: 'Success! Autopilot goes by these settings now.' });
  });
}

function state(connect: Connect): Command {
  return command('state', 'how the members are, as the leader sees them', [
    'lockstep cluster autopilot state',
    'lockstep cluster autopilot state -format=json',
  ]).action(async (_options: object, self: Command) => {
    const { api, format, terminal } = connect(self);
    const { data = {}, body } = await api.call('read', 'sys/storage/raft/autopilot/state');
    terminal.print(format === 'json' ? json(body) : stateText(data));
  });
}

function stateText(data: JsonObject): string {
  const servers = Object.values(objectIn(data, 'servers') ?? {}).filter(isObject);
  const rows = servers.map((server) => [
    spelled(server['id']),
    spelled(server['name']),
    spelled(server['status']),
    spelled(server['last_contact']),
    spelled(server['last_index']),
    server['healthy'] === true ? `since ${spelled(server['stable_since'])}` : `no: ${spelled(server['ailment'])}`,
  ]);
  const heldBy = data['held_by'] === '' ? '' : `Nothing is changed now: ${spelled(data['held_by'])}.\n`;
  return `${grid(['Id', 'Name', 'Status', 'Last heard', 'Last entry', 'Healthy'], rows)}
The cluster is ${data['healthy'] === true ? '' : 'not '}healthy: ${spelled(data['failure_tolerance'])} healthy voters may be lost.
${heldBy}`;
}

function config(connect: Connect): Command {
  return command('config', 'show the settings, or change those that are given', [
    'lockstep cluster autopilot config',
    'lockstep cluster autopilot config server_stabilization_time=30s',
    'lockstep cluster autopilot config cleanup_dead_servers=true min_quorum=3',
  ])
    .argument('[key=value...]', 'settings under the names that are shown')
    .action(async (args: string[], _options: object, self: Command) => {
      const { api, format, terminal } = connect(self);
      if (args.length > 0) await api.call('write', configuration, await parseKeyValues(args, terminal.readStdin));
      printAnswer(terminal, await api.call('read', configuration), { format, done: '' });
    });
}
