import type { MemoryLogImage } from '@lockstep/core/log/memory-log';
import type { Entry, PersistBatch, SnapshotMeta } from '@lockstep/core/raft/types';
import { hashBytes } from '../hashing.ts';

/** One log as the checker sees it: for each position its term and a hash of its data; of membership entries the data itself. */
export class LogView {
  #begin = 0;
  #beginTerm = 0;
  #terms: number[] = [];
  #hashes: number[] = [];
  readonly #changes = new Map<number, Uint8Array>();
  term = 0;
  vote = 0;

  static of(image: MemoryLogImage): LogView {
    const view = new LogView();
    view.#reset(image.snapshot);
    for (const entry of image.entries) view.#append(entry);
    view.term = image.hardState.term;
    view.vote = image.hardState.vote;
    return view;
  }

  get begin(): number {
    return this.#begin;
  }

  get lastIndex(): number {
    return this.#begin + this.#terms.length;
  }

  get lastTerm(): number {
    return this.#terms.at(-1) ?? this.#beginTerm;
  }

  /** Undefined before the log begins and after its end. */
  termAt(index: number): number | undefined {
    return index === this.#begin ? this.#beginTerm : this.#terms[index - this.#begin - 1];
  }

  hashAt(index: number): number | undefined {
    return this.#hashes[index - this.#begin - 1];
  }

  /** The data of the membership entry at that position, if that is one. */
  changeAt(index: number): Uint8Array | undefined {
    return this.#changes.get(index);
  }

  /** Positions of membership entries after `index`. */
  changesAfter(index: number): readonly number[] {
    return [...this.#changes.keys()].filter((at) => at > index);
  }

  /** Holds the entry of that term at that position, or has compacted past it. */
  holds(index: number, term: number): boolean {
    return index < this.#begin || this.termAt(index) === term;
  }

  apply(batch: PersistBatch): void {
    if (batch.snapshot !== undefined) this.#reset(batch.snapshot);
    if (batch.truncateFrom !== undefined) this.#truncate(batch.truncateFrom);
    for (const entry of batch.entries) this.#append(entry);
    if (batch.hardState !== undefined) {
      this.term = batch.hardState.term;
      this.vote = batch.hardState.vote;
    }
  }

  compact(index: number): void {
    if (index <= this.#begin) return;
    this.#beginTerm = this.termAt(index) ?? 0;
    this.#terms.splice(0, index - this.#begin);
    this.#hashes.splice(0, index - this.#begin);
    this.#begin = index;
    for (const at of this.#changes.keys()) if (at <= index) this.#changes.delete(at);
  }

  #reset(snapshot: SnapshotMeta): void {
    this.#begin = snapshot.index;
    this.#beginTerm = snapshot.term;
    this.#terms = [];
    this.#hashes = [];
    this.#changes.clear();
  }

  #truncate(from: number): void {
    const kept = Math.max(0, from - this.#begin - 1);
    this.#terms.length = Math.min(this.#terms.length, kept);
    this.#hashes.length = Math.min(this.#hashes.length, kept);
    for (const at of this.#changes.keys()) if (at >= from) this.#changes.delete(at);
  }

  #append(entry: Entry): void {
    const at = entry.index - this.#begin - 1;
    this.#terms[at] = entry.term;
    this.#hashes[at] = hashBytes(entry.data);
    if (entry.type === 'membership') this.#changes.set(entry.index, entry.data);
    else this.#changes.delete(entry.index);
  }
}
