import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DevCluster } from './dev/dev-cluster.ts';
import { exitHurried, onStopSignals } from './stop-signals.ts';

export interface DevOptions {
  readonly nodes: number;
  /** Kept and used again; without it a temporary folder that is removed at the end. */
  readonly directory: string | undefined;
  readonly basePort: number;
  /** Plain HTTP on loopback instead of TLS. */
  readonly plainHttp: boolean;
  /** Where to write the addresses for programs. */
  readonly jsonFile: string | undefined;
}

/** Runs a cluster in the foreground until SIGINT or SIGTERM, and prints how to reach it. */
export async function runDev(options: DevOptions): Promise<void> {
  const directory = resolve(options.directory ?? mkdtempSync(join(tmpdir(), 'lockstep-dev-')));
  let isStopping = false;
  const clear = (): void => {
    if (options.directory === undefined) rmSync(directory, { recursive: true, force: true });
  };
  const stopAsked = new Promise<void>((resolved) => {
    onStopSignals({
      stop: () => {
        isStopping = true;
        resolved();
      },
      // The nodes end with this process, whose end of their input they see.
      hurry: () => {
        clear();
        process.exit(exitHurried);
      },
    });
  });
  try {
    const cluster = await DevCluster.start(
      { directory, nodes: options.nodes, basePort: options.basePort, plainHttp: options.plainHttp },
      { report: (line) => process.stderr.write(`lockstep dev: ${line}\n`) },
    );
    for (const node of cluster.nodes) {
      node.process.onUnexpectedExit(
        (code, signal) =>
          isStopping ||
          process.stderr.write(`lockstep dev: ${node.name} ended (${signal ?? code}); its log is ${node.logFile}\n`),
      );
    }
    if (options.jsonFile !== undefined)
      writeFileSync(options.jsonFile, `${JSON.stringify(summary(cluster), null, 2)}\n`, { mode: 0o600 });
    process.stdout.write(greeting(cluster));
    await stopAsked;
    process.stderr.write('lockstep dev: stopping\n');
    await cluster.stop();
  } finally {
    clear();
  }
}

/** What `--json` writes. */
function summary(cluster: DevCluster): object {
  const nodes = cluster.nodes.map((node) => ({
    id: node.name,
    http: node.http,
    grpc: node.grpc,
    peer: node.peer,
    pid: node.process.pid,
  }));
  return {
    nodes,
    ca_file: cluster.files.caFile,
    root_token: cluster.rootToken,
    metrics_token: cluster.files.metricsToken,
  };
}

function greeting(cluster: DevCluster): string {
  const rows = cluster.nodes.map(
    (node) => `  ${node.name}  HTTP ${node.http}  gRPC ${node.grpc}  pid ${node.process.pid ?? '-'}`,
  );
  return `
Lockstep is running: ${cluster.nodes.length} nodes on loopback, for development only (the seal's key lies beside the data).

${rows.join('\n')}

  CA file     ${cluster.files.caFile}
  Root token  ${cluster.rootToken}
  Data        ${cluster.files.directory}

Try, in this checkout:

${commandsToCopy(cluster)
  .map((command) => `  ${command}\n`)
  .join('\n')}
Ctrl-C stops it all.
`;
}

/** For a POSIX shell, whatever is in the paths. */
function commandsToCopy({ nodes: [first], files, rootToken }: DevCluster): readonly string[] {
  if (first === undefined) return [];
  const isPlain = first.http.startsWith('http:');
  const caFile = shellWord(files.caFile);
  const settings = (address: string): string =>
    `VAULT_ADDR=${address} ${isPlain ? '' : `VAULT_CACERT=${caFile} `}VAULT_TOKEN=${rootToken}`;
  return [
    `curl ${isPlain ? '' : `--cacert ${caFile} `}-H "X-Vault-Token: ${rootToken}" -d '{"data":{"hello":"world"}}' ${first.http}/v1/secret/data/greeting`,
    `${settings(first.http)} scripts/lockstep kv get secret/greeting`,
    `${settings(isPlain ? `http://${first.grpc}` : first.grpc)} scripts/grpc read secret/data/greeting`,
  ];
}

/** As one word, whatever is in it (POSIX.1-2017, Shell Command Language 2.2.2). */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
