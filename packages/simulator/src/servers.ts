import type { CommittedEntry, ProposeOutcome, ReadOutcome } from '@lockstep/core/port';
import type { Committed } from './check/committed.ts';
import type { Applied, Outcome, Value } from './key-value.ts';
import { encodeRestore, encodeTransaction, type Transaction } from './machine-entry.ts';
import type { SimulatedNode } from './simulated-node.ts';
import { insist } from './violation.ts';

export type WriteResult =
  | { readonly kind: 'applied'; readonly outcome: Outcome }
  /** Certainly nothing happened. */
  | { readonly kind: 'refused' }
  | { readonly kind: 'unknown' };

export type ReadResult =
  | { readonly kind: 'read'; readonly found: Value | undefined }
  | { readonly kind: 'refused' }
  | { readonly kind: 'unknown' };

type WriteDone = (result: WriteResult) => void;

/** Somebody who waits on one node for an index: a writer for its entry, a reader for a state that is new enough. */
type Waiting =
  | { readonly for: 'write'; readonly place: Place; readonly transaction: Transaction; readonly done: WriteDone }
  | { readonly for: 'read'; readonly index: number; readonly go: () => void; readonly fail: () => void };

type Place = Extract<ProposeOutcome, { kind: 'appended' }>;

interface AppliedEntry {
  readonly term: number;
  readonly applied: readonly Applied[];
}

/**
 * The part of a server that stands between clients and the consensus port on each node: it waits for what was appended to be applied
 * here, and for the state to be new enough for a read. It holds every node to the one history.
 */
export class Servers {
  readonly #committed: Committed;
  readonly #waiting = new Map<SimulatedNode, Set<Waiting>>();
  /** What each node has applied in this run and may still be asked for. */
  readonly #applied = new Map<SimulatedNode, Map<number, AppliedEntry>>();
  /** The newest index that a client has seen the effect of. */
  #seen = 0;

  constructor(committed: Committed) {
    this.#committed = committed;
  }

  write(node: SimulatedNode, transaction: Transaction, done: WriteDone): void {
    node.propose(encodeTransaction(transaction), (outcome) => this.#proposed(node, outcome, { transaction, done }));
  }

  /** The whole state at once: one control entry, which is so many writes. `done` is called for each. */
  restore(
    node: SimulatedNode,
    writes: readonly { readonly transaction: Transaction; readonly done: WriteDone }[],
  ): void {
    node.proposeControl(encodeRestore(writes.map(({ transaction }) => transaction)), (outcome) => {
      for (const [ordinal, write] of writes.entries())
        this.#proposed(node, outcome.kind === 'appended' ? { ...outcome, ordinal } : outcome, write);
    });
  }

  #proposed(
    node: SimulatedNode,
    outcome: ProposeOutcome,
    { transaction, done }: { readonly transaction: Transaction; readonly done: WriteDone },
  ): void {
    switch (outcome.kind) {
      case 'refused':
        this.#committed.refused(transaction.id);
        return done({ kind: 'refused' });
      case 'unknown':
        return done({ kind: 'unknown' });
      case 'appended':
        this.#waitingAt(node).add({ for: 'write', place: outcome, transaction, done });
        // A follower may have applied the entry before the leader's answer came.
        return this.#go(node, node.machine?.state.index ?? 0);
      default:
        outcome satisfies never;
    }
  }

  read(node: SimulatedNode, key: string, done: (result: ReadResult) => void): void {
    const floor = this.#seen;
    node.readIndex((outcome) => {
      if (outcome.kind === 'refused') done({ kind: 'refused' });
      else this.#confirmed(node, { key, floor, done }, outcome);
    });
  }

  /** A node has applied an entry: its writers and readers go on. */
  onApply(node: SimulatedNode, entry: CommittedEntry, applied: readonly Applied[]): void {
    entryOf(this.#applied, node, () => new Map()).set(entry.index, { term: entry.term, applied });
    this.#go(node, entry.index);
  }

  /** A node jumped to a snapshot: what became of writes before it can't be told. */
  onInstall(node: SimulatedNode, index: number): void {
    this.#applied.get(node)?.clear();
    this.#go(node, index);
  }

  onCrash(node: SimulatedNode): void {
    this.#applied.get(node)?.clear();
    const waiting = [...this.#waitingAt(node)];
    this.#waitingAt(node).clear();
    for (const one of waiting) {
      if (one.for === 'write') one.done({ kind: 'unknown' });
      else one.fail();
    }
  }

  #go(node: SimulatedNode, applied: number): void {
    const waiting = this.#waitingAt(node);
    for (const one of waiting) {
      if ((one.for === 'write' ? one.place.index : one.index) > applied) continue;
      waiting.delete(one);
      if (one.for === 'read') one.go();
      else one.done(this.#settle(node, one));
    }
  }

  #settle(node: SimulatedNode, { place, transaction }: Extract<Waiting, { for: 'write' }>): WriteResult {
    const { index, term, ordinal } = place;
    const entry = this.#applied.get(node)?.get(index);
    if (entry === undefined) return { kind: 'unknown' };
    if (entry.term !== term) {
      // Another entry was committed where this one was appended.
      this.#committed.refused(transaction.id);
      return { kind: 'refused' };
    }
    const found = entry.applied[ordinal];
    insist(
      '20 a write is where its leader said',
      found?.transaction.id === transaction.id,
      () => `${transaction.id} was said to be at ${index}/${ordinal}, there is ${found?.transaction.id}`,
    );
    this.#seen = Math.max(this.#seen, index);
    const outcome = found?.outcome;
    // A later request of the same client has taken effect: nobody can tell any more what this one came to.
    return outcome === undefined ? { kind: 'unknown' } : { kind: 'applied', outcome };
  }

  #confirmed(
    node: SimulatedNode,
    read: { readonly key: string; readonly floor: number; readonly done: (result: ReadResult) => void },
    { index, timeMs }: Extract<ReadOutcome, { kind: 'confirmed' }>,
  ): void {
    const { key, floor, done } = read;
    insist(
      '19 a read misses nothing acknowledged before it',
      index >= floor,
      () => `a read on node ${node.id} was confirmed at ${index}, a client had seen ${floor}`,
    );
    insist(
      'a read is not earlier than what it reads',
      timeMs >= this.#committed.timeAt(index),
      () => `a read at ${index} was given time ${timeMs}, the entry has ${this.#committed.timeAt(index)}`,
    );
    const go = (): void => done(this.#readAt(node, key));
    if ((node.machine?.state.index ?? 0) >= index) go();
    else this.#waitingAt(node).add({ for: 'read', index, go, fail: () => done({ kind: 'unknown' }) });
  }

  #readAt(node: SimulatedNode, key: string): ReadResult {
    const state = node.machine?.state;
    if (state === undefined) return { kind: 'unknown' };
    const found = state.values.get(key);
    const expected = this.#committed.valueAt(key, state.index);
    insist(
      '19 a read sees the last write',
      found?.version === expected?.version && found?.value === expected?.value,
      () => `${key} at ${state.index} on node ${node.id} is ${found?.value}, should be ${expected?.value}`,
    );
    this.#seen = Math.max(this.#seen, state.index);
    return { kind: 'read', found };
  }

  #waitingAt(node: SimulatedNode): Set<Waiting> {
    return entryOf(this.#waiting, node, () => new Set());
  }
}

function entryOf<Key, Entry>(map: Map<Key, Entry>, key: Key, make: () => Entry): Entry {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
