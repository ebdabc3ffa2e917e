import { type Client, type ClientOptions } from '@lockstep/client/client';
import { openClient } from '@lockstep/client/grpc-client';
import { openHttpClient } from '@lockstep/client/http-client';
import type { DevCluster, DevNode } from '@lockstep/server/dev/dev-cluster';

export type Door = 'grpc' | 'http';
export const doors: readonly Door[] = ['grpc', 'http'];

/** A client of one node alone, so that the caller decides who is asked. */
export function clientOf(cluster: DevCluster, node: DevNode, door: Door, options: Partial<ClientOptions> = {}): Client {
  const settings = { caFile: cluster.files.caFile, token: cluster.rootToken, ...options };
  return door === 'grpc'
    ? openClient({ ...settings, addresses: [node.grpc] })
    : openHttpClient({ ...settings, addresses: [node.http] });
}

export const role = 'load';

/** Mounts a PKI engine with a root and a role for P-256 leaves; resolves with the root's certificate. */
export async function setUpPki(cluster: DevCluster): Promise<string> {
  const node = await cluster.waitForLeader();
  const client = clientOf(cluster, node, 'http');
  const must = async (
    path: string,
    data: { readonly [name: string]: string | boolean | { readonly [name: string]: string } },
  ): Promise<{ readonly [name: string]: unknown }> => {
    const outcome = await client.request('write', path, data);
    if (outcome.kind !== 'applied') throw new Error(`${path}: ${outcome.kind}: ${outcome.message}`);
    return outcome.data;
  };
  try {
    await must('sys/mounts/pki', { type: 'pki', config: { max_lease_ttl: '87600h' } });
    const root = await must('pki/root/generate/internal', {
      common_name: 'Lockstep load root',
      ttl: '8760h',
      key_type: 'ec',
    });
    await must(`pki/roles/${role}`, { allow_any_name: true, key_type: 'ec', max_ttl: '72h' });
    return String(root['certificate']);
  } finally {
    client.close();
  }
}
