import { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import { type Core, createCore } from '../core.ts';
import { defaultRaftLimits } from '../limits.ts';
import { decodeMembershipChange, encodeMembershipChange } from '../membership-codec.ts';
import { Raft } from '../raft.ts';
import { appendOwn, whyNoProposal } from '../replication.ts';
import type {
  Entry,
  HardState,
  Membership,
  MembershipChange,
  Message,
  PersistBatch,
  Proposed,
  SnapshotMeta,
} from '../types.ts';
import { unreadable } from './arguments.ts';
import * as text from './observation.ts';

export interface CaseNodeOptions {
  readonly id: number;
  /** The snapshot that the node begins with; index 0 for an empty node. */
  readonly snapshot: SnapshotMeta;
  readonly isAsync: boolean;
  readonly preVote: boolean;
  readonly checkQuorum: boolean;
  readonly stepDownOnRemoval: boolean;
  readonly inflightMax: number;
  /** Entries that one Ready hands out, in bytes of etcd's encoding; at least one. */
  readonly committedBytesMax: number;
  /** A leader appends changes that it would refuse: those that can't be made are nothing when they are applied. */
  readonly isChangeUnchecked: boolean;
  /** etcd's reads by lease. No command reads; a follower does not forget its leader then. */
  readonly isLeaseBased: boolean;
}

/** What a follower passes on to its leader. Our core leaves that to its host. */
export type Request =
  | { readonly kind: 'propose'; readonly data: Uint8Array }
  | { readonly kind: 'change'; readonly change: MembershipChange }
  | { readonly kind: 'transfer'; readonly transferee: number };

/** On the wire, or, for a node with asynchronous storage, on its way back from its storage. */
export type Envelope =
  | { readonly kind: 'raft'; readonly to: number; readonly message: Message }
  | { readonly kind: 'request'; readonly to: number; readonly request: Request }
  | { readonly kind: 'persisted'; readonly to: number; readonly term: number; readonly sequence: number }
  | { readonly kind: 'applied'; readonly to: number; readonly index: LogIndex; readonly bytes: number };

/** What etcd answers where it takes nothing. */
export const droppedText = 'raft proposal dropped';

interface AppendWork {
  readonly batches: readonly PersistBatch[];
  readonly replies: readonly Message[];
  /** The term in which it was asked for. */
  readonly term: number;
}

/** What the core gave out since the last Ready was handled: etcd's Ready is what these are together. */
interface Pending {
  readonly batches: PersistBatch[];
  readonly replies: Message[];
  readonly messages: Envelope[];
}

function nothingPending(): Pending {
  return { batches: [], replies: [], messages: [] };
}

/** etcd's test node: a core with storage and a state machine in memory, driven one Ready at a time. */
export class CaseNode {
  readonly raft: Raft;
  readonly core: Core;
  readonly options: CaseNodeOptions;
  observation: text.Observation = text.newObservation();
  stored: Entry[] = [];
  readonly appendWork: AppendWork[] = [];
  readonly applyWork: (readonly Entry[])[] = [];
  /** Of the state machine: always as new as what is applied. */
  snapshot: SnapshotMeta;
  #firstStored: LogIndex;
  #pending: Pending = nothingPending();
  #committed: Entry[] = [];
  /** Handed out and not yet applied, in bytes of etcd's encoding. */
  #applyingBytes = 0;
  /** Not everything could be handed out at once: no more is before some of it was applied. */
  #isApplyPaused = false;
  #soft: string;
  #hardState: string;

  constructor(options: CaseNodeOptions) {
    const { snapshot } = options;
    const hardState: HardState = { term: Term(0), vote: NodeId(0), commit: snapshot.index };
    const settings = {
      id: NodeId(options.id),
      electionTicks: 3,
      heartbeatTicks: 1,
      random: () => 0,
      hardState,
      snapshot,
      membership: snapshot.membership,
      applied: snapshot.index,
      stored: { lastIndex: snapshot.index, termRuns: [], tail: [] },
      limits: { ...defaultRaftLimits, inflightMessagesMax: options.inflightMax },
      preVote: options.preVote,
      checkQuorum: options.checkQuorum,
      stepDownOnRemoval: options.stepDownOnRemoval,
    };
    this.options = options;
    this.core = createCore(settings);
    this.raft = new Raft(settings, this.core);
    this.snapshot = snapshot;
    this.#firstStored = LogIndex(snapshot.index + 1);
    this.#soft = this.#softText();
    this.#hardState = text.hardStateText(hardState);
  }

  get id(): number {
    return this.options.id;
  }

  /** Takes what the core has, so that each event has its effect at once, as in etcd. */
  pump(): void {
    while (this.raft.hasReady()) {
      const ready = this.raft.ready();
      if (ready.persist !== undefined) this.#pending.batches.push(ready.persist);
      const installed = ready.persist?.snapshot;
      if (installed !== undefined) this.#switchedTo(installed.membership);
      this.#pending.messages.push(...ready.messages.map(onWire));
      this.#pending.replies.push(...ready.messagesAfterPersist);
      this.#committed.push(...ready.committed);
      for (const { to } of ready.snapshotsWanted) this.raft.snapshotOffered(to, this.snapshot);
      for (const { id } of ready.fetches) throw new Error(`fetch ${id}: everything is in memory here`);
    }
  }

  get hasReady(): boolean {
    this.pump();
    const { batches, replies, messages } = this.#pending;
    const isNews = this.#soft !== this.#softText() || batches.length > 0;
    return isNews || replies.length > 0 || messages.length > 0 || (this.#committed.length > 0 && !this.#isApplyPaused);
  }

  /** Handles one Ready: everything that is pending now. Returns what goes on the wire. */
  handleReady(): readonly Envelope[] {
    this.pump();
    const pending = this.#takePending();
    // What this Ready shows as committed; what is committed because of its own writes is for the next one.
    const commit = this.raft.commit;
    if (this.options.isAsync) {
      if (pending.batches.length > 0 || pending.replies.length > 0)
        this.appendWork.push({ ...pending, term: this.raft.term });
      const committed = this.#takeCommitted(commit);
      if (committed.length > 0) this.applyWork.push(committed);
      return pending.messages;
    }
    for (const batch of pending.batches) this.write(batch);
    for (const entry of this.#takeCommitted(commit)) this.apply(entry);
    const sequence = pending.batches.at(-1)?.sequence;
    if (sequence !== undefined) this.raft.persisted(sequence);
    this.pump();
    for (const entry of this.#takeCommitted(commit)) this.apply(entry);
    this.applied(this.snapshot.index, this.#applyingBytes);
    this.pump();
    return [...pending.messages, ...pending.replies.map(onWire)];
  }

  /** What etcd does with a request on any node: a leader takes it, a follower passes it on, the rest drop it. Returns what it prints. */
  request(request: Request): string | undefined {
    if (this.raft.role === 'leader') return this.#lead(request);
    if (this.raft.role === 'follower' && this.raft.leader !== 0) {
      this.#pending.messages.push({ kind: 'request', to: this.raft.leader, request });
      return undefined;
    }
    return request.kind === 'transfer' ? undefined : droppedText;
  }

  forgetLeader(): void {
    if (!this.options.isLeaseBased) this.raft.forgetLeader();
  }

  /** The storage has written up to `sequence`. What it was given in an earlier term is counted with what it is given in this one, as in etcd. */
  persisted({ term, sequence }: { readonly term: number; readonly sequence: number }): void {
    if (term >= this.raft.term) this.raft.persisted(sequence);
  }

  applied(index: LogIndex, bytes: number): void {
    this.#applyingBytes -= bytes;
    this.#isApplyPaused = this.#applyingBytes >= this.options.committedBytesMax;
    this.raft.appliedTo(index);
  }

  write(batch: PersistBatch): void {
    if (batch.snapshot !== undefined) {
      this.stored = [];
      this.snapshot = batch.snapshot;
      this.#firstStored = LogIndex(batch.snapshot.index + 1);
    }
    const { truncateFrom } = batch;
    if (truncateFrom !== undefined) this.stored = this.stored.filter((entry) => entry.index < truncateFrom);
    this.stored.push(...batch.entries);
  }

  apply(entry: Entry): void {
    let { membership } = this.snapshot;
    if (entry.type === 'membership') {
      membership = this.raft.applyMembership(decodeMembershipChange(entry.data), entry.index);
      this.#switchedTo(membership);
    }
    this.snapshot = { id: '', index: entry.index, term: entry.term, membership };
  }

  /** Applies what one hand-out of an asynchronous node gave. Returns what its core is to be told. */
  applyAll(entries: readonly Entry[]): { readonly index: LogIndex; readonly bytes: number } {
    let bytes = 0;
    for (const entry of entries) {
      this.apply(entry);
      bytes += text.etcdBytesOf(entry);
    }
    return { index: this.snapshot.index, bytes };
  }

  /** Forgets the log up to and including `index`. */
  compact(index: LogIndex): void {
    const entry = this.stored.find((stored) => stored.index === index);
    if (entry === undefined) throw unreadable(`there is no entry ${index} to compact at`);
    this.stored = this.stored.filter((stored) => stored.index > index);
    this.#firstStored = LogIndex(index + 1);
    this.raft.compacted({ ...this.snapshot, index, term: entry.term });
  }

  logLines(): readonly string[] {
    if (this.stored.length > 0) return this.stored.map(text.entryText);
    return [`log is empty: first index=${this.#firstStored}, last index=${this.#firstStored - 1}`];
  }

  #lead(request: Request): string | undefined {
    switch (request.kind) {
      case 'propose':
        return printed(this.raft.propose([request.data]));
      case 'change':
        return this.#leadChange(request.change);
      case 'transfer':
        this.raft.transferLeader(NodeId(request.transferee));
        return undefined;
      default:
        return request satisfies never;
    }
  }

  /** etcd puts an empty entry in the place of a change that it refuses; we refuse it by type, and append nothing. */
  #leadChange(change: MembershipChange): string | undefined {
    if (this.options.isChangeUnchecked) return this.#leadUnchecked(change);
    const proposed = this.raft.proposeMembership(change);
    if (proposed.kind === 'dropped' && proposed.reason.startsWith('membership-'))
      return printed(this.raft.propose([new Uint8Array(0)]));
    return printed(proposed);
  }

  #leadUnchecked(change: MembershipChange): string | undefined {
    if (whyNoProposal(this.core) !== undefined) return droppedText;
    this.core.pendingMembershipIndex = appendOwn(this.core, [encodeMembershipChange(change)], 'membership');
    return undefined;
  }

  #takePending(): Pending {
    const pending = this.#pending;
    this.#pending = nothingPending();
    const soft = this.#softText();
    if (soft !== this.#soft) this.observation.soft = soft;
    this.#soft = soft;
    for (const { hardState, entries, snapshot } of pending.batches) {
      if (hardState !== undefined) {
        this.#hardState = text.hardStateText(hardState);
        this.observation.hardState = this.#hardState;
      }
      this.observation.entries.push(...entries.map(text.entryText));
      if (snapshot !== undefined) this.observation.snapshot = text.snapshotText(snapshot);
    }
    return pending;
  }

  #takeCommitted(until: LogIndex): readonly Entry[] {
    if (this.#isApplyPaused) return [];
    let count = 0;
    for (const entry of this.#committed) {
      const bytes = text.etcdBytesOf(entry);
      const isFull = this.#applyingBytes > 0 && this.#applyingBytes + bytes > this.options.committedBytesMax;
      if (isFull || entry.index > until) break;
      this.#applyingBytes += bytes;
      count += 1;
    }
    const taken = this.#committed.splice(0, count);
    this.#isApplyPaused =
      this.#applyingBytes >= this.options.committedBytesMax || (count > 0 && this.#committed.length > 0);
    this.observation.committed.push(...taken.map(text.entryText));
    return taken;
  }

  #switchedTo(membership: Membership): void {
    this.observation.configurations.push(text.membershipText(membership));
  }

  #softText(): string {
    return `Lead:${this.raft.leader} State:${text.roleText(this.raft.role)}`;
  }
}

/** What our nodes tell besides, etcd's don't: the commit index of one that refuses its vote. */
export function onWire(message: Message): Envelope {
  const { to } = message;
  if (message.type !== 'vote-reply' && message.type !== 'pre-vote-reply') return { kind: 'raft', to, message };
  const { type, from, term, rejected } = message;
  return { kind: 'raft', to, message: { type, from, to, term, rejected } };
}

function printed(proposed: Proposed): string | undefined {
  return proposed.kind === 'dropped' ? droppedText : undefined;
}
