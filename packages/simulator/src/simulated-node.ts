import type { LogIndex, NodeId } from '@lockstep/contract/ids';
import { emptyMemoryLogImage, MemoryLog, type MemoryLogImage, type MemoryLogWork } from '@lockstep/core/log/memory-log';
import type { Footprint } from '@lockstep/core/member-reports';
import type { FoundingMember } from '@lockstep/core/members/founding';
import type { ConsensusNode } from '@lockstep/core/node-options';
import type { DiskLevel } from '@lockstep/core/peers/node-report';
import type { MembershipOutcome, MembershipRequest, ProposeOutcome, ReadOutcome } from '@lockstep/core/port';
import { emptyMachineDisk, Machine, type MachineDisk } from './machine.ts';
import { ProcessDied } from './process-died.ts';
import { SimulatedDisk } from './simulated-disk.ts';
import { startSimulatedDriver } from './start-driver.ts';
import { Violation } from './violation.ts';
import type { Watch } from './watched-parts.ts';
import type { SimulatedNodeOptions, Wait, World } from './world.ts';

const nobody = { voters: [], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };

interface Running {
  readonly node: ConsensusNode;
  readonly machine: Machine;
  readonly log: MemoryLog;
}

/** One node: the real driver, on a disk, a clock and a process that can be made to fail. */
export class SimulatedNode {
  readonly id: NodeId;
  readonly disk: SimulatedDisk;
  readonly isJoining: boolean;
  readonly incarnation: number;
  readonly #world: World;
  readonly #members: () => readonly FoundingMember[];
  readonly #machineDisk: MachineDisk = emptyMachineDisk();
  #image: MemoryLogImage = emptyMemoryLogImage(nobody);
  #contacts: readonly FoundingMember[] = [];
  /** How full its disk is. */
  freeSpace: DiskLevel = 'ok';
  readonly #footprints = new Map<NodeId, Footprint>();
  #run = 0;
  #running: Running | undefined;
  #isPaused = false;
  #waiting: { readonly for: Wait; readonly run: () => void }[] = [];
  #wallOffsetMs = 0;
  /** A write that begins now is the last one of this run. */
  #isDoomed = false;
  /** So many more effects, and the process dies in that one; 0: it does not. */
  #effectsLeft = 0;
  #isDying = false;
  #isTurning = false;
  #isRetired = false;
  /** It does not fail any more, not even by what was planned before. */
  #isHealed = false;

  constructor(id: NodeId, { world, members, isJoining, incarnation }: SimulatedNodeOptions) {
    this.id = id;
    this.isJoining = isJoining;
    this.incarnation = incarnation;
    this.#world = world;
    this.#members = members;
    this.disk = new SimulatedDisk(world.agenda);
  }

  get address(): string {
    return `node-${this.id}`;
  }

  /** Whom it can hear: those that its membership names, or, as long as that names nobody, those that it was told of at its start. */
  get knows(): readonly NodeId[] {
    const { voters, votersOutgoing, learners } = this.consensus?.status().membership ?? nobody;
    return voters.length > 0 ? [...voters, ...votersOutgoing, ...learners] : this.#contacts.map(({ node }) => node);
  }

  /** It was switched off for good. */
  get isRetired(): boolean {
    return this.#isRetired;
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
    const { agenda, checker, trace } = this.#world;
    if (this.#running !== undefined || this.#isRetired) return;
    this.#run++;
    trace.note(agenda.nowMs, 'start', this.id, this.#run);
    const run = this.#run;
    const log = new MemoryLog(this.#image, {
      schedule: (work, kind) => this.#diskWork(run, work, kind),
      now: () => agenda.nowMs,
      onFatal: () => this.#diskFailed(),
    });
    const machine = this.#newMachine(run);
    this.#contacts = this.#members();
    checker.started(this.id, { image: this.#image, applied: machine.state.index, isJoining: this.isJoining });
    this.#running = { node: this.#startDriver(run, log, machine), machine, log };
    this.#syncState(run);
  }

  /** A process that dies answers nobody. */
  propose(transaction: Uint8Array, done: (outcome: ProposeOutcome) => void): void {
    const run = this.#run;
    this.#running?.node.propose(transaction, (outcome) => {
      if (this.#isAlive(run)) done(outcome);
    });
  }

  proposeControl(data: Uint8Array, done: (outcome: ProposeOutcome) => void): void {
    const run = this.#run;
    this.#running?.node.proposeControl(data, (outcome) => {
      if (this.#isAlive(run)) done(outcome);
    });
  }

  readIndex(done: (outcome: ReadOutcome) => void): void {
    const run = this.#run;
    this.#running?.node.readIndex((outcome) => {
      if (this.#isAlive(run)) done(outcome);
    });
  }

  changeMembership(request: MembershipRequest, done: (outcome: MembershipOutcome) => void): void {
    const run = this.#run;
    this.#running?.node.changeMembership(request, (outcome) => {
      if (this.#isAlive(run)) done(outcome);
    });
  }

  handOver(to: NodeId | undefined): void {
    this.#running?.node.handOver(to, () => undefined);
  }

  /** Switched off, and never on again. */
  retire(): void {
    this.#isRetired = true;
    this.crash();
  }

  /** Somebody wishes that it leads. */
  campaign(): void {
    if (this.#running === undefined) return;
    this.#world.checker.toldToCampaign(this.id);
    this.#running.node.campaign();
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
    this.disk.forget();
    this.#running = undefined;
    this.#isPaused = false;
    this.#isDoomed = false;
    this.#isDying = false;
    this.#effectsLeft = 0;
    this.#waiting = [];
    checker.crashed(this.id, this.#image);
    onCrash(this);
    network.leave(this.id);
  }

  /** Crashes in the middle of the next write. */
  crashInNextWrite(): void {
    this.#isDoomed = true;
  }

  /** Dies right before or after one of its next effects: what it sends, writes, applies, snapshots. */
  crashAtEffect(count: number): void {
    if (this.#running !== undefined && !this.#isHealed) this.#effectsLeft = count;
  }

  /** The next write of its log fails: the process must end. */
  failNextWrite(): void {
    this.#running?.log.failNextWrite(new Error('no space left on device'));
  }

  pause(): void {
    if (this.#running !== undefined) this.#isPaused = true;
  }

  /** What came meanwhile happens at once, timers first, as in a process that was stopped. */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    const [run, waiting] = [this.#run, this.#waiting];
    this.#waiting = [];
    for (const kind of ['turn', 'timer', 'network', 'disk'] as const) {
      // The first of them may end the process, and what the rest was for is gone with it.
      for (const wait of waiting) if (wait.for === kind && !this.#isPaused && this.#isAlive(run)) wait.run();
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
    this.#effectsLeft = 0;
    this.#running?.log.failNextWrite(undefined);
    this.disk.heal();
    this.freeSpace = 'ok';
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

  #startDriver(run: number, log: MemoryLog, machine: Machine): ConsensusNode {
    return startSimulatedDriver({
      node: { id: this.id, members: this.#contacts, isJoining: this.isJoining, incarnation: this.incarnation },
      world: this.#world,
      log,
      machine,
      watch: this.#watch(run),
      wallOffsetMs: () => this.#wallOffsetMs,
      freeSpace: () => this.freeSpace,
      footprints: this.#footprints,
      in: (kind, happen) => this.#in(run, kind, happen),
      turn: (turn) => this.#turn(turn),
      onFatal: (error) => this.#failed(error),
    });
  }

  #watch(run: number): Watch {
    const { checker, sending, trace, agenda } = this.#world;
    return {
      id: this.id,
      checker,
      sending,
      tell: (what) => trace.tell(agenda.nowMs, what),
      effect: (name) => this.#effect(run, name),
      role: () => this.#running?.node.load().raft.role ?? 'follower',
    };
  }

  #newMachine(run: number): Machine {
    const { random, checker, onApply, onInstall } = this.#world;
    const later = (meanMs: number, done: () => void): void =>
      this.disk.work(random.around(meanMs), () => this.#in(run, 'disk', done));
    return new Machine({
      disk: this.#machineDisk,
      name: `${this.id}-${run}`,
      later: (done) => later(2, done),
      muchLater: (done) => later(40, done),
      onApply: (entry, applied, state) => {
        checker.applied(this.id, entry, state);
        onApply(this, entry, applied);
      },
      onInstall: (state, meta) => {
        checker.installed(this.id, state);
        onInstall(this, meta.index);
      },
      onRestored: (entry, state) => checker.applied(this.id, entry, state),
      onReady: () => this.#running?.node.resumeApply(),
    });
  }

  #turn(turn: () => void): void {
    this.#isTurning = true;
    this.#world.turning(this.id, turn);
    this.#isTurning = false;
    if (this.#running === undefined) return;
    this.#world.checker.turned(this.id, this.#running.node.load());
  }

  /** What a dying process would still do it does not. */
  #effect(run: number, name: string): void {
    if (run !== this.#run || this.#isDying) throw new ProcessDied();
    // Outside of a turn the caller stands on the same stack: it is no part of the process.
    if (this.#effectsLeft === 0 || !this.#isTurning) return;
    this.#effectsLeft--;
    if (this.#effectsLeft > 0) return;
    const { trace, agenda } = this.#world;
    trace.note(agenda.nowMs, 'die', this.id, name);
    this.#isDying = true;
    throw new ProcessDied();
  }

  #failed(error: unknown): void {
    if (error instanceof ProcessDied) return this.#died();
    throw error instanceof Violation
      ? error
      : new Violation('no node stops by itself', `node ${this.id}: ${String(error)}`);
  }

  #diskFailed(): void {
    this.#world.checker.poisoned(this.id);
    this.#died();
  }

  /** Somebody starts it again. */
  #died(): void {
    const { agenda, random, swarm } = this.#world;
    this.crash();
    agenda.after(random.around(swarm().downMs), () => this.start());
  }

  #diskWork(run: number, work: () => void, kind: MemoryLogWork): void {
    const { agenda, random, swarm } = this.#world;
    const { syncMs } = swarm();
    const full = syncMs.least + random.around(syncMs.more);
    const ms = kind === 'sync' ? full : full / 10;
    if (this.#isDoomed && kind !== 'read') {
      this.#isDoomed = false;
      agenda.after(random.between(0, ms), () => {
        if (this.#run === run && !this.#isHealed) this.crash();
      });
    }
    this.disk.work(ms, () => this.#in(run, 'disk', work));
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

  #isAlive(run: number): boolean {
    return this.#run === run && this.#running !== undefined && !this.#isDying;
  }

  /** Runs what happens to one run of this node: later while it is paused, never once it has crashed. */
  #in(run: number, kind: Wait, happen: () => void): void {
    if (this.#run !== run || this.#running === undefined) return;
    if (this.#isPaused) this.#waiting.push({ for: kind, run: happen });
    else happen();
  }
}
