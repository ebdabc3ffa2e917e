import type { LogIndex, NodeId } from '@lockstep/contract/ids';
import type { ApplyFeed } from './apply-feed.ts';
import { snapshotAttemptsMax } from './limits.ts';
import type { MembershipHistory } from './membership-history.ts';
import type { StateMachine } from './port.ts';
import { membersOf } from './raft/membership.ts';
import type { Raft } from './raft/raft.ts';
import type { SnapshotMeta } from './raft/types.ts';
import type { Clock, Timings } from './timings.ts';

interface Offer {
  readonly meta: SnapshotMeta;
  readonly attempts: number;
  readonly againMs: number;
  /** The first snapshot that was offered: compaction leaves the log after it alone until `holdUntilMs`, so that the follower can go on. */
  readonly heldIndex: LogIndex;
  readonly holdUntilMs: number;
}

export interface SnapshotOffersOptions {
  readonly core: Raft;
  readonly machine: StateMachine;
  readonly feed: ApplyFeed;
  readonly memberships: MembershipHistory;
  readonly clock: Clock;
  readonly timings: Timings;
  readonly enter: (run: () => void) => void;
}

/** The leader's side of snapshots: takes one when a follower needs it, offers it, and offers it again until it is installed. */
export class SnapshotOffers {
  readonly #options: SnapshotOffersOptions;
  readonly #wanted = new Map<NodeId, LogIndex>();
  readonly #offers = new Map<NodeId, Offer>();
  /** Nodes with an offer whose connection has ended since they answered. */
  readonly #lost = new Set<NodeId>();
  #latest: SnapshotMeta | undefined;
  /** Set while a snapshot is being taken: it will be of this index or a later one. */
  #takingFrom: LogIndex | undefined;
  takenCount = 0;

  constructor(options: SnapshotOffersOptions) {
    this.#options = options;
  }

  /** A follower needs a snapshot at `minIndex` or later. */
  wanted(to: NodeId, minIndex: LogIndex): void {
    this.#wanted.set(to, minIndex);
    this.#serve();
  }

  /** A node that installs a snapshot may have ended with its connection. */
  disconnected(node: NodeId): void {
    if (this.#offers.has(node)) this.#lost.add(node);
  }

  /** Such a node is back, and hears this one: it is offered the snapshot again at once, and goes on with what it has. */
  answeredBy(node: NodeId): void {
    if (!this.#lost.delete(node)) return;
    const offer = this.#offers.get(node);
    // Nothing speaks against the snapshot itself, so that this attempt doesn't count.
    if (offer !== undefined)
      this.#offers.set(node, { ...offer, attempts: offer.attempts - 1, againMs: this.#options.clock.nowMs() });
  }

  /** The lowest index from which a follower that installs a snapshot will go on reading the log. */
  heldAt(): LogIndex | undefined {
    const nowMs = this.#options.clock.nowMs();
    let held = this.#takingFrom;
    for (const { heldIndex, holdUntilMs } of this.#offers.values()) {
      if (holdUntilMs > nowMs && (held === undefined || heldIndex < held)) held = heldIndex;
    }
    return held;
  }

  /** Once for each tick. */
  expire(): void {
    if (this.#options.core.role !== 'leader') {
      this.#wanted.clear();
      this.#offers.clear();
      this.#lost.clear();
    }
    if (this.#offers.size === 0) return;
    const nowMs = this.#options.clock.nowMs();
    const { progress } = this.#options.core.status();
    for (const [to, offer] of this.#offers) {
      const follower = progress.find((candidate) => candidate.node === to);
      if (follower === undefined || follower.match >= offer.meta.index) {
        this.#offers.delete(to);
      } else if (nowMs >= offer.againMs) {
        this.#offerAgain(to, offer, nowMs);
      }
    }
  }

  /** The core asks for a snapshot again and gets this one again if it still fits: the follower resumes its pull. */
  #offerAgain(to: NodeId, offer: Offer, nowMs: number): void {
    const { core, timings } = this.#options;
    const attempts = offer.attempts + 1;
    // The contents may be gone, or damaged: another one is taken.
    if (attempts >= snapshotAttemptsMax && this.#latest === offer.meta) this.#latest = undefined;
    this.#offers.set(to, {
      ...offer,
      attempts: attempts % snapshotAttemptsMax,
      againMs: nowMs + timings.snapshotOfferMs,
    });
    core.snapshotFailed(to);
  }

  #serve(): void {
    if (this.#takingFrom !== undefined) return;
    for (const [to, minIndex] of this.#wanted) {
      if (this.#latest === undefined || !this.#fits(this.#latest, { to, minIndex })) return this.#take();
      this.#wanted.delete(to);
      this.#offer(to, this.#latest);
    }
  }

  /** The log must go on right after the snapshot, and the follower be a member in it: it takes no other. */
  #fits(snapshot: SnapshotMeta, { to, minIndex }: { readonly to: NodeId; readonly minIndex: LogIndex }): boolean {
    const { firstIndex } = this.#options.core.status();
    const isLate = snapshot.index >= minIndex && snapshot.index >= firstIndex - 1;
    return isLate && membersOf(snapshot.membership).includes(to);
  }

  #offer(to: NodeId, meta: SnapshotMeta): void {
    const { clock, timings, core } = this.#options;
    const nowMs = clock.nowMs();
    const { attempts, heldIndex, holdUntilMs } = this.#offers.get(to) ?? {
      attempts: 0,
      heldIndex: meta.index,
      holdUntilMs: nowMs + timings.snapshotHoldMs,
    };
    this.#offers.set(to, { meta, attempts, againMs: nowMs + timings.snapshotOfferMs, heldIndex, holdUntilMs });
    core.snapshotOffered(to, meta);
  }

  #take(): void {
    this.#takingFrom = this.#options.feed.applied;
    this.#options.machine.takeSnapshot((taken) => this.#options.enter(() => this.#taken(taken)));
  }

  #taken(taken: { readonly id: string; readonly index: LogIndex } | undefined): void {
    const { feed, memberships, core } = this.#options;
    this.#takingFrom = undefined;
    const membership = taken === undefined ? undefined : memberships.at(taken.index);
    const isUsable = taken !== undefined && membership !== undefined && taken.index >= core.status().firstIndex - 1;
    if (isUsable) {
      this.takenCount++;
      this.#latest = { id: taken.id, index: taken.index, term: feed.termAt(taken.index), membership };
    }
    for (const [to, minIndex] of this.#wanted) {
      if (isUsable && this.#latest !== undefined && this.#fits(this.#latest, { to, minIndex })) continue;
      // The core asks again with its next message to that follower; by then the state may have got further.
      this.#wanted.delete(to);
      core.snapshotFailed(to);
    }
    this.#serve();
  }
}
