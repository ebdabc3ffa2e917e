import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { SecureContext } from 'node:tls';
import { pooledRandom } from '@lockstep/seal/random';
import { readAuthority } from '@lockstep/engine-system/cluster-state';
import type { ClusterAuthority } from '@lockstep/engine-system/facts';
import type { NodeConfig } from '../config.ts';
import { faultFields } from '../log.ts';
import { systemMount } from '../mounts.ts';
import type { NodeContext } from '../node-context.ts';
import { JoinContext, joinServerName } from './join-context.ts';
import { IdentityFolder } from './node-identity.ts';

/** The authority that a founder made for its cluster, as long as its key is on this disk: until it is in the state. */
export function founderAuthorityOf(config: NodeConfig): () => ClusterAuthority | undefined {
  const folder = new IdentityFolder(config.dataDirectory);
  return () => {
    const keyPem = folder.readAuthorityKey();
    if (keyPem === undefined) return undefined;
    return {
      certificate: new X509Certificate(folder.readKeys().authorityPem).raw,
      pkcs8: createPrivateKey(keyPem).export({ type: 'pkcs8', format: 'der' }),
    };
  };
}

/** The certificate for who asks this node to be let into its cluster. */
export function joinContextOf(node: NodeContext): (serverName: string) => Promise<SecureContext | undefined> {
  const { config, keeper, host, wallMs, log } = node;
  const folder = new IdentityFolder(config.dataDirectory);
  const authority = (): ClusterAuthority | undefined =>
    keeper.isSealed ? undefined : readAuthority(host.state(systemMount));
  const context = new JoinContext({ authority, name: config.node.name, random: pooledRandom(), wallMs });
  return async (serverName) => {
    if (serverName !== joinServerName) return undefined;
    const made = await context.context();
    // It is in the state, sealed: its copy in plain can go.
    if (made !== undefined && folder.readAuthorityKey() !== undefined)
      await folder.forgetAuthorityKey().catch((error: unknown) => log.error('authority-key-kept', faultFields(error)));
    return made;
  };
}
