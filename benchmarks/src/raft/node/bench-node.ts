import { randomInt } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { NodeId } from '@lockstep/contract/ids';
import { type OpenedLog, openLevelLog } from '@lockstep/core/log/level-log';
import { startNode } from '@lockstep/core/node';
import type { ConsensusNode } from '@lockstep/core/node-options';
import { type GrpcPeers, openGrpcPeers } from '@lockstep/core/peers/grpc-peers';
import type { PeerAddress, PeerEvents } from '@lockstep/core/peers/peers';
import { machineMs, type Question, type Usage } from '../question.ts';
import type { NodePlan } from '../raft-cluster.ts';
import { BenchMachine } from './bench-machine.ts';
import { appendControlEntries } from './control-entries.ts';
import { Load } from './load.ts';

/** How often the state is made durable, after which the log before it may be compacted. */
const stateSyncMs = 1_000;

/** A leader whose disk hung hands over within its next few ticks, or hears of another's term. */
const stallShowsMs = 5_000;

const expectedEvents: readonly string[] = ['leader', 'snapshot-installed'];

interface Parts {
  readonly plan: NodePlan;
  readonly machine: BenchMachine;
  readonly log: OpenedLog;
  readonly peers: GrpcPeers;
  readonly events: PeerInbox;
}

/** What the peers bring before the driver runs is not expected, and Raft repeats what matters. */
class PeerInbox implements PeerEvents {
  to: PeerEvents | undefined;
  readonly onMessages: PeerEvents['onMessages'] = (from, messages) => this.to?.onMessages(from, messages);
  readonly onDisconnected: PeerEvents['onDisconnected'] = (from) => this.to?.onDisconnected(from);
}

/** The real driver, peers over mutual TLS, the log in LevelDB; and a state that counts. */
export class BenchNode {
  readonly #parts: Parts;
  #node: ConsensusNode | undefined;
  #load: Load | undefined;
  #stalledMs = Number.NEGATIVE_INFINITY;
  #stallsThatCostLeadership = 0;

  static async open(plan: NodePlan): Promise<BenchNode> {
    const stateDirectory = join(plan.directory, 'state');
    mkdirSync(stateDirectory, { recursive: true });
    const machine = await BenchMachine.open(stateDirectory, plan.snapshotBytes);
    const log = await openLog(plan);
    const events = new PeerInbox();
    const peers = await openGrpcPeers({
      self: { node: NodeId(plan.id), clusterId: plan.clusterId, incarnation: log.identity.incarnation },
      listen: { host: '127.0.0.1', port: plan.port },
      tls: plan.tls,
      events,
      snapshot: { read: (id, offset, bytesMax, done) => machine.readSnapshot({ id, offset, bytesMax }, done) },
      log: () => undefined,
    });
    return new BenchNode({ plan, machine, log, peers, events });
  }

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  async answer(question: Question): Promise<unknown> {
    switch (question.kind) {
      case 'address':
        return { port: this.#parts.peers.port };
      case 'start':
        this.#node = this.#start(question.members);
        return {};
      case 'campaign':
        this.#running.campaign();
        return {};
      case 'load':
        this.#load?.end();
        this.#load = new Load({ node: this.#running, machine: this.#parts.machine }, question.load);
        return {};
      case 'end-load':
        return this.#load?.end();
      case 'usage':
        return this.#usage();
      case 'control-entries':
        return { taken: await appendControlEntries(this.#running, question) };
      case 'stop':
        this.#load?.end();
        await this.#running.close();
        return {};
      default:
        return question satisfies never;
    }
  }

  get #running(): ConsensusNode {
    if (this.#node === undefined) throw new Error('the node is not started');
    return this.#node;
  }

  #start(members: readonly PeerAddress[]): ConsensusNode {
    const { plan, machine, log, peers, events } = this.#parts;
    const node = startNode({
      id: NodeId(plan.id),
      clock: { nowMs: () => performance.now(), wallMs: () => Date.now(), setTimer },
      random: (below) => randomInt(below),
      store: log.store,
      stored: log.stored,
      peers: (given) => {
        events.to = given;
        return peers.peers;
      },
      pullSnapshot: peers.pullSnapshot,
      machine,
      members,
      log: (event, fields) => this.#tell(event, fields),
      onFatal: fatal,
    });
    const syncState = (): void => {
      machine.sync().then((index) => {
        node.stateSynced(index);
        setTimeout(syncState, stateSyncMs);
      }, fatal);
    };
    syncState();
    return node;
  }

  /** What a quiet cluster would not have, and a figure is worth less for. */
  #tell(event: string, fields: object): void {
    if (event === 'disk-stalled') this.#stalledMs = performance.now();
    if (event === 'not-leader' && performance.now() - this.#stalledMs < stallShowsMs) this.#stallsThatCostLeadership++;
    if (expectedEvents.includes(event)) return;
    process.stderr.write(`bench node ${this.#parts.plan.id}: ${event} ${JSON.stringify(fields)}\n`);
  }

  #usage(): Usage {
    const { machine } = this.#parts;
    const cpu = process.cpuUsage();
    const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
    const { raft, log, ...status } = this.#running.status();
    return {
      atMs: machineMs(),
      cpuMicros: cpu.user + cpu.system,
      rssBytes: rss,
      heapBytes: heapUsed,
      outsideHeapBytes: external + arrayBuffers,
      transactions: machine.transactions,
      digest: machine.digest,
      appliedIndex: status.appliedIndex,
      role: raft.role,
      leader: raft.leader,
      term: raft.term,
      firstIndex: raft.firstIndex,
      lastIndex: raft.lastIndex,
      writes: log.writes,
      syncs: log.syncs,
      turns: status.turns,
      lateTicks: status.lateTicks,
      electionsStarted: status.electionsStarted,
      diskStalls: status.diskStalls,
      stallsThatCostLeadership: this.#stallsThatCostLeadership,
      snapshotsTaken: status.snapshotsTaken,
      snapshotsInstalled: status.snapshotsInstalled,
      compactions: status.compactions,
    };
  }
}

function openLog(plan: NodePlan): Promise<OpenedLog> {
  const voters = plan.pins.map(([node]) => NodeId(node));
  const membership = { voters, votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
  return openLevelLog({
    directory: join(plan.directory, 'log'),
    clusterId: plan.clusterId,
    node: NodeId(plan.id),
    format: { incarnation: randomInt(1, 2 ** 47), membership },
    onFatal: fatal,
  });
}

function setTimer(ms: number, run: () => void): () => void {
  const timer = setTimeout(run, ms);
  return () => clearTimeout(timer);
}

function fatal(error: unknown): void {
  process.stderr.write(`bench node: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
}
