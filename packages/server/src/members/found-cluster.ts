import { randomBytes, randomInt } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { LockstepError } from '@lockstep/contract/errors';
import { NodeId } from '@lockstep/contract/ids';
import { pinOf } from '@lockstep/core/peers/peer-pin';
import { pem } from '@lockstep/engine-pki/pem';
import { type KeptNodeConfig, readStart } from '../config.ts';
import { issueNodeCertificate, makeAuthority, newNodeKey } from './authority.ts';
import { hostsOf } from './hosts.ts';
import { IdentityFolder } from './node-identity.ts';

export interface Founded {
  readonly clusterId: string;
  readonly node: NodeId;
  readonly dataDirectory: string;
  readonly advertised: KeptNodeConfig['advertised'];
}

/**
 * Makes this node the first of a new cluster: its id, its key, the cluster's authority. Once in the life of a cluster, and never by
 * itself: a node that lost its disk must not found another cluster under the same addresses. Refuses a data directory that holds anything.
 */
export async function foundCluster(
  configFile: string,
  { nowMs, isDryRun }: { readonly nowMs: number; readonly isDryRun: boolean },
): Promise<Founded> {
  const start = readStart(configFile);
  if (start.kind === 'configured')
    throw new LockstepError(
      'failed-precondition',
      `${configFile}: members are configured: such nodes found their cluster when they are started`,
    );
  const { dataDirectory, advertised } = start.config;
  if (existsSync(dataDirectory) && readdirSync(dataDirectory).length > 0)
    throw new LockstepError(
      'failed-precondition',
      `data directory ${dataDirectory} is not empty: a cluster is founded once`,
    );
  const ids = { clusterId: randomBytes(16).toString('hex'), node: newNodeId() };
  if (!isDryRun) await foundOnDisk(start.config, { ...ids, nowMs });
  return { ...ids, dataDirectory, advertised };
}

async function foundOnDisk(
  { dataDirectory, name, advertised }: KeptNodeConfig,
  { clusterId, node, nowMs }: { readonly clusterId: string; readonly node: NodeId; readonly nowMs: number },
): Promise<void> {
  const folder = new IdentityFolder(dataDirectory);
  const random = (size: number): Buffer => randomBytes(size);
  const authority = await makeAuthority({ clusterId, random, nowMs });
  const key = await newNodeKey(random);
  const claim = { node, incarnation: newIncarnation() };
  const certificate = issueNodeCertificate(authority, {
    publicKey: key.publicKey,
    name,
    hosts: hostsOf(advertised),
    nowMs,
    random,
  });
  const self = {
    id: node,
    name,
    peerAddress: advertised.peer,
    pin: pinOf(certificate),
    apiAddress: advertised.api,
    grpcAddress: advertised.grpc,
  };
  await folder.claim(claim, pem('PRIVATE KEY', key.pkcs8));
  await folder.write('authority.key', pem('PRIVATE KEY', authority.pkcs8));
  await folder.settle(
    { clusterId, ...claim, isFounder: true, members: [self] },
    { certificatePem: pem('CERTIFICATE', certificate), authorityPem: pem('CERTIFICATE', authority.certificate) },
  );
}

/** Random for life: an id is never used again. */
export function newNodeId(): NodeId {
  return NodeId(randomInt(1, 2 ** 47));
}

export function newIncarnation(): number {
  return randomInt(1, 2 ** 47);
}
