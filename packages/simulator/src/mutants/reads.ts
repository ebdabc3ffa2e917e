import type { Mutant } from './mutant.ts';

/** Mistakes in reads and in time. */
export const readMutants: readonly Mutant[] = [
  {
    name: 'echoes-outlive-term',
    listed: 17,
    what: 'what peers echoed in an earlier term confirms reads in a later one',
    edits: [{ file: 'core/src/raft/reads.ts', from: '    this.#echoed.clear();', to: '    // kept' }],
  },
  {
    name: 'read-without-quorum',
    what: 'confirms a read without asking a quorum',
    edits: [
      {
        file: 'core/src/raft/output.ts',
        from: '    core.reads.confirm(core.voters, core.id);',
        to: '    core.reads.confirm({ incoming: [core.id], outgoing: [] }, core.id);',
      },
    ],
  },
  {
    name: 'join-read-under-way',
    what: 'a read takes the answer to an earlier question',
    edits: [
      {
        file: 'core/src/reads.ts',
        from: '    this.#waiting.push({ done, deadlineMs: this.#options.clock.nowMs() + this.#options.timings.readDeadlineMs });',
        to: '    const read = { done, deadlineMs: this.#options.clock.nowMs() + this.#options.timings.readDeadlineMs }; const under = [...this.#rounds.values()][0]; if (under === undefined) this.#waiting.push(read); else { (under.reads as Read[]).push(read); this.#readsUnderWay++; }',
      },
    ],
  },
  {
    name: 'time-goes-back',
    what: "stamps entries by the leader's clock alone",
    edits: [
      {
        file: 'core/src/log-time.ts',
        from: '    this.#lastMs = Math.max(this.#lastMs, Math.floor(this.#wallMs()), this.#appliedMs());',
        to: '    this.#lastMs = Math.floor(this.#wallMs());',
      },
    ],
  },
  {
    name: 'read-before-own-commit',
    listed: 16,
    what: 'a new leader confirms reads before an entry of its term is committed (thesis §6.4)',
    edits: [
      {
        file: 'core/src/raft/output.ts',
        from: "  return core.reads.hasWaiting && core.role === 'leader' && hasCommittedInTerm(core);",
        to: "  return core.reads.hasWaiting && core.role === 'leader';",
      },
      {
        file: 'core/src/leadership.ts',
        from: '    return this.#appliedIndex() >= this.#beginsAt && this.#isTimeKnown();',
        to: '    return this.#isTimeKnown();',
      },
    ],
  },
  {
    name: 'lease-through-transfer',
    listed: 18,
    what: 'keeps its lease though it has asked another to take over',
    scenario: 'a late hand-over ends the lease',
    edits: [{ file: 'core/src/raft/replication.ts', from: '  core.lease?.giveUp();', to: '  // kept' }],
  },
  {
    name: 'lease-from-echo',
    listed: 19,
    what: 'counts its lease from when the echo came, not from when the heartbeat left',
    scenario: 'a late echo gives no new lease',
    edits: [
      {
        file: 'core/src/raft/lease.ts',
        from: '    this.#untilMs = Math.max(this.#untilMs, sent.sentMs + this.#options.lengthMs);',
        to: '    this.#untilMs = Math.max(this.#untilMs, this.#options.nowMs() + this.#options.lengthMs);',
      },
    ],
  },
];
