import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { LockstepError } from '@lockstep/contract/errors';
import { forceLevelLog, type ForcePlan } from '@lockstep/core/log/force-level-log';
import type { LogIdentity } from '@lockstep/core/log/log-records';
import { markerName } from '@lockstep/core/log/marker';
import { type MemberConfig, type NodeConfig, readStart } from '../config.ts';
import { encodeControlEntry, type Recovery } from '../control-entry.ts';
import { DataDirectory } from '../data-directory.ts';
import { freeBytesOf } from '../disk/node-disk.ts';
import { readQuarantine } from '../disk/quarantine-file.ts';
import { IdentityFolder } from '../members/node-identity.ts';
import { RestoreFolder } from '../restore/restore-folder.ts';
import { StateDamage } from '../state/state-damage.ts';
import { inspectCurrent } from '../state/state-directory.ts';
import { version } from '../version.ts';
import { commandBytesMax } from './limits.ts';
import { planRecovery, type RecoveryPlan } from './plan-recovery.ts';

export type RecoverAt =
  /** A node's configuration. */
  | { readonly configFile: string }
  /** A node's data directory. */
  | { readonly directory: string };

export interface RecoverOptions {
  readonly at: RecoverAt;
  /** The other nodes that are still there, by id or name. */
  readonly surviving: readonly string[];
  /** False only tells what would be. */
  readonly isConfirmed: boolean;
  /** What the log is told: by this machine's clock, the command as it was typed, and who ran it where. */
  readonly nowMs: number;
  readonly command: string;
  readonly by: string;
  /** The user that this program runs as; undefined where the system has none. */
  readonly uid: number | undefined;
}

export interface RecoveredNode extends RecoveryPlan {
  readonly clusterId: string;
  readonly dataDirectory: string;
  /** When the log last told its floor: about when this node last took an entry. */
  readonly lastWrittenMs: number;
  readonly isDone: boolean;
}

/**
 * Makes a stopped node of a cluster whose quorum is lost for good its only member, on its own disk, atomically; or only tells what that would
 * mean. The first entry after what the log holds says so. Refuses with `failed-precondition` while the node runs, on a disk that went
 * back, or is damaged, and what `planRecovery` refuses where it is confirmed; then nothing is changed.
 */
export async function recoverNode(options: RecoverOptions): Promise<RecoveredNode> {
  const { at, surviving, isConfirmed } = options;
  if (Buffer.byteLength(options.command) > commandBytesMax)
    throw new LockstepError('invalid-input', `the command has more than ${commandBytesMax} bytes`);
  const { directory, identity, members } = openPlace(at);
  requireOwner(directory, options.uid);
  const parts = await DataDirectory.open(directory);
  parts.requireState();
  const { node, clusterId } = identity;
  const found: { plan?: RecoveryPlan } = {};
  const founders = members.map(({ id, peerAddress: address, ...member }) => ({ node: id, address, ...member }));
  await forceLevelLog({
    directory: parts.logDirectory,
    clusterId,
    node,
    founders,
    decide: async (forcePlan) => {
      const plan = planRecovery(await lookAt(parts, identity, forcePlan), surviving);
      found.plan = plan;
      if (!isConfirmed) return undefined;
      const [refusal] = plan.refusals;
      if (refusal !== undefined) throw new LockstepError('failed-precondition', refusal);
      const recovery = recoveryOf(plan, options);
      return encodeControlEntry({ seal: undefined, founding: new Uint8Array(0), restore: undefined, recovery });
    },
  });
  if (found.plan === undefined) throw new Error('invariant broken: a log was opened and nobody asked');
  const lastWrittenMs = statSync(join(parts.logDirectory, markerName)).mtimeMs;
  return { ...found.plan, clusterId, dataDirectory: directory, lastWrittenMs, isDone: isConfirmed };
}

interface Place {
  readonly directory: string;
  readonly identity: LogIdentity;
  /** As a configuration says, or the directory itself: those that the cluster began with. */
  readonly members: readonly MemberConfig[];
}

function openPlace(at: RecoverAt): Place {
  const start = 'configFile' in at ? readStart(at.configFile) : undefined;
  const directory = 'configFile' in at ? (start?.config.dataDirectory ?? '') : at.directory;
  const identity = existsSync(directory) ? DataDirectory.whose(directory) : undefined;
  if (identity === undefined)
    throw new LockstepError('not-initialized', `${directory} is not the data directory of a node that ever ran`);
  if (start?.kind === 'configured') requireSame(directory, identity, start.config);
  requireUsable(directory);
  const kept = new IdentityFolder(directory).read();
  const founders = kept?.isFounder === true ? kept.members : [];
  return { directory, identity, members: start?.kind === 'configured' ? start.config.members : founders };
}

function requireSame(directory: string, { clusterId, node }: LogIdentity, config: NodeConfig): void {
  if (config.clusterId === clusterId && config.node.id === node) return;
  throw new LockstepError(
    'failed-precondition',
    `${directory} belongs to node ${node} of cluster ${clusterId}, not to the node of the configuration`,
  );
}

function requireUsable(directory: string): void {
  const quarantine = readQuarantine(directory);
  if (quarantine !== undefined)
    throw new LockstepError(
      'failed-precondition',
      `${directory} is quarantined (${quarantine}): what it has forgotten may have been acknowledged; recover another node`,
    );
}

/** LevelDB makes its files for whoever runs it: a node that runs as another user could not open them any more. */
function requireOwner(directory: string, uid: number | undefined): void {
  const owner = DataDirectory.ownerOf(directory);
  if (uid !== undefined && uid !== owner)
    throw new LockstepError(
      'failed-precondition',
      `${directory} belongs to user ${owner}, whom the node runs as: run this as that user, not as ${uid}`,
    );
}

/** While the log is held, so that no node runs here. */
async function lookAt(
  parts: DataDirectory,
  { node, clusterId }: LogIdentity,
  plan: ForcePlan,
): Promise<Parameters<typeof planRecovery>[0]> {
  const folder = await RestoreFolder.open(parts.restoresDirectory, freeBytesOf);
  return {
    ...plan,
    node,
    state: await inspectCurrent(parts.stateDirectory, clusterId),
    damage: new StateDamage(parts.stateDirectory).why,
    holds: (savedId) => folder.has(savedId),
  };
}

function recoveryOf({ forced, self }: RecoveryPlan, { nowMs, command, by }: RecoverOptions): Recovery {
  const { after, lastIndex, lastTerm, commit, leftBehind } = forced;
  return {
    epoch: after.roster?.epoch ?? 0,
    node: self.node,
    atMs: nowMs,
    command,
    by,
    program: version,
    lastIndex,
    lastTerm,
    commit,
    leftBehind: leftBehind.map((member) => member.node),
  };
}
