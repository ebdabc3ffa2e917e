import { randomBytes, randomInt } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { LockstepError } from '@lockstep/contract/errors';
import { NodeId } from '@lockstep/contract/ids';
import { pinOf } from '@lockstep/core/peers/peer-pin';
import { pem } from '@lockstep/engine-pki/pem';
import type { KeptNodeConfig } from '../config.ts';
import { issueNodeCertificate, makeAuthority, newNodeKey } from './authority.ts';
import { hostsOf } from './hosts.ts';
import { IdentityFolder, type NodeIdentity } from './node-identity.ts';

/**
 * Makes this node the first of a new cluster: its id, its key, the cluster's authority. Once in the life of a cluster, and never by
 * itself: a node that lost its disk must not found another cluster under the same addresses. Refuses a data directory that holds anything.
 */
export async function foundOnDisk(config: KeptNodeConfig, nowMs: number): Promise<NodeIdentity> {
  const { dataDirectory, name, advertised } = config;
  if (existsSync(dataDirectory) && readdirSync(dataDirectory).length > 0)
    throw new LockstepError(
      'failed-precondition',
      `data directory ${dataDirectory} is not empty: a cluster is founded once`,
    );
  const folder = new IdentityFolder(dataDirectory);
  const clusterId = randomBytes(16).toString('hex');
  const random = (size: number): Buffer => randomBytes(size);
  const authority = await makeAuthority({ clusterId, random, nowMs });
  const key = await newNodeKey(random);
  const claim = { node: newNodeId(), incarnation: newIncarnation() };
  const certificate = issueNodeCertificate(authority, {
    publicKey: key.publicKey,
    name,
    hosts: hostsOf(advertised),
    nowMs,
    random,
  });
  const certificatePem = pem('CERTIFICATE', certificate);
  const self = {
    id: claim.node,
    name,
    peerAddress: advertised.peer,
    pin: pinOf(certificate),
    apiAddress: advertised.api,
    grpcAddress: advertised.grpc,
  };
  await folder.claim(claim, pem('PRIVATE KEY', key.pkcs8));
  await folder.write('authority.key', pem('PRIVATE KEY', authority.pkcs8));
  const identity = { clusterId, ...claim, isFounder: true, members: [self] };
  await folder.settle(identity, { certificatePem, authorityPem: pem('CERTIFICATE', authority.certificate) });
  return identity;
}

/** Random for life: an id is never used again. */
export function newNodeId(): NodeId {
  return NodeId(randomInt(1, 2 ** 47));
}

export function newIncarnation(): number {
  return randomInt(1, 2 ** 47);
}
