import type { LogIndex, NodeId } from '@lockstep/contract/ids';
import { MemoryLog, type MemoryLogImage, type MemoryLogWork } from '@lockstep/core/log/memory-log';
import type { LogStore } from '@lockstep/core/log/log-store';
import { startNode } from '@lockstep/core/node';
import type { ConsensusNode } from '@lockstep/core/node-options';
import type { MemoryEndpoint, MemoryNetwork } from '@lockstep/core/peers/memory-peers';
import type { PeerEvents, PeerMessage, Peers } from '@lockstep/core/peers/peers';
import type { CommittedEntry } from '@lockstep/core/port';
import { defaultRaftLimits } from '@lockstep/core/raft/limits';
import type { PersistBatch } from '@lockstep/core/raft/types';
import type { Agenda } from './agenda.ts';
import type { Checker } from './checker.ts';
import { Machine, type MachineDisk } from './machine.ts';
import type { Transaction } from './machine-entry.ts';
import type { Random } from './random.ts';
import type { Swarm } from './swarm.ts';
import type { Trace } from './trace.ts';
import { Violation } from './violation.ts';
import type { FrameKind } from './wires.ts';

/** Where a simulated wall clock starts: a day in 2026. */
const wallStartMs = 1_780_000_000_000;
/** From one turn of a loop to the next. */
const turnMs = 0.02;
/** The slowest disk answers at last. */
const diskMsMax = 3_000;

type Wait = 'turn' | 'timer' | 'network' | 'disk';

export interface World {
  readonly agenda: Agenda;
  readonly random: Random;
  readonly trace: Trace;
  readonly checker: Checker;
  readonly network: MemoryNetwork;
  readonly members: readonly NodeId[];
  readonly swarm: () => Swarm;
  /** Runs a node's turn, and tells the checker of what its core hands out meanwhile. */
  readonly turning: (id: NodeId, turn: () => void) => void;
  /** Says what the frames sent during `send` are. */
  readonly sending: (kind: FrameKind, send: () => void) => void;
  readonly onApply: (node: SimulatedNode, entry: CommittedEntry, transactions: readonly Transaction[]) => void;
  readonly onInstall: (node: SimulatedNode, index: number) => void;
  readonly onCrash: (node: SimulatedNode) => void;
}

/** One node: the real driver, on a disk, a clock and a process that can be made to fail. */
export class SimulatedNode {
  readonly id: NodeId;
  readonly #world: World;
  readonly #machineDisk: MachineDisk;
  #image: MemoryLogImage;
  #run = 0;
  #running: { readonly node: ConsensusNode; readonly machine: Machine; readonly log: MemoryLog } | undefined;
  #isPaused = false;
  #waiting: { readonly for: Wait; readonly run: () => void }[] = [];
  #wallOffsetMs = 0;
  /** How much slower than usual the disk is. */
  diskSlowness = 1;
  /** A write that begins now is the last one of this run. */
  #isDoomed = false;
  /** It does not fail any more, not even by what was planned before. */
  #isHealed = false;

  constructor(id: NodeId, of: { readonly world: World; readonly image: MemoryLogImage; readonly disk: MachineDisk }) {
    this.id = id;
    this.#world = of.world;
    this.#image = of.image;
    this.#machineDisk = of.disk;
  }

  get isUp(): boolean {
    return this.#running !== undefined;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Undefined while it is down. */
  get consensus(): ConsensusNode | undefined {
    return this.#running?.node;
  }

  get machine(): Machine | undefined {
    return this.#running?.machine;
  }

  start(): void {
    const { agenda, random, checker, members, trace } = this.#world;
    if (this.#running !== undefined) return;
    this.#run++;
    const run = this.#run;
    trace.note(agenda.nowMs, 'start', this.id, run);
    const log = new MemoryLog(this.#image, {
      schedule: (work, kind) => this.#diskWork(run, work, kind),
      now: () => agenda.nowMs,
    });
    const machine = this.#newMachine(run);
    checker.started(this.id, this.#image, machine.state.index);
    const { tickMs, heartbeatTicks, electionTicks, compaction, raft } = this.#world.swarm();
    let endpoint: MemoryEndpoint | undefined;
    const node = startNode({
      id: this.id,
      clock: {
        nowMs: () => agenda.nowMs,
        wallMs: () => wallStartMs + agenda.nowMs + this.#wallOffsetMs,
        setTimer: (ms, fire) => agenda.after(ms, () => this.#in(run, 'timer', fire)),
      },
      random: random.below,
      store: this.#watchedStore(log),
      stored: log.stored(),
      peers: (events) => {
        endpoint = this.#join(events, machine);
        return this.#watchedPeers(endpoint.peers);
      },
      pullSnapshot: (...call) => {
        if (endpoint === undefined) throw new Error('invariant broken: a pull before the network');
        return endpoint.pullSnapshot(...call);
      },
      machine,
      members: members.map((member) => ({ node: member, address: `node-${member}` })),
      log: (event) => trace.note(agenda.nowMs, event, this.id),
      onFatal: (error) => {
        throw error instanceof Violation
          ? error
          : new Violation('no node stops by itself', `node ${this.id}: ${String(error)}`);
      },
      timings: { tickMs, heartbeatTicks, electionTicks, snapshotOfferMs: 3_000, readResendMs: 500 },
      compaction: { ...compaction, everyBytes: 1_000_000, tailBytes: 1_000_000 },
      raftLimits: { ...defaultRaftLimits, inflightBytesMax: 8_000, ...raft },
      schedule: (turn) => void agenda.after(turnMs, () => this.#in(run, 'turn', () => this.#turn(turn))),
    });
    this.#running = { node, machine, log };
    this.#syncState(run);
  }

  /** Loses what was not fsynced, or some of it. */
  crash(): void {
    if (this.#running === undefined) return;
    const { agenda, random, checker, network, trace, onCrash } = this.#world;
    const { log, machine } = this.#running;
    this.#image = log.durableImage(random.below(log.unsyncedCount() + 1));
    trace.note(agenda.nowMs, 'crash', this.id, this.#image.entries.length);
    machine.crash(random);
    void log.close();
    this.#running = undefined;
    this.#isPaused = false;
    this.#isDoomed = false;
    this.#waiting = [];
    checker.crashed(this.id, this.#image);
    onCrash(this);
    network.leave(this.id);
  }

  /** Crashes in the middle of the next write. */
  crashInNextWrite(): void {
    this.#isDoomed = true;
  }

  pause(): void {
    if (this.#running !== undefined) this.#isPaused = true;
  }

  /** What came meanwhile happens at once, timers first, as in a process that was stopped. */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const kind of ['turn', 'timer', 'network', 'disk'] as const) {
      for (const wait of waiting) if (wait.for === kind && !this.#isPaused) wait.run();
    }
  }

  seal(): void {
    if (this.#running !== undefined) this.#running.machine.isSealed = true;
  }

  unseal(): void {
    if (this.#running === undefined || !this.#running.machine.isSealed) return;
    this.#running.machine.isSealed = false;
    this.#running.node.resumeApply();
  }

  /** Everything about this node works again. */
  heal(): void {
    this.#isHealed = true;
    this.#isDoomed = false;
    this.diskSlowness = 1;
    this.resume();
    this.unseal();
    this.start();
  }

  jumpClock(ms: number): void {
    this.#wallOffsetMs += ms;
  }

  /** Hands a frame that arrives here to this run of the node. */
  arrive(arrive: () => void): void {
    this.#in(this.#run, 'network', arrive);
  }

  #newMachine(run: number): Machine {
    const { agenda, random, checker, onApply, onInstall } = this.#world;
    const later = (meanMs: number, done: () => void): void =>
      void agenda.after(Math.min(random.around(meanMs * this.diskSlowness), diskMsMax), () =>
        this.#in(run, 'disk', done),
      );
    return new Machine({
      disk: this.#machineDisk,
      name: `${this.id}-${run}`,
      later: (done) => later(2, done),
      muchLater: (done) => later(40, done),
      onApply: (entry, transactions) => {
        checker.applied(this.id, entry);
        onApply(this, entry, transactions);
      },
      onInstall: (state, meta) => {
        checker.installed(this.id, state);
        onInstall(this, meta.index);
      },
    });
  }

  #turn(turn: () => void): void {
    this.#world.turning(this.id, turn);
    if (this.#running === undefined) return;
    this.#world.checker.turned(this.id, this.#running.node.status().raft);
  }

  #join(events: PeerEvents, machine: Machine): MemoryEndpoint {
    return this.#world.network.join(this.id, events, {
      read: (id, offset, bytesMax, done) => machine.readSnapshot({ id, offset, bytesMax }, done),
    });
  }

  /** Raft's own messages travel in frames of their own: they may be repeated and reordered. */
  #watchedPeers(peers: Peers): Peers {
    const { checker, sending } = this.#world;
    const isRaft = (message: PeerMessage): boolean => message.kind === 'raft';
    return {
      ...peers,
      send: (to, messages) => {
        for (const message of messages) if (message.kind === 'raft') checker.sent(this.id, message.message);
        const raft = messages.filter(isRaft);
        const driver = messages.filter((message) => !isRaft(message));
        if (raft.length > 0) sending('raft', () => peers.send(to, raft));
        if (driver.length > 0) sending('driver', () => peers.send(to, driver));
      },
    };
  }

  #watchedStore(log: MemoryLog): LogStore {
    const { checker } = this.#world;
    return {
      write: (batches: readonly PersistBatch[], done) => {
        checker.writing(this.id, batches);
        log.write(batches, () => {
          checker.written(this.id, batches);
          done();
        });
      },
      read: (range, done) => log.read(range, done),
      compact: (snapshot, done) =>
        log.compact(snapshot, () => {
          checker.compacted(this.id, snapshot.index);
          done();
        }),
      saveMembership: (membership, index, done) => log.saveMembership(membership, index, done),
      stats: () => log.stats(),
      close: () => log.close(),
    };
  }

  #diskWork(run: number, work: () => void, kind: MemoryLogWork): void {
    const { agenda, random, swarm } = this.#world;
    const { syncMs } = swarm();
    const full = syncMs.least + random.around(syncMs.more);
    const ms = Math.min((kind === 'sync' ? full : full / 10) * this.diskSlowness, diskMsMax);
    if (this.#isDoomed && kind !== 'read') {
      this.#isDoomed = false;
      agenda.after(random.between(0, ms), () => {
        if (this.#run === run && !this.#isHealed) this.crash();
      });
    }
    agenda.after(ms, () => this.#in(run, 'disk', work));
  }

  #syncState(run: number): void {
    const { agenda, random } = this.#world;
    agenda.after(random.between(50, 400), () => {
      if (this.#run !== run || this.#running === undefined) return;
      const { machine, node } = this.#running;
      machine.sync((index: LogIndex) => node.stateSynced(index));
      this.#syncState(run);
    });
  }

  /** Runs what happens to one run of this node: later while it is paused, never once it has crashed. */
  #in(run: number, kind: Wait, happen: () => void): void {
    if (this.#run !== run || this.#running === undefined) return;
    if (this.#isPaused) this.#waiting.push({ for: kind, run: happen });
    else happen();
  }
}
