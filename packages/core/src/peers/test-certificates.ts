import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PeerTls } from './pinned-credentials.ts';

/** Tests that need certificates skip without the `openssl` command: core has no writer of certificates. */
export const hasOpenssl: boolean = spawnSync('openssl', ['version']).status === 0;

export interface TestTls extends PeerTls {
  readonly caPem: string;
}

/** A certificate authority and one certificate below it for each name. */
export function certificatesFor(...names: readonly string[]): ReadonlyMap<string, TestTls> {
  const directory = mkdtempSync(join(tmpdir(), 'certificates-'));
  const file = (name: string): string => join(directory, name);
  const read = (name: string): string => readFileSync(file(name), 'utf8');
  try {
    const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
    openssl('req', '-x509', ...newKey, '-subj', '/CN=test CA', '-keyout', file('ca.key'), '-out', file('ca.pem'));
    const issued = new Map<string, TestTls>();
    for (const name of names) {
      const signer = ['-CA', file('ca.pem'), '-CAkey', file('ca.key')];
      const out = ['-keyout', file(`${name}.key`), '-out', file(`${name}.pem`)];
      openssl(
        'req',
        '-x509',
        ...newKey,
        ...signer,
        '-subj',
        `/CN=${name}`,
        '-addext',
        'basicConstraints=CA:FALSE',
        ...out,
      );
      issued.set(name, { caPem: read('ca.pem'), certPem: read(`${name}.pem`), keyPem: read(`${name}.key`) });
    }
    return issued;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function openssl(...args: readonly string[]): void {
  const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`openssl ${args[0]} failed: ${stderr}`);
}
