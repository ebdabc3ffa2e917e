// What `npm run examples` does: runs the examples in deploy/ against a cluster, and checks what they got.
import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { role, setUpPki } from '@lockstep/benchmarks/pki-cluster';
import { DevCluster } from '@lockstep/server/dev/dev-cluster';
import { root } from './source-tree.ts';

/** Making a virtual environment and fetching gRPC for it, once; after that a second or two. */
const exampleTimeoutMs = 180_000;
/** The packages are kept in the checkout, and found there the next time. */
const pythonFolder = join(root, '.lockstep', 'python');

type Verdict =
  | { readonly kind: 'passed' }
  | { readonly kind: 'failed'; readonly why: string }
  | { readonly kind: 'skipped'; readonly why: string };

interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(command: string, args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const env = { ...process.env, LOCKSTEP_PYTHON_DIR: pythonFolder };
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: exampleTimeoutMs, env });
    const output: { [stream in 'stdout' | 'stderr']: string } = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
    child.on('error', (error) => resolve({ ...output, status: 127, stderr: error.message }));
    child.on('close', (code) => resolve({ ...output, status: code ?? 1 }));
  });
}

async function pythonExample(cluster: DevCluster, authority: X509Certificate): Promise<Verdict> {
  const python = await run('python3', ['-c', 'import venv, ensurepip']);
  if (python.status !== 0) return { kind: 'skipped', why: 'there is no python3 with venv' };
  const nodes = cluster.nodes.slice(0, 2).map((node) => node.grpc);
  const script = join(root, 'deploy', 'examples', 'python', 'run.sh');
  const ended = await run(script, [cluster.files.caFile, cluster.rootToken, role, ...nodes]);
  if (ended.status !== 0) {
    const why = ended.stderr.trim().split('\n').at(-1) ?? '';
    const isInstalled = existsSync(join(pythonFolder, 'installed'));
    return isInstalled ? { kind: 'failed', why } : { kind: 'skipped', why: `its packages can't be had: ${why}` };
  }
  const issued = ended.stdout.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  const verified = issued.filter((pem) => new X509Certificate(pem).verify(authority.publicKey));
  return verified.length === nodes.length
    ? { kind: 'passed' }
    : { kind: 'failed', why: `${verified.length} of ${nodes.length} certificates are the cluster's` };
}

async function main(): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-examples-'));
  const choice = { directory, nodes: 3, basePort: 29_200, plainHttp: false };
  const cluster = await DevCluster.start(choice, { report: (line) => console.log(line) });
  try {
    const authority = new X509Certificate(await setUpPki(cluster));
    console.log('running deploy/examples/python');
    const verdict = await pythonExample(cluster, authority);
    if (verdict.kind !== 'passed') console.log(`${verdict.kind}  deploy/examples/python: ${verdict.why}`);
    const count = (kind: Verdict['kind']): number => (verdict.kind === kind ? 1 : 0);
    const skipped = count('skipped') > 0 ? `, ${count('skipped')} skipped` : '';
    console.log(`${count('passed')} passed, ${count('failed')} failed${skipped}`);
    return count('failed');
  } finally {
    await cluster.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

process.exitCode = await main();
