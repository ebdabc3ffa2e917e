import type { DevCluster } from '@lockstep/server/dev/dev-cluster';
import { type LoadResult, runLoad } from './load.ts';
import { clientOf, type Door, role } from './pki-cluster.ts';

/** Issuing before the clock starts: V8 compiles the hot functions within the first 15,000 requests, beside the program. */
export const warmUpMs = 10_000;

export interface PkiLoad {
  readonly concurrency: number;
  readonly door: Door;
}

/** Asks for certificates for `ms`, each node for an equal share of them. */
export async function issueFor(cluster: DevCluster, { concurrency, door }: PkiLoad, ms: number): Promise<LoadResult> {
  const clients = cluster.nodes.map((node) => clientOf(cluster, node, door, { idempotencyKeys: 'none' }));
  let sent = 0;
  try {
    return await runLoad({
      concurrency,
      isOver: ({ elapsedMs }) => elapsedMs >= ms,
      send: async (worker) => {
        sent += 1;
        const client = clients[worker % clients.length];
        const outcome = await client?.issueCertificate({
          role,
          common_name: `w${worker}-${sent}.load.example.com`,
          ttl: '1h',
        });
        return outcome?.kind ?? 'refused';
      },
    });
  } finally {
    for (const client of clients) client.close();
  }
}
