import type { Mutant } from './mutant.ts';

/** Mistakes in replication and commit. */
export const replicationMutants: readonly Mutant[] = [
  {
    name: 'commit-old-term',
    listed: 1,
    what: 'commits an entry of an earlier term by counting who has it (Raft §5.4.2, figure 8)',
    edits: [
      {
        file: 'core/src/raft/replication.ts',
        from: '  if (index <= core.log.commit || !core.log.matches(index, core.term)) return false;',
        to: '  if (index <= core.log.commit) return false;',
      },
    ],
  },
  {
    name: 'ack-before-fsync',
    listed: 5,
    what: 'acknowledges entries before they are on the disk',
    edits: [
      {
        file: 'core/src/raft/following.ts',
        from: "  core.messagesAfterPersist.push({ type: 'append-reply', from, to: to.from, term, index, rejected: false, ...noHint });",
        to: "  core.messages.push({ type: 'append-reply', from, to: to.from, term, index, rejected: false, ...noHint });",
      },
    ],
  },
  {
    name: 'apply-before-stable',
    listed: 6,
    what: 'applies what is committed before it is on its own disk (etcd #14370)',
    edits: [
      {
        file: 'core/src/raft/raft-log.ts',
        from: '    return LogIndex(Math.min(this.#commit, this.#stable) + 1);',
        to: '    return LogIndex(this.#commit + 1);',
      },
    ],
  },
  {
    name: 'truncate-always',
    listed: 7,
    what: 'cuts its log after every append, though the entries are there already (openraft, skiff)',
    edits: [
      {
        file: 'core/src/raft/raft-log.ts',
        from: '    if (entry === undefined) return;',
        to: '    if (entry === undefined) { const end = entries.at(-1)?.index; if (end !== undefined && end >= this.#commit && end < this.#last) this.#truncateAt(LogIndex(end + 1)); return; }',
      },
    ],
  },
  {
    name: 'raw-commit-heartbeat',
    listed: 9,
    what: "a heartbeat carries the leader's commit index to a follower that may lack the entries",
    edits: [
      {
        file: 'core/src/raft/replication.ts',
        from: '    const commit = LogIndex(Math.min(peer.match, log.commit));',
        to: '    const commit = log.commit;',
      },
    ],
  },
  {
    name: 'no-noop',
    listed: 15,
    what: 'a new leader appends no entry of its own (Raft §8)',
    edits: [
      {
        file: 'core/src/raft/election.ts',
        from: "  appendOwn(core, [new Uint8Array(0)], 'noop');",
        to: '  // nothing',
      },
    ],
  },
  {
    name: 'append-without-match',
    what: 'takes entries though the one before them is another (Raft §5.3)',
    edits: [
      {
        file: 'core/src/raft/following.ts',
        from: '  if (!log.matches(prevIndex, prevTerm)) {',
        to: '  if (prevIndex > log.lastIndex) {',
      },
    ],
  },
  {
    name: 'commit-what-is-told',
    listed: 8,
    what: 'a follower commits as far as its leader has, whatever of its log the message has shown to match (Raft figure 2)',
    edits: [
      {
        file: 'core/src/raft/following.ts',
        from: '  log.commitTo(append.commit < matched ? append.commit : matched);',
        to: '  log.commitTo(append.commit < log.lastIndex ? append.commit : log.lastIndex);',
      },
    ],
  },
  {
    name: 'inflights-kept',
    listed: 25,
    what: 'keeps what was on its way to a peer that has refused it',
    edits: [{ file: 'core/src/raft/progress.ts', from: '    this.inflights.clear();', to: '    // kept' }],
  },
];
