import type { Client } from '@lockstep/client/client';
import type { DevCluster } from '@lockstep/server/dev/dev-cluster';
import { clientOf } from '../pki-cluster.ts';
import { recoveredWithinMs, singleDeadlineMs } from './limits.ts';
import { comesTrue } from './wait.ts';

/** How long it takes until a write through each node is acknowledged; undefined when that takes too long. */
export async function recoveryMs(cluster: DevCluster): Promise<number | undefined> {
  const sinceMs = performance.now();
  const options = { deadlineMs: singleDeadlineMs, attemptsMax: 1 };
  const takes = async (client: Client, name: string): Promise<boolean> => {
    const written = await client.request('write', `secret/data/recovered/${name}`, { data: { by: name } });
    return written.kind === 'applied';
  };
  const all = await Promise.all(
    cluster.nodes.map(async (node) => {
      const client = clientOf(cluster, node, 'grpc', options);
      try {
        return await comesTrue(recoveredWithinMs, () => takes(client, node.name));
      } finally {
        client.close();
      }
    }),
  );
  return all.every((one) => one) ? performance.now() - sinceMs : undefined;
}
