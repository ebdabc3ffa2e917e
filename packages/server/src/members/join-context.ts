import { createSecureContext, type SecureContext } from 'node:tls';
import type { Call } from '@lockstep/contract/engine';
import { pem } from '@lockstep/engine-pki/pem';
import type { ClusterAuthority } from '@lockstep/engine-system/facts';
import { issueNodeCertificate, newNodeKey } from './authority.ts';

/** What a newcomer asks for in its TLS handshake: the side of the HTTP door that the cluster's own authority vouches for. */
export const joinServerName = 'lockstep-join';

export interface JoinContextParts {
  /** Undefined while nobody is invited, or this node is sealed. */
  readonly authority: () => ClusterAuthority | undefined;
  readonly name: string;
  readonly random: Call['random'];
  readonly wallMs: () => number;
}

/**
 * The certificate that this node shows to newcomers, whatever certificate its doors have otherwise: signed by the cluster's authority,
 * and with that authority's own certificate, which their token has the pin of. The key is the process's own.
 */
export class JoinContext {
  readonly #parts: JoinContextParts;
  #made: { readonly authority: Uint8Array; readonly context: SecureContext } | undefined;

  constructor(parts: JoinContextParts) {
    this.#parts = parts;
  }

  /** Undefined where this node can admit nobody. */
  async context(): Promise<SecureContext | undefined> {
    const authority = this.#parts.authority();
    if (authority === undefined) return undefined;
    const made = this.#made;
    if (made !== undefined && Buffer.compare(made.authority, authority.certificate) === 0) return made.context;
    const context = await this.#make(authority);
    this.#made = { authority: authority.certificate, context };
    return context;
  }

  async #make(authority: ClusterAuthority): Promise<SecureContext> {
    const { name, random, wallMs } = this.#parts;
    const key = await newNodeKey(random);
    const asked = { publicKey: key.publicKey, name, hosts: [joinServerName], nowMs: wallMs(), random };
    const chain = [issueNodeCertificate(authority, asked), authority.certificate];
    return createSecureContext({
      cert: chain.map((certificate) => pem('CERTIFICATE', certificate)).join('\n'),
      key: pem('PRIVATE KEY', key.pkcs8),
      minVersion: 'TLSv1.3',
    });
  }
}
