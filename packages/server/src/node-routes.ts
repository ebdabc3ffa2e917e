import { createHash, timingSafeEqual } from 'node:crypto';
import { LockstepError } from '@lockstep/contract/errors';
import { integerField, parseBoolean, parseFields, textField } from '@lockstep/contract/fields';
import type { JsonObject } from '@lockstep/contract/json';
import type { DoorReply, DoorRequest } from './doors/door.ts';
import { initialiseNode } from './initialise-node.ts';
import { isOutside } from './members/outside.ts';
import { metricsJson } from './metrics-json.ts';
import { type NodeContext, requireCapability } from './node-context.ts';
import { restore, restoreByForce, save } from './snapshot-routes.ts';
import { apiLevel, version } from './version.ts';

type NodeRoute = (node: NodeContext, request: DoorRequest) => DoorReply | Promise<DoorReply>;

/** What a node answers by itself, sealed or not, without the replicated state. Bodies are flat, as Vault's clients expect. */
const routes: { readonly [operationAndPath: string]: NodeRoute } = {
  'read sys/health': health,
  'read sys/seal-status': (node) => flat(200, sealStatus(node)),
  'read sys/init': (node) => flat(200, { initialized: node.keeper.isInitialized }),
  'write sys/init': async (node, request) => flat(200, await initialise(node, request)),
  'write sys/unseal': async (node, request) => flat(200, await unseal(node, request)),
  'write sys/seal': seal,
  'write sys/storage/raft/compact': compact,
  'read sys/storage/raft/snapshot': save,
  'write sys/storage/raft/snapshot': restore,
  'write sys/storage/raft/snapshot-force': restoreByForce,
  'read sys/leader': (node) => flat(200, leader(node)),
  'read sys/metrics': metrics,
};

export function nodeRoute(request: DoorRequest): NodeRoute | undefined {
  const key = `${request.operation} ${request.path}`;
  return Object.hasOwn(routes, key) ? routes[key] : undefined;
}

function flat(status: number, body: JsonObject): DoorReply {
  return { kind: 'flat', status, body };
}

/** Unauthenticated; the same body at every status, since Go's client asks for 299 and reads the body. */
function health(node: NodeContext, request: DoorRequest): DoorReply {
  const isSealed = node.keeper.isSealed;
  const status = node.consensus.status();
  const isStandby = status.raft.role !== 'leader';
  const asked = (name: string, otherwise: number): number => {
    const given = request.data[name];
    return given === undefined
      ? otherwise
      : integerField({ description: name, default: otherwise, min: 200, max: 599 }).parse(name, given);
  };
  const standbyIsFine =
    request.data['standbyok'] !== undefined &&
    parseBoolean('standbyok', request.data['standbyok'] === '' ? 'true' : request.data['standbyok']);
  const active = asked('activecode', 200);
  const isQuarantined = node.consensus.quarantine() !== undefined;
  const isRemoved = isOutside(status.standing);
  const isDamaged = node.stateDamage() !== undefined;
  const code = isRemoved
    ? asked('removedcode', 530)
    : isQuarantined || isDamaged
      ? asked('sealedcode', 503)
      : !node.keeper.isInitialized
        ? asked('uninitcode', 501)
        : isSealed
          ? asked('sealedcode', 503)
          : isStandby
            ? standbyIsFine
              ? active
              : asked('standbycode', 429)
            : active;
  return flat(code, {
    initialized: node.keeper.isInitialized,
    sealed: isSealed,
    standby: isStandby,
    performance_standby: false,
    replication_performance_mode: 'disabled',
    replication_dr_mode: 'disabled',
    server_time_utc: Math.floor(node.wallMs() / 1000),
    disk: status.diskSpace?.level ?? 'ok',
    quarantined: isQuarantined,
    standing: status.standing,
    removed_from_cluster: isRemoved,
    state: isDamaged ? 'damaged' : 'sound',
    version: apiLevel,
    build_version: version,
    cluster_name: clusterName(node),
    cluster_id: node.config.clusterId,
  });
}

export function sealStatus(node: NodeContext): JsonObject {
  const progress = node.keeper.progress;
  return {
    type: node.config.seal.type,
    initialized: node.keeper.isInitialized,
    sealed: node.keeper.isSealed,
    t: progress.threshold,
    n: progress.shares,
    progress: progress.given,
    nonce: progress.nonce,
    version: apiLevel,
    build_version: version,
    build_date: '',
    migration: false,
    recovery_seal: false,
    storage_type: 'raft',
    removed_from_cluster: isOutside(node.consensus.standing()),
    ...(node.keeper.isSealed ? {} : { cluster_name: clusterName(node), cluster_id: node.config.clusterId }),
  };
}

function clusterName(node: NodeContext): string {
  return `lockstep-${node.config.clusterId.slice(0, 8)}`;
}

/** Compacts this node's log now, up to what its state holds durably: a follower behind that needs a snapshot. */
async function compact(node: NodeContext, request: DoorRequest): Promise<DoorReply> {
  await requireCapability(node, request, ['update', 'sudo']);
  const index = await node.compact();
  return { kind: 'reply', requestId: request.requestId, reply: { data: { compacted_index: index } } };
}

/** Seals this node only: it goes on storing and voting. */
async function seal(node: NodeContext, request: DoorRequest): Promise<DoorReply> {
  await requireCapability(node, request, ['update', 'sudo']);
  node.consensus.transferLeader();
  node.keeper.seal();
  node.log.info('sealed', { reason: 'asked' });
  return { kind: 'reply', requestId: request.requestId, reply: {} };
}

function leader(node: NodeContext): JsonObject {
  const { raft, appliedIndex, members } = node.consensus.status();
  const member = members.find((candidate) => candidate.node === raft.leader);
  return {
    ha_enabled: true,
    is_self: raft.role === 'leader',
    active_time: '0001-01-01T00:00:00Z',
    leader_address: member?.apiAddress ?? '',
    leader_cluster_address: member === undefined ? '' : `https://${member.peerAddress}`,
    performance_standby: false,
    performance_standby_last_remote_wal: 0,
    raft_committed_index: raft.commit,
    raft_applied_index: appliedIndex,
  };
}

const initFields = {
  secret_shares: integerField({ description: 'Number of shares to split the unseal key into', min: 1, max: 255 }),
  secret_threshold: integerField({ description: 'Shares needed to unseal', min: 1, max: 255 }),
} as const;

async function initialise(node: NodeContext, request: DoorRequest): Promise<JsonObject> {
  const unsupported = [
    'pgp_keys',
    'root_token_pgp_key',
    'recovery_shares',
    'recovery_threshold',
    'recovery_pgp_keys',
    'stored_shares',
  ].filter((name) => request.data[name] !== undefined && request.data[name] !== null);
  if (unsupported.length > 0)
    throw new LockstepError(
      'invalid-input',
      `${unsupported.join(', ')} can't be given: encrypted and recovery shares are not offered yet`,
    );
  const { values } = parseFields(initFields, request.data);
  return await initialiseNode(node, { shares: values.secret_shares ?? 5, threshold: values.secret_threshold ?? 3 });
}

const unsealFields = {
  key: textField({ description: 'One share, hex or base64', default: '' }),
  reset: {
    ...textField({ description: 'Forget the shares given so far', default: '' }),
    parse: (name: string, raw: unknown) => (parseBoolean(name, raw) ? 'true' : ''),
  },
} as const;

async function unseal(node: NodeContext, request: DoorRequest): Promise<JsonObject> {
  const { values } = parseFields(unsealFields, request.data);
  if (!node.keeper.isInitialized)
    throw new LockstepError('not-initialized', 'the cluster is not initialized yet: run lockstep init first');
  if (values.reset !== '') node.keeper.resetProgress();
  else if (values.key === '')
    throw new LockstepError('invalid-input', "'key' must be specified in request body as JSON, or 'reset' set to true");
  else await node.keeper.giveShare(values.key);
  return sealStatus(node);
}

const metricsFields = {
  format: textField({
    description: 'prometheus, or json as Vault has it',
    default: 'prometheus',
    oneOf: ['prometheus', 'json'],
  }),
} as const;

/** Readable by the node's own metrics token even while it is sealed, and by any token whose policies allow it otherwise. */
async function metrics(node: NodeContext, request: DoorRequest): Promise<DoorReply> {
  const hash = node.config.metricsTokenHash;
  const presented =
    request.token === undefined ? undefined : createHash('sha256').update(request.token.reveal()).digest();
  const isOwnToken =
    hash !== undefined && presented !== undefined && timingSafeEqual(presented, Buffer.from(hash, 'hex'));
  if (!isOwnToken) await requireCapability(node, request, ['read']);
  const { values } = parseFields(metricsFields, request.data);
  if (values.format === 'json') return flat(200, await metricsJson(node.metrics.registry, node.wallMs()));
  const body = Buffer.from(await node.metrics.registry.metrics());
  return {
    kind: 'reply',
    requestId: request.requestId,
    reply: { raw: { contentType: node.metrics.registry.contentType, body } },
  };
}
