import { spawn, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Verified {
  readonly by: 'openssl' | 'node';
  readonly accepted: number;
  /** What the verifier said of those that it refused, a few of them. */
  readonly complaints: readonly string[];
}

/** Files in one call of openssl: far below the system's limit for arguments, many enough that starting it costs nothing. */
const filesPerCall = 500;
/** Commands at once: the nodes are being read meanwhile, on the same cores. */
const verifiersMax = 2;

/** Verifies certificates (PEM) against the authority, with the openssl command where there is one and with Node's own X509 otherwise. */
export async function verifyCertificates(authority: string, certificates: readonly string[]): Promise<Verified> {
  return spawnSync('openssl', ['version']).status === 0
    ? await withOpenssl(authority, certificates)
    : withNode(authority, certificates);
}

async function withOpenssl(authority: string, certificates: readonly string[]): Promise<Verified> {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-verify-'));
  try {
    await writeFile(join(folder, 'ca.pem'), authority);
    const waiting = chunksOf(certificates).entries();
    const lines: string[] = [];
    const verifier = async (): Promise<void> => {
      for (const [at, chunk] of waiting) lines.push(...(await opensslVerify(folder, { at, chunk })));
    };
    await Promise.all(Array.from({ length: verifiersMax }, verifier));
    const accepted = lines.filter((line) => line.endsWith(': OK')).length;
    return {
      by: 'openssl',
      accepted,
      complaints: lines.filter((line) => line !== '' && !line.endsWith(': OK')).slice(0, 5),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function chunksOf(certificates: readonly string[]): readonly (readonly string[])[] {
  return Array.from({ length: Math.ceil(certificates.length / filesPerCall) }, (_, at) =>
    certificates.slice(at * filesPerCall, (at + 1) * filesPerCall),
  );
}

/** The lines that the command prints about the certificates of one chunk. */
async function opensslVerify(
  folder: string,
  of: { readonly at: number; readonly chunk: readonly string[] },
): Promise<readonly string[]> {
  const files = of.chunk.map((_, at) => `${of.at}-${at}.pem`);
  for (const [at, certificate] of of.chunk.entries()) await writeFile(join(folder, files[at] ?? ''), certificate);
  return (await runOpenssl(folder, files)).split('\n');
}

function runOpenssl(folder: string, files: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('openssl', ['verify', '-CAfile', 'ca.pem', ...files], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const keep = (chunk: Buffer): void => {
      output += chunk.toString();
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', reject);
    child.on('close', () => resolve(output));
  });
}

function withNode(authority: string, certificates: readonly string[]): Verified {
  const issuer = new X509Certificate(authority);
  const complaints: string[] = [];
  let accepted = 0;
  for (const pem of certificates) {
    const certificate = new X509Certificate(pem);
    if (certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)) accepted += 1;
    else complaints.push(`certificate ${certificate.serialNumber} does not verify`);
  }
  return { by: 'node', accepted, complaints: complaints.slice(0, 5) };
}
