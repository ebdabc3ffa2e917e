import type { Client } from '@lockstep/client/client';
import type { DevCluster, DevNode } from '@lockstep/server/dev/dev-cluster';
import { clientOf, type Door, doors } from '../pki-cluster.ts';

/** Certificates in one page of a list: every one is read from the node's state, opened and parsed there, in about 20 ms for a page. */
const pageSize = 500;
/** Certificates that are read one by one from each node as well, as a service would. */
const singleReads = 120;
const readersPerNode = 12;
/** For one question: the nodes are busy with each other's pages and with openssl, and what is slow is not lost. */
const deadlineMs = 60_000;

/**
 * Asks every node for every certificate, as they are stored there; resolves with those that a node doesn't have, or has otherwise
 * than they were acknowledged. The pages come through both doors in turn; some certificates are read singly, too.
 */
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
  const clients = doors.map((door) => ({ door, client: clientOf(cluster, node, door, { deadlineMs }) }));
  try {
    const stored = await storedOn(clients);
    const lost = [...certificates].flatMap(([serial, certificate]) => {
      const found = stored.get(serial);
      if (found?.trim() === certificate.trim()) return [];
      return [`${serial} ${found === undefined ? 'is not' : 'differs'} on ${node.name}`];
    });
    return [...lost, ...(await refusedReads(clients, spread([...certificates], singleReads), node.name))];
  } finally {
    for (const { client } of clients) client.close();
  }
}

type DoorClients = readonly { readonly door: Door; readonly client: Client }[];

/** Everything that a node has stored: certificate (PEM) by serial. */
async function storedOn(clients: DoorClients): Promise<ReadonlyMap<string, string>> {
  const stored = new Map<string, string>();
  let after = '';
  for (let page = 0; ; page++) {
    const asked = clients[page % clients.length];
    if (asked === undefined) throw new Error('a node has a door');
    const outcome = await asked.client.request('list', 'pki/certs/detailed', { limit: pageSize, after });
    if (outcome.kind !== 'applied')
      throw new Error(`listing certificates through ${asked.door} after "${after}": ${outcome.message}`);
    for (const [serial, details] of Object.entries(outcome.data['key_info'] ?? {})) {
      const certificate = certificateOf(details);
      if (certificate !== undefined) stored.set(serial, certificate);
    }
    const last = lastOf(outcome.data['keys']);
    // A page that is not cut is the last one.
    if (outcome.warnings === undefined || last === undefined) return stored;
    after = last;
  }
}

function certificateOf(details: unknown): string | undefined {
  if (typeof details !== 'object' || details === null || !('certificate' in details)) return undefined;
  return typeof details.certificate === 'string' ? details.certificate : undefined;
}

function lastOf(keys: unknown): string | undefined {
  return Array.isArray(keys) ? keys.at(-1) : undefined;
}

async function refusedReads(
  clients: DoorClients,
  certificates: readonly (readonly [string, string])[],
  nodeName: string,
): Promise<readonly string[]> {
  const waiting = certificates.entries();
  const lost: string[] = [];
  const read = async (): Promise<void> => {
    for (const [at, [serial, certificate]] of waiting) {
      const outcome = await clients[at % clients.length]?.client.request('read', `pki/cert/${serial}`);
      const found = outcome?.kind === 'applied' ? outcome.data['certificate'] : undefined;
      if (typeof found === 'string' && found.trim() === certificate.trim()) continue;
      lost.push(
        `${serial} ${outcome?.kind === 'refused' ? `is refused (${outcome.message})` : 'differs'} on ${nodeName}`,
      );
    }
  };
  await Promise.all(Array.from({ length: readersPerNode }, read));
  return lost;
}

/** At most `count` of them, from the first to the last. */
function spread<T>(all: readonly T[], count: number): readonly T[] {
  const step = Math.max(1, all.length / count);
  return Array.from({ length: Math.min(count, all.length) }, (_, at) => all[Math.floor(at * step)]).filter(
    (one): one is T => one !== undefined,
  );
}
