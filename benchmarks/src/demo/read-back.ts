import type { DevCluster, DevNode } from '@lockstep/server/dev/dev-cluster';
import { clientOf } from '../pki-cluster.ts';

/** Reads under way at once on one node. */
const readersPerNode = 24;

/** Asks every node for every serial; resolves with those that a node doesn't have, or has otherwise than it was acknowledged. */
export async function missingFrom(
  cluster: DevCluster,
  certificates: ReadonlyMap<string, string>,
): Promise<readonly string[]> {
  const lost = await Promise.all(cluster.nodes.map((node) => missingFromNode(cluster, node, certificates)));
  return lost.flat();
}

async function missingFromNode(
  cluster: DevCluster,
  node: DevNode,
  certificates: ReadonlyMap<string, string>,
): Promise<readonly string[]> {
  const client = clientOf(cluster, node, 'grpc');
  const waiting = [...certificates].values();
  const lost: string[] = [];
  const read = async (): Promise<void> => {
    for (const [serial, certificate] of waiting) {
      const outcome = await client.request('read', `pki/cert/${serial}`);
      const answer = outcome.kind === 'applied' ? outcome.data['certificate'] : undefined;
      const found = typeof answer === 'string' ? answer.trim() : undefined;
      if (found !== certificate.trim())
        lost.push(`${serial} on ${node.name}${outcome.kind === 'applied' ? ' differs' : `: ${outcome.message}`}`);
    }
  };
  try {
    await Promise.all(Array.from({ length: readersPerNode }, read));
  } finally {
    client.close();
  }
  return lost;
}
