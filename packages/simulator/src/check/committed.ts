import { decodeMembershipChange } from '@lockstep/core/raft/membership-codec';
import type { Entry, Membership } from '@lockstep/core/raft/types';
import { hashBytes } from '../hashing.ts';
import { applyTo, contentsHash, emptyKeyValue, type KeyValue, type Value } from '../key-value.ts';
import { insist } from '../violation.ts';
import { changed, type Voting, votingText } from './membership-model.ts';
import { quorumsMeet } from './quorums.ts';

/** What the one true history says of an index. */
interface Fact {
  readonly term: number;
  readonly hash: number;
  /** The term of the node that was the first to count it as committed. */
  readonly countedIn: number;
}

/**
 * The one history that every node must tell: which entry was committed at each index, once for ever, which membership it makes, and
 * what the state is after each. Everything else is compared with it.
 */
export class Committed {
  readonly #facts: Fact[] = [];
  readonly #state: KeyValue = emptyKeyValue();
  readonly #states: { readonly hash: number; readonly contents: number; readonly timeMs: number }[] = [
    { hash: 0, contents: contentsHash(this.#state), timeMs: 0 },
  ];
  /** Each key's values, with the index that made them. */
  readonly #values = new Map<string, { readonly index: number; readonly value: Value }[]>();
  readonly #places = new Map<string, number>();
  /** `client request` of every request that took effect. */
  readonly #requests = new Set<string>();
  /** Transactions that were said not to be appended: they must never come. */
  readonly #refused = new Set<string>();
  readonly #memberships: { readonly index: number; readonly voting: Voting }[] = [];
  changeCount = 0;

  /** The membership that the cluster begins with. */
  founded(membership: Membership): void {
    this.#memberships.push({ index: 0, voting: membership });
  }

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

  /**
   * The last index that was committed before `term`: every leader of that term or a later one has it. What counts is the term in
   * which it was counted, not its own: a leader of a term that others have left behind already is elected rightly without what they
   * commit, and can commit nothing itself, since a quorum has gone on (Raft §5.4.3 speaks of leaders of *later* terms only).
   * Who counts an entry first is the leader that commits it: rule 13 holds everybody else to that.
   */
  lastBefore(term: number): number {
    return this.#facts.findLastIndex((fact) => fact.countedIn < term) + 1;
  }

  /** What was in force once everything up to `index` had taken effect, as far as is known. */
  votingAt(index: number): Voting | undefined {
    return this.#memberships.findLast((known) => known.index <= index)?.voting;
  }

  /** A node counts `index` as committed. True when it is the first to do so. `change` is the data of a membership entry. */
  committed(index: number, fact: Fact, change: Uint8Array | undefined): boolean {
    const known = this.#facts[index - 1];
    if (known === undefined) {
      insist(
        'committed entries are contiguous',
        index === this.#facts.length + 1,
        () => `index ${index} was committed after ${this.#facts.length}`,
      );
      this.#facts.push(fact);
      if (change !== undefined) this.#changes(index, change);
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

  /** Whether this state, at `index`, is the one that the committed entries make. */
  isState(index: number, state: KeyValue): boolean {
    const known = this.#states[index];
    return known?.hash === state.hash && known.contents === contentsHash(state);
  }

  valueAt(key: string, index: number): Value | undefined {
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
    const applied = applyTo(this.#state, entry);
    for (const { transaction, isRepeat } of applied) {
      const { id, key } = transaction;
      insist(
        '20 a write is appended once',
        !this.#places.has(id),
        () => `${id} is at ${this.#places.get(id)} and at ${entry.index}`,
      );
      insist(
        '20 a refused write has no effect',
        !this.#refused.has(id),
        () => `${id} was refused, but is at ${entry.index}`,
      );
      this.#places.set(id, entry.index);
      if (isRepeat) continue;
      this.#tookEffect(transaction.client, transaction.request, entry.index);
      const value = this.#state.values.get(key);
      const values = this.#values.get(key) ?? [];
      if (value !== undefined && value !== values.at(-1)?.value) values.push({ index: entry.index, value });
      this.#values.set(key, values);
    }
    const { hash, timeMs } = this.#state;
    this.#states.push({ hash, contents: contentsHash(this.#state), timeMs });
  }

  #tookEffect(client: string, request: number, index: number): void {
    if (request === 0) return;
    const name = `${client} ${request}`;
    insist(
      '20 a request takes effect once',
      !this.#requests.has(name),
      () => `request ${name} took effect before, and again at ${index}`,
    );
    this.#requests.add(name);
  }

  #changes(index: number, change: Uint8Array): void {
    const before = this.#memberships.at(-1)?.voting;
    if (before === undefined) return;
    const voting = changed(before, decodeMembershipChange(change));
    this.#memberships.push({ index, voting });
    this.changeCount++;
    insist(
      '16 the quorums of a change and of what was before it meet',
      quorumsMeet(before, voting),
      () => `entry ${index} changes ${votingText(before)} to ${votingText(voting)}`,
    );
  }
}
