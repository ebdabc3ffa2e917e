import { randomBytes } from 'node:crypto';
import { LockstepError } from '@lockstep/contract/errors';
import { booleanField, parseFields, textField } from '@lockstep/contract/fields';
import type { JsonObject } from '@lockstep/contract/json';
import { pem } from '@lockstep/engine-pki/pem';
import type { KeptListener, KeptNodeConfig } from '../config.ts';
import type { DoorReply, DoorRequest } from '../doors/door.ts';
import { openGrpcDoor } from '../doors/grpc/grpc-door.ts';
import { openHttpDoor } from '../doors/http/http-door.ts';
import { errorReplyOf } from '../doors/reply-shape.ts';
import { faultFields, type Log } from '../log.ts';
import { apiLevel, version } from '../version.ts';
import { newNodeKey, selfSignedCertificate } from './authority.ts';
import { hostsOf } from './hosts.ts';
import { joinCluster } from './join-cluster.ts';
import { decodeJoinToken, type JoinToken } from './join-token.ts';
import type { NodeIdentity } from './node-identity.ts';
import { whyNoPost } from './pinned-request.ts';

interface Waiting {
  readonly config: KeptNodeConfig;
  readonly log: Log;
  readonly wallMs: () => number;
  readonly signal: AbortSignal;
  /** One attempt at a time. */
  underWay: Promise<NodeIdentity> | undefined;
  readonly joined: (identity: NodeIdentity) => void;
}

/**
 * A node that belongs to no cluster yet: its doors say so, and take a join token. Resolves with who it is once a token made it a member,
 * and its doors are closed again.
 */
export async function waitForToken(
  config: KeptNodeConfig,
  of: { readonly log: Log; readonly wallMs: () => number; readonly signal: AbortSignal },
): Promise<NodeIdentity> {
  const { log, wallMs, signal } = of;
  await using opened = new AsyncDisposableStack();
  const joined = Promise.withResolvers<NodeIdentity>();
  signal.addEventListener('abort', () => joined.reject(new LockstepError('unavailable', 'the node is stopping')), {
    once: true,
  });
  const waiting: Waiting = { config, log, wallMs, signal, underWay: undefined, joined: joined.resolve };
  const common = {
    handle: (request: DoorRequest) => answer(waiting, request),
    onRefused: ({ refusal }: { readonly refusal: DoorReply & { readonly kind: 'error' } }) => Promise.resolve(refusal),
    onFault: (fault: unknown, requestId: string): void =>
      log.error('door-fault', { request: requestId, ...faultFields(fault) }),
  };
  const passing = await passingTls(config, wallMs());
  const http = await openHttpDoor({ ...common, ...listenerOf(config.http, passing) });
  opened.defer(() => http.close());
  const grpc = await openGrpcDoor({
    ...common,
    ...listenerOf(config.grpc, passing),
    isServing: () => false,
    nowMs: wallMs,
  });
  opened.defer(() => grpc.close());
  return await joined.promise;
}

type Tls = { readonly cert: string; readonly key: string };

/** Until it has a certificate of its cluster, one that vouches for nothing: who sends a token here looks at the address. */
async function passingTls({ name, advertised }: KeptNodeConfig, nowMs: number): Promise<Tls> {
  const random = (size: number): Buffer => randomBytes(size);
  const key = await newNodeKey(random);
  const certificate = selfSignedCertificate(key, { name, hosts: hostsOf(advertised), nowMs, random });
  return { cert: pem('CERTIFICATE', certificate), key: pem('PRIVATE KEY', key.pkcs8) };
}

function listenerOf(
  { host, port, tls }: KeptListener,
  passing: Tls,
): { readonly host: string; readonly port: number; readonly tls: Tls | undefined } {
  if (tls === 'node-certificate') return { host, port, tls: passing };
  return { host, port, tls: tls === undefined ? undefined : { cert: tls.certPem, key: tls.keyPem } };
}

const notJoined = 'this node has not joined a cluster yet: send it a join token (lockstep cluster join)';

async function answer(waiting: Waiting, request: DoorRequest): Promise<DoorReply> {
  try {
    switch (`${request.operation} ${request.path}`) {
      case 'read sys/health':
        return { kind: 'flat', status: 501, body: { ...about(), standby: true, standing: 'waiting' } };
      case 'read sys/seal-status':
        return {
          kind: 'flat',
          status: 200,
          body: { type: waiting.config.seal.type, ...about(), storage_type: 'raft' },
        };
      case 'read sys/init':
        return { kind: 'flat', status: 200, body: { initialized: false } };
      case 'write sys/cluster/join':
      case 'write sys/storage/raft/join':
        return await join(waiting, request);
      default:
        throw new LockstepError('not-initialized', notJoined);
    }
  } catch (error) {
    const refusal = errorReplyOf(error);
    if (refusal.code === 'internal') waiting.log.error('request-fault', faultFields(error));
    return refusal;
  }
}

function about(): JsonObject {
  return { initialized: false, sealed: true, version: apiLevel, build_version: version };
}

const joinFields = {
  token: textField({ description: 'A join token', required: true, max: 16_384 }),
  dry_run: booleanField({ description: 'Only tell whether its members can be reached', default: false }),
};

async function join(waiting: Waiting, { data, requestId }: DoorRequest): Promise<DoorReply> {
  const vaults = ['leader_api_addr', 'leader_ca_cert', 'auto_join', 'retry'].filter((name) => data[name] !== undefined);
  if (vaults.length > 0)
    throw new LockstepError(
      'invalid-input',
      `${vaults.join(', ')} can't be given: a node joins by the token of an invitation (lockstep cluster invite), as "token"`,
    );
  const { token: given, dry_run: isDryRun } = parseFields(joinFields, data).values;
  const token = decodeJoinToken(given);
  if (isDryRun) return replyTo(requestId, await tryToken(token));
  if (waiting.underWay !== undefined)
    throw new LockstepError('failed-precondition', 'this node is joining already: wait for that');
  const { config, log, wallMs, signal } = waiting;
  waiting.underWay = joinCluster(token, { config, log, wallMs, signal });
  try {
    const identity = await waiting.underWay;
    // The answer is sent before the doors close.
    setImmediate(() => waiting.joined(identity));
    const body = { joined: true, node: String(identity.node), cluster_id: identity.clusterId };
    return replyTo(requestId, body);
  } finally {
    waiting.underWay = undefined;
  }
}

/** Which cluster it is of, and who of those that it names could let this node in. */
async function tryToken({ clusterId, pin, addresses, expiresMs }: JoinToken): Promise<JsonObject> {
  const whys = await Promise.all(addresses.map((address) => whyNoPost({ address, pin })));
  return {
    dry_run: true,
    cluster_id: clusterId,
    expires_at: new Date(expiresMs).toISOString(),
    allowed: whys.includes(undefined),
    members: addresses.map((address, at) => ({ address, reachable: whys[at] === undefined, reason: whys[at] ?? '' })),
  };
}

function replyTo(requestId: string, data: JsonObject): DoorReply {
  return { kind: 'reply', requestId, reply: { data } };
}
