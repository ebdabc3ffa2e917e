import { adminCall } from '@lockstep/server/dev/admin-call';
import type { DevCluster, DevNode } from '@lockstep/server/dev/dev-cluster';

/** A node's metrics without labels, by name, as it tells them now. */
export async function nodeMetrics(cluster: DevCluster, node: DevNode): Promise<ReadonlyMap<string, number>> {
  const { text } = await adminCall({
    address: node.http,
    caFile: cluster.files.caFile,
    method: 'GET',
    path: 'sys/metrics',
    token: cluster.files.metricsToken,
  });
  return new Map([...text.matchAll(/^(\w+) ([\d.e+-]+)$/gm)].map(([, name, value]) => [name ?? '', Number(value)]));
}
