import { LogIndex, NodeId } from '@lockstep/contract/ids';
import { describe, expect, test } from 'vitest';
import { quorumIndex } from './quorum.ts';
import { dataOf, membershipOf, TestCluster, type TestNode, textOf } from './test-cluster.fixture.ts';
import type { Entry, Membership, MembershipChange, MembershipStep, Message } from './types.ts';

const seeds = 80;
const stepsPerSeed = 500;
const leaseSeeds = 40;
/** Leases need leaders that last a while. */
const stepsPerLeaseSeed = 1500;
const electionTicks = 10;
/** A step is a millisecond; no node's clock ticks faster than this. */
const tickMs = 8;
/** A node that has just ticked when a leader is heard counts `electionTicks` ticks no sooner than this. */
const shortestTimeoutMs = tickMs * (electionTicks - 1);

describe('whatever the network, the disks and the operators do', () => {
  for (let seed = 1; seed <= seeds; seed += 1) {
    test(`safety and recovery hold (seed ${seed})`, () => {
      const world = new World(seed);
      for (let step = 0; step < stepsPerSeed; step += 1) {
        world.step();
        world.check();
      }
      world.recover();
    });
  }
});

describe('with leases as well', () => {
  for (let seed = 1; seed <= leaseSeeds; seed += 1) {
    test(`no leader that holds a lease lacks what another has committed (seed ${seed})`, () => {
      const { leasesHeld } = runWithLeases(seed, shortestTimeoutMs);
      expect(leasesHeld).toBeGreaterThan(0);
    });
  }

  test('and this would be seen: a lease that outlasts the others’ promises serves stale reads', () => {
    const isSeen = (seed: number): boolean => {
      try {
        runWithLeases(seed, 8 * shortestTimeoutMs);
        return false;
      } catch (error) {
        return String(error).includes('stale lease');
      }
    };
    // One seed in twenty shows it.
    expect(Array.from({ length: 120 }, (_, at) => leaseSeeds + at).some(isSeen)).toBe(true);
  });
});

function runWithLeases(seed: number, leaseMs: number): World {
  const world = new World(seed, leaseMs);
  for (let step = 0; step < stepsPerLeaseSeed; step += 1) {
    world.step();
    world.check();
  }
  return world;
}

const pool = [1, 2, 3, 4, 5];

/** A cluster to which everything bad happens, and what must hold all the same. */
class World {
  readonly cluster: TestCluster;
  readonly random: (below: number) => number;
  /** index → what was first committed there. */
  readonly committed = new Map<number, string>();
  /** term/index → what was first written there. */
  readonly written = new Map<string, string>();
  readonly leaders = new Map<number, number>();
  readonly votes = new Map<string, number>();
  readonly highest = new Map<number, { term: number; commit: number }>();
  readonly reads = new Map<number, number>();
  readonly batchesSeen = new Map<TestNode, number>();
  readonly tickedMs = new Map<TestNode, number>();
  nowMs = 0;
  leasesHeld = 0;
  readonly eventsInTen: number;
  readonly healsIn: number;
  committedTo = 0;
  proposals = 0;
  readId = 0;

  constructor(seed: number, leaseMs?: number) {
    this.random = randomFrom(seed);
    this.eventsInTen = leaseMs === undefined ? 8 : 1;
    this.healsIn = leaseMs === undefined ? 30 : 500;
    const limits = {
      appendBytesMax: 40 + this.random(300),
      inflightMessagesMax: 1 + this.random(4),
      tailBytesMax: this.random(400),
      committedBytesPerReadyMax: 40 + this.random(300),
    };
    const lease = leaseMs === undefined ? {} : { lease: { nowMs: () => this.nowMs, lengthMs: leaseMs } };
    const options = { electionTicks, heartbeatTicks: 2, random: this.random, limits, ...lease };
    this.cluster = new TestCluster([1, 2, 3], options);
    for (const id of pool.slice(3)) this.cluster.add(id, { ...options, membership: membershipOf([]) });
  }

  /** Every node does some of its work, some of the wire arrives, and perhaps something happens. */
  step(): void {
    const { cluster, random } = this;
    this.nowMs += 1;
    for (const node of cluster.nodes.values()) {
      if (random(10) < 6) this.#turn(node);
      if (random(10) < 6) this.#sync(node);
      if (random(10) < 3 && node.isUp && this.#isTickDue(node)) this.#tick(node);
      if (!node.isUp && random(20) === 0) node.restart(random(6));
    }
    if (random(this.healsIn) === 0) cluster.heal();
    for (let count = random(cluster.wire.length * 2); count > 0; count -= 1) this.#deliverOne();
    const anyone = cluster.node(pool[random(pool.length)] ?? 1);
    if (random(10) < this.eventsInTen) this.#happen(random(3) === 0 ? anyone : (this.#anyLeader() ?? anyone));
  }

  #isTickDue(node: TestNode): boolean {
    return node.core.lease === undefined || (this.tickedMs.get(node) ?? 0) + tickMs <= this.nowMs;
  }

  #tick(node: TestNode): void {
    this.tickedMs.set(node, this.nowMs);
    node.raft.tick();
  }

  #happen(node: TestNode): void {
    const event = this.random(100);
    if (event < 40) this.#propose(node);
    else if (event < 55) this.#read(node);
    else if (event < 65) this.#changeMembership(node);
    else if (event < 83) this.#disturb(node);
    else if (event < 89) this.#crash(node);
    else this.#partition(node);
  }

  /** One of those who think that they lead. */
  #anyLeader(): TestNode | undefined {
    const leaders = [...this.cluster.nodes.values()].filter((node) => node.isUp && node.raft.role === 'leader');
    return leaders[this.random(leaders.length)];
  }

  #turn(node: TestNode): void {
    if (!node.isUp) return;
    node.isDiskSlow = true;
    this.cluster.turn(node.id);
    this.#checkDurable(node);
  }

  #sync(node: TestNode): void {
    if (!node.isUp) return;
    for (const message of node.sync(this.random(node.writesUnderWay + 1))) this.cluster.send(message);
    this.#checkDurable(node);
  }

  #deliverOne(): void {
    const { cluster, random } = this;
    if (cluster.wire.length === 0) return;
    // Mostly in order, sometimes not; sometimes twice, sometimes never.
    const at = random(3) === 0 ? random(cluster.wire.length) : 0;
    const message = cluster.wire[at];
    const fate = random(20);
    if (fate !== 0) cluster.wire.splice(at, 1);
    if (message !== undefined && fate !== 1) this.#receive(message);
  }

  #receive(message: Message): void {
    const node = this.cluster.node(message.to);
    if (!node.isUp) return;
    node.receive(message, (id) => this.cluster.node(message.from).contents.get(id));
    this.#checkDurable(node);
  }

  #propose(node: TestNode): void {
    if (!node.isUp) return;
    const count = 1 + this.random(3);
    node.raft.propose(Array.from({ length: count }, () => dataOf(`${(this.proposals += 1)}`.padEnd(this.random(60)))));
  }

  #read(node: TestNode): void {
    if (!node.isUp) return;
    this.readId += 1;
    this.reads.set(this.readId, this.committedTo);
    node.raft.readIndex(this.readId);
  }

  #crash(node: TestNode): void {
    if (!node.isUp) return;
    node.crash(this.random(node.writesUnderWay + 1));
    this.highest.delete(node.id);
  }

  /** Cuts `node` off, or the cluster in two. */
  #partition(node: TestNode): void {
    const side = this.random(2) === 0 ? [Number(node.id)] : pool.filter(() => this.random(2) === 0);
    this.cluster.partition(
      side,
      pool.filter((id) => !side.includes(id)),
    );
  }

  #changeMembership(node: TestNode): void {
    if (!node.isUp) return;
    const kinds = ['add-voter', 'add-learner', 'remove', 'update'] as const;
    const steps = Array.from({ length: this.random(4) }, (): MembershipStep => {
      return {
        kind: kinds[this.random(10) < 5 ? 0 : this.random(4)] ?? 'update',
        node: NodeId(pool[this.random(5)] ?? 1),
      };
    });
    const transitions: readonly MembershipChange['transition'][] = ['auto', 'joint-implicit', 'joint-explicit'];
    const transition = transitions[this.random(3)] ?? 'auto';
    node.raft.proposeMembership({ transition, steps, context: new Uint8Array(0) });
  }

  #disturb(node: TestNode): void {
    if (!node.isUp) return;
    const other = NodeId(pool[this.random(5)] ?? 1);
    const disturbance = this.random(6);
    if (disturbance === 0) node.raft.transferLeader(other);
    else if (disturbance === 1) node.raft.forgetLeader();
    else if (disturbance === 2) node.raft.reportUnreachable(other);
    else if (disturbance === 3) node.raft.snapshotFailed(other);
    else if (disturbance === 4) node.raft.campaign();
    else if (node.appliedIndex > node.disk.snapshot.index) node.compact();
  }

  check(): void {
    for (const node of this.cluster.nodes.values()) {
      this.#checkBatches(node);
      if (!node.isUp) continue;
      this.#checkMonotone(node);
      this.#checkApplied(node);
      if (node.raft.role === 'leader') this.#checkLeader(node);
      this.#checkReads(node);
    }
    for (const node of this.cluster.nodes.values()) if (node.isUp) this.#checkLease(node);
    this.#checkVotes();
  }

  /** Same term and index: same entry, on every node, for ever. */
  #checkBatches(node: TestNode): void {
    for (const batch of node.batches.slice(this.batchesSeen.get(node) ?? 0)) {
      for (const entry of batch.entries) expectSame(this.written, `${entry.term}/${entry.index}`, contentOf(entry));
    }
    this.batchesSeen.set(node, node.batches.length);
  }

  #checkMonotone(node: TestNode): void {
    const { term, commit, applied, stable, lastIndex, firstIndex } = node.raft.status();
    const before = this.highest.get(node.id);
    if (before !== undefined) expect(term >= before.term && commit >= before.commit).toBe(true);
    this.highest.set(node.id, { term, commit });
    if (!(applied <= commit && commit <= lastIndex && firstIndex - 1 <= commit && applied <= stable)) {
      throw new Error(
        `node ${node.id}: positions out of order: ${JSON.stringify({ firstIndex, applied, stable, commit, lastIndex })}`,
      );
    }
  }

  #checkApplied(node: TestNode): void {
    const last = node.applied.at(-1);
    if (last !== undefined) expectSame(this.committed, last.index, contentOf(last));
  }

  #checkLeader(node: TestNode): void {
    const { core, raft } = node;
    const known = this.leaders.get(raft.term);
    if (known === undefined) {
      this.leaders.set(raft.term, node.id);
      this.#checkComplete(node);
    } else if (known !== node.id) {
      throw new Error(`nodes ${known} and ${node.id} both led term ${raft.term}`);
    }
    this.committedTo = Math.max(this.committedTo, raft.commit);
    for (const peer of core.progress.values()) {
      if (!(peer.match < peer.next && peer.match <= raft.lastIndex))
        throw new Error(`progress of ${peer.node} is impossible`);
      if (peer.state !== 'replicate' && peer.inflights.count > 0)
        throw new Error(`${peer.node} has messages in flight`);
    }
  }

  /** A new leader has every entry that was ever committed. */
  #checkComplete({ core, id }: TestNode): void {
    for (let index = core.log.firstIndex; index <= this.committedTo; index = LogIndex(index + 1)) {
      const content = this.committed.get(index);
      const term = core.log.termAt(index);
      if (term === undefined || (content !== undefined && !content.startsWith(`${term} `))) {
        throw new Error(`node ${id} leads without the committed entry ${index} (${content})`);
      }
    }
  }

  /** What a leader commits is on the disks of a quorum of the membership that it counts over: to be asked before that changes. */
  #checkDurable({ core }: TestNode): void {
    const { commit } = core.log;
    if (core.role !== 'leader' || commit <= this.committedTo) return;
    this.committedTo = commit;
    const term = core.log.termAt(commit);
    const durable = quorumIndex(core.voters, (id) => {
      const { snapshot, entries } = this.cluster.node(id).disk;
      const isThere =
        snapshot.index >= commit || entries.some((entry) => entry.index === commit && entry.term === term);
      return LogIndex(isThere ? commit : 0);
    });
    if (durable < commit) throw new Error(`${commit} was committed, but is not durable on a quorum`);
  }

  #checkReads(node: TestNode): void {
    for (const { id, index } of node.reads.splice(0)) {
      if (index < (this.reads.get(id) ?? 0)) throw new Error(`read ${id} was confirmed at ${index}: stale`);
    }
    node.readsDropped.length = 0;
  }

  #checkLease({ raft, id }: TestNode): void {
    const index = raft.leaseIndex();
    if (index === undefined) return;
    this.leasesHeld += 1;
    if (index < this.committedTo)
      throw new Error(`stale lease: node ${id} at ${index}, committed to ${this.committedTo}`);
  }

  /** One vote for each node and term, over all restarts. */
  #checkVotes(): void {
    for (const message of this.cluster.sent.splice(0)) {
      if (message.type === 'vote-reply' && !message.rejected) {
        const key = `${message.from} in ${message.term}`;
        const known = this.votes.get(key) ?? message.to;
        if (known !== message.to) throw new Error(`${key} voted for both ${known} and ${message.to}`);
        this.votes.set(key, known);
      }
    }
  }

  /** When the world is well again, so is the cluster. */
  recover(): void {
    const { cluster } = this;
    cluster.heal();
    for (const node of cluster.nodes.values()) {
      if (!node.isUp) node.restart();
      node.isDiskSlow = false;
    }
    for (let tick = 0; tick < 200; tick += 1) {
      for (const node of cluster.nodes.values()) for (const message of node.sync()) cluster.send(message);
      cluster.tick();
      this.check();
      // The host gives up on a snapshot that is not answered.
      if (tick % 10 === 9)
        for (const node of cluster.nodes.values()) for (const id of pool) node.raft.snapshotFailed(NodeId(id));
      const leader = [...cluster.nodes.values()].find((node) => node.raft.role === 'leader');
      if (tick > 100 && leader !== undefined && leader.raft.propose([dataOf(`last ${tick}`)]).kind === 'appended') {
        cluster.settle();
        if (this.#isConverged(leader)) return;
      }
    }
    throw new Error(
      `does not recover: ${JSON.stringify([...cluster.nodes.values()].map(({ raft }) => raft.status()))}`,
    );
  }

  #isConverged(leader: TestNode): boolean {
    const { membership } = leader.raft.status();
    if (membership.autoLeave) return false;
    return everyMember(membership).every((id) => {
      const node = this.cluster.node(id);
      const isSame = node.applied.length === leader.applied.length && node.appliedIndex === leader.raft.lastIndex;
      return isSame && JSON.stringify(node.raft.status().membership) === JSON.stringify(membership);
    });
  }
}

function everyMember(membership: Membership): readonly NodeId[] {
  return [...new Set([...membership.voters, ...membership.votersOutgoing, ...membership.learners])];
}

function contentOf(entry: Entry): string {
  return `${entry.term} ${entry.type} ${entry.type === 'membership' ? entry.data.join() : textOf(entry)}`;
}

function expectSame<Key>(known: Map<Key, string>, key: Key, content: string): void {
  const first = known.get(key);
  if (first === undefined) known.set(key, content);
  else if (first !== content) throw new Error(`${String(key)} held "${first}" and now holds "${content}"`);
}

/** Deterministic: mulberry32. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * below);
  };
}
