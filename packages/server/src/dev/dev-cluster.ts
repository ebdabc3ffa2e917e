import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { LockstepError } from '@lockstep/contract/errors';
import { type AdminAnswer, adminCall } from './admin-call.ts';
import { type ClusterChoice, type ClusterFiles, type DevNodeFiles, openClusterFiles } from './cluster-files.ts';
import { lockFolder } from './folder-lock.ts';
import { NodeProcess } from './node-process.ts';

/** A cold start of three processes on two busy cores takes a few seconds; an election at most four more. */
const readyWithinMs = 60_000;
const askEveryMs = 50;

export interface DevNode extends DevNodeFiles {
  readonly process: NodeProcess;
}

/** A whole cluster of real processes on this machine's loopback, for development, the demo and the benchmarks. */
export class DevCluster {
  readonly files: ClusterFiles;
  readonly nodes: readonly DevNode[];
  /** What each node's process is started with besides its configuration. */
  readonly nodeArguments: readonly string[];
  readonly #report: (line: string) => void;
  /** Gives the folder back. */
  readonly #release: () => void;
  #rootToken = '';

  private constructor(
    files: ClusterFiles,
    options: {
      readonly report: (line: string) => void;
      readonly nodeArguments?: readonly string[];
      readonly release: () => void;
    },
  ) {
    this.files = files;
    this.#release = options.release;
    this.#report = options.report;
    this.nodeArguments = options.nodeArguments ?? [];
    this.nodes = files.nodes.map((node) => ({ ...node, process: new NodeProcess(node) }));
  }

  /** Starts the processes, initializes a new cluster, and resolves when every node is unsealed and there is a leader. */
  static async start(
    choice: ClusterChoice,
    options: { readonly report: (line: string) => void; readonly nodeArguments?: readonly string[] },
  ): Promise<DevCluster> {
    const release = lockFolder(choice.directory);
    const files = await openClusterFiles(choice).catch((error: unknown) => {
      release();
      throw error;
    });
    const cluster = new DevCluster(files, { ...options, release });
    for (const node of cluster.nodes) node.process.start({ nodeArguments: cluster.nodeArguments });
    try {
      await cluster.#setUp();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  get rootToken(): string {
    return this.#rootToken;
  }

  async call(
    node: DevNode,
    method: string,
    path: string,
    body?: { readonly [name: string]: unknown },
  ): Promise<AdminAnswer> {
    return await adminCall({
      address: node.http,
      caFile: this.files.caFile,
      method,
      path,
      token: this.#rootToken,
      ...(body === undefined ? {} : { body }),
    });
  }

  /** The node that leads, as the nodes themselves say; undefined while none does. */
  async leader(): Promise<DevNode | undefined> {
    for (const node of this.nodes) {
      if (!node.process.isRunning) continue;
      const answer = await this.call(node, 'GET', 'sys/leader').catch(() => undefined);
      if (answer?.body['is_self'] === true) return node;
    }
    return undefined;
  }

  async waitForLeader(): Promise<DevNode> {
    return await until('a leader', async () => await this.leader());
  }

  /** Resolves when the node answers, unsealed. */
  async waitUntilReady(node: DevNode): Promise<void> {
    await until(`${node.name} to be ready`, async () => {
      if (!node.process.isRunning)
        throw new LockstepError('unavailable', `${node.name} stopped; its log is ${node.logFile}`);
      const answer = await this.call(node, 'GET', 'sys/health?standbyok=true').catch(() => undefined);
      return answer?.status === 200 ? true : undefined;
    });
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.process.stop()));
    this.#release();
  }

  async #setUp(): Promise<void> {
    this.#report(`starting ${this.nodes.length} nodes in ${this.files.directory}`);
    for (const node of this.nodes) await this.#waitUntilAnswers(node);
    const leader = await this.waitForLeader();
    this.#report(`${leader.name} leads`);
    if (existsSync(this.files.rootTokenFile)) this.#rootToken = readFileSync(this.files.rootTokenFile, 'utf8').trim();
    else await this.#initialise(leader);
    await Promise.all(this.nodes.map((node) => this.waitUntilReady(node)));
    this.#report('all nodes are unsealed');
    await this.#enableSecrets();
  }

  async #waitUntilAnswers(node: DevNode): Promise<void> {
    await until(`${node.name} to answer`, async () => {
      if (!node.process.isRunning)
        throw new LockstepError('unavailable', `${node.name} stopped; its log is ${node.logFile}`);
      const answer = await this.call(node, 'GET', 'sys/seal-status').catch(() => undefined);
      return answer?.status === 200 ? true : undefined;
    });
  }

  async #initialise(leader: DevNode): Promise<void> {
    const answer = await this.call(leader, 'PUT', 'sys/init', {});
    const token = answer.body['root_token'];
    if (answer.status !== 200 || typeof token !== 'string')
      throw new LockstepError(
        'unavailable',
        `init failed with ${answer.status}: ${JSON.stringify(answer.body['errors'])}`,
      );
    writeFileSync(this.files.rootTokenFile, `${token}\n`, { mode: 0o600, flush: true });
    this.#rootToken = token;
  }

  /** `secret/`, as Vault's dev server has it. */
  async #enableSecrets(): Promise<void> {
    const node = await this.waitForLeader();
    const mounts = await this.call(node, 'GET', 'sys/mounts');
    if (mounts.status === 200 && 'secret/' in mounts.body) return;
    const enabled = await this.call(node, 'POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } });
    if (enabled.status !== 204)
      throw new LockstepError(
        'unavailable',
        `enabling secret/ failed with ${enabled.status}: ${JSON.stringify(enabled.body['errors'])}`,
      );
  }
}

/** Asks again and again until there is an answer, for as long as a start may take. */
async function until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + readyWithinMs;
  while (performance.now() < deadline) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await new Promise((resolve) => setTimeout(resolve, askEveryMs));
  }
  throw new LockstepError('deadline-exceeded', `waited ${readyWithinMs / 1000} s for ${what}`);
}
