import { NodeId } from '@lockstep/contract/ids';
import type { MembershipOutcome, MembershipRequest } from '@lockstep/core/port';
import type { Member, MembershipStep } from '@lockstep/core/raft/types';
import type { Agenda } from './agenda.ts';
import type { Committed } from './check/committed.ts';
import type { Voting } from './check/membership-model.ts';
import { nodesMax } from './limits.ts';
import type { Random } from './random.ts';
import type { SimulatedNode } from './simulated-node.ts';
import type { Swarm } from './swarm.ts';
import type { Trace } from './trace.ts';
import { insist } from './violation.ts';

export interface OperatorsOptions {
  readonly agenda: Agenda;
  readonly random: Random;
  readonly trace: Trace;
  readonly committed: Committed;
  readonly nodes: () => readonly SimulatedNode[];
  /** Makes a node that is to join, and starts it. */
  readonly newNode: (id: NodeId) => SimulatedNode;
}

/**
 * Those who change the membership, through whichever node: they bring in nodes as learners, promote, demote, remove, replace, and
 * hand leadership over. They hold every answer to what the log says.
 */
export class Operators {
  readonly counts = { changed: 0, refused: 0, unknown: 0 };
  readonly #options: OperatorsOptions;
  /** Nodes that they were told are removed: these may be switched off. */
  readonly #removed = new Set<NodeId>();
  #names = 0;
  #isStopped = false;

  constructor(options: OperatorsOptions) {
    this.#options = options;
  }

  begin(swarm: Swarm): void {
    const { agenda, random } = this.#options;
    const meanMs = swarm.membershipMs;
    if (meanMs === 0) return;
    agenda.after(random.around(meanMs), () => {
      if (this.#isStopped) return;
      this.#change();
      this.begin(swarm);
    });
  }

  stop(): void {
    this.#isStopped = true;
  }

  isToldRemoved(node: NodeId): boolean {
    return this.#removed.has(node);
  }

  /** What the log says of the membership now, as far as anything is known. */
  get #voting(): Voting | undefined {
    const { committed } = this.#options;
    return committed.votingAt(committed.lastIndex);
  }

  #change(): void {
    const { random, trace, agenda } = this.#options;
    const voting = this.#voting;
    const asked = random.pick(this.#options.nodes().filter((node) => node.isUp || node.id === 1));
    if (voting === undefined) return;
    const kind = random.pick([
      'join',
      'join',
      'promote',
      'promote',
      'demote',
      'remove',
      'replace',
      'hand-over',
    ] as const);
    trace.note(agenda.nowMs, kind, asked.id);
    switch (kind) {
      case 'join':
        return this.#join(asked);
      case 'promote':
        return this.#promote(asked, voting);
      case 'demote':
        return this.#ask(asked, { steps: [step('add-learner', random.pick(voting.voters))], members: [] });
      case 'remove':
        return this.#remove(asked, voting);
      case 'replace':
        return this.#replace(asked, voting);
      case 'hand-over':
        asked.handOver(random.chance(0.5) ? random.pick(voting.voters) : undefined);
        return;
      default:
        kind satisfies never;
    }
  }

  /** A node that nobody knows yet, or one that was refused before. */
  #join(asked: SimulatedNode): void {
    const { random, nodes, newNode } = this.#options;
    const waiting = nodes().filter((node) => node.isJoining && !this.#isMember(node.id) && !node.isRetired);
    const isNew = waiting.length === 0 || (random.chance(0.3) && nodes().length < nodesMax);
    if (isNew && nodes().length >= nodesMax) return;
    const node = isNew ? newNode(NodeId(nodes().length + 1)) : random.pick(waiting);
    this.#ask(asked, { steps: [step('add-learner', node.id)], members: [this.#memberOf(node)] });
  }

  #promote(asked: SimulatedNode, { learners }: Voting): void {
    if (learners.length === 0) return;
    this.#ask(asked, { steps: [step('add-voter', this.#options.random.pick(learners))], members: [] });
  }

  #remove(asked: SimulatedNode, { voters, learners }: Voting): void {
    const { random } = this.#options;
    // Operators keep a quorum that bears something, mostly.
    const isVoter = learners.length === 0 || random.chance(0.5);
    if (isVoter && voters.length <= 3 && !random.chance(0.1)) return;
    this.#ask(asked, { steps: [step('remove', random.pick(isVoter ? voters : learners))], members: [] });
  }

  /** One or two at once: both majorities must agree until the old one is left. */
  #replace(asked: SimulatedNode, { voters, learners }: Voting): void {
    const { random } = this.#options;
    const count = Math.min(1 + random.below(2), learners.length, voters.length);
    const from = random.below(voters.length);
    const steps: MembershipStep[] = [];
    for (let at = 0; at < count; at++) {
      const [learner, voter] = [learners[at], voters[(from + at) % voters.length]];
      if (learner === undefined || voter === undefined) continue;
      steps.push(step('add-voter', learner), step(random.chance(0.5) ? 'remove' : 'add-learner', voter));
    }
    if (steps.length > 0) this.#ask(asked, { steps, members: [] });
  }

  #ask(asked: SimulatedNode, request: MembershipRequest): void {
    asked.changeMembership(request, (outcome) => this.#answered(asked, request, outcome));
  }

  #answered(asked: SimulatedNode, request: MembershipRequest, outcome: MembershipOutcome): void {
    const { committed, trace, agenda } = this.#options;
    this.counts[outcome.kind]++;
    trace.note(agenda.nowMs, outcome.kind, asked.id, outcome.kind === 'refused' ? outcome.reason : '');
    if (outcome.kind !== 'changed') return;
    const voting = committed.votingAt(outcome.index);
    insist(
      '16 a change that was told is in force',
      voting !== undefined && request.steps.every((made) => isMade(made, voting)),
      () => `node ${asked.id} said that ${JSON.stringify(request.steps)} is in force at ${outcome.index}`,
    );
    this.#decommission(request.steps);
  }

  /** What was removed is switched off after a while, or goes on until the end. */
  #decommission(steps: readonly MembershipStep[]): void {
    const { nodes, agenda, random } = this.#options;
    for (const { kind, node: id } of steps) {
      const node = nodes().find((candidate) => candidate.id === id);
      if (kind === 'remove') this.#removed.add(id);
      if (kind !== 'remove' || node === undefined || random.chance(0.3)) continue;
      agenda.after(random.around(3_000), () => node.retire());
    }
  }

  #memberOf(node: SimulatedNode): Member {
    const name = `n${node.id}-${this.#names++}`;
    const { address: peerAddress, incarnation } = node;
    return { node: node.id, name, peerAddress, apiAddress: '', grpcAddress: '', pin: '', incarnation };
  }

  #isMember(id: NodeId): boolean {
    const voting = this.#voting;
    return voting !== undefined && [...voting.voters, ...voting.votersOutgoing, ...voting.learners].includes(id);
  }
}

function step(kind: MembershipStep['kind'], node: NodeId): MembershipStep {
  return { kind, node };
}

function isMade({ kind, node }: MembershipStep, { voters, learners, votersOutgoing }: Voting): boolean {
  switch (kind) {
    case 'add-voter':
      return voters.includes(node);
    case 'add-learner':
      return learners.includes(node);
    case 'remove':
      return ![...voters, ...learners, ...votersOutgoing].includes(node);
    case 'update':
      return true;
    default:
      return kind satisfies never;
  }
}
