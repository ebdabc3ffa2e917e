import type { Client } from '@lockstep/client/client';
import type { DevCluster } from '@lockstep/server/dev/dev-cluster';
import type { Latencies } from '../latencies.ts';
import { clientOf, doors, role } from '../pki-cluster.ts';
import type { Ledger } from './ledger.ts';

/** Requests under way at once: eight for each node and door. */
const workersPerDoor = 8;
/** A client that got no answer by then calls the outcome unknown. */
const deadlineMs = 5_000;
/** A refused client waits this long, as a polite one would, before it asks again. */
const pauseAfterRefusalMs = 20;

/** Asks every node for certificates, through both doors, until it is stopped. Only single tries: what is lost must show. */
export class Demand {
  readonly #ledger: Ledger;
  readonly #latencies: Latencies;
  readonly #clients: readonly Client[];
  readonly #workers: readonly Promise<void>[];
  #isStopped = false;
  #sent = 0;

  constructor(cluster: DevCluster, record: { readonly ledger: Ledger; readonly latencies: Latencies }) {
    this.#ledger = record.ledger;
    this.#latencies = record.latencies;
    this.#ledger.resumed();
    const single = { deadlineMs, attemptsMax: 1, idempotencyKeys: 'none' } as const;
    this.#clients = cluster.nodes.flatMap((node) => doors.map((door) => clientOf(cluster, node, door, single)));
    this.#workers = this.#clients.flatMap((client) => Array.from({ length: workersPerDoor }, () => this.#work(client)));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#workers);
    for (const client of this.#clients) client.close();
  }

  async #work(client: Client): Promise<void> {
    while (!this.#isStopped) {
      this.#sent += 1;
      const sentMs = performance.now();
      const outcome = await client.issueCertificate({
        role,
        common_name: `service-${this.#sent}.demo.example.com`,
        ttl: '1h',
      });
      if (outcome.kind === 'applied') {
        this.#latencies.add(performance.now() - sentMs);
        this.#ledger.acknowledged(outcome.data.serial_number, outcome.data.certificate);
        continue;
      }
      this.#ledger[outcome.kind] += 1;
      await new Promise((resolve) => setTimeout(resolve, pauseAfterRefusalMs));
    }
  }
}
