import type { NodeId } from '@lockstep/contract/ids';
import type { MemoryLogImage } from '@lockstep/core/log/memory-log';
import type { Entry, Message, PersistBatch, RaftStatus, Ready } from '@lockstep/core/raft/types';
import { Committed } from './committed.ts';
import type { KeyValue } from './key-value.ts';
import { LogView } from './log-view.ts';
import { insist } from './violation.ts';

/** What the checker knows of one node. It survives the node's crashes. */
interface NodeView {
  readonly id: NodeId;
  /** Counts the runs of this node. */
  run: number;
  /** Its log as the core has it. */
  log: LogView;
  /** Its log as the disk certainly has it. */
  durable: LogView;
  /** Written and not yet durable, in order. */
  unsynced: PersistBatch[];
  last: RaftStatus | undefined;
  commit: number;
  applied: number;
  /** What the leader knew of each peer when it was last checked. */
  readonly match: Map<NodeId, number>;
}

/**
 * The invariants of Raft (Ongaro's thesis, figure 3.2, and those that an implementation adds), over all nodes at once, after
 * every event. Each check looks only at what has changed. Numbers are those of the project's list of invariants.
 */
export class Checker {
  readonly committed: Committed = new Committed();
  readonly #nodes = new Map<NodeId, NodeView>();
  readonly #leaders = new Map<number, { readonly node: NodeId; readonly run: number }>();
  readonly #votes = new Map<string, NodeId>();
  /** For each position and term: what the entry holds, and the term before it. */
  readonly #entries = new Map<number, Map<number, { readonly hash: number; readonly termBefore: number }>>();
  electionCount = 0;

  /** A node starts with what its disk holds. */
  started(id: NodeId, image: MemoryLogImage, applied: number): void {
    const known = this.#nodes.get(id);
    const log = LogView.of(image);
    const view: NodeView = {
      id,
      run: (known?.run ?? 0) + 1,
      log,
      durable: LogView.of(image),
      unsynced: [],
      last: undefined,
      commit: 0,
      applied,
      match: new Map(),
    };
    this.#nodes.set(id, view);
    insist(
      '14 no entry is of a later term than the disk knows',
      log.lastTerm <= log.term,
      () => `node ${id} starts with term ${log.term} and an entry of term ${log.lastTerm}`,
    );
    if (known === undefined) return;
    insist(
      '11 a term never goes back',
      log.term >= known.durable.term,
      () => `node ${id} starts in term ${log.term}, it was in ${known.durable.term}`,
    );
  }

  /** A crash leaves this on the disk. */
  crashed(id: NodeId, image: MemoryLogImage): void {
    const node = this.#node(id);
    node.durable = LogView.of(image);
    node.unsynced = [];
    const { term, lastTerm } = node.durable;
    insist(
      '14 no entry is of a later term than the disk knows',
      lastTerm <= term,
      () => `node ${id} crashed with term ${term} and an entry of term ${lastTerm}`,
    );
  }

  /** The core of a node hands out its work. */
  ready(id: NodeId, ready: Ready): void {
    const node = this.#node(id);
    const { persist } = ready;
    if (persist === undefined) return;
    node.log.apply(persist);
    for (const entry of persist.entries) this.#logMatching(node, entry);
    const commit = persist.hardState?.commit ?? 0;
    if (commit > node.commit) this.#commits(node, ready, commit);
  }

  writing(id: NodeId, batches: readonly PersistBatch[]): void {
    const node = this.#node(id);
    node.unsynced.push(...batches);
    // The driver's own, at start: the core began with its outcome.
    for (const batch of batches) if (batch.sequence === 0) node.log.apply(batch);
  }

  written(id: NodeId, batches: readonly PersistBatch[]): void {
    const node = this.#node(id);
    if (!batches.some((batch) => batch.mustSync)) return;
    const { durable } = node;
    for (const batch of node.unsynced.splice(0)) {
      const { lastIndex } = durable;
      durable.apply(batch);
      // Not what the core asked for, but what the disk did.
      insist(
        '10 what is acknowledged is durable',
        batch.entries.length === 0 || durable.lastIndex >= Math.min(lastIndex, batch.entries[0]?.index ?? 0),
        () => `node ${id} lost entries of its log`,
      );
    }
    insist(
      '14 no entry is of a later term than the disk knows',
      durable.lastTerm <= durable.term,
      () => `node ${id}: term ${durable.term}, an entry of term ${durable.lastTerm}`,
    );
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

  /** A message leaves a node. */
  sent(id: NodeId, message: Message): void {
    const { durable, log } = this.#node(id);
    if (message.type === 'vote-reply' && !message.rejected) {
      this.#votedOnce(id, message.term, message.to);
      insist(
        '10 a vote is durable before it is given',
        durable.term > message.term || (durable.term === message.term && durable.vote === message.to),
        () =>
          `node ${id} gave its vote of term ${message.term} to ${message.to}; on its disk: term ${durable.term}, vote ${durable.vote}`,
      );
    }
    if (message.type !== 'append-reply' || message.rejected) return;
    insist(
      '10 a term is durable before it is answered in',
      durable.term >= message.term,
      () => `node ${id} answered in term ${message.term}; on its disk: ${durable.term}`,
    );
    // What a leader of an earlier term is told can no longer commit anything: this node has helped to elect a later one, or follows it.
    if (durable.term > message.term) return;
    const term = log.termAt(message.index);
    // An entry of a later term has replaced, in memory so far, the one that this answer speaks of: that one must be on the disk still.
    const isReplaced = term !== undefined && term > message.term;
    insist(
      '10 an entry is durable before it is acknowledged',
      message.index <= durable.lastIndex && (term === undefined || isReplaced || durable.holds(message.index, term)),
      () => `node ${id} acknowledged ${message.index} (term ${term}); its disk ends at ${durable.lastIndex}`,
    );
  }

  /** A node hands an entry to its state machine. */
  applied(id: NodeId, entry: Entry): void {
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
      this.committed.isState(state.index, state.hash),
      () => `node ${id} took a snapshot of ${state.index} that differs`,
    );
    node.applied = state.index;
  }

  /** A turn of a node's loop is over. */
  turned(id: NodeId, status: RaftStatus): void {
    const node = this.#node(id);
    const before = node.last;
    node.last = status;
    this.#ordered(node, status);
    if (before !== undefined) monotone(before, status);
    if (status.role === 'leader') this.#leads(node, status, before);
    if (status.role === 'leader') this.#progress(node, status);
  }

  #logMatching(node: NodeView, entry: Entry): void {
    const { index, term } = entry;
    const hash = node.log.hashAt(index) ?? 0;
    const termBefore = node.log.termAt(index - 1) ?? 0;
    let terms = this.#entries.get(index);
    if (terms === undefined) {
      terms = new Map();
      this.#entries.set(index, terms);
    }
    const known = terms.get(term);
    if (known === undefined) {
      terms.set(term, { hash, termBefore });
      return;
    }
    insist(
      '3 logs match',
      known.hash === hash && known.termBefore === termBefore,
      () =>
        `node ${node.id} has an entry ${term}/${index} after term ${termBefore} that another node has after term ${known.termBefore}, or with other data`,
    );
  }

  #votedOnce(id: NodeId, term: number, candidate: NodeId): void {
    const key = `${id} ${term}`;
    const known = this.#votes.get(key);
    insist(
      '2 a node votes once in a term',
      known === undefined || known === candidate,
      () => `node ${id} voted for ${known} and for ${candidate} in term ${term}`,
    );
    this.#votes.set(key, candidate);
  }

  #leads(node: NodeView, status: RaftStatus, before: RaftStatus | undefined): void {
    const { id, log, durable, run } = node;
    const { term } = status;
    if (before?.role === 'leader' && before.term === term) {
      insist(
        '4 a leader only appends',
        status.lastIndex >= before.lastIndex,
        () => `leader ${id} of term ${term} cut its log from ${before.lastIndex} to ${status.lastIndex}`,
      );
      return;
    }
    this.electionCount++;
    const known = this.#leaders.get(term);
    insist(
      '1 one leader in a term',
      known === undefined || (known.node === id && known.run === run),
      () => `term ${term} is led by ${known?.node} and by ${id}`,
    );
    this.#leaders.set(term, { node: id, run });
    this.#votedOnce(id, term, id);
    insist(
      '10 a vote is durable before it counts',
      durable.term === term && durable.vote === id,
      () => `node ${id} leads term ${term}; on its disk: term ${durable.term}, vote ${durable.vote}`,
    );
    // A node may be elected late, in a term that others have left behind: it leads nobody who has committed since.
    const last = this.committed.lastBefore(term);
    insist(
      '5 a leader has all that is committed',
      last <= log.begin || log.termAt(last) === this.committed.termAt(last),
      () =>
        `node ${id} leads term ${term} without entry ${last} of term ${this.committed.termAt(last)}; its log ends at ${log.lastIndex}`,
    );
    node.match.clear();
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
    let isFirst = false;
    for (let index = Math.max(node.commit, log.begin) + 1; index <= commit; index++) {
      const fact = { term: log.termAt(index) ?? 0, hash: log.hashAt(index) ?? 0, countedIn: ready.term };
      if (this.committed.committed(index, fact)) isFirst = true;
    }
    node.commit = commit;
    if (!isFirst || lastTerm === undefined) return;
    const voters = [...this.#nodes.values()];
    const holding = voters.filter((voter) => voter.durable.holds(commit, lastTerm));
    insist(
      '8 what is committed is durable at a quorum',
      holding.length * 2 > voters.length,
      () => `${id} committed ${commit}, durable only at ${holding.map((voter) => voter.id).join(', ')}`,
    );
  }

  #ordered({ id, log, applied }: NodeView, status: RaftStatus): void {
    const { firstIndex, commit, lastIndex, stable } = status;
    insist(
      '12 positions are in order',
      status.applied <= commit && commit <= lastIndex && status.applied <= stable,
      () => `node ${id}: applied ${status.applied}, commit ${commit}, last ${lastIndex}, stable ${stable}`,
    );
    insist(
      '12 compaction stays behind the state',
      firstIndex - 1 <= applied,
      () => `node ${id}: the log begins at ${firstIndex}, the state is at ${applied}`,
    );
    insist(
      '12 positions are in order',
      lastIndex === log.lastIndex,
      () => `node ${id}: the core's log ends at ${lastIndex}, what it handed out at ${log.lastIndex}`,
    );
  }

  #progress(leader: NodeView, status: RaftStatus): void {
    for (const { node: id, match, next, state, inflightCount } of status.progress) {
      insist(
        '15 what a leader knows of a peer is sane',
        match < next && match <= status.lastIndex,
        () => `leader ${leader.id}: node ${id} match ${match}, next ${next}, last ${status.lastIndex}`,
      );
      insist(
        '15 only a replicating peer has messages in flight',
        inflightCount === 0 || state === 'replicate',
        () => `leader ${leader.id}: node ${id} in ${state} with ${inflightCount} in flight`,
      );
      if (leader.match.get(id) === match) continue;
      leader.match.set(id, match);
      const term = leader.log.termAt(match);
      const peer = this.#nodes.get(id);
      if (term === undefined || peer === undefined) continue;
      insist(
        '15 a peer has durably what its leader counts on',
        peer.durable.holds(match, term),
        () =>
          `leader ${leader.id}: node ${id} match ${match} (term ${term}), its disk ends at ${peer.durable.lastIndex}`,
      );
    }
  }

  #node(id: NodeId): NodeView {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new Error(`invariant broken: node ${id} never started`);
    return node;
  }
}

function monotone(before: RaftStatus, after: RaftStatus): void {
  const { id } = after;
  insist(
    '11 a term never goes back',
    after.term >= before.term,
    () => `node ${id}: term ${before.term} to ${after.term}`,
  );
  insist(
    '11 a commit never goes back',
    after.commit >= before.commit,
    () => `node ${id}: commit ${before.commit} to ${after.commit}`,
  );
  insist(
    '11 an applied index never goes back',
    after.applied >= before.applied,
    () => `node ${id}: applied ${before.applied} to ${after.applied}`,
  );
  insist(
    '11 a vote never changes',
    after.term > before.term || before.vote === 0 || after.vote === before.vote,
    () => `node ${id}: vote of term ${after.term} from ${before.vote} to ${after.vote}`,
  );
}
