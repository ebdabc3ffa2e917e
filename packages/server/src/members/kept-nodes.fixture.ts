import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials, makeClientConstructor, Metadata } from '@grpc/grpc-js';
import { createStaticKey } from '@lockstep/seal/static/static-seal';
import { type AdminAnswer, adminCall } from '../dev/admin-call.ts';
import { anyBasePort, pickPorts } from '../dev/free-ports.ts';
import { foundCluster } from './found-cluster.ts';
import { loadProtos, serviceOf } from '../doors/grpc/protos.ts';
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

  /** Founds a cluster on a first node, and initialises it. */
  async found(name: string): Promise<KeptNode> {
    const first = await this.make(name);
    await foundCluster(first.configFile, { nowMs: Date.now(), isDryRun: false });
    first.process.start();
    await first.until('it leads', async () => (await first.call('GET', 'sys/leader')).body['is_self'] === true);
    this.rootToken = String((await first.data('PUT', 'sys/init', {}))['root_token']);
    await first.untilServing();
    return first;
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
  readonly #grpcAddress: string;
  #exitCode: number | null | undefined;

  constructor(of: KeptNodes, { name, ports }: { readonly name: string; readonly ports: Ports }) {
    this.#of = of;
    this.name = name;
    this.folder = join(of.directory, name);
    this.configFile = join(this.folder, 'node.json');
    this.#logFile = join(this.folder, 'node.log');
    this.address = `https://127.0.0.1:${ports.http}`;
    this.#grpcAddress = `127.0.0.1:${ports.grpc}`;
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
    this.process.onUnexpectedExit((code) => {
      this.#exitCode = code;
    });
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

  /**
   * A call of ClusterService. Rejects with what the node refuses. A node that is in no cluster yet has a certificate that nobody vouches
   * for: that it is not looked at is asked for by `trusts`.
   */
  async grpc(
    method: string,
    message: { readonly [name: string]: unknown },
    trusts: 'cluster' | 'anybody' = 'cluster',
  ): Promise<{ readonly [name: string]: unknown }> {
    const tls =
      trusts === 'cluster'
        ? credentials.createSsl(readFileSync(this.caFile))
        : credentials.createSsl(null, null, null, { rejectUnauthorized: false });
    const service = serviceOf(loadProtos(), 'lockstep.sys.v1.ClusterService');
    const client = new (makeClientConstructor(service, 'ClusterService'))(this.#grpcAddress, tls);
    const metadata = new Metadata();
    metadata.set('x-vault-token', this.#of.rootToken);
    const definition = service[method];
    if (definition === undefined) throw new Error(`there is no ${method}`);
    const { path, requestSerialize, responseDeserialize } = definition;
    try {
      return await new Promise((resolve, reject) => {
        const deadline = Date.now() + readyWithinMs;
        client.makeUnaryRequest(
          path,
          requestSerialize,
          responseDeserialize,
          message,
          metadata,
          { deadline },
          (error, value) => (error === null ? resolve({ ...value }) : reject(error)),
        );
      });
    } finally {
      client.close();
    }
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

  /** Starts with a token of an invitation by that member, and serves once it is a learner. */
  async joinBy(by: KeptNode): Promise<void> {
    const { token } = await by.data('POST', 'sys/cluster/invite', { note: this.name });
    this.startWith(String(token));
    await this.untilServing();
  }

  startWith(token: string): void {
    writeFileSync(join(this.folder, 'token'), token);
    this.configure({ join_token_file: 'token' });
    this.process.start();
  }

  /** The members as this node sees them: `node-1 voter`. */
  async membersSeen(): Promise<readonly string[]> {
    const { members } = await this.data('GET', 'sys/cluster/members');
    const all: readonly { readonly name: string; readonly role: string }[] = Array.isArray(members) ? members : [];
    return all.map(({ name, role }) => `${name} ${role}`).toSorted();
  }

  /** Once it is caught up, whether that is asked for or done before. */
  async untilVoter(by: KeptNode): Promise<void> {
    await by.until(`${this.name} votes`, async () => {
      if ((await by.membersSeen()).includes(`${this.name} voter`)) return true;
      await by.call('POST', 'sys/cluster/promote', { node: this.name });
      return false;
    });
  }

  /** Its process ended by itself: with that code. */
  async untilEnded(): Promise<number | null> {
    const deadline = performance.now() + readyWithinMs;
    while (this.#exitCode === undefined) {
      if (performance.now() > deadline) throw new Error(`${this.name} did not end: ${this.logged.slice(-3_000)}`);
      await new Promise((resolve) => setTimeout(resolve, askEveryMs));
    }
    return this.#exitCode;
  }

  async untilServing(): Promise<void> {
    await this.until('it serves', async () => (await this.call('GET', 'sys/mounts')).status === 200);
  }
}
