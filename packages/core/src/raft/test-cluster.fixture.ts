import { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import type { LeaseOptions } from './lease.ts';
import { defaultRaftLimits, type RaftLimits } from './limits.ts';
import { decodeMembershipChange } from './membership-codec.ts';
import { Raft } from './raft.ts';
import { type Core, createCore, type RaftOptions } from './core.ts';
import type { Entry, EntryFetch, HardState, Membership, Message, PersistBatch, Ready, SnapshotMeta } from './types.ts';

/** A network, disks and state machines in memory for tests of the core: no clock, no I/O, one turn at a time. */
export class TestCluster {
  readonly nodes: Map<number, TestNode> = new Map();
  /** On the wire, in order. */
  wire: Message[] = [];
  /** True drops the message. */
  drops: (message: Message) => boolean = () => false;
  /** Every message ever sent. */
  readonly sent: Message[] = [];

  constructor(voters: readonly number[], options: Partial<TestNodeOptions> = {}) {
    for (const id of voters) this.add(id, { membership: membershipOf(voters), ...options });
  }

  add(id: number, options: Partial<TestNodeOptions> & { readonly membership: Membership }): TestNode {
    const node = new TestNode({ id, ...options });
    this.nodes.set(id, node);
    return node;
  }

  node(id: number): TestNode {
    const node = this.nodes.get(id);
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }

  raft(id: number): Raft {
    return this.node(id).raft;
  }

  /** Handles what every node has ready and delivers every message, until nothing is left. `only` keeps the others out of it. */
  settle(only: readonly number[] = [...this.nodes.keys()]): void {
    for (let round = 0; round < 10_000; round += 1) {
      let isBusy = false;
      for (const id of only) isBusy = this.turn(id) || isBusy;
      isBusy = this.deliver(only) || isBusy;
      if (!isBusy) return;
    }
    throw new Error('the cluster does not settle');
  }

  /** Handles what one node has ready; false when it had nothing. */
  turn(id: number): boolean {
    const node = this.node(id);
    if (!node.isUp) return false;
    const messages = node.turn();
    for (const message of messages ?? []) this.send(message);
    return messages !== undefined;
  }

  send(message: Message): void {
    this.sent.push(message);
    if (!this.drops(message)) this.wire.push(message);
  }

  /** Delivers what is on the wire for these nodes now. */
  deliver(only: readonly number[] = [...this.nodes.keys()]): boolean {
    const due = this.wire.filter((message) => only.includes(message.to));
    this.wire = this.wire.filter((message) => !only.includes(message.to));
    for (const message of due) {
      const node = this.nodes.get(message.to);
      if (node?.isUp) node.receive(message, (id) => this.nodes.get(message.from)?.contents.get(id));
    }
    return due.length > 0;
  }

  /** Ticks all (or these) nodes and settles, `count` times. */
  tick(count = 1, only: readonly number[] = [...this.nodes.keys()]): void {
    for (let tick = 0; tick < count; tick += 1) {
      for (const id of only) if (this.node(id).isUp) this.raft(id).tick();
      this.settle(only);
    }
  }

  elect(id: number): void {
    this.raft(id).campaign();
    this.settle();
    if (this.raft(id).role !== 'leader') throw new Error(`node ${id} was not elected`);
  }

  /** Cuts every link between the groups. */
  partition(...groups: readonly (readonly number[])[]): void {
    this.drops = (message) => !groups.some((group) => group.includes(message.from) && group.includes(message.to));
  }

  heal(): void {
    this.drops = () => false;
  }
}

export interface TestNodeOptions {
  readonly id: number;
  readonly membership: Membership;
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  readonly random: (below: number) => number;
  readonly limits: Partial<RaftLimits>;
  readonly isElectable: () => boolean;
  readonly preVote: boolean;
  readonly checkQuorum: boolean;
  readonly stepDownOnRemoval: boolean;
  readonly lease: LeaseOptions;
  /** The log that the node starts with, from index 1. */
  readonly log: readonly Entry[];
  readonly hardState: HardState;
}

/** What a disk holds, and what a restart begins with. */
interface Disk {
  hardState: HardState;
  snapshot: SnapshotMeta;
  entries: Entry[];
}

export class TestNode {
  readonly id: NodeId;
  raft: Raft;
  core: Core;
  isUp = true;
  /** Batches become durable at once, unless this is set: then by `sync`. */
  isDiskSlow = false;
  disk: Disk;
  /** The state machine: what it has applied, in order. */
  applied: Entry[] = [];
  appliedIndex: LogIndex;
  /** In force after each index that changed it; the first is the one that the node began with. */
  memberships: { readonly index: LogIndex; readonly membership: Membership }[];
  /** The contents of snapshots that can be served, by their id. */
  readonly contents: Map<string, readonly Entry[]> = new Map();
  reads: Ready['reads'][number][] = [];
  readsDropped: number[] = [];
  readonly batches: PersistBatch[] = [];
  #writing: { readonly batch: PersistBatch | undefined; readonly messages: readonly Message[] }[] = [];
  #fetches: EntryFetch[] = [];
  readonly #options: Partial<TestNodeOptions>;

  constructor(options: Partial<TestNodeOptions> & { readonly id: number; readonly membership: Membership }) {
    this.id = NodeId(options.id);
    this.#options = options;
    const snapshot = { id: '', index: LogIndex(0), term: Term(0), membership: options.membership };
    const hardState = options.hardState ?? {
      term: options.log?.at(-1)?.term ?? Term(0),
      vote: NodeId(0),
      commit: LogIndex(0),
    };
    this.disk = { hardState, snapshot, entries: [...(options.log ?? [])] };
    this.appliedIndex = LogIndex(0);
    this.memberships = [{ index: LogIndex(0), membership: options.membership }];
    [this.raft, this.core] = this.#start(Number.MAX_SAFE_INTEGER);
  }

  /** Starts again from what is durable. `tail` is how many entries are in memory then. */
  restart(tail: number = Number.MAX_SAFE_INTEGER): void {
    this.isUp = true;
    [this.raft, this.core] = this.#start(tail);
  }

  /** Of what is being written, only the first `written` batches reach the disk. */
  crash(written: number = 0): void {
    this.isUp = false;
    const batches = this.#writing.map(({ batch }) => batch).filter((batch) => batch !== undefined);
    for (const batch of batches.slice(0, written)) this.#write(batch);
    this.#writing = [];
    this.#fetches = [];
  }

  get writesUnderWay(): number {
    return this.#writing.length;
  }

  #start(tail: number): readonly [Raft, Core] {
    const { hardState, snapshot, entries } = this.disk;
    const termRuns = entries
      .filter((entry, at) => entry.term !== entries[at - 1]?.term)
      .map(({ index, term }) => ({ firstIndex: index, term }));
    const seed = { next: this.id * 7919 };
    const lastIndex = entries.at(-1)?.index ?? snapshot.index;
    const membership = this.memberships.at(-1)?.membership ?? snapshot.membership;
    const { limits, ...settings } = this.#options;
    const started: RaftOptions = {
      electionTicks: 10,
      heartbeatTicks: 1,
      random: (below) => {
        seed.next = (seed.next * 1_103_515_245 + 12_345) % 2_147_483_648;
        return Math.floor((seed.next / 2_147_483_648) * below);
      },
      ...settings,
      id: this.id,
      hardState,
      snapshot,
      membership,
      applied: this.appliedIndex,
      stored: { lastIndex, termRuns, tail: tail === 0 ? [] : entries.slice(-tail) },
      limits: { ...defaultRaftLimits, ...limits },
    };
    const core = createCore(started);
    return [new Raft(started, core), core];
  }

  /** Does all that the core has ready. Undefined when it has nothing. */
  turn(): readonly Message[] | undefined {
    if (!this.raft.hasReady()) return undefined;
    const ready = this.raft.ready();
    if (ready.persist !== undefined) this.batches.push(ready.persist);
    if (ready.persist !== undefined || ready.messagesAfterPersist.length > 0) {
      this.#writing.push({ batch: ready.persist, messages: ready.messagesAfterPersist });
    }
    const messages = [...ready.messages];
    if (!this.isDiskSlow) messages.push(...this.sync());
    for (const entry of ready.committed) this.#apply(entry);
    this.reads.push(...ready.reads);
    this.readsDropped.push(...ready.readsDropped);
    this.#fetches.push(...ready.fetches);
    if (!this.isDiskSlow) this.#answerFetches();
    for (const { to, minIndex } of ready.snapshotsWanted) {
      if (this.appliedIndex < minIndex) this.raft.snapshotFailed(to);
      else this.raft.snapshotOffered(to, this.takeSnapshot());
    }
    return messages;
  }

  /** What is being written becomes durable, or only the first `count` of it; returns what may be sent because of it. */
  sync(count: number = this.#writing.length): readonly Message[] {
    const messages: Message[] = [];
    for (const { batch, messages: waiting } of this.#writing.splice(0, count)) {
      if (batch !== undefined) {
        this.#write(batch);
        this.raft.persisted(batch.sequence);
      }
      messages.push(...waiting);
    }
    this.#answerFetches();
    return messages;
  }

  #answerFetches(): void {
    const fetches = this.#fetches;
    this.#fetches = [];
    for (const { id, from, until, bytesMax } of fetches)
      this.raft.entriesFetched(id, this.#read(from, until, bytesMax));
  }

  receive(message: Message, contentsOf: (id: string) => readonly Entry[] | undefined): void {
    if (message.type === 'snapshot') {
      const contents = contentsOf(message.meta.id);
      if (contents === undefined) return;
      this.contents.set(message.meta.id, contents);
    }
    this.raft.step(message);
  }

  takeSnapshot(): SnapshotMeta {
    const index = this.appliedIndex;
    const last = this.applied.at(-1);
    const term = last?.index === index ? last.term : this.disk.snapshot.term;
    const membership = this.memberships.at(-1)?.membership ?? this.disk.snapshot.membership;
    const meta = { id: `${this.id}@${index}`, index, term, membership };
    this.contents.set(meta.id, [...this.applied]);
    return meta;
  }

  /** Forgets the log up to what is applied. */
  compact(): void {
    const meta = this.takeSnapshot();
    this.disk.snapshot = meta;
    this.disk.entries = this.disk.entries.filter((entry) => entry.index > meta.index);
    this.raft.compacted(meta);
  }

  /** The data of applied entries as text, without empty ones. */
  get values(): readonly string[] {
    return this.applied
      .filter((entry) => entry.type === 'transactions' && entry.data.length > 0)
      .map((entry) => textOf(entry));
  }

  #write(batch: PersistBatch): void {
    const { disk } = this;
    if (batch.snapshot !== undefined) {
      disk.snapshot = batch.snapshot;
      disk.entries = [];
      this.applied = [...(this.contents.get(batch.snapshot.id) ?? [])];
      this.appliedIndex = batch.snapshot.index;
      this.memberships.push({ index: batch.snapshot.index, membership: batch.snapshot.membership });
      this.raft.appliedTo(batch.snapshot.index);
    }
    const { truncateFrom } = batch;
    if (truncateFrom !== undefined) disk.entries = disk.entries.filter((entry) => entry.index < truncateFrom);
    for (const entry of batch.entries) {
      const last = disk.entries.at(-1)?.index ?? disk.snapshot.index;
      if (entry.index !== last + 1)
        throw new Error(`batch ${batch.sequence} leaves a gap: ${entry.index} after ${last}`);
      disk.entries.push(entry);
    }
    if (batch.hardState !== undefined) disk.hardState = batch.hardState;
    const lastTerm = disk.entries.at(-1)?.term ?? 0;
    if (lastTerm > disk.hardState.term) throw new Error('an entry is durable before its term is');
  }

  #apply(entry: Entry): void {
    if (entry.index !== this.appliedIndex + 1) throw new Error(`applied ${entry.index} after ${this.appliedIndex}`);
    if (this.disk.entries.every((stored) => stored.index !== entry.index))
      throw new Error(`applied ${entry.index} before it was durable`);
    this.applied.push(entry);
    this.appliedIndex = entry.index;
    if (entry.type === 'membership') {
      const membership = this.raft.applyMembership(decodeMembershipChange(entry.data), entry.index);
      this.memberships.push({ index: entry.index, membership });
    }
    this.raft.appliedTo(entry.index);
  }

  #read(from: LogIndex, until: LogIndex, bytesMax: number): readonly Entry[] | 'compacted' {
    if (from <= this.disk.snapshot.index) return 'compacted';
    const found: Entry[] = [];
    let bytes = 0;
    for (const entry of this.disk.entries) {
      if (entry.index < from || entry.index >= until) continue;
      bytes += entry.data.length;
      if (found.length > 0 && bytes > bytesMax) break;
      found.push(entry);
    }
    return found;
  }
}

export function membershipOf(voters: readonly number[], learners: readonly number[] = []): Membership {
  return {
    voters: voters.map(NodeId),
    votersOutgoing: [],
    learners: learners.map(NodeId),
    learnersNext: [],
    autoLeave: false,
  };
}

/** A log with these terms from index 1 on. */
export function logOf(...terms: readonly number[]): readonly Entry[] {
  return terms.map((term, at) => ({
    index: LogIndex(at + 1),
    term: Term(term),
    type: 'transactions',
    data: dataOf(`${term}/${at + 1}`),
  }));
}

export function dataOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function textOf(entry: Entry): string {
  return new TextDecoder().decode(entry.data);
}
