import { NodeId } from '@lockstep/contract/ids';
import type { MembershipOutcome, MembershipRequest, MembersOutcome, HandOverOutcome } from '../port.ts';
import type { Member, Membership, MembershipStep } from '../raft/types.ts';
import { type TestNode, TestNodes, type TestStart } from '../test-nodes.ts';

/*
 * What tests of memberships say and ask.
 */

export const promote = (node: number): MembershipStep => ({ kind: 'add-voter', node: NodeId(node) });
export const learn = (node: number): MembershipStep => ({ kind: 'add-learner', node: NodeId(node) });
export const remove = (node: number): MembershipStep => ({ kind: 'remove', node: NodeId(node) });
export const update = (node: number): MembershipStep => ({ kind: 'update', node: NodeId(node) });

/** The disk of a node's first life. */
export const diskOf = (node: number): number => 100 + node;

export function member(node: number, changes: Partial<Member> = {}): Member {
  const texts = { name: `n${node}`, peerAddress: `n${node}:1`, apiAddress: '', grpcAddress: '', pin: `pin${node}` };
  return { node: NodeId(node), incarnation: diskOf(node), ...texts, ...changes };
}

/** A cluster of this many nodes, each with a disk of its own, that has a leader and knows all disks. */
export function cluster(count: number, options: TestStart = {}): TestNodes {
  const nodes = new TestNodes(0, options);
  const ids = Array.from({ length: count }, (_, at) => NodeId(at + 1));
  for (const id of ids) nodes.start(id, ids, { incarnation: diskOf(id) });
  nodes.leader();
  nodes.until(() => nodes.nodes.every(({ node }) => node.status().members.every(({ incarnation }) => incarnation > 0)));
  return nodes;
}

/** Starts the node and brings it in as a learner that has everything. */
export function joined(nodes: TestNodes, id: number, given: TestStart = {}): TestNode {
  const newcomer = nodes.join(NodeId(id), { incarnation: diskOf(id), ...given });
  const outcome = change(nodes, nodes.leader(), { steps: [learn(id)], members: [member(id)] });
  if (outcome.kind !== 'changed') throw new Error(JSON.stringify(outcome));
  caughtUp(nodes, id);
  return newcomer;
}

export function caughtUp(nodes: TestNodes, id: number): void {
  nodes.until(() => {
    const { lastIndex } = nodes.leader().node.status().raft;
    const { raft, membership } = nodes.get(id).node.status();
    return membership.voters.length > 0 && raft.lastIndex === lastIndex && raft.commit === lastIndex;
  });
}

export function change(nodes: TestNodes, by: TestNode, request: Partial<MembershipRequest>): MembershipOutcome {
  const asked = changing(by, request);
  nodes.until(() => asked.outcome !== undefined);
  if (asked.outcome === undefined) throw new Error('no outcome');
  return asked.outcome;
}

/** Without waiting for it. */
export function changing(
  by: TestNode,
  request: Partial<MembershipRequest>,
): { readonly outcome: MembershipOutcome | undefined } {
  const asked: { outcome: MembershipOutcome | undefined } = { outcome: undefined };
  by.node.changeMembership({ steps: [], members: [], ...request }, (outcome) => {
    asked.outcome = outcome;
  });
  return asked;
}

export function handOver(nodes: TestNodes, by: TestNode, to?: number): HandOverOutcome {
  let outcome: HandOverOutcome | undefined;
  by.node.handOver(to === undefined ? undefined : NodeId(to), (given) => {
    outcome = given;
  });
  nodes.until(() => outcome !== undefined);
  if (outcome === undefined) throw new Error('no outcome');
  return outcome;
}

export function membersAt(nodes: TestNodes, by: TestNode): MembersOutcome {
  let outcome: MembersOutcome | undefined;
  by.node.members((given) => {
    outcome = given;
  });
  nodes.until(() => outcome !== undefined);
  if (outcome === undefined) throw new Error('no outcome');
  return outcome;
}

export function membershipOf(node: TestNode): Pick<Membership, 'voters' | 'learners' | 'votersOutgoing'> {
  const { voters, learners, votersOutgoing } = node.node.status().membership;
  return { voters, learners, votersOutgoing };
}

/** Writes, and waits until every running member has applied it. */
export function write(nodes: TestNodes, by: TestNode, text: string): void {
  let isAppended = false;
  by.node.propose(Buffer.from(text), (outcome) => {
    isAppended = outcome.kind === 'appended';
  });
  nodes.until(() => isAppended && by.machine.texts.some((applied) => applied.includes(text)));
}
