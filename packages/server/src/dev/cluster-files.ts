import { createHash, createPublicKey, randomBytes, randomInt } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LockstepError } from '@lockstep/contract/errors';
import { createStaticKey } from '@lockstep/seal/static/static-seal';
import { pickPorts } from './free-ports.ts';
import { type Authority, createAuthority } from './node-certificates.ts';

export interface DevNodeFiles {
  readonly id: number;
  readonly name: string;
  readonly http: string;
  readonly grpc: string;
  readonly peer: string;
  readonly configFile: string;
  readonly logFile: string;
  readonly auditFile: string;
}

/** A development cluster's files: one folder, from which it can be started again. */
export interface ClusterFiles {
  readonly directory: string;
  readonly clusterId: string;
  readonly caFile: string;
  readonly rootTokenFile: string;
  readonly metricsToken: string;
  readonly nodes: readonly DevNodeFiles[];
}

export interface ClusterChoice {
  readonly directory: string;
  readonly nodes: number;
  readonly basePort: number;
  readonly plainHttp: boolean;
}

const summaryFile = 'cluster.json';
const host = '127.0.0.1';

/** Opens the cluster in a folder, or makes one there: its certificate authority, keys, ports and a configuration for each node. */
export async function openClusterFiles(choice: ClusterChoice): Promise<ClusterFiles> {
  const summary = join(choice.directory, summaryFile);
  if (existsSync(summary)) return readSummary(summary, choice);
  mkdirSync(choice.directory, { recursive: true, mode: 0o700 });
  const files = await makeFiles(choice);
  // Last, by renaming: a folder with a summary is a whole cluster.
  writeFileSync(`${summary}.new`, JSON.stringify(files, null, 2), { mode: 0o600, flush: true });
  renameSync(`${summary}.new`, summary);
  return files;
}

function readSummary(file: string, choice: ClusterChoice): ClusterFiles {
  const files: ClusterFiles = JSON.parse(readFileSync(file, 'utf8'));
  if (files.nodes.length !== choice.nodes) {
    throw new LockstepError(
      'failed-precondition',
      `${choice.directory} holds a cluster of ${files.nodes.length} nodes, asked for ${choice.nodes}; choose another --dir, or --nodes ${files.nodes.length}`,
    );
  }
  return files;
}

async function makeFiles(choice: ClusterChoice): Promise<ClusterFiles> {
  const { directory } = choice;
  const ports = await pickPorts(choice.nodes, choice.basePort);
  const authority = await createAuthority({ nowMs: Date.now() });
  const metricsToken = randomBytes(24).toString('base64url');
  createStaticKey({ path: join(directory, 'seal.key'), random: randomBytes });
  write(join(directory, 'ca.pem'), authority.certificatePem);
  write(join(directory, 'metrics-token'), metricsToken);
  const nodes = ports.map((port, at): DevNodeFiles => {
    const name = `node-${at + 1}`;
    const folder = join(directory, name);
    return {
      id: randomInt(1, 2 ** 47),
      name,
      http: `${choice.plainHttp ? 'http' : 'https'}://${host}:${port.http}`,
      grpc: `${host}:${port.grpc}`,
      peer: `${host}:${port.peer}`,
      configFile: join(folder, 'config.json'),
      logFile: join(folder, 'node.log'),
      auditFile: join(folder, 'audit.log'),
    };
  });
  const clusterId = randomBytes(16).toString('hex');
  const cluster: ClusterFiles = {
    directory,
    clusterId,
    caFile: join(directory, 'ca.pem'),
    rootTokenFile: join(directory, 'root-token'),
    metricsToken,
    nodes,
  };
  await writeConfigs(cluster, authority, choice);
  return cluster;
}

async function writeConfigs(cluster: ClusterFiles, authority: Authority, choice: ClusterChoice): Promise<void> {
  const members: object[] = [];
  for (const node of cluster.nodes) {
    const folder = join(cluster.directory, node.name);
    mkdirSync(folder, { mode: 0o700 });
    const peer = await authority.issue({ name: node.name, host });
    const door = await authority.issue({ name: node.name, host });
    write(join(folder, 'peer.pem'), peer.certificatePem);
    write(join(folder, 'peer.key'), peer.privateKeyPem);
    write(join(folder, 'door.pem'), door.certificatePem);
    write(join(folder, 'door.key'), door.privateKeyPem);
    members.push({
      id: node.id,
      name: node.name,
      peer_address: node.peer,
      pin: pinOf(peer.certificatePem),
      api_address: node.http,
      grpc_address: node.grpc,
    });
  }
  for (const node of cluster.nodes) {
    const tls = { tls_cert_file: 'door.pem', tls_key_file: 'door.key' };
    const httpAddress = node.http.replace(/^https?:\/\//, '');
    const config = {
      cluster_id: cluster.clusterId,
      node: { id: node.id, name: node.name },
      data_dir: 'data',
      http: choice.plainHttp ? { address: httpAddress, tls_disable: true } : { address: httpAddress, ...tls },
      grpc: choice.plainHttp ? { address: node.grpc, tls_disable: true } : { address: node.grpc, ...tls },
      peer: { address: node.peer, cert_file: 'peer.pem', key_file: 'peer.key' },
      members,
      seal: { type: 'static', key_file: '../seal.key' },
      audit: [{ type: 'file', path: 'audit.log' }],
      metrics_token_sha256: createHash('sha256').update(cluster.metricsToken).digest('hex'),
      dev: true,
    };
    write(node.configFile, JSON.stringify(config, null, 2));
  }
}

function pinOf(certificatePem: string): string {
  return createHash('sha256')
    .update(createPublicKey(certificatePem).export({ type: 'spki', format: 'der' }))
    .digest('hex');
}

function write(file: string, text: string): void {
  writeFileSync(file, text, { mode: 0o600 });
}
