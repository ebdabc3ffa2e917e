import { NodeId } from '@lockstep/contract/ids';
import { TestCluster } from '@lockstep/core/raft/test-cluster.fixture';
import type { Message } from '@lockstep/core/raft/types';
import { insist } from '../violation.ts';

/** Ten ticks of ten milliseconds; a member that has just ticked counts nine of them. */
const [electionTicks, tickMs, lengthMs] = [10, 10, 90];

/** Three pure cores with leases, of which one has led for a while. Time passes as a scenario says. */
class Leased {
  nowMs = 0;
  readonly cluster: TestCluster;
  readonly leader: number;

  constructor() {
    this.cluster = new TestCluster([1, 2, 3], { electionTicks, lease: { nowMs: () => this.nowMs, lengthMs } });
    this.tick(4 * electionTicks);
    this.leader = this.#leader();
  }

  get others(): readonly number[] {
    return [1, 2, 3].filter((id) => id !== this.leader);
  }

  tick(count: number, only?: readonly number[]): void {
    for (let tick = 0; tick < count; tick++) {
      this.nowMs += tickMs;
      this.cluster.tick(1, only);
    }
  }

  /** Another leads by now and has committed: the first must not take its lease for good. */
  insistNoStaleLease(): void {
    const next = this.#leader();
    insist('a scenario comes to its point', next !== this.leader, () => `node ${this.leader} leads still`);
    this.cluster.raft(next).propose([new TextEncoder().encode('newer')]);
    this.cluster.settle(this.others);
    const leased = this.cluster.raft(this.leader).leaseIndex();
    const committed = this.cluster.raft(next).commit;
    insist(
      '22 no lease while another leads',
      leased === undefined || leased >= committed,
      () => `node ${this.leader} would read at ${leased} by its lease, node ${next} has committed ${committed}`,
    );
  }

  #leader(): number {
    const leaders = [...this.cluster.nodes.values()].filter(({ raft }) => raft.role === 'leader');
    const [latest] = leaders.toSorted((a, b) => b.raft.term - a.raft.term);
    insist('a scenario comes to its point', latest !== undefined, () => 'nobody leads');
    return latest?.id ?? 0;
  }
}

/**
 * What no simulated cluster comes to, since only the core has leases so far: each scenario throws a `Violation` when the core is wrong.
 * They are tests, and they hold the mutants of what they are about.
 */
export const scenarios: { readonly [name: string]: () => void } = {
  'a late hand-over ends the lease': () => {
    const leased = new Leased();
    const { cluster, leader, others } = leased;
    const [to = 0] = others;
    const held: Message[] = [];
    cluster.drops = (message) => message.type === 'timeout-now' && held.push(message) > 0;
    cluster.raft(leader).transferLeader(NodeId(to));
    cluster.settle();
    // It has given up handing over, and is heard by all: a lease of its own would hold now.
    leased.tick(electionTicks + 3);
    cluster.partition([leader], others);
    for (const message of held) cluster.raft(to).step(message);
    cluster.settle(others);
    leased.insistNoStaleLease();
  },

  'a late echo gives no new lease': () => {
    const leased = new Leased();
    const { cluster, leader, others } = leased;
    const held: Message[] = [];
    cluster.drops = (message) => message.type === 'heartbeat-reply' && held.push(message) > 0;
    leased.tick(3);
    cluster.partition([leader], others);
    // The leader's process stands still; the others wait for an election timeout, and go on.
    leased.tick(3 * electionTicks, others);
    for (const message of held) cluster.raft(leader).step(message);
    leased.insistNoStaleLease();
  },
};
