import type { Client } from '@lockstep/client/client';
import type { DevCluster } from '@lockstep/server/dev/dev-cluster';
import { type Answer, askWith, changes, makeGrant, probePath } from '../grants.ts';
import { patientDeadlineMs, singleDeadlineMs } from './limits.ts';
import { openPatientClients } from './patient-clients.ts';
import { pick } from './wait.ts';

/** Questions with one token, before and after its rights are taken away. */
const questionsMax = 4;

/**
 * Tokens whose rights are taken away again. Until then no node may deny one, whatever its clock says; from the moment that the
 * change is acknowledged none may serve it.
 */
export class GrantLoad {
  readonly counts = { made: 0, taken: 0, denied: 0, unserved: 0 };
  readonly violations: string[] = [];
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  async once(root: Client, clients: readonly Client[]): Promise<boolean> {
    const change = pick(changes, this.#random);
    const name = `grant-${this.counts.made++}`;
    const grant = await certain(makeGrant(root, change, name));
    if (grant === undefined) return false;
    if ((await this.#ask(grant.token, clients)).includes('denied'))
      this.violations.push(`${name} was denied before "${change}"`);
    if ((await certain(grant.take(root).then(() => true))) === undefined) return false;
    this.counts.taken++;
    for (const answer of await this.#ask(grant.token, clients)) {
      if (answer === 'served') this.violations.push(`${name} was served after "${change}" was acknowledged`);
      else this.counts[answer]++;
    }
    return true;
  }

  #ask(token: string, clients: readonly Client[]): Promise<readonly Answer[]> {
    const asked = Array.from({ length: questionsMax }, () => pick(clients, this.#random));
    return Promise.all(asked.map((client) => askWith(client, token, singleDeadlineMs)));
  }
}

/** Undefined where it was refused, or nobody knows what became of it: then there is nothing to hold anybody to. */
function certain<T>(made: Promise<T>): Promise<T | undefined> {
  return made.catch(() => undefined);
}

export async function storeProbe(cluster: DevCluster): Promise<void> {
  const clients = openPatientClients(cluster);
  const stored = await pick(clients, () => 0).request('write', probePath, { data: { held: 'back' } });
  for (const client of clients) client.close();
  if (stored.kind !== 'applied') throw new Error(`${probePath}: ${stored.message} within ${patientDeadlineMs} ms`);
}
