import type { Mutant } from './mutant.ts';

/** Mistakes on the way to the disk and back, snapshots and compaction included. */
export const logMutants: readonly Mutant[] = [
  {
    name: 'stable-without-sequence',
    listed: 24,
    what: 'entries that replaced others count as durable when those are (ABA)',
    edits: [
      {
        file: 'core/src/raft/raft-log.ts',
        from: '    for (const write of this.#writes) if (write.lastIndex > last) write.lastIndex = last;',
        to: '    // forgotten',
      },
    ],
  },
  {
    name: 'keep-suffix',
    listed: 28,
    what: 'leaves what it cut from its log on the disk',
    edits: [
      {
        file: 'core/src/raft/raft-log.ts',
        from: '      this.#truncateFrom = index;',
        to: '      this.#truncateFrom = undefined;',
      },
    ],
  },
  {
    name: 'promise-before-write',
    what: 'says what a write promises when the write begins',
    edits: [
      {
        file: 'core/src/group-commit.ts',
        from: '    owed.messages.push(...messages);\n    return [];',
        to: '    return messages;',
      },
    ],
  },
  {
    name: 'log-before-state',
    what: 'resets the log to a snapshot before the state is there',
    edits: [
      {
        file: 'core/src/snapshot-install.ts',
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
        file: 'core/src/recover-start.ts',
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
        file: 'core/src/compaction.ts',
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
        file: 'core/src/apply-feed.ts',
        from: '      this.#isRefused = true;\n      return;',
        to: '      this.#isRefused = true;\n      this.#applied = last.index;\n      return;',
      },
    ],
  },
  {
    name: 'apply-twice',
    what: 'begins at start with the entry that was applied last',
    edits: [
      {
        file: 'core/src/apply-feed.ts',
        from: '    this.#applied = options.applied;',
        to: '    this.#applied = LogIndex(Math.max(0, options.applied - 1));',
      },
    ],
  },
  {
    name: 'snapshot-behind-commit',
    listed: 22,
    what: 'goes back to a snapshot that is older than what it has committed',
    edits: [
      {
        file: 'core/src/raft/following.ts',
        from: '  if (meta.index > log.commit && isMember(core, meta)) {',
        to: '  if (isMember(core, meta)) {',
      },
      {
        file: 'core/src/raft/raft-log.ts',
        from: '    if (snapshot.index <= this.#commit)',
        to: '    if (snapshot.index < 0)',
      },
      // The driver looks before it offers one to the core, and so does the state machine.
      {
        file: 'core/src/snapshot-install.ts',
        from: '    if (core.commit < meta.index) {',
        to: '    if (meta.index > 0) {',
      },
      {
        file: 'core/src/snapshot-install.ts',
        from: '    if (feed.applied >= meta.index) return this.#installed(meta, true);',
        to: '',
      },
      {
        file: 'core/src/snapshot-install.ts',
        from: '    if (!ok || feed.applied >= meta.index) {',
        to: '    if (!ok) {',
      },
      {
        file: 'simulator/src/machine.ts',
        from: '      if (this.#state.index >= meta.index) {',
        to: '      if (this.#state.index < 0) {',
      },
    ],
  },
  {
    name: 'compact-under-install',
    listed: 23,
    what: 'compacts past the snapshot that a follower is installing, which then needs another',
    edits: [
      {
        file: 'core/src/compaction.ts',
        from: '    return Math.min(this.#synced, feed.applied, feed.known, heldAt() ?? Number.POSITIVE_INFINITY);',
        to: '    return Math.min(this.#synced, feed.applied, feed.known);',
      },
    ],
  },
  {
    name: 'sessions-not-in-snapshot',
    listed: 26,
    what: 'a snapshot has the values and not the requests that made them, so that a repeat takes effect again',
    edits: [
      {
        file: 'simulator/src/key-value.ts',
        from: '  const sessions = [...state.sessions];',
        to: '  const sessions = [];',
      },
    ],
  },
  {
    name: 'term-after-entries',
    listed: 27,
    what: 'writes the term and vote in a batch after the one with the entries',
    edits: [
      {
        file: 'core/src/raft/output.ts',
        from: '  core.handedHardState = hardState;',
        to: '  if (write.entries.length === 0) core.handedHardState = hardState;',
      },
      {
        file: 'core/src/raft/output.ts',
        from: '  return { sequence, hardState: isChanged ? hardState : undefined, ...write, mustSync };',
        to: '  return { sequence, hardState: isChanged && write.entries.length === 0 ? hardState : undefined, ...write, mustSync };',
      },
    ],
  },
  {
    name: 'go-on-after-failed-write',
    listed: 29,
    what: 'goes on writing after a write has failed (LevelDB acknowledges, and loses it all)',
    edits: [
      {
        file: 'core/src/log/memory-log.ts',
        from: '      this.#isPoisoned = true;\n      this.#options.onFatal?.(this.#failure);\n      return;',
        to: '      this.#failure = undefined;',
      },
    ],
  },
];
