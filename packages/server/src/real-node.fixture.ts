import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AdminAnswer, adminCall } from './dev/admin-call.ts';
import { type ClusterFiles, type DevNodeFiles, openClusterFiles } from './dev/cluster-files.ts';
import { anyBasePort } from './dev/free-ports.ts';
import { type NodeConfig, readConfig } from './config.ts';
import { openLog } from './log.ts';
import { type OpenNode, openNode } from './open-node.ts';

export interface RealCall {
  readonly body?: { readonly [name: string]: unknown };
  /** The root token unless given. */
  readonly token?: string;
  readonly headers?: { readonly [name: string]: string };
}

/** An election of one, and the first entry's fsync. */
const readyWithinMs = 20_000;
const askEveryMs = 10;

/** `change` makes another configuration of the usual one. */
export async function openRealNode(
  options: { readonly change?: (config: NodeConfig) => NodeConfig } = {},
): Promise<RealNode> {
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-real-'));
  const cluster = await openClusterFiles({
    directory,
    nodes: 1,
    basePort: anyBasePort(),
    plainHttp: true,
  });
  const node = new RealNode(cluster, options.change ?? ((config) => config));
  await node.start();
  return node;
}

/** A whole node in this process: real disk, real peers' port, real doors on loopback. A cluster of one, initialised and unsealed. */
export class RealNode {
  readonly config: NodeConfig;
  readonly files: DevNodeFiles;
  rootToken = '';
  /** On the disk under it, as it is told. */
  freeBytes: number = 2 ** 40;
  readonly #cluster: ClusterFiles;
  readonly #lines: string[] = [];
  #aheadMs = 0;
  #node: OpenNode | undefined;

  constructor(cluster: ClusterFiles, change: (config: NodeConfig) => NodeConfig) {
    const [files] = cluster.nodes;
    if (files === undefined) throw new Error('a cluster of one has a node');
    this.#cluster = cluster;
    this.files = files;
    this.config = change(readConfig(files.configFile));
  }

  /** All that it has logged. */
  get logged(): string {
    return this.#lines.join('');
  }

  /** Reads its metrics even while it is sealed. */
  get metricsToken(): string {
    return this.#cluster.metricsToken;
  }

  get auditFile(): string {
    return this.config.audit[0]?.path ?? '';
  }

  get audited(): string {
    return readFileSync(this.auditFile, 'utf8');
  }

  async reopenAudit(): Promise<void> {
    await this.#node?.reopenAudit();
  }

  /** Opens it, initialises it the first time, and waits until it serves. */
  async start(): Promise<void> {
    await this.open();
    await until(async () => (await this.call('GET', 'sys/leader')).body['is_self'] === true);
    if (this.rootToken === '')
      this.rootToken = String((await this.call('PUT', 'sys/init', { body: {} })).body['root_token']);
    await until(async () => (await this.call('GET', 'sys/mounts')).status === 200);
  }

  /** Opens it, whether it will serve or not. */
  async open(): Promise<void> {
    const wallMs = (): number => Date.now() + this.#aheadMs;
    const log = openLog({ node: this.files.name, wallMs, write: (line) => this.#lines.push(line) });
    const onFatal = (fault: unknown): never => {
      throw fault;
    };
    this.#node = await openNode(this.config, log, onFatal, {
      wallMs,
      freeBytes: () => Promise.resolve(this.freeBytes),
    });
  }

  async call(method: string, path: string, { body, token, headers }: RealCall = {}): Promise<AdminAnswer> {
    return await adminCall({
      address: this.files.http,
      caFile: this.#cluster.caFile,
      method,
      path,
      token: token ?? this.rootToken,
      ...(body === undefined ? {} : { body }),
      ...(headers === undefined ? {} : { headers }),
    });
  }

  /** Moves the machine's clock. */
  advance(ms: number): void {
    this.#aheadMs += ms;
  }

  /** Leaves the folder to be looked at, or to be started from again. */
  async stop(): Promise<void> {
    await this.#node?.close();
    this.#node = undefined;
  }

  /** Stops, and removes the folder. */
  async close(): Promise<void> {
    await this.stop();
    rmSync(this.#cluster.directory, { recursive: true, force: true });
  }
}

/** Asks again and again until it is so. */
export async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + readyWithinMs;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`it did not come true within ${readyWithinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, askEveryMs));
  }
}
