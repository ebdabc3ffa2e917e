import { LogIndex, type NodeId } from '@lockstep/contract/ids';
import { Inflights, type InflightsMax } from './inflights.ts';
import { membersOf } from './membership.ts';
import type { Membership, PeerProgress } from './types.ts';

/**
 * How the leader sends to a peer. `probe`: one append at a time until the peer says where its log agrees. `replicate`:
 * optimistic, a window of appends. `snapshot`: nothing, until the peer reports that it has what it was offered.
 */
export type ProgressState = 'probe' | 'replicate' | 'snapshot';

/** `if-entries`: send only if there are entries to send; `always`: an empty append too, for it carries the commit index. */
export type AppendWanted = 'no' | 'if-entries' | 'always';

/** What the leader knows of one peer's log. Holds `match < next`, and that only a replicating peer has messages in flight. */
export class Progress {
  readonly node: NodeId;
  readonly inflights: Inflights;
  isLearner: boolean;
  /** Heard from since the last check of the quorum. */
  isRecentlyActive = false;
  /** What `ready()` shall send to the peer. */
  appendWanted: AppendWanted = 'no';
  /** The fetch from the log store that the next append waits for; 0 for none. */
  fetchId = 0;
  /** Where that fetch begins. */
  fetchFrom: LogIndex = LogIndex(0);
  /** The host has been asked for a snapshot and has not answered yet. */
  isSnapshotWanted = false;

  #state: ProgressState = 'probe';
  #match: LogIndex = LogIndex(0);
  #next: LogIndex;
  #sentCommit: LogIndex = LogIndex(0);
  #isFlowPaused = false;
  #offeredIndex: LogIndex = LogIndex(0);

  constructor(of: {
    readonly node: NodeId;
    readonly next: LogIndex;
    readonly isLearner: boolean;
    readonly max: InflightsMax;
  }) {
    this.node = of.node;
    this.isLearner = of.isLearner;
    this.inflights = new Inflights(of.max);
    this.#next = of.next;
  }

  get state(): ProgressState {
    return this.#state;
  }

  /** The last index known to be durable at the peer. */
  get match(): LogIndex {
    return this.#match;
  }

  /** The first index of the next append. */
  get next(): LogIndex {
    return this.#next;
  }

  /** The index of the snapshot that the peer was offered; 0 outside state `snapshot`. */
  get offeredIndex(): LogIndex {
    return this.#offeredIndex;
  }

  /** No append may be sent now. Only an answer from the peer, or from the host about a snapshot, ends the pause. */
  get isPaused(): boolean {
    return this.#state === 'snapshot' || this.#isFlowPaused;
  }

  becomeProbe(): void {
    // After a snapshot that the peer may have installed, probing begins after it.
    const offered = this.#offeredIndex;
    this.#enter('probe');
    this.#next = LogIndex(Math.max(this.#match, offered) + 1);
    this.#lowerSentCommit();
  }

  becomeReplicate(): void {
    this.#enter('replicate');
    this.#next = LogIndex(this.#match + 1);
  }

  /** It was offered the snapshot at `index`. */
  becomeSnapshot(index: LogIndex): void {
    this.#enter('snapshot');
    this.#offeredIndex = index;
    this.#next = LogIndex(Math.max(index, this.#match) + 1);
    this.#sentCommit = index;
  }

  /** The offered snapshot failed: probe from what is known, after the next sign of life. */
  snapshotFailed(): void {
    this.#offeredIndex = LogIndex(0);
    this.becomeProbe();
    this.#isFlowPaused = true;
  }

  /** A sign of life: one more append may be tried. */
  resumeFlow(): void {
    this.#isFlowPaused = false;
  }

  /** The peer acknowledged up to `index`. False when that was known. */
  acknowledge(index: LogIndex): boolean {
    if (index <= this.#match) return false;
    this.#match = index;
    if (this.#next <= index) this.#next = LogIndex(index + 1);
    this.#isFlowPaused = false;
    return true;
  }

  /**
   * The peer refused an append that began after `rejected`, and its log can agree at `hint` at the latest. False when the refusal is stale:
   * it answers neither the one probe under way nor anything after what the peer has acknowledged.
   */
  reject(rejected: LogIndex, hint: LogIndex): boolean {
    if (this.#state === 'replicate') {
      if (rejected <= this.#match) return false;
      this.becomeProbe();
      return true;
    }
    if (this.#state === 'snapshot' || this.#next - 1 !== rejected) return false;
    this.#next = LogIndex(Math.max(Math.min(rejected, hint + 1), this.#match + 1));
    this.#lowerSentCommit();
    this.#isFlowPaused = false;
    return true;
  }

  sentAppend(count: number, bytes: number): void {
    if (this.#state === 'replicate') {
      if (count > 0) {
        this.#next = LogIndex(this.#next + count);
        this.inflights.add(LogIndex(this.#next - 1), bytes);
      }
      // A full window is probed with one empty append at a time, so that a window that was lost as a whole is noticed.
      this.#isFlowPaused = this.inflights.isFull;
    } else if (count > 0) {
      this.#isFlowPaused = true;
    }
  }

  sentCommit(commit: LogIndex): void {
    this.#sentCommit = commit;
  }

  /** Whether an empty append with this commit index would move the peer's commit index. */
  canRaiseCommit(commit: LogIndex): boolean {
    return commit > this.#sentCommit && this.#sentCommit < this.#next - 1;
  }

  status(): PeerProgress {
    return {
      node: this.node,
      match: this.#match,
      next: this.#next,
      state: this.#state,
      isLearner: this.isLearner,
      isPaused: this.isPaused,
      isRecentlyActive: this.isRecentlyActive,
      inflightCount: this.inflights.count,
      inflightBytes: this.inflights.bytes,
    };
  }

  #enter(state: ProgressState): void {
    this.#state = state;
    this.#isFlowPaused = false;
    this.#offeredIndex = LogIndex(0);
    this.fetchId = 0;
    this.isSnapshotWanted = false;
    this.inflights.clear();
  }

  #lowerSentCommit(): void {
    if (this.#sentCommit > this.#next - 1) this.#sentCommit = LogIndex(this.#next - 1);
  }
}

/** Progress for every member: what is known of those that stay, and new ones that are probed from `next` on. */
export function progressOf(
  membership: Membership,
  of: { readonly known: ReadonlyMap<NodeId, Progress>; readonly next: LogIndex; readonly max: InflightsMax },
): Map<NodeId, Progress> {
  const progress = new Map<NodeId, Progress>();
  for (const node of membersOf(membership)) {
    const isLearner = membership.learners.includes(node);
    const peer = of.known.get(node) ?? new Progress({ node, next: of.next, isLearner, max: of.max });
    peer.isLearner = isLearner;
    progress.set(node, peer);
  }
  return progress;
}
