import { LogIndex, NodeId } from '@lockstep/contract/ids';
import type { DiskSpace } from './free-space.ts';
import { emptyMemoryLogImage, MemoryLog, type MemoryLogImage } from './log/memory-log.ts';
import { startNode } from './node.ts';
import type { ConsensusNode, NodeOptions } from './node-options.ts';
import { type MemoryEndpoint, MemoryNetwork } from './peers/memory-peers.ts';
import type { DiskLevel, StateCheckpoint } from './peers/node-report.ts';
import type { SnapshotSource } from './peers/snapshot-transfer.ts';
import type { CommittedEntry, EntryEncoder, StateMachine } from './port.ts';
import type { SnapshotMeta } from './raft/types.ts';

/** Time that passes only when a test says so; everything asynchronous of a test cluster happens on it. */
export class VirtualTime {
  nowMs = 0;
  #events: { readonly atMs: number; readonly order: number; readonly run: () => void }[] = [];
  #order = 0;

  after(ms: number, run: () => void): () => void {
    const event = { atMs: this.nowMs + ms, order: this.#order++, run };
    this.#events.push(event);
    return () => {
      this.#events = this.#events.filter((other) => other !== event);
    };
  }

  /** The whole process stands still for `ms`. */
  pause(ms: number): void {
    this.nowMs += ms;
  }

  /** Runs what is due within the next `ms`. */
  pass(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const due = this.#events.filter((event) => event.atMs <= untilMs);
      const next = due.toSorted((a, b) => a.atMs - b.atMs || a.order - b.order)[0];
      if (next === undefined) break;
      this.#events = this.#events.filter((event) => event !== next);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.run();
    }
    this.nowMs = untilMs;
  }
}

/** A state that remembers what was applied, as text `time:transaction,transaction`. */
export class TestMachine implements StateMachine {
  isSealed = false;
  /** It takes no entry until a snapshot was installed. */
  isStateDamaged = false;
  /** What this state has that none should. */
  oddity = '';
  readonly found: { readonly index: number; readonly node: NodeId; readonly isOutvoted: boolean }[] = [];
  readonly #digests = new Map<number, Uint8Array>();
  applied: CommittedEntry[] = [];
  controls: CommittedEntry[] = [];
  installed: SnapshotMeta | undefined;
  /** Called when a snapshot is about to be swapped in, with what swaps it. */
  onInstall: (swap: () => void) => void = (swap) => swap();
  /** Called when a snapshot is asked for, with what makes it. */
  onTake: (take: () => void) => void = (take) => take();
  readonly #received = new Map<string, Uint8Array>();
  readonly #snapshots = new Map<string, { readonly bytes: Uint8Array; readonly entries: readonly CommittedEntry[] }>();
  readonly #node: NodeId;
  #lastIndex = LogIndex(0);

  constructor(node: NodeId) {
    this.#node = node;
  }

  get texts(): readonly string[] {
    return this.applied.filter((entry) => entry.type === 'transactions').map((entry) => textOf(entry.data));
  }

  encoder(): EntryEncoder | undefined {
    if (this.isSealed) return undefined;
    return {
      encode: (_place, timeMs, transactions) => Buffer.from(`${timeMs}:${transactions.map(textOf).join(',')}`),
    };
  }

  lastTimeMs(): number {
    const last = this.applied.findLast((entry) => entry.type === 'transactions');
    return last === undefined ? 0 : Number(textOf(last.data).split(':')[0]);
  }

  apply(entries: readonly CommittedEntry[]): boolean {
    if (this.isSealed || this.isStateDamaged) return false;
    for (const entry of entries) {
      this.applied.push(entry);
      this.#digests.set(entry.index, this.#digest());
    }
    this.#lastIndex = entries.at(-1)?.index ?? this.#lastIndex;
    return true;
  }

  isDamaged(): boolean {
    return this.isStateDamaged;
  }

  checkpoint(): StateCheckpoint | undefined {
    const digest = this.digestAt(this.#lastIndex);
    return this.isStateDamaged || digest === undefined ? undefined : { index: this.#lastIndex, digest };
  }

  digestAt(index: number): Uint8Array | undefined {
    return this.#digests.get(index);
  }

  differs(found: { readonly index: number; readonly node: NodeId; readonly isOutvoted: boolean }): void {
    this.found.push(found);
  }

  #digest(): Uint8Array {
    return Buffer.from(`${this.texts.length} ${this.texts.at(-1) ?? ''}${this.oddity}`).subarray(0, 60);
  }

  control(entry: CommittedEntry): void {
    this.controls.push(entry);
  }

  appliedIndex(): LogIndex {
    return this.#lastIndex;
  }

  takeSnapshot(done: (snapshot: { readonly id: string; readonly index: LogIndex } | undefined) => void): void {
    const id = `${this.#node}-${this.#lastIndex}`;
    const entries = [...this.applied];
    const rows = entries.map(({ index, term, type, data }) => ({ index, term, type, text: textOf(data) }));
    const index = this.#lastIndex;
    this.onTake(() => {
      this.#snapshots.set(id, { bytes: Buffer.from(JSON.stringify(rows)), entries });
      done({ id, index });
    });
  }

  readSnapshot(
    at: { readonly id: string; readonly offset: number; readonly bytesMax: number },
    done: (chunk: { readonly data: Uint8Array; readonly total: number } | undefined) => void,
  ): void {
    const bytes = this.#snapshots.get(at.id)?.bytes;
    // Small chunks, so that a snapshot is more than one.
    const end = at.offset + Math.min(at.bytesMax, 64);
    done(bytes === undefined ? undefined : { data: bytes.subarray(at.offset, end), total: bytes.length });
  }

  receiveSnapshot(
    at: { readonly id: string; readonly offset: number; readonly data: Uint8Array },
    done: (ok: boolean) => void,
  ): void {
    const before = this.#received.get(at.id) ?? new Uint8Array(0);
    if (before.length !== at.offset) return done(false);
    this.#received.set(at.id, Buffer.concat([before, at.data]));
    done(true);
  }

  receivedBytes(id: string): number {
    return this.#received.get(id)?.length ?? 0;
  }

  installSnapshot(meta: SnapshotMeta, done: (ok: boolean) => void): void {
    const text = textOf(this.#received.get(meta.id) ?? new Uint8Array(0));
    const rows = JSON.parse(text) as (CommittedEntry & { text: string })[];
    this.onInstall(() => {
      this.applied = rows.map(({ text: data, ...entry }) => ({ ...entry, data: Buffer.from(data) }));
      this.#lastIndex = meta.index;
      this.installed = meta;
      this.isStateDamaged = false;
      this.oddity = '';
      this.#digests.clear();
      this.#digests.set(meta.index, this.#digest());
      done(true);
    });
  }

  installedSnapshot(): SnapshotMeta | undefined {
    return this.installed;
  }
}

const roomy: DiskSpace = { level: 'ok', freeBytes: 9_000, warnBytes: 2_000, stopBytes: 1_000 };

/** A disk with so much free. */
export function spaceOf(level: DiskLevel): DiskSpace {
  return { ...roomy, level, freeBytes: { ok: 9_000, low: 1_500, full: 900, exhausted: 100 }[level] };
}

/** Longer than anything takes that a test waits for. */
const untilMsMax = 60_000;

/** What a node begins with besides its options: what was on its disk. */
export type TestStart = Partial<Omit<NodeOptions, 'machine'>> & {
  readonly image?: MemoryLogImage;
  readonly machine?: TestMachine;
};

export interface TestNode {
  readonly id: NodeId;
  readonly machine: TestMachine;
  readonly log: MemoryLog;
  readonly node: ConsensusNode;
  readonly events: string[];
  readonly errors: unknown[];
}

/** Nodes 1…n of one cluster on virtual time, with a network and disks that take a millisecond. */
export class TestNodes {
  readonly time: VirtualTime = new VirtualTime();
  readonly network: MemoryNetwork;
  readonly nodes: TestNode[] = [];
  /** Nodes that hear nothing and are not heard. */
  readonly cutOff: Set<NodeId> = new Set();
  /** Who sent each frame. */
  readonly senders: NodeId[] = [];
  /** Nodes whose disk answers nothing any more. */
  readonly hanging: Set<NodeId> = new Set();
  /** How long a node's disk takes for each piece of work, in milliseconds; one where nothing is said. */
  readonly slowness: Map<number, () => number> = new Map();
  /** What is free on a node's disk; enough where nothing is said. */
  readonly spaces: Map<number, DiskSpace> = new Map();
  #drawn = 0;
  /** How far a node's wall clock is ahead. */
  readonly aheadMs: Map<NodeId, number> = new Map();
  readonly crashed: Set<NodeId> = new Set();
  readonly #options: TestStart;

  constructor(count: number, options: TestStart = {}) {
    this.#options = options;
    this.network = new MemoryNetwork((delivery) => {
      this.senders.push(delivery.from);
      this.time.after(1, () => {
        if (!this.cutOff.has(delivery.from) && !this.cutOff.has(delivery.to)) delivery.arrive();
      });
    });
    const ids = Array.from({ length: count }, (_, position) => NodeId(position + 1));
    for (const id of ids) this.start(id, ids);
  }

  start(id: NodeId, members: readonly NodeId[], before: TestStart = {}): TestNode {
    const { time } = this;
    const { image, machine = new TestMachine(id), ...given } = { ...this.#options, ...before };
    const noMembers = { voters: [], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
    const log = new MemoryLog(image ?? emptyMemoryLogImage(noMembers), {
      schedule: (work) => void time.after(this.slowness.get(id)?.() ?? 1, () => this.hanging.has(id) || work()),
      now: () => time.nowMs,
    });
    const events: string[] = [];
    const errors: unknown[] = [];
    let endpoint: MemoryEndpoint | undefined;
    const node = startNode({
      id,
      clock: {
        nowMs: () => time.nowMs,
        wallMs: () => 1_000_000 + time.nowMs + (this.aheadMs.get(id) ?? 0),
        setTimer: (ms, run) => time.after(ms, run),
      },
      // Different timeouts for each node: the first one wins. What must differ from run to run is drawn below more.
      random: (below) => (below > 1_000_000 ? ++this.#drawn : (id * 3) % below),
      diskSpace: () => this.spaces.get(id) ?? roomy,
      onQuarantine: (why) => events.push(`must be kept: ${why}`),
      store: log,
      stored: log.stored(),
      peers: (handlers) => {
        const read: SnapshotSource['read'] = (snapshot, offset, bytesMax, done) =>
          machine.readSnapshot({ id: snapshot, offset, bytesMax }, done);
        endpoint = this.network.join(id, handlers, { read }, given.incarnation);
        return endpoint.peers;
      },
      pullSnapshot: (from, snapshot, offset, handlers) => {
        if (endpoint === undefined) throw new Error('no endpoint');
        return endpoint.pullSnapshot(from, snapshot, offset, handlers);
      },
      machine,
      members: members.map((member) => ({ node: member, address: `${member}:1` })),
      log: (event) => events.push(event),
      onFatal: (error) => errors.push(error),
      schedule: (turn) => void time.after(0, turn),
      ...given,
    });
    this.crashed.delete(id);
    const started = { id, machine, log, node, events, errors };
    this.nodes[id - 1] = started;
    return started;
  }

  /** A node that is to join what is there. */
  join(id: NodeId, given: TestStart = {}): TestNode {
    const contacts = this.nodes.filter((node) => node !== undefined).map((node) => node.id);
    return this.start(id, contacts, { isJoining: true, ...given });
  }

  /** Ends a node at once, as a crash does; what is on its disk is returned. */
  crash(id: number): { readonly image: MemoryLogImage; readonly machine: TestMachine } {
    const { log, machine, node } = this.get(id);
    const image = log.durableImage();
    this.network.leave(NodeId(id));
    // Nobody hears what it does in ending.
    void node.close();
    this.crashed.add(NodeId(id));
    return { image, machine };
  }

  /** Passes time until the claim holds. */
  until(claim: () => boolean, stepMs: number = 10): void {
    for (const endMs = this.time.nowMs + untilMsMax; !claim(); this.time.pass(stepMs)) {
      if (this.time.nowMs >= endMs) throw new Error(`not so within ${untilMsMax} ms`);
    }
  }

  /** The one that leads in the latest term, of those that run. */
  leader(): TestNode {
    let leader: TestNode | undefined;
    this.until(() => {
      const leaders = this.running.filter(({ node }) => node.status().raft.role === 'leader');
      leader = leaders.toSorted((a, b) => b.node.status().raft.term - a.node.status().raft.term)[0];
      return leader !== undefined;
    });
    if (leader === undefined) throw new Error('there is no leader');
    return leader;
  }

  get running(): readonly TestNode[] {
    return this.nodes.filter((node) => node !== undefined && !this.crashed.has(node.id));
  }

  get(id: number): TestNode {
    const node = this.nodes[id - 1];
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }
}

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}
