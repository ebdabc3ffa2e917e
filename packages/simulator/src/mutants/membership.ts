import type { Mutant } from './mutant.ts';

/** Mistakes in changes of the membership, and in whose word counts. */
export const membershipMutants: readonly Mutant[] = [
  {
    name: 'learners-counted',
    listed: 10,
    what: 'counts learners in the quorum that commits',
    edits: [
      {
        file: 'core/src/raft/replication.ts',
        from: '  const index = quorumIndex(core.voters, (node) => core.progress.get(node)?.match ?? LogIndex(0));',
        to: '  const index = quorumIndex({ incoming: [...core.progress.keys()], outgoing: core.voters.outgoing }, (node) => core.progress.get(node)?.match ?? LogIndex(0));',
      },
    ],
  },
  {
    name: 'joint-incoming-only',
    listed: 11,
    what: 'asks only the incoming half of a joint configuration (thesis §4.3)',
    edits: [
      {
        file: 'core/src/raft/quorum.ts',
        from: '  if (voters.outgoing.length === 0) return incoming;',
        to: '  if (voters.outgoing.length >= 0) return incoming;',
      },
      {
        file: 'core/src/raft/quorum.ts',
        from: "  const outgoing = majorityVote(voters.outgoing, vote);\n  if (incoming === 'lost' || outgoing === 'lost') return 'lost';",
        to: "  const outgoing = incoming;\n  if (incoming === 'lost') return 'lost';",
      },
    ],
  },
  {
    name: 'joint-either-half',
    listed: 12,
    what: 'takes either half of a joint configuration for both',
    edits: [
      {
        file: 'core/src/raft/quorum.ts',
        from: '  return incoming < outgoing ? incoming : outgoing;',
        to: '  return incoming > outgoing ? incoming : outgoing;',
      },
      {
        file: 'core/src/raft/quorum.ts',
        from: "  if (incoming === 'lost' || outgoing === 'lost') return 'lost';\n  return incoming === 'won' && outgoing === 'won' ? 'won' : 'pending';",
        to: "  if (voters.outgoing.length === 0) return incoming;\n  if (incoming === 'lost' && outgoing === 'lost') return 'lost';\n  return incoming === 'won' || outgoing === 'won' ? 'won' : 'pending';",
      },
    ],
  },
  {
    name: 'removed-leader-counts',
    listed: 13,
    what: 'a leader that was removed goes on, and counts itself',
    edits: [
      {
        file: 'core/src/raft/reconfiguration.ts',
        from: '    if (core.stepDownOnRemoval) becomeFollower(core, core.term, noNode);\n    return;',
        to: '    // goes on',
      },
      {
        file: 'core/src/raft/replication.ts',
        from: '  const index = quorumIndex(core.voters, (node) => core.progress.get(node)?.match ?? LogIndex(0));',
        to: '  const incoming = core.voters.incoming.includes(core.id) ? core.voters.incoming : [...core.voters.incoming, core.id]; const index = quorumIndex({ incoming, outgoing: core.voters.outgoing }, (node) => node === core.id ? core.log.stable : (core.progress.get(node)?.match ?? LogIndex(0)));',
      },
    ],
  },
  {
    name: 'second-change-pending',
    listed: 14,
    what: 'appends a change while another has not taken effect',
    edits: [
      {
        file: 'core/src/raft/reconfiguration.ts',
        from: '  return core.pendingMembershipIndex > inEffectTo || !hasCommittedInTerm(core);',
        to: '  return core.pendingMembershipIndex > inEffectTo && !hasCommittedInTerm(core);',
      },
    ],
  },
  {
    name: 'change-at-append',
    what: 'tells that a change is in force when it is appended',
    edits: [
      {
        file: 'core/src/members/membership-changes.ts',
        from: '    this.#pending.push({ index: proposed.firstIndex, term: proposed.term, deadlineMs, done, isInForce: false });',
        to: "    done({ kind: 'changed', index: proposed.firstIndex });",
      },
    ],
  },
  {
    name: 'membership-unsaved',
    what: 'forgets at start which changes took effect',
    edits: [
      {
        file: 'core/src/log/memory-log.ts',
        from: '        this.#membership = change.membership;\n        this.#appliedMembershipIndex = change.index;',
        to: '        this.#appliedMembershipIndex = change.index;',
      },
    ],
  },
];
