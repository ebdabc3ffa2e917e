import type { Client } from '@lockstep/client/client';
import type { DevCluster } from '@lockstep/server/dev/dev-cluster';
import { clientOf, doors } from '../pki-cluster.ts';
import { CertificateLoad } from './certificate-load.ts';
import { GrantLoad } from './grant-load.ts';
import { certificateWorkers, registerWorkers, singleDeadlineMs } from './limits.ts';
import { RegisterLoad } from './register-load.ts';
import { openPatientClients } from './patient-clients.ts';
import { pause, pick } from './wait.ts';

export interface Loads {
  readonly registers: RegisterLoad;
  readonly certificates: CertificateLoad;
  readonly grants: GrantLoad;
}

export function newLoads(random: () => number): Loads {
  const [registers, certificates] = [new RegisterLoad(random), new CertificateLoad()];
  certificates.ledger.resumed();
  return { registers, certificates, grants: new GrantLoad(random) };
}

/** Clients that go on asking through all of it, until they are stopped. */
export class Workers {
  /** When anything was last acknowledged. */
  lastAcknowledgedMs: number = performance.now();
  /** The longest time between two acknowledged operations. */
  longestGapMs: number = 0;
  /** Try once, one for each node and door. */
  readonly #single: readonly Client[];
  /** Go on from node to node, with an idempotency key for each write. */
  readonly #patient: readonly Client[];
  readonly #working: readonly Promise<void>[];
  readonly #restMs: number;
  #isStopped = false;

  constructor(cluster: DevCluster, loads: Loads, options: { readonly random: () => number; readonly restMs: number }) {
    const { random } = options;
    this.#restMs = options.restMs;
    this.#single = cluster.nodes.flatMap((node) =>
      doors.map((door) =>
        clientOf(cluster, node, door, { deadlineMs: singleDeadlineMs, attemptsMax: 1, idempotencyKeys: 'none' }),
      ),
    );
    this.#patient = openPatientClients(cluster);
    const { registers, certificates, grants } = loads;
    const single = (): Client => pick(this.#single, random);
    const patient = (): Client => pick(this.#patient, random);
    this.#working = [
      ...repeat(registerWorkers, () =>
        this.#work(() => {
          const drawn = random();
          if (drawn < 0.1) return registers.repeated([patient(), patient()]);
          return registers.once(drawn < 0.6 ? single() : patient());
        }),
      ),
      ...repeat(certificateWorkers, () => this.#work(() => certificates.once(single()))),
      ...repeat(certificateWorkers, () =>
        this.#work(() => {
          const clients = random() < 0.3 ? [patient(), patient()] : [patient()];
          return certificates.underKey(clients, { isAtOnce: random() < 0.5 });
        }),
      ),
      this.#work(() => grants.once(patient(), this.#single)),
    ];
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#working);
    for (const client of [...this.#single, ...this.#patient]) client.close();
  }

  /** `once` resolves with whether it was acknowledged. */
  async #work(once: () => Promise<boolean>): Promise<void> {
    while (!this.#isStopped) {
      if (await once()) this.#acknowledged();
      await pause(this.#restMs);
    }
  }

  #acknowledged(): void {
    const now = performance.now();
    this.longestGapMs = Math.max(this.longestGapMs, now - this.lastAcknowledgedMs);
    this.lastAcknowledgedMs = now;
  }
}

function repeat<T>(count: number, make: () => T): readonly T[] {
  return Array.from({ length: count }, make);
}
