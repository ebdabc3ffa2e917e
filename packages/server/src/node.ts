import { randomBytes } from 'node:crypto';
import type { Capability } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import type { LogIndex } from '@lockstep/contract/ids';
import type { JsonObject } from '@lockstep/contract/json';
import type { ConsensusNode } from '@lockstep/core/node';
import type { AutoSeal } from '@lockstep/contract/seal';
import { identify } from './admit.ts';
import type { NodeConfig } from './config.ts';
import type { DoorReply, DoorRequest } from './doors/door.ts';
import type { Host } from './host.ts';
import { foundCluster, initReply } from './initialise-cluster.ts';
import { requestDeadlineMs, requestsUnderWayMax } from './limits.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import { policyMount } from './mounts.ts';
import { nodeRoute } from './node-routes.ts';
import type { Positions } from './positions.ts';
import { handleRequest } from './request.ts';
import type { SealKeeper } from './seal-keeper.ts';
import { deadlineOf, waitUntil } from './wait.ts';

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
  /** Makes the state durable and compacts the log up to there. */
  readonly compact: () => Promise<LogIndex>;
}

/** The one function behind both doors. */
export function nodeHandle(node: NodeContext): (request: DoorRequest) => Promise<DoorReply> {
  let underWay = 0;
  return async (request) => {
    const started = performance.now();
    if (underWay >= requestsUnderWayMax)
      return {
        kind: 'error',
        code: 'rate-limited',
        messages: [`more than ${requestsUnderWayMax} requests are under way`],
        retryAfterSeconds: 1,
      };
    underWay += 1;
    try {
      const reply = await answer(node, request);
      const code = reply.kind === 'error' ? reply.code : 'ok';
      node.metrics.requestAnswered({
        operation: request.operation,
        door: request.door,
        code,
        seconds: (performance.now() - started) / 1000,
      });
      return reply;
    } finally {
      underWay -= 1;
    }
  };
}

async function answer(node: NodeContext, request: DoorRequest): Promise<DoorReply> {
  try {
    refuseUnknownOptions(request);
    const local = nodeRoute(request);
    if (local !== undefined) return await local(node, request);
    if (!node.keeper.isInitialized)
      throw new LockstepError('not-initialized', 'the cluster is not initialized yet: run lockstep init first');
    // Vault's own words: clients match on them.
    if (node.keeper.isSealed) throw new LockstepError('sealed', 'Vault is sealed');
    return await handleRequest(node.host, request);
  } catch (error) {
    return node.host.refusalOf(error, request);
  }
}

function refuseUnknownOptions(request: DoorRequest): void {
  if (
    request.namespace !== undefined &&
    request.namespace !== '' &&
    request.namespace !== 'root' &&
    request.namespace !== '/'
  ) {
    throw new LockstepError(
      'not-found',
      `namespace "${request.namespace}" does not exist: there is only the root namespace`,
    );
  }
  if (request.wrapTtl !== undefined && request.wrapTtl !== '' && request.wrapTtl !== '0') {
    throw new LockstepError(
      'invalid-input',
      'response wrapping is not offered yet: send the request without X-Vault-Wrap-TTL',
    );
  }
}

/** For what a node answers by itself but not to everyone: throws `denied` unless the token's policies allow it. */
export async function requireCapability(
  node: NodeContext,
  request: DoorRequest,
  capabilities: readonly Capability[],
): Promise<void> {
  if (node.keeper.isSealed) throw new LockstepError('sealed', 'Vault is sealed');
  if (request.token === undefined) throw new LockstepError('denied', 'missing client token');
  const now = await node.host.confirmRead(deadlineOf(request, performance.now()));
  const token = identify(node.host, request, now);
  const acl = token === undefined ? undefined : node.host.acls.of(node.host.state(policyMount), token.policies);
  if (acl === undefined || !capabilities.every((capability) => acl.allows(request.path, capability)))
    throw new LockstepError('denied', 'permission denied');
}

/** `sys/init`, on the leader: the keys exist nowhere before, and the cluster is initialized only when this is committed. */
export async function initialiseNode(
  node: NodeContext,
  asked: { readonly shares: number; readonly threshold: number },
): Promise<JsonObject> {
  if (node.keeper.isInitialized) throw new LockstepError('failed-precondition', 'Vault is already initialized');
  const { raft } = node.consensus.status();
  if (raft.role !== 'leader') {
    const leader = node.config.members.find((member) => member.id === raft.leader);
    throw new LockstepError(
      'no-leader',
      leader === undefined
        ? 'the cluster has no leader yet; try again shortly'
        : `this node is not the leader; send init to ${leader.apiAddress}`,
    );
  }
  const founded = await foundCluster({
    clusterId: node.config.clusterId,
    seal: node.autoSeal === undefined ? { kind: 'shamir', ...asked } : { kind: 'auto', seal: node.autoSeal },
    nowMs: node.wallMs(),
    random: randomBytes,
  });
  await commitControl(node, founded.controlEntry);
  node.log.info('cluster-initialized', { seal: founded.configuration.kind });
  founded.rootKey.wipe();
  return initReply(founded);
}

function commitControl(node: NodeContext, data: Uint8Array): Promise<void> {
  const unknown = new LockstepError(
    'outcome-unknown',
    'the initialization was not confirmed: look at seal-status before trying again',
  );
  return waitUntil<void>(
    performance.now() + requestDeadlineMs,
    (resolve, reject) =>
      node.consensus.proposeControl(data, (outcome) => {
        if (outcome.kind === 'refused')
          reject(new LockstepError('no-leader', 'leadership moved while initializing; nothing was changed, try again'));
        else if (outcome.kind === 'unknown') reject(unknown);
        else {
          node.positions.whenControl(outcome.index, outcome.term, (isOurs) => {
            if (isOurs) resolve();
            else
              reject(
                new LockstepError(
                  'no-leader',
                  'another entry took the place of the initialization; nothing was changed, try again',
                ),
              );
          });
        }
      }),
    (_, reject) => reject(unknown),
  );
}
