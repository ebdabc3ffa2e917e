import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { adminCall } from '@lockstep/server/dev/admin-call';
import type { DevCluster, DevNode } from '@lockstep/server/dev/dev-cluster';
import { exitDiskFailed } from '@lockstep/server/exit-codes';
import { type FaultFile, soundFaultFile, writeFaultFile } from './fault-file.ts';
import { readyWithinMs, restartAfterMs } from './limits.ts';
import type { PeerNetwork } from './peer-network.ts';
import { placesOf, type ProxiedCluster } from './proxied-cluster.ts';
import { comesTrue, pause } from './wait.ts';

export interface Exit {
  readonly node: string;
  /** An exit code, or the name of the signal. */
  readonly how: number | string;
  /** Whether a fault on that node explains it. */
  readonly isExpected: boolean;
}

/** Where faults happen: the cluster, its network, and a supervisor that starts again what ends. */
export class Arena {
  readonly cluster: DevCluster;
  readonly network: PeerNetwork;
  readonly random: () => number;
  readonly smallDisk: ProxiedCluster['smallDisk'];
  readonly exits: Exit[] = [];
  /** Exit codes that a fault may cause on a node just now, by its name. */
  readonly #mayExit = new Map<string, readonly number[]>();
  /** Nodes whose state was damaged. */
  readonly #damagedStates = new Set<string>();
  readonly #sizeLimits = new Map<string, number>();
  /** Nodes that are to stay down. */
  readonly #held = new Set<string>();
  readonly #restarts = new Set<Promise<void>>();
  #isOver = false;

  constructor(proxied: ProxiedCluster, random: () => number) {
    this.cluster = proxied.cluster;
    this.network = proxied.network;
    this.smallDisk = proxied.smallDisk;
    this.random = random;
    for (const node of this.cluster.nodes)
      node.process.onUnexpectedExit((code, signal) => this.#ended(node, signal ?? code ?? 'unknown'));
  }

  get nodes(): readonly DevNode[] {
    return this.cluster.nodes;
  }

  /** The largest number of nodes that the cluster can do without. */
  get minority(): number {
    return Math.floor((this.nodes.length - 1) / 2);
  }

  others(node: DevNode): readonly DevNode[] {
    return this.nodes.filter((other) => other !== node);
  }

  /** While a fault lasts that ends the node's process with one of these codes. None: no such fault. */
  mayExit(node: DevNode, codes: readonly number[]): void {
    this.#mayExit.set(node.name, codes);
  }

  /** From now on that node may come upon the damage: LevelDB aborts, or a file of the state can't be read; the next start scans it. */
  mayComeUponDamage(node: DevNode): void {
    this.#damagedStates.add(node.name);
  }

  exitsOf(node: DevNode, how: number | string): number {
    return this.exits.filter((exit) => exit.node === node.name && exit.how === how).length;
  }

  start(node: DevNode): void {
    this.#held.delete(node.name);
    node.process.start({ nodeArguments: this.cluster.nodeArguments });
    const limit = this.#sizeLimits.get(node.name);
    if (limit !== undefined) limitFileSize(node, limit);
  }

  async kill(node: DevNode): Promise<void> {
    this.#held.add(node.name);
    await node.process.kill();
  }

  async stop(node: DevNode): Promise<void> {
    this.#held.add(node.name);
    await node.process.stop();
  }

  /** No file of the node's process may grow past so many bytes; undefined lifts it. Survives a restart of the process. */
  limitFileSizes(node: DevNode, bytes: number | undefined): void {
    if (bytes === undefined) this.#sizeLimits.delete(node.name);
    else this.#sizeLimits.set(node.name, bytes);
    if (node.process.isRunning) limitFileSize(node, bytes);
  }

  setFaults(node: DevNode, faults: Partial<Omit<FaultFile, 'source'>>): void {
    const place = placesOf(this.cluster.files).find(({ name }) => name === node.name);
    if (place === undefined) throw new Error(`${node.name} has no place`);
    writeFaultFile(node.configFile, { ...soundFaultFile(place.source), ...faults });
  }

  /** Resolves when the node serves, however often its process ends and is started again until then. */
  async untilReady(node: DevNode): Promise<void> {
    const isReady = await comesTrue(readyWithinMs, async () => {
      if (!node.process.isRunning) return false;
      const answer = await this.cluster.call(node, 'GET', 'sys/health?standbyok=true').catch(() => undefined);
      return answer?.status === 200;
    });
    if (!isReady) throw new Error(`${node.name} does not serve after ${readyWithinMs} ms; its log is ${node.logFile}`);
  }

  /** One of a node's metrics; undefined where it does not answer. */
  async metric(node: DevNode, name: string): Promise<number | undefined> {
    const answer = await adminCall({
      address: node.http,
      caFile: this.cluster.files.caFile,
      method: 'GET',
      path: 'sys/metrics',
      token: this.cluster.files.metricsToken,
    }).catch(() => undefined);
    const found = new RegExp(`^${name} (\\S+)$`, 'm').exec(answer?.text ?? '')?.[1];
    return found === undefined ? undefined : Number(found);
  }

  /** What a node has logged since it had so many bytes in its log. */
  logSince(node: DevNode, bytes: number): string {
    return readFileSync(node.logFile).subarray(bytes).toString();
  }

  logBytes(node: DevNode): number {
    return statSync(node.logFile).size;
  }

  /** No process is started again after this. */
  async close(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#restarts);
  }

  #ended(node: DevNode, how: number | string): void {
    const isDamage = (how === 'SIGABRT' || how === exitDiskFailed) && this.#damagedStates.has(node.name);
    const isExpected = isDamage || (typeof how === 'number' && (this.#mayExit.get(node.name) ?? []).includes(how));
    this.exits.push({ node: node.name, how, isExpected });
    const restart = pause(restartAfterMs).then(() => {
      this.#restarts.delete(restart);
      if (!this.#isOver && !this.#held.has(node.name) && !node.process.isRunning) this.start(node);
    });
    this.#restarts.add(restart);
  }
}

function limitFileSize(node: DevNode, bytes: number | undefined): void {
  const limit = `--fsize=${bytes ?? 'unlimited'}:unlimited`;
  const { status, stderr, error } = spawnSync('prlimit', ['--pid', String(node.process.pid), limit], {
    encoding: 'utf8',
  });
  // The process may just have ended.
  if (status !== 0 && node.process.isRunning) throw new Error(`prlimit: ${error?.message ?? stderr}`);
}
