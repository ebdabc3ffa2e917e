import type { LogIndex, NodeId } from '@lockstep/contract/ids';
import type { ApplyFeed } from './apply-feed.ts';
import type { StateMachine } from './port.ts';
import type { Raft } from './raft/raft.ts';
import type { Message, SnapshotMeta } from './raft/types.ts';

type SnapshotMessage = Extract<Message, { type: 'snapshot' }>;

/** Brings a snapshot's bytes to the state machine's `receiveSnapshot`. `done(true)`: all of them are there. */
export type Pull = (
  offer: { readonly from: NodeId; readonly meta: SnapshotMeta },
  done: (ok: boolean) => void,
) => { readonly cancel: () => void };

export interface SnapshotInstallOptions {
  readonly id: NodeId;
  readonly core: Raft;
  readonly machine: StateMachine;
  readonly feed: ApplyFeed;
  readonly pull: Pull;
  readonly log: (event: string, fields: Readonly<Record<string, number>>) => void;
  readonly enter: (run: () => void) => void;
  /** The state is another one, durably, at that entry. */
  readonly onStateReplaced: (index: LogIndex) => void;
}

type Install =
  | { readonly step: 'none' }
  | { readonly step: 'pulling'; readonly from: NodeId; readonly meta: SnapshotMeta; readonly cancel: () => void }
  /** For a state that is damaged: it may go back, and the log stays where it holds the snapshot's place. */
  | { readonly step: 'replacing'; readonly cancel: () => void }
  | { readonly step: 'installing'; readonly meta: SnapshotMeta }
  /** The state is the snapshot's; the log is not yet. */
  | { readonly step: 'installed'; readonly meta: SnapshotMeta };

/**
 * The follower's side of snapshots. Order, so that a crash at each step leaves the old or the new state: all bytes received;
 * the state switched, with the snapshot's place stored in the same step; only then does the core hear of it and resets the
 * log. A crash between the last two is repaired at start, by `recoverStart`.
 */
export class SnapshotInstall {
  readonly #options: SnapshotInstallOptions;
  #install: Install = { step: 'none' };
  installedCount = 0;

  constructor(options: SnapshotInstallOptions) {
    this.#options = options;
  }

  /** This node's log and state don't belong together just now: it must not campaign. */
  get isUnderWay(): boolean {
    return this.#install.step === 'installing' || this.#install.step === 'installed';
  }

  /** The leader offers a snapshot. One that is not needed goes straight to the core, whose answer tells the leader how far this log is. */
  offered(message: SnapshotMessage): void {
    const { core, feed, machine, log } = this.#options;
    const { meta, from } = message;
    if (meta.index <= core.commit) return core.step(message);
    // Without it a crash in the middle of the install could not be repaired.
    if (machine.installedSnapshot === undefined) return log('snapshot-refused', { index: meta.index, from });
    if (this.#isBusyFor(from)) return;
    if (feed.applied >= meta.index) return this.#installed(meta, true);
    this.close();
    const { cancel } = this.#options.pull({ from, meta }, (ok) => this.#pulled(meta, ok));
    this.#install = { step: 'pulling', from, meta, cancel };
  }

  /** A snapshot is on its way, or being swapped in. */
  get isBusy(): boolean {
    return this.#install.step !== 'none';
  }

  /** Swaps a damaged state for another node's, even for an earlier one; entries after it come from this node's own log. */
  replaceState(offer: { readonly from: NodeId; readonly meta: SnapshotMeta }, done: (ok: boolean) => void): void {
    const { pull, feed, machine, enter } = this.#options;
    const { meta } = offer;
    const { cancel } = pull(offer, (hasAll) => {
      if (this.#install.step !== 'replacing' || this.#install.cancel !== cancel) return;
      if (!hasAll) {
        this.#install = { step: 'none' };
        return done(false);
      }
      this.#install = { step: 'installing', meta };
      feed.pause();
      machine.installSnapshot(meta, (installed) =>
        enter(() => {
          if (installed) this.#replaced(meta.index);
          this.#installed(meta, installed);
          if (installed) feed.resume();
          done(installed);
        }),
      );
    });
    this.#install = { step: 'replacing', cancel };
  }

  /** Once for each turn: tells the core of an installed state as soon as there is a leader in whose name to tell it. */
  deliver(): void {
    if (this.#install.step !== 'installed') return;
    const { core, feed, id } = this.#options;
    const { meta } = this.#install;
    if (core.commit < meta.index) {
      if (core.leader === 0 || core.leader === id) return;
      // What a snapshot holds is committed, so it is in the log of every later leader: this one may have been offered by an earlier.
      core.step({ type: 'snapshot', from: core.leader, to: id, term: core.term, meta });
      if (core.commit < meta.index) return;
    }
    this.#install = { step: 'none' };
    feed.unpause();
  }

  close(): void {
    if (this.#install.step === 'pulling' || this.#install.step === 'replacing') this.#install.cancel();
    this.#install = { step: 'none' };
  }

  /** A pull is finished before another begins, but for one from a node that leads no more. */
  #isBusyFor(from: NodeId): boolean {
    return this.#install.step !== 'none' && !(this.#install.step === 'pulling' && this.#install.from !== from);
  }

  #pulled(meta: SnapshotMeta, ok: boolean): void {
    if (this.#install.step !== 'pulling' || this.#install.meta !== meta) return;
    const { feed, machine, enter } = this.#options;
    // Entries may have come meanwhile and brought the state further than the snapshot.
    if (!ok || feed.applied >= meta.index) {
      this.#install = { step: 'none' };
      return;
    }
    this.#install = { step: 'installing', meta };
    feed.pause();
    machine.installSnapshot(meta, (installed) => enter(() => this.#installed(meta, installed)));
  }

  #installed(meta: SnapshotMeta, ok: boolean): void {
    const { feed } = this.#options;
    if (!ok) {
      this.#install = { step: 'none' };
      return feed.unpause();
    }
    if (feed.applied < meta.index) this.#replaced(meta.index);
    this.#install = { step: 'installed', meta };
    this.deliver();
  }

  #replaced(index: LogIndex): void {
    this.installedCount++;
    this.#options.feed.replaced(index);
    this.#options.onStateReplaced(index);
  }
}
