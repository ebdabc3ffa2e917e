import type { LogIndex, Term } from '@lockstep/contract/ids';
import type { TransactionResult } from './apply-transaction.ts';
import { recentEntriesMax } from './limits.ts';

/** How a recorded transaction ended, as far as this node can tell. */
export type Recorded =
  | TransactionResult
  /** Certainly not applied: another entry was committed at its place, or nothing was appended. */
  | { readonly kind: 'not-appended'; readonly reason: string }
  | { readonly kind: 'unknown'; readonly reason: string };

interface Waiting {
  readonly term: Term;
  readonly ordinal: number;
  readonly done: (recorded: Recorded) => void;
}

interface AppliedEntry {
  readonly term: Term;
  readonly results: readonly TransactionResult[];
}

/** Brings the results of apply to the requests that wait for them, by the place that the leader gave each transaction. */
export class Positions {
  readonly #waiting = new Map<number, Waiting[]>();
  readonly #recent = new Map<number, AppliedEntry>();
  /** In order of index. */
  readonly #readers: { readonly index: LogIndex; readonly done: () => void }[] = [];
  #controls: { readonly index: LogIndex; readonly term: Term; readonly done: (isOurs: boolean) => void }[] = [];
  #applied: number;

  constructor(applied: LogIndex) {
    this.#applied = applied;
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** Runs `done` once the state holds the entry at `index`. */
  whenApplied(index: LogIndex, done: () => void): void {
    if (index <= this.#applied) return done();
    const at = this.#readers.findLastIndex((reader) => reader.index <= index);
    this.#readers.splice(at + 1, 0, { index, done });
  }

  wait(
    place: { readonly index: LogIndex; readonly term: Term; readonly ordinal: number },
    done: (recorded: Recorded) => void,
  ): void {
    const { index, term, ordinal } = place;
    const entry = this.#recent.get(index);
    if (entry !== undefined) return done(outcome(entry, term, ordinal));
    if (index <= this.#applied)
      return done({ kind: 'unknown', reason: 'the answer came after the result was forgotten' });
    const list = this.#waiting.get(index);
    if (list === undefined) this.#waiting.set(index, [{ term, ordinal, done }]);
    else list.push({ term, ordinal, done });
  }

  /** Runs `done` once a control entry was committed at `index`: was it the one of that term? */
  whenControl(index: LogIndex, term: Term, done: (isOurs: boolean) => void): void {
    this.#controls.push({ index, term, done });
  }

  /** Every entry is told here at commit, sealed or not. */
  committed(index: LogIndex, term: Term): void {
    if (this.#controls.length === 0) return;
    const passed = this.#controls.filter((control) => control.index <= index);
    this.#controls = this.#controls.filter((control) => control.index > index);
    for (const control of passed) control.done(control.index === index && control.term === term);
  }

  entryApplied(index: LogIndex, term: Term, results: readonly TransactionResult[]): void {
    this.#applied = index;
    const entry = { term, results };
    this.#recent.set(index, entry);
    this.#recent.delete(index - recentEntriesMax);
    const list = this.#waiting.get(index) ?? [];
    this.#waiting.delete(index);
    for (const waiting of list) waiting.done(outcome(entry, waiting.term, waiting.ordinal));
    this.#releaseReaders(index);
  }

  #releaseReaders(applied: LogIndex): void {
    let released = 0;
    while ((this.#readers[released]?.index ?? Number.POSITIVE_INFINITY) <= applied) released++;
    for (const reader of this.#readers.splice(0, released)) reader.done();
  }

  /** A snapshot replaced the state: what was waited for up to there may or may not be in it. */
  snapshotInstalled(index: LogIndex): void {
    this.#applied = index;
    this.#recent.clear();
    for (const [at, list] of this.#waiting) {
      if (at > index) continue;
      this.#waiting.delete(at);
      for (const waiting of list) waiting.done({ kind: 'unknown', reason: 'a snapshot passed the place of the write' });
    }
    this.#releaseReaders(index);
  }
}

function outcome(entry: AppliedEntry, term: Term, ordinal: number): Recorded {
  if (entry.term !== term) return { kind: 'not-appended', reason: 'another entry was committed in its place' };
  return entry.results[ordinal] ?? { kind: 'unknown', reason: 'the entry holds no such transaction' };
}
