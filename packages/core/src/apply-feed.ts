import { assert } from '@lockstep/contract/errors';
import { LogIndex, type Term } from '@lockstep/contract/ids';
import { catchUpBytesMax } from './limits.ts';
import type { LogStore, StoredLog } from './log/log-store.ts';
import type { StateMachine } from './port.ts';
import type { Entry } from './raft/types.ts';

export interface ApplyFeedOptions {
  readonly store: LogStore;
  readonly machine: StateMachine;
  readonly stored: Pick<StoredLog, 'snapshot' | 'termRuns'>;
  /** What the state holds. */
  readonly applied: LogIndex;
  /** Up to here control entries have taken effect, and everything is in the log. */
  readonly known: LogIndex;
  /** Runs what a callback brings in the driver's own turn. */
  readonly enter: (run: () => void) => void;
  readonly onApplied: (entries: readonly Entry[]) => void;
}

/**
 * Brings committed entries to the state machine, in order, each once. Usually straight from the core; a state that is behind
 * (sealed, installing a snapshot, or waiting for a membership to be saved) gets them later, out of the log.
 */
export class ApplyFeed {
  readonly #options: ApplyFeedOptions;
  /** What the state holds. */
  #applied: LogIndex;
  /** What is committed and durable here. */
  #known: LogIndex;
  /** Up to where control entries were offered by themselves. */
  #controlled: LogIndex;
  /** Index of the first membership entry whose effect is not saved yet: the state must not get ahead of it. */
  #unsaved: LogIndex[] = [];
  #isRefused = false;
  #isPaused = false;
  #isReading = false;
  readonly #terms: { readonly firstIndex: LogIndex; readonly term: Term }[];

  constructor(options: ApplyFeedOptions) {
    this.#options = options;
    this.#applied = options.applied;
    this.#controlled = this.#applied;
    this.#known = options.known;
    const { snapshot, termRuns } = options.stored;
    const committed = termRuns.filter((run) => run.firstIndex <= options.known);
    this.#terms = [{ firstIndex: snapshot.index, term: snapshot.term }, ...committed];
  }

  get applied(): LogIndex {
    return this.#applied;
  }

  get known(): LogIndex {
    return this.#known;
  }

  /** The machine has answered that it can't take entries now. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  /** The core's next committed entries. Those of type `membership` listed in `unsaved` block the state until `saved`. */
  committed(entries: readonly Entry[], unsaved: readonly LogIndex[]): void {
    const [first, last] = [entries.at(0), entries.at(-1)];
    if (first === undefined || last === undefined) return;
    assert(first.index === this.#known + 1, `entry ${first.index} was committed after ${this.#known}`);
    for (const entry of entries) this.#noteTerm(entry);
    this.#unsaved.push(...unsaved);
    this.#known = last.index;
    this.#offerControl(entries);
    this.#offer(entries);
    this.advance();
  }

  /** The membership after entry `index` is durable. */
  saved(index: LogIndex): void {
    this.#unsaved = this.#unsaved.filter((unsaved) => unsaved !== index);
    this.advance();
  }

  /** The state machine can take entries again (it was sealed, or behind). A pause stays: what it can take is not what it may. */
  resume(): void {
    this.#isRefused = false;
    this.advance();
  }

  /** No entries until `unpause`: the state is being replaced, and entries that it took meanwhile would be lost with it. */
  pause(): void {
    this.#isPaused = true;
  }

  unpause(): void {
    this.#isPaused = false;
    this.advance();
  }

  /** The state was replaced by one at `index`: an earlier one only where it was damaged. */
  replaced(index: LogIndex): void {
    this.#applied = index;
    this.#controlled = LogIndex(Math.max(this.#controlled, index));
    // What the state before it refused may be over with it: nobody else would offer this one anything.
    this.#isRefused = false;
  }

  /** The log was reset to begin after a snapshot. */
  logReset(index: LogIndex, term: Term): void {
    this.#known = LogIndex(Math.max(this.#known, index));
    this.#terms.splice(0, this.#terms.length, { firstIndex: index, term });
  }

  /** The term of a committed entry that is still in the log, or of the one just before it. */
  termAt(index: LogIndex): Term {
    const run = this.#terms.findLast((candidate) => candidate.firstIndex <= index);
    assert(run !== undefined, `the term at ${index} is asked for after compaction`);
    return run.term;
  }

  /** As `termAt`; undefined for what the log no longer tells, or is not committed. */
  knownTermAt(index: LogIndex): Term | undefined {
    const isKnown = index <= this.#known && index >= (this.#terms[0]?.firstIndex ?? 0);
    return isKnown ? this.termAt(index) : undefined;
  }

  compacted(index: LogIndex): void {
    // A snapshot was installed while the store compacted.
    if (index < (this.#terms[0]?.firstIndex ?? 0)) return;
    const term = this.termAt(index);
    const later = this.#terms.filter((run) => run.firstIndex > index);
    this.#terms.splice(0, this.#terms.length, { firstIndex: index, term }, ...later);
  }

  /** Reads on from the log if something there has not been offered yet. */
  advance(): void {
    const from = this.#nextUnread();
    if (this.#isReading || from === undefined) return;
    this.#isReading = true;
    const range = { from, until: LogIndex(this.#known + 1), bytesMax: catchUpBytesMax };
    this.#options.store.read(range, (entries) => this.#options.enter(() => this.#read(from, entries)));
  }

  #nextUnread(): LogIndex | undefined {
    if (this.#canApply() && this.#applied < this.#applicable()) return LogIndex(this.#applied + 1);
    return this.#controlled < this.#known ? LogIndex(this.#controlled + 1) : undefined;
  }

  #read(from: LogIndex, entries: readonly Entry[] | 'compacted'): void {
    this.#isReading = false;
    if (entries === 'compacted') {
      // Only a snapshot that came meanwhile may have taken them away.
      assert(from <= this.#applied, `entry ${from} was compacted before the state had it`);
    } else {
      this.#offerControl(entries);
      this.#offer(entries);
    }
    this.advance();
  }

  #offerControl(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.index !== this.#controlled + 1) continue;
      this.#controlled = entry.index;
      if (entry.type === 'control') this.#options.machine.control(entry);
    }
  }

  #offer(entries: readonly Entry[]): void {
    if (!this.#canApply()) return;
    const until = this.#applicable();
    const next = entries.filter((entry) => entry.index > this.#applied && entry.index <= until);
    const last = next.at(-1);
    if (last === undefined || next.at(0)?.index !== this.#applied + 1) return;
    if (!this.#options.machine.apply(next)) {
      this.#isRefused = true;
      return;
    }
    this.#applied = last.index;
    this.#options.onApplied(next);
  }

  #canApply(): boolean {
    return !this.#isRefused && !this.#isPaused;
  }

  /** The last index that the state may take. */
  #applicable(): LogIndex {
    const unsaved = this.#unsaved.reduce((least, index) => Math.min(least, index), Number.POSITIVE_INFINITY);
    return unsaved <= this.#known ? LogIndex(unsaved - 1) : this.#known;
  }

  #noteTerm(entry: Entry): void {
    if (this.#terms.at(-1)?.term !== entry.term) this.#terms.push({ firstIndex: entry.index, term: entry.term });
  }
}
