import { LogIndex, Term } from '@lockstep/contract/ids';

export interface TermRun {
  readonly firstIndex: LogIndex;
  readonly term: Term;
}

/**
 * The term of every log position, as runs of equal terms: a few elements for millions of entries, so that `term(index)` is
 * always answered at once although the entries are on disk. Covers `begin.index` (the snapshot's position) to the last entry.
 */
export class TermRuns {
  #begin: TermRun;
  #runs: TermRun[] = [];

  /** `begin` is the position before the first entry, with its term. */
  constructor(begin: TermRun, runs: readonly TermRun[]) {
    this.#begin = begin;
    for (const run of runs) this.#append(run);
  }

  /** The term of the last run, or of `begin` when there is none. */
  get lastTerm(): Term {
    return (this.#runs.at(-1) ?? this.#begin).term;
  }

  /** The term at `index`; undefined before `begin`. The caller knows that `index` isn't after the last entry. */
  at(index: LogIndex): Term | undefined {
    for (let position = this.#runs.length - 1; position >= 0; position -= 1) {
      const run = this.#runs[position];
      if (run !== undefined && run.firstIndex <= index) return run.term;
    }
    return index === this.#begin.firstIndex ? this.#begin.term : undefined;
  }

  /** An entry of `term` was appended at `index`. */
  extend(index: LogIndex, term: Term): void {
    if (term !== this.lastTerm || this.#runs.length === 0) this.#append({ firstIndex: index, term });
  }

  /**
   * The largest index up to `index` whose term is at most `term`. Term 0 when the answer is before `begin`, where terms are
   * not known any more: then `index` is only an upper bound.
   */
  lastAtMost(index: LogIndex, term: Term): { readonly index: LogIndex; readonly term: Term } {
    let from = index;
    for (let position = this.#runs.length - 1; position >= 0; position -= 1) {
      const run = this.#runs[position];
      if (run === undefined || run.firstIndex > from) continue;
      if (run.term <= term) return { index: from, term: run.term };
      from = LogIndex(run.firstIndex - 1);
    }
    if (from < this.#begin.firstIndex) return { index: from, term: Term(0) };
    if (this.#begin.term <= term) return { index: from, term: this.#begin.term };
    return { index: LogIndex(Math.max(from - 1, 0)), term: Term(0) };
  }

  /** Forgets everything from `index` on. */
  truncateFrom(index: LogIndex): void {
    while (this.#runs.length > 0 && (this.#runs.at(-1)?.firstIndex ?? 0) >= index) this.#runs.pop();
  }

  /** Forgets everything before `begin`, which becomes the position that the log begins after. It ends at `last`. */
  compact(begin: TermRun, last: LogIndex): void {
    const kept = this.#runs.filter((run) => run.firstIndex > begin.firstIndex);
    const next = LogIndex(begin.firstIndex + 1);
    const split = this.#runs.findLast((run) => run.firstIndex <= begin.firstIndex);
    // The run that `begin` cuts goes on after it, unless it ends there.
    const isCut = split !== undefined && next <= last && kept[0]?.firstIndex !== next;
    this.#runs = isCut ? [{ firstIndex: next, term: split.term }, ...kept] : kept;
    this.#begin = begin;
  }

  reset(begin: TermRun): void {
    this.#begin = begin;
    this.#runs = [];
  }

  #append(run: TermRun): void {
    const last = this.#runs.at(-1);
    const isOrdered = last === undefined ? run.firstIndex > this.#begin.firstIndex : run.firstIndex > last.firstIndex;
    if (!isOrdered || run.term < this.lastTerm) {
      throw new Error(`log terms went back: term ${run.term} at index ${run.firstIndex} after term ${this.lastTerm}`);
    }
    this.#runs.push(run);
  }
}
