import { NodeId } from '@lockstep/contract/ids';
import { MemoryNetwork } from '@lockstep/core/peers/memory-peers';
import { Agenda } from './agenda.ts';
import { Checker } from './check/checker.ts';
import { type CoreObserver, observeCores } from './check/observe-core.ts';
import { Clients } from './clients.ts';
import { describeReady } from './describe.ts';
import { Faults } from './faults.ts';
import { healAndConverge } from './heal.ts';
import { checkHistory } from './history.ts';
import { eventsMax } from './limits.ts';
import { Operators } from './operators.ts';
import { Random } from './random.ts';
import { Restores } from './restores.ts';
import { Servers } from './servers.ts';
import { type Simplified, simplify } from './simplify.ts';
import { SimulatedNode } from './simulated-node.ts';
import { tracedCores } from './state-trace/traced-cores.ts';
import { drawSwarm, limitsOf, type Swarm } from './swarm.ts';
import { Trace } from './trace.ts';
import { uniqueRegister } from './versioned-register.ts';
import { insist, Violation } from './violation.ts';
import { type FrameKind, Wires } from './wires.ts';
import type { SimulatedNodeOptions, World } from './world.ts';

export interface SimulationOptions {
  readonly seed: number;
  /** Simulated seconds with faults; those that the healed cluster takes to agree come after. Default 60. */
  readonly seconds?: number;
  /** Default: drawn from the seed. */
  readonly nodes?: number;
  /** What the run does without. Default: nothing. */
  readonly simplified?: Simplified;
  /** In place of what is drawn from the seed. */
  readonly swarm?: Swarm;
  /** Sees every line of the trace. */
  readonly watch?: (line: string) => void;
  /** Sees every line of the trace in the terms of etcd's specification, and makes the cores tell it. */
  readonly stateTrace?: (line: string) => void;
}

export interface SimulationResult {
  readonly seed: number;
  readonly nodes: number;
  /** Undefined: nothing that must never happen did. */
  readonly failure: { readonly rule: string; readonly message: string; readonly atMs: number } | undefined;
  readonly traceHash: string;
  readonly events: number;
  readonly simulatedMs: number;
  readonly elections: number;
  readonly committed: number;
  readonly crashes: number;
  readonly snapshotsInstalled: number;
  /** Changes of the membership that took effect. */
  readonly membershipChanges: number;
  readonly counts: Clients['counts'];
}

/** Runs one cluster from one seed: first everything goes wrong, then everything works and the cluster must agree. */
export function simulate(options: SimulationOptions): SimulationResult {
  const cluster = new Cluster(options);
  const unobserve = observeCores(cluster.observer);
  try {
    return cluster.run((options.seconds ?? 60) * 1000);
  } finally {
    unobserve();
  }
}

/** How the run of these options misbehaves. */
export function swarmOf({ seed, nodes, simplified = {} }: SimulationOptions): Swarm {
  return simplify(drawSwarm(new Random(seed).fork(), nodes), simplified);
}

export class Cluster {
  readonly agenda: Agenda = new Agenda();
  readonly checker: Checker;
  /** In the order of their ids. It grows. */
  readonly nodes: SimulatedNode[] = [];
  readonly clients: Clients;
  readonly servers: Servers;
  readonly wires: Wires;
  readonly random: Random;
  readonly trace: Trace;
  swarm: Swarm;
  readonly #seed: number;
  readonly operators: Operators;
  readonly #faults: Faults;
  readonly #restores: Restores | undefined;
  readonly #world: World;
  #turning: NodeId | undefined;
  #sending: FrameKind = 'driver';
  #events = 0;
  #crashes = 0;
  #installs = 0;

  constructor(options: SimulationOptions) {
    this.#seed = options.seed;
    this.trace = new Trace(options.watch);
    this.random = new Random(options.seed);
    this.swarm = options.swarm ?? swarmOf(options);
    // What the swarm was drawn from.
    this.random.fork();
    const { agenda, trace, swarm } = this;
    // A turn's length and a round-off less than the ticks that a follower counts at the least.
    const quietMs = (swarm.electionTicks - 1) * swarm.tickMs - 1;
    this.checker = new Checker({
      nowMs: () => agenda.nowMs,
      quietMs,
      limits: limitsOf(swarm),
      leases: () => this.#leases(),
    });
    const arrived = (to: NodeId, arrive: () => void): void => this.nodes[to - 1]?.arrive(arrive);
    this.wires = new Wires({ agenda, random: this.random.fork(), trace, swarm, arrived });
    const network = new MemoryNetwork((delivery) => this.wires.carry(delivery, this.#sending));
    this.#world = this.#newWorld(network, options.stateTrace);
    const { committed } = this.checker;
    this.#found(swarm.nodes);
    const nodes = (): readonly SimulatedNode[] => this.nodes;
    this.servers = new Servers(committed);
    this.clients = new Clients({ agenda, random: this.random.fork(), trace, servers: this.servers, nodes });
    this.operators = new Operators({
      agenda,
      random: this.random.fork(),
      trace,
      committed,
      nodes,
      newNode: (id) => this.#newcomer(id),
    });
    // A run without restores draws what it drew before there were any.
    const { clients } = this;
    this.#restores =
      swarm.restoreMs === 0 ? undefined : new Restores({ agenda, random: this.random.fork(), clients, nodes, swarm });
    this.#faults = new Faults({ agenda, random: this.random.fork(), trace, nodes, wires: this.wires, network, swarm });
  }

  /** Sees what cores are asked and hand out, in the turns of their nodes. */
  get observer(): CoreObserver {
    return {
      ready: (ready) => {
        const id = this.#turning;
        if (id === undefined) return;
        this.trace.tell(this.agenda.nowMs, () => {
          const text = describeReady(ready);
          return text === undefined ? undefined : `n${id} ${text}`;
        });
        this.checker.ready(id, ready);
      },
      readAsked: (id) => {
        if (this.#turning !== undefined) this.checker.readAsked(this.#turning, id);
      },
    };
  }

  run(faultyMs: number): SimulationResult {
    let failure: SimulationResult['failure'];
    try {
      let isOver = false;
      this.start();
      this.#faults.begin();
      this.clients.begin(this.swarm, () => isOver);
      this.operators.begin(this.swarm);
      this.#restores?.begin();
      this.pass(faultyMs);
      isOver = true;
      this.#faults.stop();
      this.operators.stop();
      this.#restores?.stop();
      this.finish();
    } catch (error) {
      failure = { ...ruleOf(error), atMs: this.agenda.nowMs };
    }
    return this.#result(failure);
  }

  start(): void {
    for (const node of this.nodes) node.start();
  }

  /** Everything works again: the cluster must agree, and what clients saw must have been in order. */
  finish(): void {
    healAndConverge(this);
    this.#checkHistory();
  }

  /** A node that is to join; it runs, and knows those that are there. */
  newNode(): SimulatedNode {
    return this.#newcomer(NodeId(this.nodes.length + 1));
  }

  /** From now on. */
  misbehave(swarm: Swarm): void {
    this.swarm = swarm;
    this.wires.swarm = swarm;
  }

  /** Lets `ms` of simulated time pass, or less if `isEnough`. False: it never was. */
  pass(ms: number, isEnough: () => boolean = () => false): boolean {
    const untilMs = this.agenda.nowMs + ms;
    while (!isEnough()) {
      if (!this.agenda.step(untilMs)) return isEnough();
      this.#events++;
      insist('a cluster does not spin', this.#events < eventsMax, () => `more than ${eventsMax} events`);
    }
    return true;
  }

  #found(count: number): void {
    const voters = Array.from({ length: count }, (_, at) => NodeId(at + 1));
    const members = voters.map((node) => ({ node, address: `node-${node}` }));
    for (const id of voters) this.nodes.push(this.#newNode(id, { members: () => members, isJoining: false }));
    this.checker.committed.founded({
      voters,
      votersOutgoing: [],
      learners: [],
      learnersNext: [],
      autoLeave: false,
    });
  }

  #newcomer(id: NodeId): SimulatedNode {
    const members = (): { node: NodeId; address: string }[] =>
      this.nodes.map(({ id: node, address }) => ({ node, address }));
    const node = this.#newNode(id, { members, isJoining: true });
    this.nodes.push(node);
    node.start();
    return node;
  }

  #newNode(id: NodeId, of: Pick<SimulatedNodeOptions, 'members' | 'isJoining'>): SimulatedNode {
    return new SimulatedNode(id, { world: this.#world, incarnation: 1 + this.random.below(2 ** 40), ...of });
  }

  #newWorld(network: MemoryNetwork, stateTrace: SimulationOptions['stateTrace']): World {
    const { agenda, trace, checker } = this;
    return {
      agenda,
      random: this.random.fork(),
      trace,
      checker,
      network,
      swarm: () => this.swarm,
      newRaft: stateTrace === undefined ? undefined : tracedCores(stateTrace, () => agenda.nowMs),
      turning: (id, turn) => {
        this.#turning = id;
        turn();
        this.#turning = undefined;
      },
      sending: (kind, send) => {
        this.#sending = kind;
        send();
        this.#sending = 'driver';
      },
      onApply: (node, entry, applied) => {
        trace.note(agenda.nowMs, 'apply', node.id, entry.index, entry.term);
        this.servers.onApply(node, entry, applied);
      },
      onInstall: (node, index) => {
        this.#installs++;
        trace.note(agenda.nowMs, 'install', node.id, index);
        this.servers.onInstall(node, index);
      },
      onCrash: (node) => {
        this.#crashes++;
        this.servers.onCrash(node);
      },
    };
  }

  /** Of nodes that stand still nobody reads. */
  #leases(): readonly { readonly node: NodeId; readonly index: number }[] {
    if (!this.swarm.hasLeases) return [];
    return this.nodes.flatMap((node) => {
      const index = node.isPaused ? undefined : node.consensus?.load().raft.leaseIndex;
      return index === undefined ? [] : [{ node: node.id, index }];
    });
  }

  #checkHistory(): void {
    const { violations, undecided } = checkHistory(this.clients.history, uniqueRegister);
    insist(
      '19 what clients saw is linearizable',
      violations.length === 0,
      () => `no order explains what was seen of ${violations[0]?.key}: ${JSON.stringify(violations[0]?.stuckAt)}`,
    );
    insist(
      '19 what clients saw can be judged',
      undecided.length === 0,
      () => `the search was given up for ${undecided.join(', ')}`,
    );
  }

  #result(failure: SimulationResult['failure']): SimulationResult {
    return {
      seed: this.#seed,
      nodes: this.nodes.length,
      failure,
      traceHash: this.trace.hash(),
      events: this.#events,
      simulatedMs: this.agenda.nowMs,
      elections: this.checker.elections.count,
      committed: this.checker.committed.lastIndex,
      crashes: this.#crashes,
      snapshotsInstalled: this.#installs,
      membershipChanges: this.checker.committed.changeCount,
      counts: this.clients.counts,
    };
  }
}

function ruleOf(error: unknown): { readonly rule: string; readonly message: string } {
  if (error instanceof Violation) return { rule: error.rule, message: error.message };
  return { rule: 'nothing throws', message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}
