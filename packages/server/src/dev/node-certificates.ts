import { randomBytes } from 'node:crypto';
import type { Operation } from '@lockstep/contract/engine';
import { assert } from '@lockstep/contract/errors';
import { tryEngine } from '@lockstep/contract/try-engine';
import { pki } from '@lockstep/engine-pki/engine';

export interface NodeCertificate {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

/** The development cluster's own certificate authority. Its key is forgotten with this object: no node can be added later. */
export interface Authority {
  readonly certificatePem: string;
  readonly issue: (node: { readonly name: string; readonly host: string }) => Promise<NodeCertificate>;
}

/** Long enough that a cluster which was off for a year still opens. */
const authorityTtl = '87600h';
const nodeTtl = '43800h';

/** Makes an authority with the PKI engine itself, on a state in memory. */
export async function createAuthority(options: { readonly nowMs: number }): Promise<Authority> {
  const engine = tryEngine(pki, { random: randomBytes, startMs: options.nowMs, maxLeaseTtlSeconds: 10 * 366 * 86_400 });
  const ask = async (
    operation: Operation,
    path: string,
    fields: { readonly [name: string]: unknown },
  ): Promise<(name: string) => string> => {
    const { data } = await engine.request(operation, path, fields);
    return (name) => {
      const value = data?.[name];
      assert(typeof value === 'string', `${path} answers with ${name}`);
      return value.endsWith('\n') ? value : `${value}\n`;
    };
  };
  const root = await ask('write', 'root/generate/internal', {
    common_name: 'Lockstep development CA',
    ttl: authorityTtl,
  });
  const role = {
    allow_any_name: true,
    allow_localhost: true,
    key_type: 'ec',
    ttl: nodeTtl,
    max_ttl: nodeTtl,
    no_store: true,
  };
  await ask('write', 'roles/node', role);
  return {
    certificatePem: root('certificate'),
    issue: async ({ name, host }) => {
      const names = { common_name: name, alt_names: 'localhost', ip_sans: host, private_key_format: 'pkcs8' };
      const issued = await ask('write', 'issue/node', names);
      return { certificatePem: issued('certificate'), privateKeyPem: issued('private_key') };
    },
  };
}
