import { hostname, userInfo } from 'node:os';
import type { JsonObject } from '@lockstep/client/client';
import type { RecoverAt, RecoveredNode } from '@lockstep/server/recover/recover-node';
import type { Command } from 'commander';
import { command } from '../command.ts';
import { Failure, localFailure } from '../failure.ts';
import { several } from '../option-values.ts';
import { grid, json, type Row, table } from '../output.ts';
import { type GlobalOptions, readFormat } from '../settings.ts';
import type { Terminal } from '../terminal.ts';

interface RecoverCommandOptions extends GlobalOptions {
  readonly config?: string;
  readonly dir?: string;
  readonly surviving?: readonly string[];
  readonly dryRun?: boolean;
  readonly yesLoseUnreplicatedWrites?: boolean;
}

/** `cluster recover`: on the disk of a node that is down; no node is asked. */
export function recoverCommand(terminal: Terminal): Command {
  return command('recover', 'go on with one node when the quorum is lost for good: on its own disk, while it is down', [
    'lockstep cluster recover --config /etc/lockstep/node.json -dry-run',
    'lockstep cluster recover --config /etc/lockstep/node.json -yes-lose-unreplicated-writes',
  ])
    .option('--config <file>', "the node's configuration")
    .option('--dir <directory>', 'or its data directory, where there is no configuration')
    .option(
      '--surviving <node>',
      'another node that is still there, by id or name; may be given several times',
      several,
    )
    .option('--dry-run', 'only tell what is on this disk and what would be')
    .option('--yes-lose-unreplicated-writes', 'do it: what only the lost nodes had is lost')
    .action(async (_options: object, self: Command) => {
      const options: RecoverCommandOptions = self.optsWithGlobals();
      const isConfirmed = options.dryRun !== true && options.yesLoseUnreplicatedWrites === true;
      const recovered = await recover(options, isConfirmed);
      terminal.print(readFormat(options, terminal) === 'json' ? json(described(recovered)) : told(recovered));
      if (isConfirmed) return;
      const [refusal] = recovered.refusals;
      if (refusal !== undefined) throw localFailure(`it would be refused: ${refusal}`);
      if (options.dryRun !== true)
        throw localFailure(
          'nothing was changed: it needs --yes-lose-unreplicated-writes',
          'First make sure that the nodes above that are left behind never start again, and that no other survivor has more of the log.',
        );
    });
}

async function recover(options: RecoverCommandOptions, isConfirmed: boolean): Promise<RecoveredNode> {
  const { surviving = [] } = options;
  const at = whereIn(options);
  // As the server's own start: LevelDB makes its files by the mask.
  process.umask(0o077);
  const { recoverNode } = await import('@lockstep/server/recover/recover-node');
  const place = 'configFile' in at ? `--config ${at.configFile}` : `--dir ${at.directory}`;
  const typed = ['lockstep cluster recover', place, ...surviving.map((node) => `--surviving ${node}`)];
  const by = `${userInfo().username}@${hostname()}`;
  const uid = process.getuid?.();
  try {
    return await recoverNode({ at, surviving, isConfirmed, nowMs: Date.now(), command: typed.join(' '), by, uid });
  } catch (error) {
    const { startFailure } = await import('@lockstep/server/start-failure');
    throw new Failure(1, startFailure(error).message);
  }
}

function whereIn({ config, dir }: RecoverCommandOptions): RecoverAt {
  if (config !== undefined && dir === undefined) return { configFile: config };
  if (dir !== undefined && config === undefined) return { directory: dir };
  throw localFailure('one of --config and --dir must be given');
}

function described(of: RecoveredNode): JsonObject {
  const { forced, self, refusals } = of;
  return {
    done: of.isDone,
    allowed: of.isDone || refusals.length === 0,
    refusals: [...refusals],
    cluster_id: of.clusterId,
    node_id: String(self.node),
    node_name: self.name,
    data_dir: of.dataDirectory,
    last_term: forced.lastTerm,
    last_index: forced.lastIndex,
    commit_index: forced.commit,
    state_index: of.stateApplied,
    unconfirmed_entries: of.unconfirmed,
    last_written: new Date(of.lastWrittenMs).toISOString(),
    epoch_before: forced.before.roster?.epoch ?? 0,
    epoch_after: forced.after.roster?.epoch ?? 0,
    voters_before: forced.before.voters.map(String),
    left_behind: forced.leftBehind.map(({ node, name, peerAddress }) => ({
      id: String(node),
      name,
      peer_address: peerAddress,
    })),
  };
}

function told(of: RecoveredNode): string {
  const { forced, self } = of;
  const rows: readonly Row[] = [
    ['node', `${self.node} ${self.name}`.trim()],
    ['cluster', of.clusterId],
    ['data_dir', of.dataDirectory],
    ['last_term', forced.lastTerm],
    ['last_index', forced.lastIndex],
    ['commit_index', forced.commit],
    ['state_index', of.stateApplied],
    ['last_written', new Date(of.lastWrittenMs).toISOString()],
    ['epoch', `${forced.before.roster?.epoch ?? 0}, then ${forced.after.roster?.epoch ?? 0}`],
  ];
  const members = [self, ...forced.leftBehind].map((member) => [
    String(member.node),
    member.name,
    roleIn(of, member.node),
    member.peerAddress,
    member.node === self.node ? 'the only member' : 'left behind for good',
  ]);
  return `${table(rows)}\n${grid(['Id', 'Name', 'Role', 'Peers', 'Then'], members)}\n${of.isDone ? next : meaning(of)}`;
}

function roleIn({ forced }: RecoveredNode, node: number): string {
  const { voters, votersOutgoing } = forced.before;
  return [...voters, ...votersOutgoing].some((voter) => voter === node) ? 'voter' : 'learner';
}

function meaning({ forced, unconfirmed }: RecoveredNode): string {
  const { lastIndex } = forced;
  const kept =
    unconfirmed === 0
      ? 'Everything in this log is known to be committed.'
      : `The last ${unconfirmed} of its entries are not known to be committed. They are kept, and count from then on.`;
  return `${kept}
Lost is what the others acknowledged and this log does not hold: entries after ${lastIndex}, if there were any.
Compare the survivors first, by the same command with -dry-run on each: recover the one with the highest last_term, and of those the
highest last_index. The others join anew, with empty directories. Nothing was changed.
`;
}

const next = `Done. Start the node, unseal it as usual, and look: lockstep cluster members.
The nodes that were left behind must never start again with their old directories. New ones join by lockstep cluster invite.
`;
