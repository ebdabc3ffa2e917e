import { LogIndex, type NodeId } from '@lockstep/contract/ids';
import { ApplyFeed } from './apply-feed.ts';
import { Compaction, defaultCompaction } from './compaction.ts';
import { Electability } from './electability.ts';
import { type Durable, GroupCommit } from './group-commit.ts';
import { Leadership, mostAdvanced } from './leadership.ts';
import { inboxMessagesMax, readyRoundsMax } from './limits.ts';
import { LogTime } from './log-time.ts';
import { MemberClocks } from './member-clocks.ts';
import { MembershipHistory } from './membership-history.ts';
import type { PeerMessage, Peers } from './peers/peers.ts';
import type { ConsensusNode, DriverStatus, NodeOptions } from './node-options.ts';
import { firstRequestId, Proposals } from './proposals.ts';
import { defaultRaftLimits } from './raft/limits.ts';
import { decodeMembershipChange } from './raft/membership-codec.ts';
import { Raft } from './raft/raft.ts';
import type { Entry, EntryFetch, Message, Ready, Role, SnapshotMeta } from './raft/types.ts';
import { Reads } from './reads.ts';
import { recoverStart, type Start, votersAre } from './recover-start.ts';
import { type SnapshotPullOptions, startSnapshotPull } from './snapshot/snapshot-pull.ts';
import { SnapshotInstall } from './snapshot-install.ts';
import { SnapshotOffers } from './snapshot-offers.ts';
import { defaultTimings, type Timings } from './timings.ts';
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
    propose: (transaction, done) => node.proposals.propose(transaction, done),
    proposeControl: (data, done) => node.proposals.proposeControl(data, done),
    readIndex: (done) => node.reads.readIndex(done),
    stateSynced: (index) => node.compaction.synced(index),
    status: () => node.status(),
    compactNow: () => node.compaction.compactNow(),
    close: () => node.close(),
    resumeApply: () => node.loop.enter(() => node.feed.resume()),
    campaign: () => node.loop.enter(() => node.core.campaign()),
    transferLeader: (to) => node.loop.enter(() => node.transferLeader(to)),
  };
}

class Driver {
  readonly loop: TurnLoop;
  readonly core: Raft;
  readonly feed: ApplyFeed;
  readonly proposals: Proposals;
  readonly reads: Reads;
  readonly compaction: Compaction;
  readonly #options: NodeOptions;
  readonly #timings: Timings;
  readonly #commits: GroupCommit;
  readonly #memberships: MembershipHistory;
  readonly #electability: Electability;
  readonly #clocks: MemberClocks;
  readonly #offers: SnapshotOffers;
  readonly #install: SnapshotInstall;
  readonly #peers: Peers;
  readonly #outbox = new Map<NodeId, PeerMessage[]>();
  #inboxMessages = 0;
  /** A restored snapshot's batch that is not durable yet. */
  #restoring: { readonly sequence: number; readonly index: LogIndex } | undefined;
  #isDiskStalled = false;
  #role: Role = 'follower';
  #electionsStarted = 0;
  #committedEntries = 0;
  #messagesDropped = 0;

  constructor(options: NodeOptions) {
    const { id, clock, store, machine } = options;
    this.#options = options;
    this.#timings = { ...defaultTimings, ...options.timings };
    const start = recoverStart(options.stored, machine, votersAre(options.members));
    const { stored } = start;
    this.loop = this.#newLoop();
    const enter = (run: () => void): void => this.loop.enter(run);
    this.#electability = new Electability(() => this.#fitness());
    this.core = this.#newCore(start);
    this.#memberships = new MembershipHistory(stored.appliedMembershipIndex, stored.membership);
    this.#commits = new GroupCommit(store, (durable) => enter(() => this.#durable(durable)));
    if (start.firstWrite !== undefined) this.#commits.add(start.firstWrite, []);
    const onApplied = (entries: readonly Entry[]): void => this.compaction.applied(entries);
    this.feed = new ApplyFeed({ store, machine, stored, known: start.applied, enter, onApplied });
    this.#clocks = this.#newClocks();
    const parts = {
      id,
      store,
      machine,
      clock,
      enter,
      core: this.core,
      feed: this.feed,
      memberships: this.#memberships,
      timings: this.#timings,
      leadership: new Leadership(this.core, {
        appliedIndex: () => this.feed.applied,
        isTimeKnown: () => this.#clocks.isKnown(),
      }),
      time: new LogTime(
        () => this.#clocks.nowMs(),
        () => machine.lastTimeMs(),
      ),
      send: (to: NodeId, message: PeerMessage) => this.#send(to, message),
      wake: () => this.loop.wake(),
      log: options.log,
    };
    this.proposals = new Proposals(parts, firstRequestId(options.random));
    this.reads = new Reads(parts, firstRequestId(options.random));
    this.#offers = new SnapshotOffers(parts);
    this.#install = new SnapshotInstall({
      ...parts,
      pull: (offer, done) => startSnapshotPull(this.#pulling(), { from: offer.from, id: offer.meta.id }, done),
    });
    this.compaction = new Compaction({
      ...parts,
      policy: options.compaction ?? defaultCompaction,
      floor: stored.snapshot.index,
      heldAt: () => this.#offers.heldAt(),
      onCompacted: (snapshot) => this.#compacted(snapshot),
    });
    this.#peers = options.peers({
      onMessages: (from, messages) => this.#arrived(from, messages),
      onDisconnected: (from) => enter(() => this.#disconnected(from)),
    });
  }

  begin(): void {
    this.#connectPeers();
    this.feed.advance();
    this.loop.start();
  }

  async close(): Promise<void> {
    if (!this.loop.isStopped) this.#stop();
    await this.#peers.close();
    await this.#options.store.close();
  }

  transferLeader(to: NodeId | undefined): void {
    const target = to ?? mostAdvanced(this.core);
    if (this.core.role === 'leader' && target !== undefined) this.core.transferLeader(target);
  }

  status(): DriverStatus {
    const { id, members, store } = this.#options;
    return {
      raft: this.core.status(),
      id,
      members,
      membership: this.#memberships.current,
      log: store.stats(),
      proposalsWaiting: this.proposals.waitingCount,
      electionsStarted: this.#electionsStarted,
      committedEntries: this.#committedEntries,
      appliedIndex: this.feed.applied,
      turns: this.loop.turnCount,
      lateTicks: this.loop.lateTickCount,
      messagesDropped: this.#messagesDropped,
      proposalsForwarded: this.proposals.forwardedTotal,
      outcomesUnknown: this.proposals.unknownCount,
      compactions: this.compaction.count,
      snapshotsTaken: this.#offers.takenCount,
      snapshotsInstalled: this.#install.installedCount,
      isDiskStalled: this.#isDiskStalled,
      clockOffMs: this.#clocks.offMs,
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

  #newClocks(): MemberClocks {
    const { id, clock, log } = this.#options;
    return new MemberClocks({
      id,
      core: this.core,
      clock,
      membership: () => this.#memberships.current,
      send: (to, message) => this.#send(to, message),
      handOver: (to) => this.transferLeader(to),
      log,
    });
  }

  /** Pulls bring their chunks and timers into the loop. */
  #pulling(): SnapshotPullOptions {
    const { machine, pullSnapshot, clock } = this.#options;
    const { loop } = this;
    return {
      machine,
      setTimer: (ms, run) => clock.setTimer(ms, () => loop.enter(run)),
      pull: (from, id, offset, { onChunk, onEnd }) =>
        pullSnapshot(from, id, offset, {
          onChunk: (data, at, total, next) => loop.enter(() => onChunk(data, at, total, next)),
          onEnd: (error) => loop.enter(() => (error === undefined ? onEnd() : onEnd(error))),
        }),
    };
  }

  #newCore({ stored, applied }: Start): Raft {
    const { id, random, raftLimits } = this.#options;
    const { electionTicks, heartbeatTicks } = this.#timings;
    const { hardState, snapshot, membership } = stored;
    return new Raft({
      id,
      random,
      electionTicks,
      heartbeatTicks,
      hardState,
      snapshot,
      membership,
      applied,
      stored,
      limits: raftLimits ?? defaultRaftLimits,
      isElectable: () => this.#electability.isElectable(),
    });
  }

  /** Everything that was entered has run: requests, the tick, what the core is ready for, the next write, and out. */
  #turn(isTick: boolean): void {
    this.#inboxMessages = 0;
    this.#install.deliver();
    this.#clocks.maybeAsk();
    this.reads.drain();
    this.proposals.drain();
    if (isTick) this.#tick();
    const rounds = this.#drainReady();
    this.#commits.start(isTick);
    this.#flush();
    // What waits may go on now that something has moved; otherwise the next input or tick wakes it.
    if (rounds > 0 && (this.core.hasReady() || this.proposals.waitingCount > 0 || this.reads.hasWaiting))
      this.loop.wake();
  }

  #tick(): void {
    this.#watchDisk();
    this.core.tick();
    this.proposals.expire();
    this.reads.expire();
    this.#offers.expire();
    this.compaction.maybeCompact();
  }

  #drainReady(): number {
    let rounds = 0;
    while (rounds < readyRoundsMax && this.core.hasReady()) {
      this.#do(this.core.ready());
      rounds++;
    }
    return rounds;
  }

  #do(ready: Ready): void {
    this.#noteRole(ready);
    this.#postAll(ready.messages);
    this.#postAll(this.#commits.add(ready.persist, ready.messagesAfterPersist));
    if (ready.persist?.snapshot !== undefined) this.#logReset(ready.persist.sequence, ready.persist.snapshot);
    this.#committed(ready.committed);
    for (const read of ready.reads) this.reads.confirmed(read);
    for (const id of ready.readsDropped) this.reads.dropped(id);
    for (const fetch of ready.fetches) this.#fetch(fetch);
    for (const { to, minIndex } of ready.snapshotsWanted) this.#offers.wanted(to, minIndex);
  }

  #noteRole({ role, leader, term }: Ready): void {
    if (leader !== 0) this.#electability.leaderSeen();
    if (role === this.#role) return;
    if (role === 'candidate') this.#electionsStarted++;
    if (role === 'leader' || this.#role === 'leader')
      this.#options.log(role === 'leader' ? 'leader' : 'not-leader', { term });
    this.#role = role;
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
  #applyMembership({ index, data }: Entry): void {
    const membership = this.core.applyMembership(decodeMembershipChange(data), index);
    this.#memberships.changed(index, membership);
    this.#connectPeers();
    this.#options.store.saveMembership(membership, index, () => this.loop.enter(() => this.feed.saved(index)));
  }

  #logReset(sequence: number, snapshot: SnapshotMeta): void {
    this.#options.log('snapshot-installed', { index: snapshot.index, term: snapshot.term });
    this.#restoring = { sequence, index: snapshot.index };
    this.#memberships.reset(snapshot.index, snapshot.membership);
    this.feed.logReset(snapshot.index, snapshot.term);
    this.compaction.logReset(snapshot.index);
    this.#connectPeers();
  }

  #durable({ sequence, messages }: Durable): void {
    // The write that finished an interrupted install at start is not one of the core's.
    if (sequence > 0) this.core.persisted(sequence);
    if (this.#restoring !== undefined && sequence >= this.#restoring.sequence) {
      this.core.appliedTo(this.#restoring.index);
      this.#restoring = undefined;
    }
    this.#postAll(messages);
  }

  #fetch({ id, from, until, bytesMax }: EntryFetch): void {
    this.#options.store.read({ from, until, bytesMax }, (entries) =>
      this.loop.enter(() => this.core.entriesFetched(id, entries)),
    );
  }

  #compacted(snapshot: SnapshotMeta): void {
    this.core.compacted(snapshot);
    this.feed.compacted(snapshot.index);
    this.#memberships.forgetBefore(snapshot.index);
  }

  #arrived(from: NodeId, messages: readonly PeerMessage[]): void {
    const room = inboxMessagesMax - this.#inboxMessages;
    // As a full network would; the streams' own flow control keeps this from happening but in a node that is stuck.
    if (messages.length > room) this.#messagesDropped += messages.length - room;
    const taken = messages.length > room ? messages.slice(0, room) : messages;
    this.#inboxMessages += taken.length;
    this.loop.enter(() => {
      for (const message of taken) this.#receive(from, message);
    });
  }

  #receive(from: NodeId, message: PeerMessage): void {
    switch (message.kind) {
      case 'raft':
        if (message.message.from !== from || message.message.to !== this.#options.id) this.#messagesDropped++;
        else if (message.message.type === 'snapshot') this.#install.offered(message.message);
        else this.core.step(message.message);
        return;
      case 'propose':
        this.#handOverIfSealed(from);
        return this.proposals.receive(from, message.id, message.transactions);
      case 'read-index':
        this.#handOverIfSealed(from);
        return this.reads.receive(from, message.id);
      case 'proposed':
        return this.proposals.answered(message.id, message.outcome);
      case 'read-index-reply':
        return this.reads.answered(message.id, message.outcome);
      case 'clock-ask':
        return this.#clocks.answer(from, message.id);
      case 'clock':
        return this.#clocks.told(from, message.id, message.wallMs);
      default:
        message satisfies never;
    }
  }

  /** A peer that serves clients is unsealed: it leads better than this node, which can order no transaction. */
  #handOverIfSealed(to: NodeId): void {
    if (this.core.role === 'leader' && this.#options.machine.encoder() === undefined) this.core.transferLeader(to);
  }

  #disconnected(from: NodeId): void {
    this.core.reportUnreachable(from);
    this.proposals.disconnected(from);
    this.reads.disconnected(from);
  }

  #postAll(messages: readonly Message[]): void {
    for (const message of messages) {
      // Silent while the disk hangs: followers must not go on waiting for a leader that can't write.
      if (this.#isDiskStalled && (message.type === 'heartbeat' || message.type === 'append')) continue;
      if (message.to === this.#options.id) this.core.step(message);
      else this.#send(message.to, { kind: 'raft', message });
    }
  }

  #send(to: NodeId, message: PeerMessage): void {
    const waiting = this.#outbox.get(to);
    if (waiting === undefined) this.#outbox.set(to, [message]);
    else waiting.push(message);
  }

  /** One frame for each peer and turn. */
  #flush(): void {
    for (const [to, messages] of this.#outbox) this.#peers.send(to, messages);
    this.#outbox.clear();
  }

  #connectPeers(): void {
    const { id, members } = this.#options;
    const { voters, votersOutgoing, learners } = this.#memberships.current;
    const isMember = (node: NodeId): boolean =>
      voters.includes(node) || votersOutgoing.includes(node) || learners.includes(node);
    this.#peers.setPeers(members.filter(({ node }) => node !== id && isMember(node)));
  }

  #watchDisk(): void {
    const { store, log } = this.#options;
    const { tickMs, electionTicks } = this.#timings;
    const { oldestPendingMs } = store.stats();
    const isStalled = oldestPendingMs > (tickMs * electionTicks) / 2;
    if (isStalled !== this.#isDiskStalled) log(isStalled ? 'disk-stalled' : 'disk-recovered', { oldestPendingMs });
    this.#isDiskStalled = isStalled;
    if (isStalled) this.transferLeader(undefined);
  }

  #fitness(): { isSealed: boolean; isLogEmpty: boolean; isDiskStalled: boolean; isInstalling: boolean } {
    return {
      isSealed: this.#options.machine.encoder() === undefined,
      isLogEmpty: this.core.lastIndex === 0,
      isDiskStalled: this.#isDiskStalled,
      isInstalling: this.#install.isUnderWay,
    };
  }

  #stop(): void {
    this.loop.stop();
    this.#install.close();
    this.proposals.close();
    this.reads.close();
    this.#flush();
  }
}
