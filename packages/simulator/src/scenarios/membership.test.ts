import { NodeId } from '@lockstep/contract/ids';
import type { Member, MembershipStep } from '@lockstep/core/raft/types';
import { describe, expect, test } from 'vitest';
import type { SimulatedNode } from '../simulated-node.ts';
import { Stage } from './stage.fixture.ts';

const add = (node: number): MembershipStep => ({ kind: 'add-voter', node: NodeId(node) });
const learn = (node: number): MembershipStep => ({ kind: 'add-learner', node: NodeId(node) });
const remove = (node: number): MembershipStep => ({ kind: 'remove', node: NodeId(node) });

/** Nodes 4 and 5 join the three, and have everything. */
function withLearners(stage: Stage): void {
  stage.leader();
  for (const id of [4, 5]) {
    const node = stage.cluster.newNode();
    stage.changed({ steps: [learn(id)], members: [memberOf(node)] });
    stage.until(() => (node.machine?.state.index ?? 0) >= stage.cluster.checker.committed.lastIndex);
  }
  // The leader records what disks they have, which is a change as well.
  stage.pass(1_000);
}

function memberOf({ id, address, incarnation }: SimulatedNode): Member {
  const texts = { name: `n${id}`, peerAddress: address, apiAddress: '', grpcAddress: '', pin: '' };
  return { node: id, incarnation, ...texts };
}

describe('two voters that come for two that go, at once', () => {
  test('end in one membership by themselves, wherever on the way their leader crashes', () => {
    for (let count = 1; count <= 40; count++) {
      using stage = new Stage(3);
      withLearners(stage);
      const leader = stage.leader();
      const going = [1, 2, 3].filter((id) => id !== leader.id);
      leader.crashAtEffect(count);
      const asked = stage.change(leader, { steps: [add(4), add(5), ...going.map(remove)] });
      stage.until(() => !leader.isUp, 500);
      stage.pass(300);
      expect(asked.answer).toBeUndefined();
      leader.start();
      stage.end();
      const { committed } = stage.cluster.checker;
      expect(committed.votingAt(committed.lastIndex)?.votersOutgoing).toEqual([]);
    }
  });

  test('make no progress while the majority of those who go is dead, and end when it is back', () => {
    using stage = new Stage(3);
    withLearners(stage);
    const leader = stage.leader();
    const going = [1, 2, 3].filter((id) => id !== leader.id);
    stage.change(leader, { steps: [add(4), add(5), ...going.map(remove)] });
    const { committed } = stage.cluster.checker;
    stage.until(() => committed.votingAt(committed.lastIndex)?.votersOutgoing.length === 3);
    for (const id of going) stage.node(id).crash();
    const last = committed.lastIndex;
    const write = stage.write(leader, 'in between');
    stage.pass(5_000);
    expect(committed.lastIndex).toBe(last);
    expect(write.answer?.kind).not.toBe('applied');
    stage.end();
    expect(committed.votingAt(committed.lastIndex)).toMatchObject({ votersOutgoing: [] });
  });
});
