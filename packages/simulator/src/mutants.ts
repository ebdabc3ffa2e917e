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
];
