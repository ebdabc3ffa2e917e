import { readFileSync } from 'node:fs';
import { LockstepError } from '@lockstep/contract/errors';
import type { KeptListener, KeptNodeConfig, Listener, NodeConfig, StartConfig } from '../config.ts';
import type { Log } from '../log.ts';
import { joinCluster } from './join-cluster.ts';
import { decodeJoinToken } from './join-token.ts';
import { IdentityFolder, type NodeIdentity } from './node-identity.ts';
import { waitForToken } from './waiting-node.ts';

export interface Entering {
  readonly log: Log;
  readonly wallMs: () => number;
  /** The process is to stop. */
  readonly signal: AbortSignal;
}

/**
 * Who a node is: as its configuration says; or, where it keeps that itself, as its data directory says; or, in an empty one, what a join
 * token makes of it, its configuration's or one that an operator sends to its doors. Resolves once it may start as that.
 */
export async function enterCluster(start: StartConfig, of: Entering): Promise<NodeConfig | 'stopping'> {
  if (start.kind === 'configured') return start.config;
  try {
    return await enterKept(start.config, of);
  } catch (error) {
    if (of.signal.aborted) return 'stopping';
    throw error;
  }
}

async function enterKept(config: KeptNodeConfig, of: Entering): Promise<NodeConfig> {
  const folder = new IdentityFolder(config.dataDirectory);
  const known = folder.read();
  if (known !== undefined) return configOf(config, known);
  const { joinTokenFile } = config;
  if (joinTokenFile === undefined) {
    of.log.info('waiting-to-join', { http: config.http.port, grpc: config.grpc.port });
    return configOf(config, await waitForToken(config, of));
  }
  const token = decodeJoinToken(readToken(joinTokenFile));
  of.log.info('joining', { members: token.addresses.length });
  return configOf(config, await joinCluster(token, { config, ...of }));
}

/** The configuration of a node that founded or joined. */
export function configOf(config: KeptNodeConfig, identity: NodeIdentity): NodeConfig {
  const { name, http, grpc, peer, advertised: _, joinTokenFile: __, ...common } = config;
  const { keyPem, certificatePem, authorityPem } = new IdentityFolder(config.dataDirectory).readKeys();
  const own = { certPem: `${certificatePem}${authorityPem}`, keyPem };
  const withTls = (listener: KeptListener): Listener => ({
    ...listener,
    tls: listener.tls === 'node-certificate' ? own : listener.tls,
  });
  return {
    ...common,
    clusterId: identity.clusterId,
    node: { id: identity.node, name },
    http: withTls(http),
    grpc: withTls(grpc),
    peer: { ...peer, certPem: certificatePem, keyPem },
    members: identity.members,
    isJoining: !identity.isFounder,
    incarnation: identity.incarnation,
  };
}

function readToken(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LockstepError('invalid-input', `join_token_file names ${file}, which can't be read: ${why}`, { cause });
  }
}
