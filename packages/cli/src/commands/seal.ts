import type { JsonObject } from '@lockstep/client/client';
import type { Command } from 'commander';
import { type Answer, isObject } from '../api.ts';
import { command, type Connect, type Session } from '../command.ts';
import { exitRemote, Failure, localFailure } from '../failure.ts';
import { json, printAnswer, type Row, spelled, table } from '../output.ts';
import { wholeNumber } from '../option-values.ts';

/** `status`, `init`, `unseal`, `seal`: from a new cluster to one that serves. */
export function sealCommands(connect: Connect): readonly Command[] {
  return [status(connect), init(connect), unseal(connect), seal(connect)];
}

function status(connect: Connect): Command {
  return command('status', "the node's seal and leader; exits with 2 when it is sealed", [
    'lockstep status',
    'lockstep status -format=json',
  ]).action(async (_options: object, self: Command) => {
    const session = connect(self);
    const { data = {} } = await session.api.call('read', 'sys/seal-status').catch(asError);
    const leader = data['sealed'] === false ? await leaderOf(session) : {};
    if (session.format === 'json') session.terminal.print(json({ ...data, ...leader }));
    else session.terminal.print(table(statusRows(data, leader)));
    if (data['sealed'] !== false) session.exitWith(exitRemote);
  });
}

/** Vault's status: 2 says "sealed", so that whatever else goes wrong must be 1. */
function asError(fault: unknown): never {
  throw fault instanceof Failure ? new Failure(1, fault.message, fault.hint) : fault;
}

/** A node may be unsealed and know no leader: the rest is still worth printing. */
async function leaderOf({ api }: Session): Promise<JsonObject> {
  try {
    return (await api.call('read', 'sys/leader')).data ?? {};
  } catch (fault) {
    if (fault instanceof Failure) return { leader_address: '' };
    throw fault;
  }
}

function statusRows(seal: JsonObject, leader: JsonObject): readonly Row[] {
  const rows: (Row | undefined)[] = [
    ['Seal Type', seal['type']],
    ['Initialized', seal['initialized']],
    ['Sealed', seal['sealed']],
    ['Total Shares', seal['n']],
    ['Threshold', seal['t']],
    seal['sealed'] === true && seal['initialized'] === true
      ? ['Unseal Progress', `${spelled(seal['progress'] ?? 0)}/${spelled(seal['t'])}`]
      : undefined,
    ['Version', seal['build_version'] ?? seal['version']],
    // The version of Vault's API that clients switch features by.
    'build_version' in seal ? ['API Level', seal['version']] : undefined,
    'storage_type' in seal ? ['Storage Type', seal['storage_type']] : undefined,
    'cluster_name' in seal ? ['Cluster Name', seal['cluster_name']] : undefined,
    'cluster_id' in seal ? ['Cluster ID', seal['cluster_id']] : undefined,
    'ha_enabled' in leader ? ['HA Enabled', leader['ha_enabled']] : undefined,
    'is_self' in leader ? ['HA Mode', leader['is_self'] === true ? 'active' : 'standby'] : undefined,
    'leader_address' in leader
      ? ['Active Node Address', leader['leader_address'] === '' ? 'none' : leader['leader_address']]
      : undefined,
    'raft_committed_index' in leader ? ['Raft Committed Index', leader['raft_committed_index']] : undefined,
    'raft_applied_index' in leader ? ['Raft Applied Index', leader['raft_applied_index']] : undefined,
  ];
  return rows.filter((row) => row !== undefined);
}

interface InitOptions {
  readonly keyShares: number;
  readonly keyThreshold: number;
  readonly status?: boolean;
}

function init(connect: Connect): Command {
  return command('init', 'make the root key and its shares, once in the life of a cluster', [
    'lockstep init',
    'lockstep init -key-shares=1 -key-threshold=1 -format=json > keys.json',
  ])
    .option('--key-shares <number>', 'shares to make', wholeNumber, 5)
    .option('--key-threshold <number>', 'shares that unseal', wholeNumber, 3)
    .option('--status', 'only tell whether it was done: exits with 0 if so, with 2 if not')
    .action(async (options: InitOptions, self: Command) => {
      const { api, format, terminal, exitWith } = connect(self);
      if (options.status === true) {
        const isInitialized = (await api.call('read', 'sys/init').catch(asError)).data?.['initialized'] === true;
        terminal.print(isInitialized ? 'The cluster is initialized\n' : 'The cluster is not initialized\n');
        if (!isInitialized) exitWith(2);
        return;
      }
      const answer = await api.call('write', 'sys/init', {
        secret_shares: options.keyShares,
        secret_threshold: options.keyThreshold,
      });
      terminal.print(format === 'json' ? json(initJson(answer, options)) : initText(answer, options));
    });
}

function textsIn(answer: Answer, name: string): readonly string[] {
  const value = answer.data?.[name];
  return Array.isArray(value) ? value.map(String) : [];
}

/** As Vault's command prints it, for scripts that read that. */
function initJson(answer: Answer, options: InitOptions): JsonObject {
  return {
    unseal_keys_b64: textsIn(answer, 'keys_base64'),
    unseal_keys_hex: textsIn(answer, 'keys'),
    unseal_shares: options.keyShares,
    unseal_threshold: options.keyThreshold,
    root_token: answer.data?.['root_token'],
  };
}

function initText(answer: Answer, { keyShares, keyThreshold }: InitOptions): string {
  const keys = textsIn(answer, 'keys_base64').map((key, at) => `Unseal Key ${at + 1}: ${key}`);
  return `${keys.join('\n')}

Initial Root Token: ${spelled(answer.data?.['root_token'])}

The cluster is initialized with ${keyShares} key shares and a threshold of ${keyThreshold}. These are the only copies of the
shares: give each to another person now. Whoever holds ${keyThreshold} of them can unseal; with fewer, the data is lost for good.
Next: lockstep unseal, ${keyThreshold} times on each node.
`;
}

function unseal(connect: Connect): Command {
  return command('unseal', 'give one share of the key to the node', [
    'lockstep unseal',
    'lockstep unseal - < share.txt',
    'lockstep unseal -reset',
  ])
    .argument(
      '[key]',
      'a share in hexadecimal or base64; - reads stdin; asked for when not given (an argument stays in the shell history)',
    )
    .option('--reset', 'forget the shares given so far')
    .action(async (given: string | undefined, options: { readonly reset?: boolean }, self: Command) => {
      const { api, format, terminal } = connect(self);
      const answer =
        options.reset === true
          ? await api.call('write', 'sys/unseal', { reset: true })
          : await api.call('write', 'sys/unseal', { key: await shareOf(given, terminal) });
      if (format === 'json') terminal.print(json(answer.body));
      else terminal.print(table(statusRows(isObject(answer.data) ? answer.data : {}, {})));
    });
}

async function shareOf(given: string | undefined, terminal: Session['terminal']): Promise<string> {
  if (given !== undefined && given !== '-') return given.trim();
  if (given === undefined && terminal.askHidden !== undefined)
    return (await terminal.askHidden('Unseal Key (will be hidden): ')).trim();
  const share = (await terminal.readStdin()).trim();
  if (share === '')
    throw localFailure('no key was given', 'Type it when asked for, or send it: lockstep unseal - < share.txt');
  return share;
}

function seal(connect: Connect): Command {
  return command('seal', 'seal the node: it forgets its keys', ['lockstep seal']).action(
    async (_options: object, self: Command) => {
      const { api, format, terminal } = connect(self);
      printAnswer(terminal, await api.call('write', 'sys/seal'), { format, done: 'Success! The node is sealed.' });
    },
  );
}
