import type { NodeId } from '@lockstep/contract/ids';
import type { MemoryLogImage } from '@lockstep/core/log/memory-log';
import type { NodeLoad } from '@lockstep/core/node-load';
import type { Entry, HardState, Message, PersistBatch, Ready, Role, SnapshotMeta } from '@lockstep/core/raft/types';
import type { RaftLimits } from '@lockstep/core/raft/limits';
import type { KeyValue } from '../key-value.ts';
import { insist } from '../violation.ts';
import { checkAcknowledgement, checkVote } from './acknowledgements.ts';
import { checkBounds } from './bounds.ts';
import { Committed } from './committed.ts';
import { Elections } from './elections.ts';
import { votingText } from './membership-model.ts';
import { checkCrashImage, checkRestart, checkTermOfEntries } from './disk-images.ts';
import { checkLease, checkLeases, type Lease } from './leases.ts';
import { LogMatching } from './log-matching.ts';
import { becameDurable, newNodeView, type NodeView } from './node-view.ts';
import { checkPositions, checkProgress, noteTaken } from './positions.ts';
import { hasQuorum } from './quorums.ts';

export interface CheckerOptions {
  readonly nowMs: () => number;
  /** No node campaigns sooner than this after it heard its leader. */
  readonly quietMs: number;
  /** Of every node. */
  readonly limits: RaftLimits;
  /** What each running node would answer a read by lease at, now. */
  readonly leases: () => readonly Lease[];
}

/**
 * The invariants of Raft (Ongaro's thesis, figure 3.2, and those that an implementation adds), over all nodes at once, after
 * every event. Each check looks only at what has changed. Numbers are those of the project's list of invariants.
 */
export class Checker {
  readonly committed: Committed = new Committed();
  readonly elections: Elections = new Elections();
  readonly #options: CheckerOptions;
  readonly #nodes = new Map<NodeId, NodeView>();
  readonly #logs = new LogMatching();

  constructor(options: CheckerOptions) {
    this.#options = options;
  }

  /** A node starts with what its disk holds. */
  started(
    id: NodeId,
    of: { readonly image: MemoryLogImage; readonly applied: number; readonly isJoining: boolean },
  ): void {
    const { image, applied } = of;
    const known = this.#nodes.get(id);
    const view = newNodeView({ id, run: (known?.run ?? 0) + 1, applied }, image);
    this.#nodes.set(id, view);
    // A log that names nobody begins with the founders, but for who joins what they have founded.
    if (image.membership.voters.length === 0 && !of.isJoining) view.voting = this.committed.votingAt(0) ?? view.voting;
    checkTermOfEntries(id, view.log);
    this.#checkVoting(view, image.membership);
    if (known !== undefined) checkRestart(known, view);
  }

  /** A crash leaves this on the disk. */
  crashed(id: NodeId, image: MemoryLogImage): void {
    const node = this.#node(id);
    checkCrashImage(node, image);
    this.#nodes.set(id, newNodeView({ id, run: node.run, applied: node.applied }, image));
  }

  /** A write of its log failed: nothing that it says can be relied on. */
  poisoned(id: NodeId): void {
    this.#node(id).isPoisoned = true;
  }

  /** The core of a node hands out its work. */
  ready(id: NodeId, ready: Ready): void {
    const node = this.#node(id);
    const { persist } = ready;
    const led = node.leads;
    if (persist !== undefined) this.#persists(node, ready, persist);
    if (ready.role !== 'leader') node.leads = undefined;
    else if (node.leads !== ready.term) this.#elected(node, ready.term);
    const commit = persist?.hardState?.commit ?? 0;
    if (commit > node.commit) this.#commits(node, ready, commit);
    // What was confirmed before it fell in this turn holds.
    const readsOf = node.leads ?? led;
    for (const { id: read, index } of ready.reads) this.#readConfirmed(node, { read, index, term: readsOf });
    for (const read of ready.readsDropped) node.reads.dropped(read);
    // The host lets a change take effect after it was handed out, so that all of the above was counted without it.
    for (const { type, index } of ready.committed) if (type === 'membership') this.#takesEffect(node, index);
  }

  readAsked(id: NodeId, read: number): void {
    this.#node(id).reads.asked(read);
  }

  /** The next campaign of this node is somebody's wish. */
  toldToCampaign(id: NodeId): void {
    const node = this.#nodes.get(id);
    if (node !== undefined) node.campaign = 'told';
  }

  writing(id: NodeId, batches: readonly PersistBatch[]): void {
    const node = this.#node(id);
    node.unsynced.push(...batches);
    // The driver's own, at start: the core began with its outcome.
    for (const batch of batches) {
      if (batch.sequence !== 0) continue;
      node.log.apply(batch);
      if (batch.snapshot !== undefined) this.#restored(node, batch.snapshot);
    }
  }

  written(id: NodeId, batches: readonly PersistBatch[]): void {
    const node = this.#node(id);
    if (!batches.some((batch) => batch.mustSync)) return;
    for (const batch of node.unsynced.splice(0)) becameDurable(node, batch);
    checkTermOfEntries(id, node.durable);
  }

  compacted(id: NodeId, index: number): void {
    const node = this.#node(id);
    insist(
      '12 compaction stays behind the state',
      index <= node.applied,
      () => `node ${id} compacted ${index}, applied ${node.applied}`,
    );
    node.log.compact(index);
    node.durable.compact(index);
  }

  /** A compaction is asked for: no peer that installs a snapshot may lose the log that goes on after it. */
  compacting(id: NodeId, index: number, role: Role): void {
    if (role !== 'leader') return;
    for (const [peer, offered] of this.#node(id).offered) {
      insist(
        '12 compaction waits for who installs a snapshot',
        index <= offered,
        () => `leader ${id} compacts ${index}, node ${peer} was offered a snapshot of ${offered}`,
      );
    }
  }

  /** A message leaves a node. */
  sent(id: NodeId, message: Message): void {
    const node = this.#node(id);
    insist('24 nothing leaves after a failed write', !node.isPoisoned, () => `node ${id} sent ${message.type}`);
    node.reads.sent(message);
    switch (message.type) {
      case 'vote-reply':
        if (message.rejected) return;
        this.elections.voted(id, message.term, message.to);
        return checkVote(node, message);
      case 'append-reply':
        if (!message.rejected) checkAcknowledgement(node, message, this.#leadersTermAt(message.term, message.index));
        return;
      case 'snapshot':
        node.offered.set(message.to, message.meta.index);
        return this.elections.spoke({ node: id, run: node.run }, message.term);
      case 'append':
      case 'heartbeat':
      case 'timeout-now':
        return this.elections.spoke({ node: id, run: node.run }, message.term);
      case 'pre-vote':
        return this.#campaigns(node);
      case 'vote':
      case 'pre-vote-reply':
      case 'heartbeat-reply':
        return;
      default:
        message satisfies never;
    }
  }

  /** A message reaches a node. */
  received(id: NodeId, message: Message): void {
    const node = this.#node(id);
    node.reads.received(message);
    node.shown.received(message);
    noteTaken(node, message);
    // A snapshot waits for its contents, and a node whose disk is full takes no entries: heartbeats are heard always.
    if (message.type !== 'heartbeat' || message.term < (node.last?.term ?? 0)) return;
    node.heardMs = this.#options.nowMs();
    if (node.campaign === 'done') node.campaign = 'own';
  }

  /** A node hands an entry to its state machine. */
  applied(id: NodeId, entry: Entry, state: KeyValue): void {
    const node = this.#node(id);
    insist(
      '6 entries are applied in order, once',
      entry.index === node.applied + 1,
      () => `node ${id} applied ${entry.index} after ${node.applied}`,
    );
    insist(
      '12 only what is durable here is applied',
      node.durable.holds(entry.index, entry.term),
      () => `node ${id} applied ${entry.index}; its disk ends at ${node.durable.lastIndex}`,
    );
    node.applied = entry.index;
    this.committed.applied(entry);
    insist(
      '6 the same entries make the same state',
      this.committed.isState(entry.index, state),
      () => `the state of node ${id} at ${entry.index} is another than the log makes`,
    );
  }

  installed(id: NodeId, state: KeyValue): void {
    const node = this.#node(id);
    insist(
      '11 a state never goes back',
      state.index >= node.applied,
      () => `node ${id} took a snapshot of ${state.index}, it had applied ${node.applied}`,
    );
    insist(
      '23 a snapshot is the state that the log makes',
      this.committed.isState(state.index, state),
      () => `node ${id} took a snapshot of ${state.index} that differs`,
    );
    node.applied = state.index;
  }

  /** A turn of a node's loop is over. */
  turned(id: NodeId, load: NodeLoad): void {
    const node = this.#node(id);
    const status = load.raft;
    checkLease({ node: id, index: status.leaseIndex }, this.committed.lastIndex);
    checkBounds(load, this.#options.limits);
    checkPositions(node, load);
    node.last = status;
    if (status.role === 'leader') checkProgress(node, status, (peer) => this.#nodes.get(peer));
  }

  #persists(node: NodeView, ready: Ready, persist: PersistBatch): void {
    const { id } = node;
    const { hardState, snapshot } = persist;
    const isLeading = ready.role === 'leader' && node.leads === ready.term;
    insist(
      '4 a leader only appends',
      !isLeading || (persist.truncateFrom === undefined && snapshot === undefined),
      () => `leader ${id} of term ${ready.term} cut its log from ${persist.truncateFrom ?? snapshot?.index}`,
    );
    node.log.apply(persist);
    if (snapshot !== undefined) this.#restored(node, snapshot);
    for (const entry of persist.entries) this.#logs.has(node, entry);
    if (isLeading) this.#onePending(node, persist.entries);
    if (hardState !== undefined) this.#enters(id, hardState);
  }

  #enters(id: NodeId, { term, vote }: HardState): void {
    if (vote === id) this.elections.began(term);
    this.elections.entered(id, term);
  }

  #restored(node: NodeView, snapshot: SnapshotMeta): void {
    const { index, term, membership } = snapshot;
    insist(
      '7 what is committed never changes',
      this.committed.termAt(index) === term,
      () =>
        `node ${node.id} begins its log after ${term}/${index}; committed there: term ${this.committed.termAt(index)}`,
    );
    node.commit = Math.max(node.commit, index);
    node.voting = membership;
    node.votingIndex = index;
    this.#checkVoting(node, membership);
  }

  /** The membership that a node begins with, or that came with a snapshot, is the one of its position. */
  #checkVoting({ id, votingIndex }: NodeView, membership: SnapshotMeta['membership']): void {
    const expected = this.committed.votingAt(votingIndex);
    // Somebody who has not joined yet knows of nobody.
    if (membership.voters.length === 0 || expected === undefined) return;
    insist(
      '17 a membership is what the log makes it',
      votingText(membership) === votingText(expected),
      () => `node ${id} has ${votingText(membership)} at ${votingIndex}, the log makes ${votingText(expected)}`,
    );
  }

  #takesEffect(node: NodeView, index: number): void {
    if (index <= node.votingIndex) return;
    node.votingIndex = index;
    node.voting = this.committed.votingAt(index) ?? node.voting;
  }

  /** A leader appends a change only when all before it have taken effect. */
  #onePending(node: NodeView, entries: readonly Entry[]): void {
    const change = entries.find(({ type }) => type === 'membership');
    if (change === undefined) return;
    const pending = node.log.changesAfter(node.votingIndex);
    insist(
      '16 one change of the membership at a time',
      pending.length === 1,
      () => `leader ${node.id} has changes at ${pending.join(', ')} that have not taken effect`,
    );
  }

  #elected(node: NodeView, term: number): void {
    const { id, run, log, durable } = node;
    node.leads = term;
    node.match.clear();
    node.offered.clear();
    this.elections.elected({ node: id, run }, term, node.voting);
    insist(
      '10 a vote is durable before it counts',
      durable.term === term && durable.vote === id,
      () => `node ${id} leads term ${term}; on its disk: term ${durable.term}, vote ${durable.vote}`,
    );
    const last = this.committed.lastBefore(term);
    insist(
      '5 a leader has all that is committed',
      last <= log.begin || log.termAt(last) === this.committed.termAt(last),
      () =>
        `node ${id} leads term ${term} without entry ${last} of term ${this.committed.termAt(last)}; its log ends at ${log.lastIndex}`,
    );
  }

  #commits(node: NodeView, ready: Ready, commit: number): void {
    const { id, log, last } = node;
    const lastTerm = log.termAt(commit);
    insist(
      '12 commit is in the log',
      lastTerm !== undefined,
      () => `node ${id} committed ${commit}; its log ends at ${log.lastIndex}`,
    );
    // As follower it may have learned of more in the turn in which it was elected.
    const hasLed = last?.role === 'leader' && last.term === ready.term && ready.role === 'leader';
    if (hasLed)
      insist(
        '9 a leader commits its own term',
        lastTerm === ready.term,
        () => `leader ${id} of term ${ready.term} committed ${commit} of term ${lastTerm}`,
      );
    if (last?.role !== 'leader') node.shown.requireShown(id, { role: ready.role, commit, begin: log.begin });
    let isFirst = false;
    for (let index = Math.max(node.commit, log.begin) + 1; index <= commit; index++) {
      const fact = { term: log.termAt(index) ?? 0, hash: log.hashAt(index) ?? 0, countedIn: ready.term };
      if (this.committed.committed(index, fact, log.changeAt(index))) isFirst = true;
    }
    node.commit = commit;
    if (isFirst) this.#commitsFirst(node, ready, { commit, term: lastTerm ?? 0 });
  }

  #commitsFirst(node: NodeView, ready: Ready, of: { readonly commit: number; readonly term: number }): void {
    const { id, voting } = node;
    // It may have been told of a later term in the turn in which it counted.
    insist(
      '13 a follower commits no more than its leader',
      ready.role === 'leader' || node.last?.role === 'leader',
      () => `node ${id}, ${ready.role} in term ${ready.term}, is the first to commit ${of.commit}`,
    );
    checkLeases({ node: id, commit: of.commit }, this.#options.leases());
    const isDurableAt = (voter: NodeId): boolean => this.#nodes.get(voter)?.durable.holds(of.commit, of.term) ?? false;
    insist(
      '8 what is committed is durable at a quorum of voters',
      hasQuorum(voting, isDurableAt),
      () =>
        `${id} committed ${of.commit}, durable only at ${[...this.#nodes.keys()].filter(isDurableAt).join(', ')} of ${votingText(voting)}`,
    );
  }

  /** A campaign begins with a pre-vote, but for one that the leader asked for. */
  #campaigns(node: NodeView): void {
    const quietMs = this.#options.nowMs() - (node.heardMs ?? Number.NEGATIVE_INFINITY);
    insist(
      'who hears its leader does not campaign',
      node.campaign !== 'own' || quietMs >= this.#options.quietMs,
      () => `node ${node.id} campaigns ${quietMs} ms after it heard its leader`,
    );
    if (node.campaign === 'told') node.campaign = 'done';
  }

  #readConfirmed(
    node: NodeView,
    { read, index, term }: { readonly read: number; readonly index: number; readonly term: number | undefined },
  ): void {
    node.reads.confirmed(read, { self: node.id, voting: node.voting });
    const committedIn = this.committed.termAt(index);
    insist(
      '21 a leader confirms reads once it has committed in its term',
      committedIn === term,
      () =>
        `node ${node.id} confirmed a read at ${index} in term ${term}, which was committed with term ${committedIn}`,
    );
  }

  /** The term of the entry that the leader of `term` has at `index`; undefined when it leads no more, or has compacted it. */
  #leadersTermAt(term: number, index: number): number | undefined {
    const leader = this.elections.leaderOf(term);
    const view = leader === undefined ? undefined : this.#nodes.get(leader.node);
    if (view === undefined || view.run !== leader?.run || view.leads !== term) return undefined;
    return view.log.termAt(index);
  }

  #node(id: NodeId): NodeView {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new Error(`invariant broken: node ${id} never started`);
    return node;
  }
}
