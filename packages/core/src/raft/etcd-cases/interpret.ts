import { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import type { Membership, MembershipChange, Message } from '../types.ts';
import { flagOf, idIn, idsOf, nodesNamed, numberAt, requireKnown, unreadable, valueOf } from './arguments.ts';
import { CaseNode, type Envelope, onWire } from './case-node.ts';
import { newObservation, stepKind } from './observation.ts';
import { type Arg, type Case, parseDirective } from './parse.ts';
import { raftStateLine, statusLines } from './status-lines.ts';

/** From all that there is to say to nothing at all. Configurations are told at `info`. */
const logLevels = ['debug', 'info', 'warn', 'error', 'fatal', 'none'];

/** What one command printed that is a state by itself (status, raft-state, raft-log) or a refusal. */
type Printed = readonly string[];
const nothing: Printed = [];

interface Command {
  readonly command: string;
  readonly args: readonly Arg[];
}

/**
 * Runs the directives of one interaction file: etcd's `rafttest` environment, on our core. A command, an option or a value that it
 * does not know is refused by an `invalid-input`: what a file asks for is never left out.
 */
export class Interpreter {
  readonly nodes: CaseNode[] = [];
  #wire: Envelope[] = [];
  #logLevel = 0;

  /** Nothing is printed, but for refusals. */
  get isQuiet(): boolean {
    return this.#logLevel === logLevels.indexOf('none');
  }

  /** Switches of configuration are printed. */
  get areConfigurationsTold(): boolean {
    return this.#logLevel <= logLevels.indexOf('info');
  }

  /** Runs a directive and the commands that follow it, a line each. What the nodes show meanwhile is in their observations. */
  run(directive: Case): Printed {
    for (const node of this.nodes) node.observation = newObservation();
    const { command, args, input } = directive;
    const printed =
      command === 'propose-conf-change'
        ? this.#proposeChange(args, input)
        : [directive, ...input.map((line) => parseDirective(line))].flatMap((each) => this.#dispatch(each));
    for (const node of this.nodes) node.pump();
    return printed;
  }

  #dispatch(directive: Command): Printed {
    const { command, args } = directive;
    switch (command) {
      case 'log-level':
        requireKnown(args, []);
        this.#logLevel = levelOf(args[0]?.key ?? '');
        return nothing;
      case 'add-nodes':
        this.#addNodes(numberAt(args, 0), args.slice(1));
        return nothing;
      case 'stabilize':
        return this.#stabilizeNamed(args);
      case 'process-ready':
        for (const node of this.#named(args)) this.#handleReady(node);
        return nothing;
      case 'process-append-thread':
        for (const node of this.#named(args)) this.#append(node);
        return nothing;
      case 'process-apply-thread':
        for (const node of this.#named(args)) this.#apply(node);
        return nothing;
      case 'deliver-msgs':
        this.#deliverTo(args);
        return nothing;
      case '_breakpoint':
        return nothing;
      default:
        return this.#state(directive);
    }
  }

  /** The commands that show a state. */
  #state(directive: Command): Printed {
    const { command, args } = directive;
    switch (command) {
      case 'status':
        return statusLines(this.#first(args));
      case 'raft-state':
        return this.nodes.map(raftStateLine);
      case 'raft-log':
        return this.#first(args).logLines();
      case 'compact':
        this.#first(args).compact(LogIndex(numberAt(args, 1)));
        return this.#first(args).logLines();
      default:
        return this.#step(directive);
    }
  }

  /** The commands that go straight to one core. */
  #step({ command, args }: Command): Printed {
    switch (command) {
      case 'campaign':
        this.#first(args).raft.campaign();
        return nothing;
      case 'propose':
        return lines(
          this.#first(args).request({ kind: 'propose', data: new TextEncoder().encode(args[1]?.key ?? '') }),
        );
      case 'tick-heartbeat':
        return tick(this.#first(args), 1);
      case 'tick-election':
        return tick(this.#first(args), electionTicks);
      case 'report-unreachable':
        this.#first(args).raft.reportUnreachable(NodeId(numberAt(args, 1)));
        return nothing;
      case 'forget-leader':
        this.#first(args).forgetLeader();
        return nothing;
      case 'transfer-leadership':
        return this.#transfer(args);
      case 'send-snapshot':
        return this.#sendSnapshot(this.#first(args), numberAt(args, 1));
      case 'set-randomized-election-timeout':
        requireKnown(args, ['timeout']);
        this.#first(args).core.electionTimeout = idIn(valueOf(args, 'timeout') ?? '');
        return nothing;
      default:
        throw unreadable('the command is not known');
    }
  }

  #addNodes(count: number, args: readonly Arg[]): void {
    requireKnown(args, nodeOptions);
    const index = LogIndex(idIn(valueOf(args, 'index') ?? '0'));
    const readOnly = valueOf(args, 'read-only') ?? 'safe';
    if (readOnly !== 'safe' && readOnly !== 'lease-based') throw unreadable(`read-only can't be "${readOnly}"`);
    if (args.length > 0 && index === 1) throw unreadable('index must be more than 1 for nodes that begin with a state');
    const membership = membershipIn(args);
    for (let added = 0; added < count; added += 1) {
      this.nodes.push(
        new CaseNode({
          id: this.nodes.length + 1,
          snapshot: { id: '', index, term: Term(index > 0 ? 1 : 0), membership },
          isAsync: flagOf(args, 'async-storage-writes'),
          preVote: flagOf(args, 'prevote'),
          checkQuorum: flagOf(args, 'checkquorum'),
          stepDownOnRemoval: flagOf(args, 'step-down-on-removal'),
          isChangeUnchecked: flagOf(args, 'disable-conf-change-validation'),
          isLeaseBased: readOnly === 'lease-based',
          inflightMax: idIn(valueOf(args, 'inflight') ?? '2147483647'),
          committedBytesMax: idIn(valueOf(args, 'max-committed-size-per-ready') ?? String(Number.MAX_SAFE_INTEGER)),
        }),
      );
    }
  }

  #stabilizeNamed(args: readonly Arg[]): Printed {
    requireKnown(args, ['log-level']);
    const named = this.#named(args);
    const before = this.#logLevel;
    const level = valueOf(args, 'log-level');
    if (level !== undefined) this.#logLevel = levelOf(level);
    this.#stabilize(named.length > 0 ? named : this.nodes);
    this.#logLevel = before;
    return nothing;
  }

  /** Until nothing is left: each node's Ready, each node's messages, each node's storage work. */
  #stabilize(nodes: readonly CaseNode[]): void {
    for (let round = 0; round < stabilizeRoundsMax; round += 1) {
      let isBusy = false;
      for (const node of nodes) {
        if (!node.hasReady) continue;
        this.#handleReady(node);
        isBusy = true;
      }
      for (const node of nodes) isBusy = this.#deliver(node.id, () => true) || isBusy;
      for (const node of nodes) while (this.#append(node)) isBusy = true;
      for (const node of nodes) while (this.#apply(node)) isBusy = true;
      if (!isBusy) return;
    }
    throw unreadable(`nothing is stable after ${stabilizeRoundsMax} rounds`);
  }

  #handleReady(node: CaseNode): void {
    this.#wire.push(...node.handleReady());
  }

  #append(node: CaseNode): boolean {
    const work = node.appendWork.shift();
    if (work === undefined) return false;
    for (const batch of work.batches) node.write(batch);
    for (const message of work.replies) this.#wire.push(onWire(message));
    const sequence = work.batches.at(-1)?.sequence;
    if (sequence !== undefined) this.#wire.push({ kind: 'persisted', to: node.id, term: work.term, sequence });
    return true;
  }

  #apply(node: CaseNode): boolean {
    const work = node.applyWork.shift();
    if (work === undefined) return false;
    this.#wire.push({ kind: 'applied', to: node.id, ...node.applyAll(work) });
    return true;
  }

  #deliverTo(args: readonly Arg[]): void {
    requireKnown(args, ['type', 'drop']);
    const type = valueOf(args, 'type');
    if (type !== undefined && !messageTypes.has(type)) throw unreadable(`message type "${type}" is not known`);
    const isWanted = (envelope: Envelope): boolean => type === undefined || type === typeOf(envelope);
    for (const arg of args) {
      if (arg.values.length === 0) this.#deliver(idIn(arg.key), isWanted);
      else if (arg.key === 'drop') for (const id of arg.values) this.#drop(idIn(id), isWanted);
    }
  }

  /** A node's own storage is never cut off from it. */
  #drop(id: number, isWanted: (envelope: Envelope) => boolean): void {
    const isOwn = ({ kind }: Envelope): boolean => kind === 'persisted' || kind === 'applied';
    this.#wire = this.#wire.filter((envelope) => envelope.to !== id || isOwn(envelope) || !isWanted(envelope));
  }

  #deliver(id: number, isWanted: (envelope: Envelope) => boolean): boolean {
    const isDue = (envelope: Envelope): boolean => envelope.to === id && isWanted(envelope);
    const due = this.#wire.filter(isDue);
    this.#wire = this.#wire.filter((envelope) => !isDue(envelope));
    for (const envelope of due) arrive(this.#node(id), envelope);
    return due.length > 0;
  }

  #transfer(args: readonly Arg[]): Printed {
    requireKnown(args, ['from', 'to']);
    const transferee = idIn(valueOf(args, 'to') ?? '');
    return lines(this.#node(idIn(valueOf(args, 'from') ?? '')).request({ kind: 'transfer', transferee }));
  }

  #proposeChange(args: readonly Arg[], input: readonly string[]): Printed {
    requireKnown(args, ['v1', 'transition']);
    const transition = valueOf(args, 'transition') ?? 'auto';
    const change = { transition: transitionIn(transition), steps: stepsIn(input), context: new Uint8Array(0) };
    if (flagOf(args, 'v1') && (change.steps.length > 1 || transition !== 'auto'))
      return ['v1 conf change can only have one operation and no transition'];
    if (change.steps.length === 0 && transition !== 'auto')
      throw unreadable(`a change without steps leaves a joint configuration: it has no transition "${transition}"`);
    return lines(this.#first(args).request({ kind: 'change', change }));
  }

  #sendSnapshot(node: CaseNode, to: number): Printed {
    const { term } = node.raft;
    const message: Message = { type: 'snapshot', from: NodeId(node.id), to: NodeId(to), term, meta: node.snapshot };
    this.#wire.push({ kind: 'raft', to, message });
    return nothing;
  }

  #named(args: readonly Arg[]): readonly CaseNode[] {
    return nodesNamed(args).map((id) => this.#node(id));
  }

  #first(args: readonly Arg[]): CaseNode {
    return this.#node(numberAt(args, 0));
  }

  #node(id: number): CaseNode {
    const node = this.nodes[id - 1];
    if (node === undefined) throw unreadable(`there is no node ${id}`);
    return node;
  }
}

/** Of every node of these cases. */
const electionTicks = 3;

/** Each round handles all that there is; a hundred nodes that elect, replicate and apply need fewer than this. */
const stabilizeRoundsMax = 1_000;

const nodeOptions: readonly string[] = [
  'voters',
  'learners',
  'index',
  'content',
  'async-storage-writes',
  'prevote',
  'checkquorum',
  'inflight',
  'max-committed-size-per-ready',
  'disable-conf-change-validation',
  'read-only',
  'step-down-on-removal',
];

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
const messageTypes: ReadonlySet<string> = new Set([
  ...Object.values(messageNames),
  'MsgProp',
  'MsgTransferLeader',
  'MsgStorageAppendResp',
  'MsgStorageApplyResp',
]);

function typeOf(envelope: Envelope): string {
  switch (envelope.kind) {
    case 'raft':
      return messageNames[envelope.message.type];
    case 'request':
      return envelope.request.kind === 'transfer' ? 'MsgTransferLeader' : 'MsgProp';
    case 'persisted':
      return 'MsgStorageAppendResp';
    case 'applied':
      return 'MsgStorageApplyResp';
    default:
      return envelope satisfies never;
  }
}

/** A refusal on the way is printed, and nothing else comes of it. */
function arrive(node: CaseNode, envelope: Envelope): void {
  if (envelope.kind === 'raft') node.raft.step(envelope.message);
  else if (envelope.kind === 'request') node.request(envelope.request);
  else if (envelope.kind === 'persisted') node.persisted(envelope);
  else node.applied(envelope.index, envelope.bytes);
  node.pump();
}

function tick(node: CaseNode, count: number): Printed {
  for (let ticked = 0; ticked < count; ticked += 1) {
    node.raft.tick();
    node.pump();
  }
  return nothing;
}

function lines(printed: string | undefined): Printed {
  return printed === undefined ? nothing : [printed];
}

function levelOf(name: string): number {
  const level = logLevels.indexOf(name.toLowerCase());
  if (level === -1) throw unreadable(`log level "${name}" is not known; there are ${logLevels.join(', ')}`);
  return level;
}

function transitionIn(name: string): MembershipChange['transition'] {
  if (name === 'auto') return 'auto';
  if (name === 'implicit') return 'joint-implicit';
  if (name === 'explicit') return 'joint-explicit';
  throw unreadable(`transition "${name}" is not known`);
}

/** Node 0 stands for "nobody" in etcd's changes, and is skipped there; our codec refuses it. */
export function stepsIn(input: readonly string[]): MembershipChange['steps'] {
  const tokens = input.flatMap((line) => line.split(/\s+/)).filter((token) => token !== '');
  return tokens
    .map((token) => ({ kind: stepKind(token.charAt(0)), node: NodeId(idIn(token.slice(1))) }))
    .filter(({ node }) => node !== 0);
}

function membershipIn(args: readonly Arg[]): Membership {
  const nodes = (key: string): NodeId[] => idsOf(args, key).map((id) => NodeId(id));
  return {
    voters: nodes('voters'),
    votersOutgoing: [],
    learners: nodes('learners'),
    learnersNext: [],
    autoLeave: false,
  };
}
