import { X509Certificate } from 'node:crypto';
import type { Client, IssuedCertificate, Outcome } from '@lockstep/client/client';
import { role } from '../pki-cluster.ts';
import { Ledger } from '../demo/ledger.ts';

/** What became of one logical request, which clients may have sent several times under one idempotency key. */
interface Issue {
  readonly commonName: string;
  /** Those that were acknowledged: each repeat takes the place of what came before. */
  readonly serials: readonly string[];
  /** A request of which nobody knows may have taken the place of them all. */
  readonly hasUnknown: boolean;
}

/** Reads under way at once. */
const readersMax = 24;
/** Serials in one page of a list. */
const pageMax = 1_000;

/**
 * Certificates, each for a name of its own. Whatever is acknowledged must be readable on every node ever after; and one
 * idempotency key never has two live certificates, however often the client tried.
 */
export class CertificateLoad {
  /** Those acknowledged at the first try, without a key, and those under a key. */
  readonly ledger: Ledger = new Ledger();
  readonly #issues: Issue[] = [];
  #names = 0;
  retried = 0;

  /** One certificate, by a client that tries once and uses no key. */
  async once(client: Client): Promise<boolean> {
    const outcome = await client.issueCertificate({ role, common_name: this.#name('single'), ttl: '24h' });
    if (outcome.kind === 'applied') {
      this.ledger.acknowledged(outcome.data.serial_number, outcome.data.certificate);
      return true;
    }
    this.ledger[outcome.kind]++;
    return false;
  }

  /** One certificate under one idempotency key, by clients that go on; each sends it, one after the other or all at once. */
  async underKey(clients: readonly Client[], { isAtOnce }: { readonly isAtOnce: boolean }): Promise<boolean> {
    const commonName = this.#name('keyed');
    const issue = (client: Client): Promise<Outcome<IssuedCertificate>> =>
      client.issueCertificate({ role, common_name: commonName, ttl: '24h' }, { idempotencyKey: commonName });
    const outcomes: Outcome<IssuedCertificate>[] = [];
    if (isAtOnce) outcomes.push(...(await Promise.all(clients.map(issue))));
    else for (const client of clients) outcomes.push(await issue(client));
    const serials: string[] = [];
    for (const outcome of outcomes) {
      if (outcome.kind !== 'applied') {
        this.ledger[outcome.kind]++;
        continue;
      }
      serials.push(outcome.data.serial_number);
      this.ledger.acknowledged(outcome.data.serial_number, outcome.data.certificate);
    }
    const hasUnknown = outcomes.some(({ kind }) => kind === 'unknown');
    this.#issues.push({ commonName, serials, hasUnknown });
    return serials.length > 0;
  }

  /** Looks at everything that is stored: what has two live certificates, or none where one was acknowledged. In words. */
  async check(client: Client): Promise<{ readonly stored: number; readonly violations: readonly string[] }> {
    const live = new Map<string, string[]>();
    const serials = (await this.#allSerials(client)).values();
    let stored = 0;
    const reader = async (): Promise<void> => {
      for (const serial of serials) {
        stored++;
        const { commonName, isRevoked } = await readCertificate(client, serial);
        const known = live.get(commonName) ?? [];
        live.set(commonName, isRevoked ? known : [...known, serial]);
        if (isRevoked) this.retried++;
      }
    };
    await Promise.all(Array.from({ length: readersMax }, reader));
    const violations = this.#issues.flatMap((issue) => complaintsOf(issue, live.get(issue.commonName) ?? []));
    return { stored, violations };
  }

  #name(kind: string): string {
    return `${kind}-${++this.#names}.chaos.example.com`;
  }

  async #allSerials(client: Client): Promise<readonly string[]> {
    const all: string[] = [];
    for (let after = ''; ; after = all.at(-1) ?? '') {
      const outcome = await client.request('list', 'pki/certs', { after, limit: pageMax });
      if (outcome.kind === 'refused' && outcome.code === 'not-found') return all;
      if (outcome.kind !== 'applied') throw new Error(`pki/certs: ${outcome.message}`);
      const { keys } = outcome.data;
      if (!Array.isArray(keys)) throw new Error('pki/certs lists no keys');
      all.push(...keys.map(String));
      if (keys.length < pageMax) return all;
    }
  }
}

function complaintsOf({ commonName, serials, hasUnknown }: Issue, live: readonly string[]): readonly string[] {
  if (live.length > 1) return [`${commonName} has ${live.length} live certificates under one key`];
  const [one] = live;
  if (serials.length > 0 && one === undefined) return [`${commonName} was acknowledged, but no certificate is live`];
  if (one !== undefined && !hasUnknown && !serials.includes(one))
    return [`${commonName} was acknowledged as ${serials.join(' or ') || 'refused'}, but ${one} is live`];
  return [];
}

async function readCertificate(
  client: Client,
  serial: string,
): Promise<{ readonly commonName: string; readonly isRevoked: boolean }> {
  const outcome = await client.request('read', `pki/cert/${serial}`);
  if (outcome.kind !== 'applied') throw new Error(`pki/cert/${serial}: ${outcome.message}`);
  const { certificate, revocation_time: revokedAt } = outcome.data;
  if (typeof certificate !== 'string') throw new Error(`pki/cert/${serial} holds no certificate`);
  const { subject } = new X509Certificate(certificate);
  return { commonName: /CN=(\S+)/.exec(subject)?.[1] ?? '', isRevoked: Number(revokedAt) > 0 };
}
