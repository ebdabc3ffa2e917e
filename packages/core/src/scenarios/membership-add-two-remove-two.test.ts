import { expect, test } from 'vitest';
import { caughtUp, changing, cluster, joined, membershipOf, promote, remove, write } from '../members/test-members.ts';
import type { TestNode, TestNodes } from '../test-nodes.ts';

/** Every leader that is ever seen, by its term. */
class Leaders {
  readonly #byTerm = new Map<number, number>();

  note(nodes: TestNodes): void {
    for (const { id, node } of nodes.running) {
      const { role, term } = node.status().raft;
      if (role !== 'leader') continue;
      expect(this.#byTerm.get(term) ?? id, `leaders of term ${term}`).toBe(id);
      this.#byTerm.set(term, id);
    }
  }
}

function pass(nodes: TestNodes, leaders: Leaders, claim: () => boolean): void {
  nodes.until(() => {
    leaders.note(nodes);
    return claim();
  }, 1);
}

const raftOf = ({ node }: TestNode): ReturnType<TestNode['node']['status']>['raft'] => node.status().raft;
const isJoint = (node: TestNode): boolean => membershipOf(node).votersOutgoing.length > 0;

/** When the leader crashes, with the last index that it had when it was asked. */
const crashes: readonly (readonly [string, (leader: TestNode, before: number, nodes: TestNodes) => boolean])[] = [
  ['before it appends the change', () => true],
  ['after it has appended the change', (leader, before) => raftOf(leader).lastIndex > before],
  [
    'after the change is committed, before its own disk has it',
    (leader, before, nodes) => {
      nodes.hanging.add(leader.id);
      return raftOf(leader).commit > before;
    },
  ],
  ['after it has applied the change', (leader) => isJoint(leader)],
  [
    'before the joint configuration is left',
    (leader, before) => isJoint(leader) && raftOf(leader).lastIndex > before + 1,
  ],
];

test.each(crashes)('two voters are replaced at once, and the leader crashes %s', (_when, isNow) => {
  const nodes = cluster(3);
  for (const id of [4, 5]) joined(nodes, id);
  const leaders = new Leaders();
  const leader = nodes.leader();
  write(nodes, leader, 'acknowledged');
  for (const id of [4, 5]) caughtUp(nodes, id);
  const others = nodes.running.map(({ id }) => id).filter((id) => id < 4 && id !== leader.id);
  const before = raftOf(leader).lastIndex;
  const steps = [promote(4), promote(5), ...others.map((id) => remove(id))];
  changing(leader, { steps });
  pass(nodes, leaders, () => isNow(leader, before, nodes));
  const disk = nodes.crash(leader.id);
  nodes.hanging.clear();
  // The rest has lost one of five, and the change is either nowhere or finished by whoever leads next.
  const crashedMs = nodes.time.nowMs;
  pass(nodes, leaders, () => nodes.time.nowMs > crashedMs + 3_000);
  nodes.start(
    leader.id,
    [1, 2, 3].map((id) => nodes.get(id).id),
    { incarnation: 100 + leader.id, ...disk },
  );
  const isSettled = (): boolean => {
    const leading = nodes.running.filter(({ node }) => node.status().raft.role === 'leader');
    const memberships = nodes.running
      .filter(({ node }) => node.status().standing === 'member')
      .map((node) => JSON.stringify(membershipOf(node)));
    return leading.length === 1 && !leading.some(isJoint) && new Set(memberships).size === 1;
  };
  pass(nodes, leaders, isSettled);
  const { voters } = membershipOf(nodes.leader());
  expect([
    [1, 2, 3],
    [leader.id, 4, 5],
  ]).toContainEqual(voters);
  write(nodes, nodes.leader(), 'afterwards');
  expect(nodes.leader().machine.texts.map((text) => text.split(':')[1])).toEqual(['acknowledged', 'afterwards']);
});
