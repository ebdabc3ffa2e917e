import type { Mutant } from './mutant.ts';

/** Mistakes in what the driver does with proposals. */
export const driverMutants: readonly Mutant[] = [
  {
    name: 'resend-unknown',
    what: 'sends a transaction again though its outcome is unknown',
    edits: [
      {
        file: 'core/src/proposals.ts',
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
        file: 'core/src/proposals.ts',
        from: "      own.done({ kind: 'unknown' });",
        to: "      own.done(refused('no-leader'));",
      },
    ],
  },
  {
    name: 'ordinals-by-batch',
    what: 'tells the transactions of a turn the same ordinal',
    edits: [
      {
        file: 'core/src/proposals.ts',
        from: '        ordinal += waiting.transactions.length;',
        to: '        ordinal += 1;',
      },
    ],
  },
  {
    name: 'order-before-ready',
    what: 'a new leader orders transactions before it has applied what came before its term',
    edits: [
      {
        file: 'core/src/leadership.ts',
        from: '    return this.#appliedIndex() >= this.#beginsAt && this.#isTimeKnown();',
        to: '    return this.#appliedIndex() >= 0;',
      },
    ],
  },
];
