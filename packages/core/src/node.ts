import { LogIndex, type NodeId } from '@lockstep/contract/ids';
import { ApplyFeed } from './apply-feed.ts';
import { Compaction, defaultCompaction } from './compaction.ts';
import { coreOf } from './core-of.ts';
import { DiskCare } from './disk-care.ts';
import { dispatch, type Receivers } from './dispatch.ts';
import { Electability, type Fitness } from './electability.ts';
import { type Durable, GroupCommit } from './group-commit.ts';
import { LeaderDesk } from './leader-desk.ts';
import { Leadership } from './leadership.ts';
import { Inbox } from './inbox.ts';
import { readyRoundsMax } from './limits.ts';
import { LogTime } from './log-time.ts';
import { MemberClocks } from './member-clocks.ts';
import { foundingMembership } from './members/founding.ts';
import { Introductions } from './members/introductions.ts';
import { OwnMembership } from './members/own-membership.ts';
import type { PeerEvents, PeerMessage, Peers } from './peers/peers.ts';
import { loadOf } from './node-load.ts';
import type { ConsensusNode, DriverStatus, NodeOptions } from './node-options.ts';
import { Outbox } from './outbox.ts';
import { pullsInLoop } from './pulls-in-loop.ts';
import { firstRequestId, Proposals } from './proposals.ts';
import { decodeMembershipChange } from './raft/membership-codec.ts';
import type { Raft } from './raft/raft.ts';
import type { Entry, Message, Ready, SnapshotMeta } from './raft/types.ts';
import { Reads } from './reads.ts';
import { recoverStart } from './recover-start.ts';
import { RoleWatch } from './role-watch.ts';
import { SnapshotInstall } from './snapshot-install.ts';
import { SnapshotOffers } from './snapshot-offers.ts';
import { defaultTimings, type Timings } from './timings.ts';
import { StateCare } from './state-care.ts';
import { TurnLoop } from './turn-loop.ts';

export type { ConsensusNode, DriverStatus, NodeOptions } from './node-options.ts';

/**
 * Starts one node: the only loop around the pure core. Whatever happens (messages, finished writes, timers, requests) is entered
 * into the next turn; a turn steps the core through it and then does what the core is ready for. Throws `failed-precondition`
 * when log and state can't belong together.
 */
export function startNode(options: NodeOptions): ConsensusNode {
  const node = new Driver(options);
  node.begin();
  return {
    propose: (transaction, done, asked) => node.proposals.propose(transaction, done, asked?.isRelief),
    readIndex: (done) => node.reads.readIndex(done),
    stateSynced: (index) => node.compaction.synced(index),
    status: () => node.status(),
    load: () => loadOf(node),
    quarantine: () => node.quarantine,
    standing: () => node.membership.standing,
    compactNow: () => node.compaction.compactNow(),
    ...node.desk.port,
    refetchState: () => node.loop.enter(() => node.state.refetch()),
    close: () => node.close(),
    resumeApply: () => node.loop.enter(() => node.feed.resume()),
    campaign: () => node.loop.enter(() => node.core.campaign()),
    transferLeader: (to) => node.loop.enter(() => node.transferLeader(to)),
    termAt: (index) => node.feed.knownTermAt(index),
  };
}

class Driver {
  readonly loop: TurnLoop;
  readonly core: Raft;
  readonly feed: ApplyFeed;
  readonly proposals: Proposals;
  readonly reads: Reads;
  readonly compaction: Compaction;
  readonly desk: LeaderDesk;
  readonly state: StateCare;
  readonly #options: NodeOptions;
  readonly #timings: Timings;
  readonly #commits: GroupCommit;
  readonly membership: OwnMembership;
  readonly #electability: Electability;
  readonly #clocks: MemberClocks;
  readonly #offers: SnapshotOffers;
  readonly #install: SnapshotInstall;
  readonly #peers: Peers;
  readonly #disk: DiskCare;
  readonly #roles: RoleWatch;
  readonly #receivers: Receivers;
  quarantine: string | undefined;
  readonly #outbox = new Outbox();
  readonly #inbox = new Inbox();
  /** A restored snapshot's batch that is not durable yet. */
  #restoring: { readonly sequence: number; readonly index: LogIndex } | undefined;
  #committedEntries = 0;
  #messagesDropped = 0;

  constructor(options: NodeOptions) {
    const { id, clock, store, machine } = options;
    this.#options = options;
    this.#timings = { ...defaultTimings, ...options.timings };
    const start = recoverStart(options.stored, machine, foundingMembership(options));
    const { stored, stateApplied: applied, applied: known } = start;
    this.loop = this.#newLoop();
    const enter = (run: () => void): void => this.loop.enter(run);
    this.#roles = new RoleWatch(options.log);
    this.#electability = new Electability(() => this.#fitness());
    this.core = coreOf(options, this.#timings, start, () => this.#electability.isElectable());
    this.membership = new OwnMembership({ ...options, stored, core: this.core });
    this.#commits = new GroupCommit(store, (durable) => enter(() => this.#durable(durable)));
    if (start.firstWrite !== undefined) this.#commits.add(start.firstWrite, []);
    const onApplied = (entries: readonly Entry[]): void => this.compaction.applied(entries);
    this.feed = new ApplyFeed({ store, machine, stored, applied, known, enter, onApplied });
    this.#clocks = this.#newClocks();
    this.#disk = this.#newDiskCare();
    const parts = {
      id,
      store,
      machine,
      clock,
      enter,
      core: this.core,
      feed: this.feed,
      memberships: this.membership.history,
      membership: () => this.membership.current,
      timings: this.#timings,
      leadership: new Leadership(this.core, {
        appliedIndex: () => this.feed.applied,
        isTimeKnown: () => this.#clocks.isKnown(),
      }),
      time: new LogTime(
        () => this.#clocks.nowMs(),
        () => machine.lastTimeMs(),
      ),
      send: (to: NodeId, message: PeerMessage) => this.#outbox.add(to, message),
      wake: () => this.loop.wake(),
      log: options.log,
      disk: this.#disk,
      onStateReplaced: (index: LogIndex) => this.compaction.stateReplaced(index),
    };
    this.proposals = new Proposals(parts, firstRequestId(options.random));
    this.reads = new Reads(parts, firstRequestId(options.random));
    this.desk = new LeaderDesk({ ...options, ...parts, proposals: this.proposals });
    this.#offers = new SnapshotOffers(parts);
    this.#install = new SnapshotInstall({ ...parts, pull: pullsInLoop(options, this.loop) });
    this.compaction = new Compaction({
      ...parts,
      policy: options.compaction ?? defaultCompaction,
      floor: stored.snapshot.index,
      heldAt: () => this.state.heldAt() ?? this.#offers.heldAt(),
      onCompacted: (snapshot) => this.#compacted(snapshot),
    });
    this.state = new StateCare({ ...parts, install: this.#install, floor: () => this.compaction.floor });
    this.#receivers = this.#newReceivers();
    this.#peers = options.peers(this.#peerEvents());
  }

  begin(): void {
    if (this.#options.quarantine !== undefined) return this.#takeNoPart(this.#options.quarantine);
    this.membership.connect(this.#peers, (index) => this.desk.calls.removed(index));
    this.feed.advance();
    this.loop.start();
  }

  async close(): Promise<void> {
    if (!this.loop.isStopped) {
      this.#stop();
      this.#outbox.flush(this.#peers, 'all');
    }
    await this.#peers.close();
    await this.#options.store.close();
  }

  transferLeader(to: NodeId | undefined): void {
    const target = to ?? this.#disk.successor();
    if (this.core.role === 'leader' && target !== undefined) this.core.transferLeader(target);
  }

  status(): DriverStatus {
    const { id, store } = this.#options;
    return {
      raft: this.core.status(),
      id,
      members: this.membership.current.roster?.members ?? [],
      standing: this.membership.standing,
      membership: this.membership.current,
      log: store.stats(),
      proposalsWaiting: this.proposals.waitingCount,
      electionsStarted: this.#roles.electionsStarted,
      committedEntries: this.#committedEntries,
      appliedIndex: this.feed.applied,
      turns: this.loop.turnCount,
      lateTicks: this.loop.lateTickCount,
      messagesDropped: this.#messagesDropped + this.#inbox.dropped,
      proposalsForwarded: this.proposals.forwardedTotal,
      outcomesUnknown: this.proposals.unknownCount,
      compactions: this.compaction.count,
      snapshotsTaken: this.#offers.takenCount,
      snapshotsInstalled: this.#install.installedCount,
      ...this.#disk.status(),
      clockOffMs: this.#clocks.offMs,
      clusterHealth: this.desk.clusterHealth,
      isStateRefetching: this.state.isRefetching,
      statesRefetched: this.state.refetchedCount,
    };
  }

  #newLoop(): TurnLoop {
    return new TurnLoop({
      clock: this.#options.clock,
      tickMs: this.#timings.tickMs,
      schedule: this.#options.schedule ?? ((turn) => void setImmediate(turn)),
      turn: (isTick) => this.#turn(isTick),
      onError: (error) => {
        this.#stop();
        this.#options.onFatal(error);
      },
    });
  }

  #peerEvents(): PeerEvents {
    return {
      onMessages: (from, messages) => this.#arrived(from, messages),
      onDisconnected: (from) => this.loop.enter(() => this.#disconnected(from)),
      onIncarnation: (node, incarnation) => this.loop.enter(() => this.desk.shown(node, incarnation)),
      onRefused: (by, refusal) => this.loop.enter(() => this.membership.refused(by, refusal)),
      greeting: () => (this.quarantine === undefined ? this.#disk.greeting() : []),
    };
  }

  #newReceivers(): Receivers {
    const { proposals, reads, state, desk, membership } = this;
    const raft = (from: NodeId, message: Message): void => this.#receiveRaft(from, message);
    const asked = (from: NodeId): void => this.#handOverIfSealed(from);
    const introductions = new Introductions({
      id: this.#options.id,
      membership: () => membership.current,
      send: (to, message) => this.#outbox.add(to, message),
    });
    const parts = { proposals, reads, state, desk, membership, introductions };
    return { raft, asked, ...parts, clocks: this.#clocks, disk: this.#disk };
  }

  #newClocks(): MemberClocks {
    const { id, clock, log } = this.#options;
    return new MemberClocks({
      id,
      core: this.core,
      clock,
      membership: () => this.membership.current,
      send: (to, message) => this.#outbox.add(to, message),
      handOver: (to) => this.transferLeader(to),
      log,
    });
  }

  #newDiskCare(): DiskCare {
    return new DiskCare({
      node: this.#options,
      core: this.core,
      timings: this.#timings,
      memberships: this.membership.history,
      send: (to, message) => this.#outbox.add(to, message),
      onRolledBack: (why) => this.#rolledBack(why),
    });
  }

  /** Everything that was entered has run: requests, the tick, what the core is ready for, the next write, and out. */
  #turn(isTick: boolean): void {
    this.#inbox.empty();
    this.#install.deliver();
    this.#clocks.maybeAsk();
    this.reads.drain();
    this.desk.calls.drain();
    if (isTick) this.#tick();
    this.proposals.drain();
    let rounds = this.#drainReady();
    // Callers whose transactions were applied just now may have brought their next ones: those leave in the same frames.
    this.proposals.drain();
    rounds += this.#drainReady();
    this.#commits.start(isTick);
    this.#outbox.flush(this.#peers, isTick ? 'all' : 'news');
    // What waits may go on now that something has moved; otherwise the next input or tick wakes it.
    const isWaiting = this.proposals.waitingCount > 0 || this.reads.hasWaiting || this.desk.calls.hasWaiting;
    if (rounds > 0 && (isWaiting || this.core.hasReady())) this.loop.wake();
  }

  #tick(): void {
    this.#disk.tick();
    if (!this.membership.isSilenced) this.core.tick();
    this.desk.expire();
    this.proposals.expire();
    this.reads.expire();
    this.#offers.expire();
    this.state.tick();
    this.compaction.maybeCompact();
  }

  #drainReady(): number {
    let rounds = 0;
    for (; rounds < readyRoundsMax && this.core.hasReady(); rounds++) this.#do(this.core.ready());
    return rounds;
  }

  #do(ready: Ready): void {
    this.#roles.note(ready);
    if (ready.leader !== 0) this.#electability.leaderSeen();
    this.#disk.writing(ready.persist);
    this.#postAll(ready.messages);
    this.#postAll(this.#commits.add(ready.persist, ready.messagesAfterPersist));
    if (ready.persist?.snapshot !== undefined) this.#logReset(ready.persist.sequence, ready.persist.snapshot);
    this.#committed(ready.committed);
    for (const read of ready.reads) this.reads.confirmed(read);
    for (const id of ready.readsDropped) this.reads.dropped(id);
    for (const { id, ...range } of ready.fetches)
      this.#options.store.read(range, (entries) => this.loop.enter(() => this.core.entriesFetched(id, entries)));
    for (const { to, minIndex } of ready.snapshotsWanted) this.#offers.wanted(to, minIndex);
  }

  #committed(entries: readonly Entry[]): void {
    const last = entries.at(-1);
    if (last === undefined) return;
    const unsaved: LogIndex[] = [];
    for (const entry of entries) {
      if (entry.type !== 'membership') continue;
      this.#applyMembership(entry);
      unsaved.push(entry.index);
    }
    this.#committedEntries += entries.length;
    this.feed.committed(entries, unsaved);
    this.core.appliedTo(last.index);
  }

  /** Takes effect here at commit, sealed or not; the state may follow when it is saved. */
  #applyMembership(entry: Entry): void {
    const { index } = entry;
    const membership = this.core.applyMembership(decodeMembershipChange(entry.data), index);
    this.desk.applied(entry, membership);
    // A node that leaves hears the last word before nothing is said to it any more.
    this.#outbox.flush(this.#peers, 'all');
    this.membership.changed(index, membership);
    this.#options.store.saveMembership(membership, index, () => this.loop.enter(() => this.#saved(index)));
  }

  #saved(index: LogIndex): void {
    this.feed.saved(index);
    this.desk.saved(index);
  }

  #logReset(sequence: number, snapshot: SnapshotMeta): void {
    this.#options.log('snapshot-installed', { index: snapshot.index, term: snapshot.term });
    this.#restoring = { sequence, index: snapshot.index };
    this.feed.logReset(snapshot.index, snapshot.term);
    this.compaction.logReset(snapshot.index);
    this.membership.reset(snapshot.index, snapshot.membership);
  }

  #durable({ sequence, messages }: Durable): void {
    // The write that finished an interrupted install at start is not one of the core's.
    if (sequence > 0) this.core.persisted(sequence);
    this.#disk.written(sequence);
    if (this.#restoring !== undefined && sequence >= this.#restoring.sequence) {
      this.core.appliedTo(this.#restoring.index);
      this.#restoring = undefined;
    }
    this.#postAll(messages);
  }

  #compacted(snapshot: SnapshotMeta): void {
    this.core.compacted(snapshot);
    this.feed.compacted(snapshot.index);
    this.membership.history.forgetBefore(snapshot.index);
  }

  #arrived(from: NodeId, messages: readonly PeerMessage[]): void {
    const taken = this.#inbox.take(messages);
    this.desk.heard(from);
    this.loop.enter(() => {
      for (const message of taken) dispatch(this.#receivers, from, message);
    });
  }

  #receiveRaft(from: NodeId, message: Message): void {
    const isForged = message.from !== from || message.to !== this.#options.id;
    if (isForged || this.membership.isSilenced || !this.#disk.admits(from, message)) {
      this.#messagesDropped++;
      return;
    }
    this.#outbox.heard(from, message);
    if (message.type === 'snapshot') this.#install.offered(message);
    else this.core.step(message);
    if (message.type === 'heartbeat-reply') this.#offers.answeredBy(from);
  }

  /** It must not vote with what it has forgotten, in this run or a later one. */
  #rolledBack(why: string): void {
    if (this.quarantine !== undefined) return;
    this.#options.log('quarantined', { reason: why });
    this.#options.onQuarantine?.(why);
    this.#takeNoPart(why);
  }

  #takeNoPart(why: string): void {
    this.quarantine = why;
    this.#outbox.clear();
    this.#stop();
    void this.#peers.close();
  }

  /** A peer that serves clients is unsealed: it leads better than this node, which can order no transaction. */
  #handOverIfSealed(to: NodeId): void {
    if (this.core.role === 'leader' && this.#options.machine.encoder() === undefined) this.core.transferLeader(to);
  }

  #disconnected(from: NodeId): void {
    this.#outbox.disconnected(from);
    this.core.reportUnreachable(from);
    this.#offers.disconnected(from);
    this.desk.calls.disconnected(from);
    this.proposals.disconnected(from);
    this.reads.disconnected(from);
  }

  #postAll(messages: readonly Message[]): void {
    for (const message of messages) {
      // Silent while the disk hangs: followers must not go on waiting for a leader that can't write.
      if (this.#disk.isStalled && (message.type === 'heartbeat' || message.type === 'append')) continue;
      if (message.to === this.#options.id) this.core.step(message);
      else this.#outbox.add(message.to, { kind: 'raft', message });
    }
  }

  #fitness(): Fitness {
    return {
      isSealed: this.#options.machine.encoder() === undefined,
      isLogEmpty: this.core.lastIndex === 0,
      isDiskStalled: this.#disk.isStalled,
      isDiskFit: this.#disk.isFit,
      isInstalling: this.#install.isUnderWay || this.state.isRefetching,
      isMember: this.membership.standing === 'member',
    };
  }

  #stop(): void {
    this.loop.stop();
    this.#install.close();
    this.desk.calls.close();
    this.proposals.close();
    this.reads.close();
  }
}
