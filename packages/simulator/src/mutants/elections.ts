import type { Mutant } from './mutant.ts';

/** Mistakes in elections. */
export const electionMutants: readonly Mutant[] = [
  {
    name: 'vote-without-log-check',
    listed: 2,
    what: 'gives its vote whatever the candidate holds (Raft §5.4.1)',
    edits: [
      {
        file: 'core/src/raft/election.ts',
        from: '  const isGranted = isFree && core.log.isUpToDate(request.lastIndex, request.lastTerm);',
        to: '  const isGranted = isFree;',
      },
    ],
  },
  {
    name: 'longer-log-wins',
    listed: 3,
    what: 'compares logs by their length only (Raft §5.4.1)',
    edits: [
      {
        file: 'core/src/raft/raft-log.ts',
        from: '    return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.#last);',
        to: '    return lastTerm >= 0 && lastIndex >= this.#last;',
      },
    ],
  },
  {
    name: 'vote-before-durable',
    listed: 4,
    what: 'gives its vote before it is on the disk',
    edits: [
      {
        file: 'core/src/raft/election.ts',
        from: '  core.messagesAfterPersist.push({ type, from: core.id, to: request.from, term, rejected: !isGranted, ...known });',
        to: '  core.messages.push({ type, from: core.id, to: request.from, term, rejected: !isGranted, ...known });',
      },
    ],
  },
  {
    name: 'vote-twice',
    what: 'votes for whoever asks, though it has voted in that term (Raft §5.2)',
    edits: [
      {
        file: 'core/src/raft/election.ts',
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
        file: 'core/src/raft/election.ts',
        from: "  } else if (result === 'won' && core.votes.has(core.id)) {",
        to: "  } else if (result === 'won') {",
      },
    ],
  },
  {
    name: 'forget-vote-at-restart',
    what: 'forgets at start whom it voted for',
    edits: [{ file: 'core/src/raft/core.ts', from: '    vote: hardState.vote,', to: '    vote: noNode,' }],
  },
  {
    name: 'pre-vote-bumps-term',
    listed: 20,
    what: 'a pre-vote raises the term of whoever hears it (thesis §9.6)',
    edits: [
      {
        file: 'core/src/raft/raft.ts',
        from: "  if (message.type === 'pre-vote' || (message.type === 'pre-vote-reply' && !message.rejected)) return true;",
        to: "  if (message.type === 'pre-vote-reply' && !message.rejected) return true;",
      },
    ],
  },
  {
    name: 'duplicate-votes',
    listed: 21,
    what: 'counts a vote again for each time that it arrives',
    edits: [
      {
        file: 'core/src/raft/election.ts',
        from: '  if (!core.votes.has(reply.from)) core.votes.set(reply.from, !reply.rejected);',
        to: '  if (!core.votes.has(reply.from)) core.votes.set(reply.from, !reply.rejected); else if (!reply.rejected) for (const voter of core.voters.incoming) if (!core.votes.has(voter)) { core.votes.set(voter, true); break; }',
      },
    ],
  },
  {
    name: 'tick-burst',
    listed: 30,
    what: 'a process that was paused ticks once for every tick it missed',
    edits: [
      {
        file: 'core/src/turn-loop.ts',
        from: '    const isLate = nowMs - this.#lastTimerMs > this.#options.tickMs * lateTicksMax;',
        to: '    const missed = Math.floor((nowMs - this.#lastTimerMs) / this.#options.tickMs); const isLate = missed > lateTicksMax;',
      },
      {
        file: 'core/src/turn-loop.ts',
        from: '    this.#options.schedule(() => this.#options.schedule(() => this.#tickDue()));',
        to: '    const again = (left) => { if (left > 0) this.#options.schedule(() => { this.#tickDue(); again(left - 1); }); }; again(missed);',
      },
    ],
  },
];
