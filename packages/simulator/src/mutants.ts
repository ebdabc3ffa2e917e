/** One line of the product's source, and the mistake that takes its place. The line must be there, exactly once. */
export interface Edit {
  /** Below packages/core/src. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** A classic mistake, put into a copy of the source while it is loaded: the simulator must notice it. */
export interface Mutant {
  readonly name: string;
  readonly what: string;
  readonly edits: readonly Edit[];
}

export const mutants: readonly Mutant[] = [
  {
    name: 'commit-old-term',
    what: 'commits an entry of an earlier term by counting who has it (Raft §5.4.2, figure 8)',
    edits: [
      {
        file: 'raft/replication.ts',
        from: '  if (index <= core.log.commit || !core.log.matches(index, core.term)) return false;',
        to: '  if (index <= core.log.commit) return false;',
      },
    ],
  },
  {
    name: 'vote-before-durable',
    what: 'gives its vote before it is on the disk',
    edits: [
      {
        file: 'raft/election.ts',
        from: '  core.messagesAfterPersist.push({ type, from: core.id, to: request.from, term, rejected: !isGranted, ...known });',
        to: '  core.messages.push({ type, from: core.id, to: request.from, term, rejected: !isGranted, ...known });',
      },
    ],
  },
  {
    name: 'ack-before-fsync',
    what: 'acknowledges entries before they are on the disk',
    edits: [
      {
        file: 'raft/following.ts',
        from: "  core.messagesAfterPersist.push({ type: 'append-reply', from, to: to.from, term, index, rejected: false, ...noHint });",
        to: "  core.messages.push({ type: 'append-reply', from, to: to.from, term, index, rejected: false, ...noHint });",
      },
    ],
  },
  {
    name: 'apply-before-stable',
    what: 'applies what is committed before it is on its own disk (etcd #14370)',
    edits: [
      {
        file: 'raft/raft-log.ts',
        from: '    return LogIndex(Math.min(this.#commit, this.#stable) + 1);',
        to: '    return LogIndex(this.#commit + 1);',
      },
    ],
  },
  {
    name: 'truncate-always',
    what: 'cuts its log after every append, though the entries are there already (openraft, skiff)',
    edits: [
      {
        file: 'raft/raft-log.ts',
        from: '    if (entry === undefined) return;',
        to: '    if (entry === undefined) { const end = entries.at(-1)?.index; if (end !== undefined && end >= this.#commit && end < this.#last) this.#truncateAt(LogIndex(end + 1)); return; }',
      },
    ],
  },
  {
    name: 'vote-without-log-check',
    what: 'gives its vote whatever the candidate holds (Raft §5.4.1)',
    edits: [
      {
        file: 'raft/election.ts',
        from: '  const isGranted = isFree && core.log.isUpToDate(request.lastIndex, request.lastTerm);',
        to: '  const isGranted = isFree;',
      },
    ],
  },
  {
    name: 'longer-log-wins',
    what: 'compares logs by their length only (Raft §5.4.1)',
    edits: [
      {
        file: 'raft/raft-log.ts',
        from: '    return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.#last);',
        to: '    return lastTerm >= 0 && lastIndex >= this.#last;',
      },
    ],
  },
  {
    name: 'vote-twice',
    what: 'votes for whoever asks, though it has voted in that term (Raft §5.2)',
    edits: [
      {
        file: 'raft/election.ts',
        from: '    core.vote === request.from ||',
        to: '    core.vote >= 0 || core.vote === request.from ||',
      },
    ],
  },
  {
    name: 'own-vote-uncounted-disk',
    what: 'leads by the votes of others before its own is on the disk',
    edits: [
      {
        file: 'raft/election.ts',
        from: "  } else if (result === 'won' && core.votes.has(core.id)) {",
        to: "  } else if (result === 'won') {",
      },
    ],
  },
  {
    name: 'raw-commit-heartbeat',
    what: "a heartbeat carries the leader's commit index to a follower that may lack the entries",
    edits: [
      {
        file: 'raft/replication.ts',
        from: '    const commit = LogIndex(Math.min(peer.match, log.commit));',
        to: '    const commit = log.commit;',
      },
    ],
  },
  {
    name: 'no-noop',
    what: 'a new leader appends no entry of its own (Raft §8)',
    edits: [{ file: 'raft/election.ts', from: "  appendOwn(core, [new Uint8Array(0)], 'noop');", to: '  // nothing' }],
  },
  {
    name: 'echoes-outlive-term',
    what: 'what peers echoed in an earlier term confirms reads in a later one',
    edits: [{ file: 'raft/reads.ts', from: '    this.#echoed.clear();', to: '    // kept' }],
  },
  {
    name: 'stable-without-sequence',
    what: 'entries that replaced others count as durable when those are (ABA)',
    edits: [
      {
        file: 'raft/raft-log.ts',
        from: '    for (const write of this.#writes) if (write.lastIndex > last) write.lastIndex = last;',
        to: '    // forgotten',
      },
    ],
  },
  {
    name: 'append-without-match',
    what: 'takes entries though the one before them is another (Raft §5.3)',
    edits: [
      {
        file: 'raft/following.ts',
        from: '  if (!log.matches(prevIndex, prevTerm)) {',
        to: '  if (prevIndex > log.lastIndex) {',
      },
    ],
  },
  {
    name: 'read-without-quorum',
    what: 'confirms a read without asking a quorum',
    edits: [
      {
        file: 'raft/output.ts',
        from: '    core.reads.confirm(core.voters, core.id);',
        to: '    core.reads.confirm({ incoming: [core.id], outgoing: [] }, core.id);',
      },
    ],
  },
  {
    name: 'promise-before-write',
    what: 'says what a write promises when the write begins',
    edits: [
      {
        file: 'group-commit.ts',
        from: '    owed.messages.push(...messages);\n    return [];',
        to: '    return messages;',
      },
    ],
  },
  {
    name: 'resend-unknown',
    what: 'sends a transaction again though its outcome is unknown',
    edits: [
      {
        file: 'proposals.ts',
        from: "      own.done({ kind: 'unknown' });",
        to: '      this.#push({ ...own, deadlineMs: own.deadlineMs + 10_000 });',
      },
    ],
  },
  {
    name: 'refuse-unknown',
    what: 'says that nothing was appended when a stream broke',
    edits: [
      {
        file: 'proposals.ts',
        from: "      own.done({ kind: 'unknown' });",
        to: "      own.done(refused('no-leader'));",
      },
    ],
  },
  {
    name: 'ordinals-by-batch',
    what: 'tells the transactions of a turn the same ordinal',
    edits: [
      { file: 'proposals.ts', from: '        ordinal += waiting.transactions.length;', to: '        ordinal += 1;' },
    ],
  },
  {
    name: 'time-goes-back',
    what: "stamps entries by the leader's clock alone",
    edits: [
      {
        file: 'log-time.ts',
        from: '    this.#lastMs = Math.max(this.#lastMs, Math.floor(this.#wallMs()), this.#appliedMs());',
        to: '    this.#lastMs = Math.floor(this.#wallMs());',
      },
    ],
  },
  {
    name: 'order-before-ready',
    what: 'a new leader orders transactions before it has applied what came before its term',
    edits: [
      {
        file: 'leadership.ts',
        from: '    return this.#appliedIndex() >= this.#beginsAt && this.#isTimeKnown();',
        to: '    return this.#appliedIndex() >= 0;',
      },
    ],
  },
  {
    name: 'join-read-under-way',
    what: 'a read takes the answer to an earlier question',
    edits: [
      {
        file: 'reads.ts',
        from: '    this.#waiting.push({ done, deadlineMs: this.#options.clock.nowMs() + this.#options.timings.readDeadlineMs });',
        to: '    const read = { done, deadlineMs: this.#options.clock.nowMs() + this.#options.timings.readDeadlineMs }; const under = [...this.#rounds.values()][0]; if (under === undefined) this.#waiting.push(read); else { (under.reads as Read[]).push(read); this.#readsUnderWay++; }',
      },
    ],
  },
  {
    name: 'log-before-state',
    what: 'resets the log to a snapshot before the state is there',
    edits: [
      {
        file: 'snapshot-install.ts',
        from: '    if (meta.index <= core.commit) return core.step(message);',
        to: '    if (meta.index > 0) return core.step(message);',
      },
    ],
  },
  {
    name: 'install-unfinished',
    what: 'forgets at start that a snapshot was switched to and the log not reset',
    edits: [
      {
        file: 'recover-start.ts',
        from: '  const installed = machine.installedSnapshot?.();',
        to: '  const installed = undefined as SnapshotMeta | undefined;',
      },
    ],
  },
  {
    name: 'compact-unsynced',
    what: 'compacts what the state has applied but not fsynced',
    edits: [
      {
        file: 'compaction.ts',
        from: '    return Math.min(this.#synced, feed.applied, feed.known, heldAt() ?? Number.POSITIVE_INFINITY);',
        to: '    return Math.min(feed.applied, feed.known, heldAt() ?? Number.POSITIVE_INFINITY);',
      },
    ],
  },
  {
    name: 'skip-while-sealed',
    what: 'forgets what was committed while the state could not apply',
    edits: [
      {
        file: 'apply-feed.ts',
        from: '      this.#isRefused = true;\n      return;',
        to: '      this.#isRefused = true;\n      this.#applied = last.index;\n      return;',
      },
    ],
  },
  {
    name: 'keep-suffix',
    what: 'leaves what it cut from its log on the disk',
    edits: [
      {
        file: 'raft/raft-log.ts',
        from: '      this.#truncateFrom = index;',
        to: '      this.#truncateFrom = undefined;',
      },
    ],
  },
  {
    name: 'forget-vote-at-restart',
    what: 'forgets at start whom it voted for',
    edits: [{ file: 'raft/core.ts', from: '    vote: hardState.vote,', to: '    vote: noNode,' }],
  },
  {
    name: 'apply-twice',
    what: 'begins at start with the entry that was applied last',
    edits: [
      {
        file: 'apply-feed.ts',
        from: '    this.#applied = options.applied;',
        to: '    this.#applied = LogIndex(Math.max(0, options.applied - 1));',
      },
    ],
  },
];
