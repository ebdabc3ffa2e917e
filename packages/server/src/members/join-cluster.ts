import { createPrivateKey, createPublicKey, randomBytes } from 'node:crypto';
import { LockstepError } from '@lockstep/contract/errors';
import { isObject } from '@lockstep/contract/fields';
import { NodeId } from '@lockstep/contract/ids';
import { pem } from '@lockstep/engine-pki/pem';
import type { KeptNodeConfig, MemberConfig } from '../config.ts';
import type { Log } from '../log.ts';
import { newNodeKey, nodeRequest } from './authority.ts';
import { newIncarnation, newNodeId } from './found-cluster.ts';
import { type JoinClaim, joinKey, joinProof, type JoinToken } from './join-token.ts';
import { joinAgainMsMax, joinAgainMsMin } from './limits.ts';
import { IdentityFolder, type NodeIdentity } from './node-identity.ts';
import { pause } from './pause.ts';
import { type PinnedAnswer, pinnedPost } from './pinned-request.ts';

/**
 * Joins the cluster that the token is of: makes this node's key, asks the members one after the other until one lets it in, and keeps what
 * it was told, durably. Rejects with what a member refuses it for, and when the token has ended before anybody could be asked.
 */
export async function joinCluster(
  token: JoinToken,
  of: {
    readonly config: KeptNodeConfig;
    readonly signal: AbortSignal;
    readonly log: Log;
    readonly wallMs: () => number;
  },
): Promise<NodeIdentity> {
  const { config, log, wallMs } = of;
  const folder = new IdentityFolder(config.dataDirectory);
  const { claim, csr } = await claimOn(folder, config.name);
  const said: JoinClaim = {
    inviteId: token.inviteId,
    csr,
    ...claim,
    name: config.name,
    peerAddress: config.advertised.peer,
    apiAddress: config.advertised.api,
    grpcAddress: config.advertised.grpc,
  };
  for (let waitMs = joinAgainMsMin; ; waitMs = Math.min(joinAgainMsMax, 2 * waitMs)) {
    for (const address of token.addresses) {
      try {
        const admitted = await ask(address, token, said);
        const identity = { clusterId: token.clusterId, ...claim, isFounder: false, members: admitted.members };
        await folder.settle(identity, admitted);
        log.info('joined', { by: address, node: claim.node });
        return identity;
      } catch (error) {
        if (!(error instanceof LockstepError) || !isPassing(error)) throw error;
        log.info('join-refused', { by: address, reason: error.message });
      }
    }
    if (wallMs() > token.expiresMs)
      throw new LockstepError('unavailable', 'the join token has ended, and no member could be asked: ask for another');
    await pause(waitMs);
    of.signal.throwIfAborted();
  }
}

/** It may go better with another member, or a moment later. */
function isPassing({ code }: LockstepError): boolean {
  return code === 'unavailable';
}

/** The same id and key however often it tries: its invitation is for one node. */
async function claimOn(
  folder: IdentityFolder,
  name: string,
): Promise<{ readonly claim: { readonly node: NodeId; readonly incarnation: number }; readonly csr: Buffer }> {
  const known = folder.readClaim();
  const keyPem = folder.readKey();
  if (known !== undefined && keyPem !== undefined) return { claim: known, csr: nodeRequest(keyOf(keyPem), name) };
  const key = await newNodeKey((size) => randomBytes(size));
  const claim = { node: newNodeId(), incarnation: newIncarnation() };
  await folder.claim(claim, pem('PRIVATE KEY', key.pkcs8));
  return { claim, csr: nodeRequest({ spki: key.publicKey.spki, pkcs8: key.pkcs8 }, name) };
}

function keyOf(keyPem: string): { readonly spki: Buffer; readonly pkcs8: Buffer } {
  const key = createPrivateKey(keyPem);
  return {
    spki: createPublicKey(key).export({ type: 'spki', format: 'der' }),
    pkcs8: key.export({ type: 'pkcs8', format: 'der' }),
  };
}

interface Admitted {
  readonly certificatePem: string;
  readonly authorityPem: string;
  readonly members: readonly MemberConfig[];
}

async function ask(address: string, token: JoinToken, claim: JoinClaim): Promise<Admitted> {
  const proof = joinProof(joinKey(token.secret), token.clusterId, claim);
  const answer = await pinnedPost(
    { address, pin: token.pin, path: 'sys/cluster/admit' },
    {
      invite: claim.inviteId,
      csr: Buffer.from(claim.csr).toString('base64'),
      proof: proof.toString('base64'),
      node: claim.node,
      incarnation: claim.incarnation,
      name: claim.name,
      peer_address: claim.peerAddress,
      api_address: claim.apiAddress,
      grpc_address: claim.grpcAddress,
    },
  );
  if (answer.status !== 200) throw refusalOf(address, answer);
  const { data } = answer.body;
  if (!isObject(data)) throw unreadable(address);
  const { certificate, ca, members } = data;
  if (typeof certificate !== 'string' || typeof ca !== 'string' || !Array.isArray(members)) throw unreadable(address);
  return {
    certificatePem: certificate,
    authorityPem: ca,
    members: members.map((member: unknown) => memberOf(member, address)),
  };
}

/** 4xx but for "too many": asking again would not help. An unknown outcome is asked for again: the same node may. */
function refusalOf(address: string, { status, body }: PinnedAnswer): LockstepError {
  const errors: unknown = body['errors'];
  const text = Array.isArray(errors) ? errors.map(String).join('; ') : `status ${status}`;
  const isFinal = status === 400 || status === 403 || status === 404 || status === 405;
  return new LockstepError(isFinal ? 'denied' : 'unavailable', `the member at ${address} refuses: ${text}`);
}

function memberOf(value: unknown, address: string): MemberConfig {
  if (!isObject(value)) throw unreadable(address);
  const text = (name: string): string => {
    const given = value[name];
    if (typeof given !== 'string') throw unreadable(address);
    return given;
  };
  const id = value['id'];
  if (typeof id !== 'number' || !Number.isSafeInteger(id) || id < 1) throw unreadable(address);
  return {
    id: NodeId(id),
    name: text('name'),
    peerAddress: text('peer_address'),
    pin: text('pin'),
    apiAddress: text('api_address'),
    grpcAddress: text('grpc_address'),
  };
}

function unreadable(address: string): LockstepError {
  return new LockstepError('unavailable', `the member at ${address} answers what is no admission`);
}
