import { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import { isVoter } from '../quorum.ts';
import type { Membership, MembershipChange, Message } from '../types.ts';
import { CaseNode, type Envelope } from './case-node.ts';
import { newObservation, type Observation, roleText, stepKind } from './observation.ts';
import type { Arg, Case } from './parse.ts';

/** What a directive printed that is a state by itself (status, raft-state, raft-log), or undefined when states must be read out of its output. */
export type Printed = readonly string[] | undefined;

/** Runs the directives of one interaction file: etcd's `rafttest` environment, on our core. */
export class Interpreter {
  readonly nodes: CaseNode[] = [];
  #wire: Envelope[] = [];
  isQuiet = false;

  run(directive: Case): Printed {
    for (const node of this.nodes) node.observation = newObservation();
    const printed = this.#dispatch(directive);
    for (const node of this.nodes) node.pump();
    return printed;
  }

  observation(id: number): Observation {
    return this.#node(id).observation;
  }

  #dispatch(directive: Case): Printed {
    const { command, args } = directive;
    const [first, second] = args;
    const ids = args.filter((arg) => arg.values.length === 0).map((arg) => Number(arg.key));
    switch (command) {
      case 'log-level':
        this.isQuiet = first?.key === 'none';
        return undefined;
      case 'add-nodes':
        this.#addNodes(Number(first?.key), args.slice(1));
        return undefined;
      case 'stabilize':
        this.#stabilize(ids.length > 0 ? ids.map((id) => this.#node(id)) : this.nodes);
        return undefined;
      case 'process-ready':
        for (const id of ids) this.#handleReady(this.#node(id));
        return undefined;
      case 'process-append-thread':
        for (const id of ids) this.#append(this.#node(id));
        return undefined;
      case 'process-apply-thread':
        for (const id of ids) this.#apply(this.#node(id));
        return undefined;
      case 'deliver-msgs':
        this.#deliverTo(args);
        return undefined;
      case 'status':
        return statusLines(this.#node(Number(first?.key)));
      case 'raft-state':
        return this.nodes.map(raftStateLine);
      case 'raft-log':
        return this.#node(Number(first?.key)).logLines();
      case 'compact':
        this.#node(Number(first?.key)).compact(LogIndex(Number(second?.key)));
        return undefined;
      default:
        this.#command(directive);
        return undefined;
    }
  }

  /** The commands that go straight to one core. */
  #command({ command, args, input, expected }: Case): void {
    const first = args[0]?.key ?? '';
    const second = args[1]?.key ?? '';
    switch (command) {
      case 'campaign':
        return this.#node(Number(first)).raft.campaign();
      case 'propose':
        return propose(this.#node(Number(first)), new TextEncoder().encode(second), expected);
      case 'propose-conf-change':
        return proposeChange(this.#node(Number(first)), args.slice(1), input);
      case 'tick-heartbeat':
        return tick(this.#node(Number(first)), 1);
      case 'tick-election':
        return tick(this.#node(Number(first)), 3);
      case 'report-unreachable':
        return this.#node(Number(first)).raft.reportUnreachable(NodeId(Number(second)));
      case 'forget-leader':
        return this.#node(Number(first)).raft.forgetLeader();
      case 'transfer-leadership':
        return this.#node(Number(valueOf(args, 'from'))).raft.transferLeader(NodeId(Number(valueOf(args, 'to'))));
      case 'send-snapshot':
        return this.#sendSnapshot(this.#node(Number(first)), Number(second));
      case 'set-randomized-election-timeout':
        this.#node(Number(first)).core.electionTimeout = Number(valueOf(args, 'timeout'));
        return undefined;
      default:
        throw new Error(`unknown command ${command}`);
    }
  }

  #addNodes(count: number, args: readonly Arg[]): void {
    const index = LogIndex(Number(valueOf(args, 'index') ?? 0));
    const membership = membershipIn(args);
    for (let added = 0; added < count; added += 1) {
      this.nodes.push(
        new CaseNode({
          id: this.nodes.length + 1,
          snapshot: { id: '', index, term: Term(index > 0 ? 1 : 0), membership },
          isAsync: valueOf(args, 'async-storage-writes') === 'true',
          preVote: valueOf(args, 'prevote') === 'true',
          checkQuorum: valueOf(args, 'checkquorum') === 'true',
          stepDownOnRemoval: valueOf(args, 'step-down-on-removal') === 'true',
          inflightMax: Number(valueOf(args, 'inflight') ?? 1_000_000),
        }),
      );
    }
  }

  /** Until nothing is left: each node's Ready, each node's messages, each node's storage work. */
  #stabilize(nodes: readonly CaseNode[]): void {
    for (let round = 0; round < 1_000; round += 1) {
      let isBusy = false;
      for (const node of nodes) {
        if (!node.hasReady) continue;
        this.#handleReady(node);
        isBusy = true;
      }
      for (const node of nodes) isBusy = this.#deliver(node.id, () => true) || isBusy;
      for (const node of nodes) isBusy = this.#append(node) || isBusy;
      for (const node of nodes) isBusy = this.#apply(node) || isBusy;
      if (!isBusy) return;
    }
    throw new Error('does not become stable');
  }

  #handleReady(node: CaseNode): void {
    for (const message of node.handleReady()) this.#send(message);
  }

  #send(message: Message): void {
    this.#wire.push({ kind: 'raft', to: message.to, message });
  }

  #append(node: CaseNode): boolean {
    const work = node.appendWork.shift();
    if (work === undefined) return false;
    for (const batch of work.batches) node.write(batch);
    const sequence = work.batches.at(-1)?.sequence;
    if (sequence !== undefined) this.#wire.push({ kind: 'persisted', to: node.id, sequence });
    for (const message of work.replies) this.#send(message);
    return true;
  }

  #apply(node: CaseNode): boolean {
    const work = node.applyWork.shift();
    if (work === undefined) return false;
    for (const entry of work) node.apply(entry);
    this.#wire.push({ kind: 'applied', to: node.id, index: node.snapshot.index });
    return true;
  }

  #deliverTo(args: readonly Arg[]): void {
    const type = valueOf(args, 'type');
    const isWanted = (message: Message): boolean => type === undefined || type === messageNames[message.type];
    for (const { key, values } of args) {
      if (values.length === 0) this.#deliver(Number(key), isWanted);
      if (key !== 'drop') continue;
      for (const id of values) {
        this.#wire = this.#wire.filter(
          (envelope) => envelope.to !== Number(id) || envelope.kind !== 'raft' || !isWanted(envelope.message),
        );
      }
    }
  }

  #deliver(id: number, isWanted: (message: Message) => boolean): boolean {
    const isDue = (envelope: Envelope): boolean =>
      envelope.to === id && (envelope.kind !== 'raft' || isWanted(envelope.message));
    const due = this.#wire.filter(isDue);
    this.#wire = this.#wire.filter((envelope) => !isDue(envelope));
    for (const envelope of due) {
      const node = this.#node(id);
      if (envelope.kind === 'raft') node.raft.step(envelope.message);
      else if (envelope.kind === 'persisted') node.raft.persisted(envelope.sequence);
      else node.raft.appliedTo(envelope.index);
      node.pump();
    }
    return due.length > 0;
  }

  #sendSnapshot(node: CaseNode, to: number): void {
    const { term } = node.raft;
    this.#send({ type: 'snapshot', from: NodeId(node.id), to: NodeId(to), term, meta: node.snapshot });
  }

  #node(id: number): CaseNode {
    const node = this.nodes[id - 1];
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }
}

const messageNames: { readonly [type in Message['type']]: string } = {
  'pre-vote': 'MsgPreVote',
  'pre-vote-reply': 'MsgPreVoteResp',
  vote: 'MsgVote',
  'vote-reply': 'MsgVoteResp',
  append: 'MsgApp',
  'append-reply': 'MsgAppResp',
  heartbeat: 'MsgHeartbeat',
  'heartbeat-reply': 'MsgHeartbeatResp',
  snapshot: 'MsgSnap',
  'timeout-now': 'MsgTimeoutNow',
};

function tick(node: CaseNode, count: number): void {
  for (let ticked = 0; ticked < count; ticked += 1) {
    node.raft.tick();
    node.pump();
  }
}

function propose(node: CaseNode, data: Uint8Array, expected: readonly string[] = []): void {
  const proposed = node.raft.propose([data]);
  const isDropExpected = expected.includes('raft proposal dropped');
  if ((proposed.kind === 'dropped') !== isDropExpected) throw new Error(`proposal ${JSON.stringify(proposed)}`);
}

/** etcd puts an empty entry in the place of a change that it refuses; we refuse it by type, and append nothing. */
function proposeChange(node: CaseNode, args: readonly Arg[], input: readonly string[]): void {
  const proposed = node.raft.proposeMembership({
    transition: transitionIn(valueOf(args, 'transition') ?? 'auto'),
    steps: stepsIn(input),
    context: new Uint8Array(0),
  });
  if (proposed.kind === 'appended') return;
  if (!proposed.reason.startsWith('membership-')) throw new Error(`change dropped: ${proposed.reason}`);
  propose(node, new Uint8Array(0));
}

function transitionIn(name: string): MembershipChange['transition'] {
  if (name === 'auto') return 'auto';
  return name === 'implicit' ? 'joint-implicit' : 'joint-explicit';
}

/** Node 0 stands for "nobody" in etcd's changes, and is skipped there; our codec refuses it. */
export function stepsIn(input: readonly string[]): MembershipChange['steps'] {
  const tokens = input.flatMap((line) => line.split(/\s+/)).filter((token) => token !== '');
  return tokens
    .map((token) => ({ kind: stepKind(token.charAt(0)), node: NodeId(Number(token.slice(1))) }))
    .filter(({ node }) => node !== 0);
}

function membershipIn(args: readonly Arg[]): Membership {
  const nodes = (key: string): NodeId[] =>
    (args.find((arg) => arg.key === key)?.values ?? []).map((id) => NodeId(Number(id)));
  return {
    voters: nodes('voters'),
    votersOutgoing: [],
    learners: nodes('learners'),
    learnersNext: [],
    autoLeave: false,
  };
}

export function valueOf(args: readonly Arg[], key: string): string | undefined {
  return args.find((arg) => arg.key === key)?.values[0];
}

const stateNames = { probe: 'StateProbe', replicate: 'StateReplicate', snapshot: 'StateSnapshot' } as const;

function statusLines(node: CaseNode): readonly string[] {
  return node.raft.status().progress.map((peer) => {
    let line = `${peer.node}: ${stateNames[peer.state]} match=${peer.match} next=${peer.next}`;
    if (peer.isLearner) line += ' learner';
    if (peer.isPaused) line += ' paused';
    if (peer.state === 'snapshot') line += ` pendingSnap=${peer.next - 1}`;
    if (!peer.isRecentlyActive && peer.node !== node.id) line += ' inactive';
    if (peer.inflightCount > 0) line += ` inflight=${peer.inflightCount}`;
    return peer.inflightCount >= node.options.inflightMax ? `${line}[full]` : line;
  });
}

function raftStateLine(node: CaseNode): string {
  const { id, role, term, leader, membership } = node.raft.status();
  const voters = { incoming: membership.voters, outgoing: membership.votersOutgoing };
  return `${id}: ${roleText(role)} (${isVoter(voters, id) ? 'Voter' : 'Non-Voter'}) Term:${term} Lead:${leader}`;
}
