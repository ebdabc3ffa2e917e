import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createStaticKey } from '@lockstep/seal/static/static-seal';
import { type AdminAnswer, adminCall } from '../dev/admin-call.ts';
import { anyBasePort, pickPorts } from '../dev/free-ports.ts';
import { NodeProcess } from '../dev/node-process.ts';

/** On a busy machine an election, a start or a snapshot takes many times what it takes alone. */
const readyWithinMs = 60_000;
const askEveryMs = 50;

/** Nodes that keep who they are themselves, each a process of its own, with a seal that opens itself. */
export class KeptNodes {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'lockstep-kept-'));
  readonly nodes: KeptNode[] = [];
  rootToken = '';

  constructor() {
    createStaticKey({ path: join(this.directory, 'seal.key'), random: randomBytes });
  }

  /** Makes its folder and its configuration; it is not started. */
  async make(name: string): Promise<KeptNode> {
    const [ports] = await pickPorts(1, anyBasePort());
    if (ports === undefined) throw new Error('one port was asked for');
    const node = new KeptNode(this, { name, ports });
    this.nodes.push(node);
    return node;
  }

  /** Kills them: a test is over. */
  async close(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.process.kill()));
    rmSync(this.directory, { recursive: true, force: true });
  }
}

interface Ports {
  readonly http: number;
  readonly grpc: number;
  readonly peer: number;
}

export class KeptNode {
  readonly name: string;
  readonly folder: string;
  readonly configFile: string;
  readonly process: NodeProcess;
  readonly address: string;
  readonly #of: KeptNodes;
  readonly #logFile: string;

  constructor(of: KeptNodes, { name, ports }: { readonly name: string; readonly ports: Ports }) {
    this.#of = of;
    this.name = name;
    this.folder = join(of.directory, name);
    this.configFile = join(this.folder, 'node.json');
    this.#logFile = join(this.folder, 'node.log');
    this.address = `https://127.0.0.1:${ports.http}`;
    mkdirSync(this.folder);
    const at = (port: number): string => `127.0.0.1:${port}`;
    const config = {
      node: { name },
      data_dir: 'data',
      http: { address: at(ports.http) },
      grpc: { address: at(ports.grpc) },
      peer: { address: at(ports.peer) },
      seal: { type: 'static', key_file: '../seal.key' },
      audit: [{ type: 'file', path: 'audit.log' }],
      dev: true,
    };
    writeFileSync(this.configFile, JSON.stringify(config));
    this.process = new NodeProcess({ configFile: this.configFile, logFile: this.#logFile });
  }

  get logged(): string {
    return existsSync(this.#logFile) ? readFileSync(this.#logFile, 'utf8') : '';
  }

  /** Adds to its configuration. */
  configure(more: { readonly [name: string]: unknown }): void {
    const config: object = JSON.parse(readFileSync(this.configFile, 'utf8'));
    writeFileSync(this.configFile, JSON.stringify({ ...config, ...more }));
  }

  /** What clients verify its door with. */
  get caFile(): string {
    return join(this.folder, 'data', 'identity', 'ca.pem');
  }

  async call(method: string, path: string, body?: { readonly [name: string]: unknown }): Promise<AdminAnswer> {
    const { rootToken } = this.#of;
    return await adminCall({
      address: this.address,
      caFile: this.caFile,
      method,
      path,
      ...(rootToken === '' ? {} : { token: rootToken }),
      ...(body === undefined ? {} : { body }),
    });
  }

  /** The data of an answer of 2xx. */
  async data(
    method: string,
    path: string,
    body?: { readonly [name: string]: unknown },
  ): Promise<{ readonly [name: string]: unknown }> {
    const answer = await this.call(method, path, body);
    if (answer.status !== 200 && answer.status !== 204)
      throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    const { data } = answer.body;
    return typeof data === 'object' && data !== null ? { ...data } : answer.body;
  }

  /** Asks until it is so. Rejects, with the last answer and the end of the node's log, when it never is or the node ends. */
  async until(what: string, ask: (node: this) => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + readyWithinMs;
    for (let last = ''; ; ) {
      try {
        if (await ask(this)) return;
      } catch (error) {
        last = error instanceof Error ? error.message : String(error);
      }
      const isOver = performance.now() > deadline || !this.process.isRunning;
      if (isOver) throw new Error(`${this.name}: waited for: ${what}; ${last}\n${this.logged.slice(-3_000)}`);
      await new Promise((resolve) => setTimeout(resolve, askEveryMs));
    }
  }

  async untilServing(): Promise<void> {
    await this.until('it serves', async () => (await this.call('GET', 'sys/mounts')).status === 200);
  }
}
