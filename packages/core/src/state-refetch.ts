import { LogIndex, type NodeId } from '@lockstep/contract/ids';
import type { ApplyFeed } from './apply-feed.ts';
import type { DiskCare } from './disk-care.ts';
import { refetchAskMs } from './limits.ts';
import type { MembershipHistory } from './membership-history.ts';
import type { PeerMessage } from './peers/peers.ts';
import type { StateMachine } from './port.ts';
import type { Raft } from './raft/raft.ts';
import type { SnapshotMeta } from './raft/types.ts';
import type { SnapshotInstall } from './snapshot-install.ts';
import type { Clock } from './timings.ts';

export interface StateRefetchOptions {
  readonly id: NodeId;
  readonly core: Raft;
  readonly clock: Clock;
  readonly machine: StateMachine;
  readonly feed: ApplyFeed;
  readonly memberships: MembershipHistory;
  readonly install: SnapshotInstall;
  readonly disk: Pick<DiskCare, 'successor'>;
  /** The log begins after it, or will soon. */
  readonly floor: () => LogIndex;
  readonly send: (to: NodeId, message: PeerMessage) => void;
  readonly enter: (run: () => void) => void;
  readonly log: (event: string, fields: Readonly<Record<string, number>>) => void;
}

/**
 * Replaces a state that is damaged by another node's, while the log stays: asks the others, the leader first, for a snapshot from
 * which this log goes on, again and again until one is installed. And gives such snapshots to those who ask. A leader whose own
 * state is damaged hands over, since it could order nothing.
 */
export class StateRefetch {
  readonly #options: StateRefetchOptions;
  #isWanted = false;
  #askedMs = Number.NEGATIVE_INFINITY;
  #asked: NodeId | undefined;
  #serving = new Set<NodeId>();
  /** States that were replaced so since the process started. */
  count = 0;

  constructor(options: StateRefetchOptions) {
    this.#options = options;
  }

  /** The state can't be used, and is being replaced. */
  get isUnderWay(): boolean {
    return this.#isWanted;
  }

  /** The host has found its state damaged. */
  begin(): void {
    if (this.#isWanted) return;
    this.#isWanted = true;
    this.#askedMs = Number.NEGATIVE_INFINITY;
    this.#options.log('state-refetch', { floor: this.#options.floor() });
  }

  /** While a state is replaced the log is not compacted, so that it goes on from whatever comes. */
  heldAt(): LogIndex | undefined {
    return this.#isWanted ? this.#options.floor() : undefined;
  }

  /** Once for each tick. */
  tick(): void {
    if (!this.#isWanted) return;
    const { clock, core, disk, install } = this.#options;
    const nowMs = clock.nowMs();
    if (install.isBusy || nowMs - this.#askedMs < refetchAskMs) return;
    this.#askedMs = nowMs;
    const successor = disk.successor();
    if (core.role === 'leader' && successor !== undefined) core.transferLeader(successor);
    const target = this.#nextToAsk();
    if (target === undefined) return;
    this.#asked = target;
    const { id, floor, send } = this.#options;
    send(target, { kind: 'state-ask', from: id, minIndex: floor() });
  }

  /**
   * The answer to `state-ask`: a snapshot that can be pulled from there; undefined where there is none. It may have been asked for a while
   * ago, since to make one takes its time, and others were asked meanwhile: the first that has one is taken.
   */
  offered(from: NodeId, meta: SnapshotMeta | undefined): void {
    const { install, floor, machine } = this.#options;
    if (!this.#isWanted || meta === undefined || meta.index < floor()) return;
    if (install.isBusy || machine.installedSnapshot === undefined) return;
    install.replaceState({ from, meta }, (ok) => {
      if (!ok) return;
      this.#isWanted = false;
      this.count++;
      this.#options.log('state-refetched', { index: meta.index, from });
    });
  }

  /** Another node asks. One answer to each at a time, since a snapshot is work: whoever asks again gets the one that is being made. */
  asked(from: NodeId, minIndex: LogIndex): void {
    const { id, machine, send, enter } = this.#options;
    const refuse = (): void => send(from, { kind: 'state-offer', from: id, meta: undefined });
    if (this.#isWanted) return refuse();
    if (this.#serving.has(from)) return;
    this.#serving.add(from);
    machine.takeSnapshot((taken) =>
      enter(() => {
        this.#serving.delete(from);
        const meta = taken === undefined ? undefined : this.#metaOf(taken);
        if (meta === undefined || meta.index < minIndex) return refuse();
        send(from, { kind: 'state-offer', from: id, meta });
      }),
    );
  }

  #metaOf({ id, index }: { readonly id: string; readonly index: LogIndex }): SnapshotMeta | undefined {
    const { memberships, feed, core } = this.#options;
    const membership = memberships.at(index);
    if (membership === undefined || index < core.status().firstIndex - 1) return undefined;
    return { id, index, term: feed.termAt(index), membership };
  }

  /** The leader, if it is another node; otherwise one after the other. */
  #nextToAsk(): NodeId | undefined {
    const { core, id, memberships } = this.#options;
    if (core.leader !== 0 && core.leader !== id && core.leader !== this.#asked) return core.leader;
    const others = memberships.current.voters.filter((node) => node !== id);
    const at = this.#asked === undefined ? -1 : others.indexOf(this.#asked);
    return others[(at + 1) % Math.max(1, others.length)];
  }
}
