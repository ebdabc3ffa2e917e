import { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import { type Core, createCore } from '../core.ts';
import { defaultRaftLimits } from '../limits.ts';
import { decodeMembershipChange } from '../membership-codec.ts';
import { Raft } from '../raft.ts';
import type { Entry, HardState, Membership, Message, PersistBatch, SnapshotMeta } from '../types.ts';
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
}

/** On the wire, or, for a node with asynchronous storage, on its way back from its storage. */
export type Envelope =
  | { readonly kind: 'raft'; readonly to: number; readonly message: Message }
  | { readonly kind: 'persisted'; readonly to: number; readonly sequence: number }
  | { readonly kind: 'applied'; readonly to: number; readonly index: LogIndex };

interface AppendWork {
  readonly batches: readonly PersistBatch[];
  readonly replies: readonly Message[];
}

/** What the core gave out since the last Ready was handled: etcd's Ready is what these are together. */
interface Pending extends AppendWork {
  readonly messages: readonly Message[];
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
  #pending: { batches: PersistBatch[]; replies: Message[]; messages: Message[] } = {
    batches: [],
    replies: [],
    messages: [],
  };
  #committed: Entry[] = [];
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
      this.#pending.messages.push(...ready.messages);
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
    return isNews || replies.length > 0 || messages.length > 0 || this.#committed.length > 0;
  }

  /** Handles one Ready: everything that is pending now. Returns what goes on the wire. */
  handleReady(): readonly Message[] {
    this.pump();
    const pending = this.#takePending();
    // What this Ready shows as committed; what is committed because of its own writes is for the next one.
    const commit = this.raft.commit;
    if (this.options.isAsync) {
      if (pending.batches.length > 0 || pending.replies.length > 0) this.appendWork.push(pending);
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
    this.raft.appliedTo(this.snapshot.index);
    this.pump();
    return [...pending.messages, ...pending.replies];
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

  /** Forgets the log up to and including `index`. */
  compact(index: LogIndex): void {
    const entry = this.stored.find((stored) => stored.index === index);
    if (entry === undefined) throw new Error(`nothing to compact at ${index}`);
    this.stored = this.stored.filter((stored) => stored.index > index);
    this.#firstStored = LogIndex(index + 1);
    this.raft.compacted({ ...this.snapshot, index, term: entry.term });
  }

  logLines(): readonly string[] {
    if (this.stored.length > 0) return this.stored.map(text.entryText);
    return [`log is empty: first index=${this.#firstStored}, last index=${this.#firstStored - 1}`];
  }

  #takePending(): Pending {
    const pending = this.#pending;
    this.#pending = { batches: [], replies: [], messages: [] };
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
    const taken = this.#committed.filter((entry) => entry.index <= until);
    this.#committed = this.#committed.filter((entry) => entry.index > until);
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
