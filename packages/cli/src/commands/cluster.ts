import type { Json, JsonObject } from '@lockstep/client/client';
import type { Command } from 'commander';
import { type Answer, isObject, objectIn, readSource } from '../api.ts';
import { command, type Connect, type Session } from '../command.ts';
import { localFailure } from '../failure.ts';
import { wholeNumber } from '../option-values.ts';
import { grid, json, printAnswer, spelled } from '../output.ts';
import type { Terminal } from '../terminal.ts';
import { autopilotCommand } from './cluster-autopilot.ts';
import { foundCommand } from './cluster-disk.ts';
import { recoverCommand } from './cluster-recover.ts';

/** `cluster`: who is in it. */
export function clusterCommand(connect: Connect, terminal: Terminal): Command {
  const made = command('cluster', 'who is in the cluster: nodes come, vote, and leave', [
    'lockstep cluster members',
    'lockstep cluster invite -field=token > token',
    'lockstep cluster remove node-3 -dry-run',
  ]);
  for (const one of [
    foundCommand(terminal),
    members(connect),
    invite(connect),
    invites(connect),
    revoke(connect),
    join(connect),
    change(connect, { name: 'promote', summary: 'make a voter of a learner', done: 'is a voter' }),
    change(connect, { name: 'demote', summary: 'make a learner of a voter', done: 'is a learner' }),
    change(connect, { name: 'remove', summary: 'remove a node for good', done: 'is no member any more' }),
    transfer(connect),
    leave(connect),
    autopilotCommand(connect),
    recoverCommand(terminal),
  ])
    made.addCommand(one);
  return made;
}

const dryRun = ['--dry-run', 'only tell what would happen to the quorum, and what would be refused'] as const;

function members(connect: Connect): Command {
  return command('members', 'the members, how they are, and what the quorum is', [
    'lockstep cluster members',
    'lockstep cluster members -format=json',
  ]).action(async (_options: object, self: Command) => {
    const { api, format, terminal } = connect(self);
    const { data = {}, body } = await api.call('read', 'sys/cluster/members');
    terminal.print(format === 'json' ? json(body) : membersText(data));
  });
}

function membersText(data: JsonObject): string {
  const rows = objectsIn(data, 'members').map((member) => [
    spelled(member['id']),
    spelled(member['name']),
    member['is_leader'] === true ? `${spelled(member['role'])}, leads` : spelled(member['role']),
    member['is_reachable'] === true ? 'yes' : 'no',
    spelled(member['entries_behind']),
    spelled(member['peer_address']),
    spelled(member['api_address']),
  ]);
  const { voters = 0, quorum, failures_tolerated: tolerated, failures_left: left } = quorumIn(data, 'quorum');
  return `${grid(['Id', 'Name', 'Role', 'Reachable', 'Behind', 'Peers', 'API'], rows)}
${spelled(voters)} voters, ${spelled(quorum)} are a quorum: ${spelled(tolerated)} may fail, ${spelled(left)} more as things are now.
Membership ${spelled(data['membership_index'])}${data['is_joint'] === true ? ', which is being changed' : ''}, epoch ${spelled(data['epoch'])}.
`;
}

/** As it stands in an answer, with the voters counted. */
function quorumIn(data: JsonObject, name: string): JsonObject {
  const state = objectIn(data, name) ?? {};
  const { voters, learners } = state;
  const count = (value: Json | undefined): Json => (Array.isArray(value) ? value.length : (value ?? 0));
  return { ...state, voters: count(voters), learners: count(learners) };
}

interface InviteOptions {
  readonly ttl?: string;
  readonly note?: string;
  readonly nonVoter?: boolean;
  readonly dryRun?: boolean;
  readonly field?: string;
}

function invite(connect: Connect): Command {
  return command('invite', 'make a token that one node may join with: it is shown once', [
    'lockstep cluster invite -field=token > token',
    'lockstep cluster invite -ttl=15m -note="node-4, rack 2"',
    'lockstep cluster invite -dry-run',
  ])
    .option('--ttl <duration>', 'how long it holds; an hour if not said, at most a week')
    .option('--note <text>', 'for people to read')
    .option('--non-voter', 'the node stays a learner')
    .option('--field <name>', 'print this field alone (token, …)')
    .option(...dryRun)
    .action(async (options: InviteOptions, self: Command) => {
      const session = connect(self);
      const answer = await session.api.call('write', 'sys/cluster/invite', {
        ...definedOnly({ ttl: options.ttl, note: options.note }),
        non_voter: options.nonVoter === true,
        dry_run: options.dryRun === true,
      });
      if (options.dryRun === true) printPlan(session, answer, '');
      else printAnswer(session.terminal, answer, { format: session.format, field: options.field, done: '' });
    });
}

function invites(connect: Connect): Command {
  return command('invites', 'the invitations, used or not', [
    'lockstep cluster invites',
    'lockstep cluster invites -format=json',
  ]).action(async (_options: object, self: Command) => {
    const { api, format, terminal } = connect(self);
    const answer = await api.call('list', 'sys/cluster/invites');
    if (format === 'json') {
      terminal.print(json(answer.body));
      return;
    }
    const info = objectIn(answer.data ?? {}, 'key_info') ?? {};
    const rows = Object.entries(info).map(([id, value]) => {
      const made = isObject(value) ? value : {};
      const use = made['used_by'] === '' ? 'nobody' : spelled(made['used_by']);
      return [id, spelled(made['expires_at']), use, spelled(made['note'])];
    });
    terminal.print(grid(['Id', 'Ends', 'Used by', 'Note'], rows));
  });
}

function revoke(connect: Connect): Command {
  return command('revoke-invite', 'forget an invitation: nobody joins with it any more', [
    'lockstep cluster revoke-invite 0123456789abcdef',
  ])
    .argument('<id>', 'as lockstep cluster invites shows it')
    .action(async (id: string, _options: object, self: Command) => {
      const { api, format, terminal } = connect(self);
      const answer = await api.call('delete', `sys/cluster/invites/${encodeURIComponent(id)}`);
      printAnswer(terminal, answer, { format, done: `Success! Nobody joins with ${id} any more.` });
    });
}

function join(connect: Connect): Command {
  return command('join', 'hand a join token to a node that is in no cluster yet', [
    'lockstep cluster join token -address=https://node-4.example.com:8200 -tls-skip-verify',
    'lockstep cluster join - < token',
  ])
    .argument('<file>', 'holds the token; - reads stdin')
    .option(
      '--dry-run',
      'only tell whether the members that the token names can be reached, and are those of the cluster',
    )
    .action(async (file: string, options: { readonly dryRun?: boolean }, self: Command) => {
      const { api, format, terminal } = connect(self);
      const token = (await readSource(file, () => terminal.readStdin())).trim();
      if (token === '') throw localFailure('no token was given');
      const answer = await api.call('write', 'sys/cluster/join', { token, dry_run: options.dryRun === true });
      printAnswer(terminal, answer, { format, done: 'Success! The node is a member.' });
    });
}

interface ChangeOptions {
  readonly dryRun?: boolean;
  readonly ifMembershipIndex?: number;
}

function changeOptions(made: Command): Command {
  return made
    .option('--if-membership-index <index>', 'refuse unless the membership is this one', wholeNumber)
    .option(...dryRun);
}

function changeFields(options: ChangeOptions): JsonObject {
  return {
    dry_run: options.dryRun === true,
    ...(options.ifMembershipIndex === undefined ? {} : { if_membership_index: options.ifMembershipIndex }),
  };
}

/** `promote`, `demote`, `remove`. */
export function change(
  connect: Connect,
  of: { readonly name: string; readonly summary: string; readonly done: string; readonly route?: string },
): Command {
  const route = of.route ?? of.name;
  return changeOptions(
    command(of.name, of.summary, [`lockstep cluster ${route} node-3`, `lockstep cluster ${route} node-3 -dry-run`]),
  )
    .argument('<node>', 'its id or its name')
    .action(async (node: string, options: ChangeOptions, self: Command) => {
      const session = connect(self);
      const answer = await session.api.call('write', `sys/cluster/${route}`, { node, ...changeFields(options) });
      printPlan(session, answer, `Success! ${node} ${of.done}.`);
    });
}

function leave(connect: Connect): Command {
  return changeOptions(
    command('leave', 'drain the node that is asked: it hands leadership over and leaves the cluster for good', [
      'lockstep cluster leave -address=https://node-3.example.com:8200',
      'lockstep cluster leave -dry-run',
    ]),
  ).action(async (options: ChangeOptions, self: Command) => {
    const session = connect(self);
    const answer = await session.api.call('write', 'sys/cluster/leave', changeFields(options));
    printPlan(session, answer, 'Success! The node has left: it can be stopped.');
  });
}

function transfer(connect: Connect): Command {
  return command('transfer', 'move leadership to a voter, or to the one that has most of the log', [
    'lockstep cluster transfer',
    'lockstep cluster transfer node-2',
  ])
    .argument('[node]', 'its id or its name')
    .option('--dry-run', 'only tell to whom it could go')
    .action(async (node: string | undefined, options: { readonly dryRun?: boolean }, self: Command) => {
      const { api, format, terminal, exitWith } = connect(self);
      const answer = await api.call('write', 'sys/cluster/transfer', {
        ...(node === undefined ? {} : { node }),
        dry_run: options.dryRun === true,
      });
      printAnswer(terminal, answer, { format, done: '' });
      if (answer.data?.['allowed'] === false) exitWith(2);
    });
}

/** What a change does or did to the quorum. A dry run that would be refused exits with 2, as the change would. */
function printPlan({ terminal, format, exitWith }: Session, answer: Answer, done: string): void {
  const data = answer.data ?? {};
  const isDryRun = data['dry_run'] === true;
  if (data['allowed'] === false) exitWith(2);
  if (format === 'json') {
    terminal.print(json(answer.body));
    return;
  }
  if (!isDryRun) terminal.print(`${done}\n\n`);
  const names = ['voters', 'learners', 'quorum', 'reachable', 'failures_tolerated', 'failures_left'];
  const states = ['before', 'after', 'once_caught_up'].filter((name) => objectIn(data, name) !== undefined);
  const quorums = states.map((name) => quorumIn(data, name));
  const heading = ['', ...states.map((name) => (name === 'once_caught_up' ? 'once caught up' : name))];
  const rows = names.map((name) => [
    name.replaceAll('_', ' '),
    ...quorums.map((quorum) => (quorum[name] === undefined ? '' : spelled(quorum[name]))),
  ]);
  terminal.print(grid(heading, rows));
  if (!isDryRun) return;
  const refusals = objectsIn(data, 'refusals').map((refusal) => `  ${spelled(refusal['text'])}\n`);
  terminal.print(
    refusals.length === 0 ? '\nIt would be done. Nothing was.\n' : `\nIt would be refused:\n${refusals.join('')}`,
  );
}

function objectsIn(data: JsonObject, name: string): readonly JsonObject[] {
  const list = data[name];
  return Array.isArray(list) ? list.filter(isObject) : [];
}

function definedOnly(fields: { readonly [name: string]: string | undefined }): JsonObject {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
