import type { Token } from '@lockstep/auth/token/lookup';
import type { Capability } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import type { LogIndex } from '@lockstep/contract/ids';
import type { AutoSeal } from '@lockstep/contract/seal';
import type { ConsensusNode } from '@lockstep/core/node';
import { identify } from './admit.ts';
import type { NodeConfig } from './config.ts';
import type { DoorRequest } from './doors/door.ts';
import type { Host } from './host.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { Restorer } from './restore/restore-snapshot.ts';
import type { SnapshotSaver } from './saved/save-snapshot.ts';
import { policyMount } from './mounts.ts';
import type { Positions } from './positions.ts';
import type { SealKeeper } from './seal-keeper.ts';
import { encodeTransaction } from './transaction.ts';
import { deadlineOf } from './wait.ts';

/** What a node is made of, once it is open. */
export interface NodeContext {
  readonly config: NodeConfig;
  readonly keeper: SealKeeper;
  readonly consensus: ConsensusNode;
  readonly host: Host;
  readonly positions: Positions;
  readonly metrics: Metrics;
  readonly autoSeal: AutoSeal | undefined;
  readonly log: Log;
  readonly wallMs: () => number;
  /** Why this node's copy of the state can't be used now; undefined while it can. */
  readonly stateDamage: () => string | undefined;
  readonly saver: SnapshotSaver;
  readonly restorer: Restorer;
  /** Makes the state durable and compacts the log up to there. */
  readonly compact: () => Promise<LogIndex>;
}

/**
 * For what a node answers by itself but not to everyone: throws `denied` unless the token's policies allow it. Then the request's
 * audit line is written, and a token with a bounded number of uses has spent one.
 */
export async function requireCapability(
  node: NodeContext,
  request: DoorRequest,
  capabilities: readonly Capability[],
): Promise<void> {
  if (node.keeper.isSealed) throw new LockstepError('sealed', 'Vault is sealed');
  if (request.token === undefined) throw new LockstepError('denied', 'missing client token');
  const deadline = deadlineOf(request, performance.now());
  const now = await node.host.confirmRead(deadline);
  const token = identify(node.host, request, now);
  const acl = token === undefined ? undefined : node.host.acls.of(node.host.state(policyMount), token.policies);
  if (
    token === undefined ||
    acl === undefined ||
    !capabilities.every((capability) => acl.allows(request.path, capability))
  )
    throw new LockstepError('denied', 'permission denied');
  await node.host.audit.beginLocal(request, token);
  await spendUse(node.host, token, deadline);
}

async function spendUse(host: Host, token: Token, deadline: number): Promise<void> {
  const { restoredIndex } = host;
  const { facts, expects } = host.tokenUse(token);
  if (facts.length === 0) return;
  const transaction = encodeTransaction({ facts, expects, remembered: undefined, restoredIndex });
  const { kind } = await host.record(transaction, deadline, { isRelief: false });
  if (kind === 'applied') return;
  // Another request has spent the last one.
  if (kind === 'conflict') throw new LockstepError('denied', 'permission denied');
  throw new LockstepError(
    'unavailable',
    'the use of this token could not be recorded; nothing else was done, try again',
  );
}
