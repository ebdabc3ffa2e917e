import { applyTo, emptyKeyValue, type KeyValue } from './key-value.ts';
import type { Entry } from '@lockstep/core/raft/types';
import { hashBytes } from './hashing.ts';
import { insist } from './violation.ts';

/** What the one true history says of an index. */
interface Fact {
  readonly term: number;
  readonly hash: number;
  /** The term of the node that was the first to count it as committed. */
  readonly countedIn: number;
}

/**
 * The one history that every node must tell: which entry was committed at each index, once for ever, and what the state is after
 * each. Grown from what nodes hand to their state machines; everything else is compared with it.
 */
export class Committed {
  readonly #facts: Fact[] = [];
  readonly #states: { readonly hash: number; readonly timeMs: number }[] = [{ hash: 0, timeMs: 0 }];
  readonly #state: KeyValue = emptyKeyValue();
  /** Each key's values, with the index that made them. */
  readonly #values = new Map<string, { readonly index: number; readonly value: string }[]>();
  readonly #places = new Map<string, number>();
  /** Transactions that were said not to be appended: they must never come. */
  readonly #refused = new Set<string>();

  /** The last index known to be committed. */
  get lastIndex(): number {
    return this.#facts.length;
  }

  /** The last index whose contents are known here. */
  get lastApplied(): number {
    return this.#state.index;
  }

  termAt(index: number): number | undefined {
    return this.#facts[index - 1]?.term;
  }

  /** The last index that was committed before `term`: every leader of that term or a later one has it. */
  lastBefore(term: number): number {
    return this.#facts.findLastIndex((fact) => fact.countedIn < term) + 1;
  }

  /** A node counts `index` as committed. True when it is the first to do so. */
  committed(index: number, fact: Fact): boolean {
    const known = this.#facts[index - 1];
    if (known === undefined) {
      insist(
        'committed entries are contiguous',
        index === this.#facts.length + 1,
        () => `index ${index} was committed after ${this.#facts.length}`,
      );
      this.#facts.push(fact);
      return true;
    }
    insist(
      '7 what is committed never changes',
      known.term === fact.term && known.hash === fact.hash,
      () => `index ${index} was committed with term ${known.term}, and now with term ${fact.term}`,
    );
    return false;
  }

  /** A node applies `entry`: it must be the committed one. */
  applied(entry: Entry): void {
    const fact = this.#facts[entry.index - 1];
    insist(
      '6 only what is committed is applied',
      fact !== undefined,
      () => `entry ${entry.index} was applied before it was committed`,
    );
    insist(
      '6 all nodes apply the same entry',
      fact?.term === entry.term && fact.hash === hashBytes(entry.data),
      () => `entry ${entry.index} was applied with term ${entry.term}, committed with term ${fact?.term}`,
    );
    if (entry.index === this.#state.index + 1) this.#grow(entry);
  }

  /** Whether a state at `index` with this hash is the one that the committed entries make. */
  isState(index: number, hash: number): boolean {
    return this.#states[index]?.hash === hash;
  }

  valueAt(key: string, index: number): string | undefined {
    return this.#values.get(key)?.findLast((value) => value.index <= index)?.value;
  }

  timeAt(index: number): number {
    return this.#states[index]?.timeMs ?? 0;
  }

  indexOf(transactionId: string): number | undefined {
    return this.#places.get(transactionId);
  }

  /** A client was told that its transaction was certainly not appended. */
  refused(transactionId: string): void {
    const index = this.#places.get(transactionId);
    insist(
      '20 a refused write has no effect',
      index === undefined,
      () => `${transactionId} was refused, but is at ${index}`,
    );
    this.#refused.add(transactionId);
  }

  #grow(entry: Entry): void {
    const transactions = applyTo(this.#state, entry);
    for (const { id, key } of transactions) {
      insist(
        '20 a write takes effect once',
        !this.#places.has(id),
        () => `${id} is at ${this.#places.get(id)} and at ${entry.index}`,
      );
      insist(
        '20 a refused write has no effect',
        !this.#refused.has(id),
        () => `${id} was refused, but is at ${entry.index}`,
      );
      this.#places.set(id, entry.index);
      const values = this.#values.get(key) ?? [];
      values.push({ index: entry.index, value: this.#state.values.get(key) ?? '' });
      this.#values.set(key, values);
    }
    this.#states.push({ hash: this.#state.hash, timeMs: this.#state.timeMs });
  }
}
