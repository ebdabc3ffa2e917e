import type { Term } from '@lockstep/contract/ids';
import type { PersistBatch } from './raft/types.ts';

/** The term that this node's disk certainly holds: what it may tell others to remember. */
export class DurableTerm {
  #term: Term;
  readonly #writing: { readonly sequence: number; readonly term: Term }[] = [];

  constructor(stored: Term) {
    this.#term = stored;
  }

  get term(): Term {
    return this.#term;
  }

  /** A batch that is to be written. */
  writing(batch: PersistBatch | undefined): void {
    if (batch?.hardState === undefined || batch.hardState.term === this.#newest) return;
    this.#writing.push({ sequence: batch.sequence, term: batch.hardState.term });
  }

  /** Batches up to `sequence` are durable. */
  written(sequence: number): void {
    while (this.#writing[0] !== undefined && this.#writing[0].sequence <= sequence) {
      this.#term = this.#writing[0].term;
      this.#writing.shift();
    }
  }

  get #newest(): Term {
    return this.#writing.at(-1)?.term ?? this.#term;
  }
}
