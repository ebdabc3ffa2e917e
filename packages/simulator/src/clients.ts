import type { CommittedEntry, ProposeOutcome, ReadOutcome } from '@lockstep/core/port';
import type { Agenda } from './agenda.ts';
import type { Committed } from './committed.ts';
import { clientTimeoutMs } from './limits.ts';
import { encodeTransaction, type Transaction } from './machine-entry.ts';
import type { Random } from './random.ts';
import type { SimulatedNode } from './simulated-node.ts';
import type { Swarm } from './swarm.ts';
import type { Trace } from './trace.ts';
import { insist } from './violation.ts';

export type WriteResult = 'applied' | 'refused' | 'unknown';
export type ReadResult = 'read' | 'refused' | 'unknown';

interface Write {
  readonly transaction: Transaction;
  readonly answer: (result: WriteResult) => void;
}

/** Somebody who waits on one node for an index: a writer for its entry, a reader for a state that is new enough. */
type Waiting =
  | {
      readonly for: 'write';
      readonly index: number;
      readonly term: number;
      readonly ordinal: number;
      readonly write: Write;
    }
  | { readonly for: 'read'; readonly index: number; readonly go: () => void; readonly fail: () => void };

interface Place {
  readonly term: number;
  readonly transactions: readonly Transaction[];
}

export interface ClientsOptions {
  readonly agenda: Agenda;
  readonly random: Random;
  readonly trace: Trace;
  readonly committed: Committed;
  readonly nodes: () => readonly SimulatedNode[];
}

/**
 * Clients of the cluster, and the part of a server that waits for them on each node. They hold the cluster to its word: what was
 * acknowledged is there for ever, what was refused never comes, and a read misses nothing that was acknowledged before it began.
 */
export class Clients {
  readonly counts = { applied: 0, refused: 0, unknown: 0, read: 0, readRefused: 0 };
  readonly #options: ClientsOptions;
  readonly #waiting = new Map<SimulatedNode, Set<Waiting>>();
  /** What each node has applied in this run and may still be asked for. */
  readonly #applied = new Map<SimulatedNode, Map<number, Place>>();
  #transactions = 0;
  /** The newest index that a client has seen the effect of. */
  #seen = 0;

  constructor(options: ClientsOptions) {
    this.#options = options;
  }

  /** Each client asks, waits for the answer, thinks, and asks again, until `isOver`. */
  begin(swarm: Swarm, isOver: () => boolean): void {
    const { agenda, random } = this.#options;
    const next = (): void => {
      if (isOver()) return;
      agenda.after(random.around(swarm.thinkMs), () => {
        const up = this.#options.nodes().filter((node) => node.isUp);
        const node = up[random.below(up.length)];
        const isPatient = random.chance(swarm.patience);
        const answered = isPatient ? next : (): void => undefined;
        if (node === undefined || !isPatient) next();
        if (node === undefined) return;
        if (random.chance(swarm.readShare)) this.read(node, swarm.keys, answered);
        else this.write(node, swarm.keys, answered);
      });
    };
    for (let client = 0; client < swarm.clients; client++) next();
  }

  write(node: SimulatedNode, keys: number, done: (result: WriteResult) => void): void {
    const { random, agenda, trace } = this.#options;
    const id = `t${this.#transactions++}`;
    const kind = random.chance(0.5) ? 'set' : 'append';
    const transaction: Transaction = {
      id,
      kind,
      key: `k${random.below(keys)}`,
      value: `${id}${'x'.repeat(random.below(200))}`,
    };
    const answer = this.#once((result: WriteResult) => {
      trace.note(agenda.nowMs, result, id);
      this.counts[result]++;
      done(result);
    });
    agenda.after(clientTimeoutMs, () => answer('unknown'));
    // A process that crashes in the middle of a call answers nobody.
    node.consensus?.propose(encodeTransaction(transaction), (outcome) =>
      this.#proposed(node, { transaction, answer }, outcome),
    );
  }

  read(node: SimulatedNode, keys: number, done: (result: ReadResult) => void): void {
    const { random, agenda } = this.#options;
    const key = `k${random.below(keys)}`;
    const floor = this.#seen;
    const answer = this.#once((result: ReadResult) => {
      if (result === 'read') this.counts.read++;
      else this.counts.readRefused++;
      done(result);
    });
    agenda.after(clientTimeoutMs, () => answer('unknown'));
    node.consensus?.readIndex((outcome) => {
      if (outcome.kind === 'refused') answer('refused');
      else this.#confirmed(node, { key, floor, answer }, outcome);
    });
  }

  /** A node has applied an entry: its writers and readers go on. */
  onApply(node: SimulatedNode, entry: CommittedEntry, transactions: readonly Transaction[]): void {
    this.#appliedAt(node).set(entry.index, { term: entry.term, transactions });
    this.#go(node, entry.index);
  }

  /** A node jumped to a snapshot: what became of writes before it can't be told. */
  onInstall(node: SimulatedNode, index: number): void {
    this.#appliedAt(node).clear();
    this.#go(node, index);
  }

  onCrash(node: SimulatedNode): void {
    this.#appliedAt(node).clear();
    const waiting = [...this.#waitingAt(node)];
    this.#waitingAt(node).clear();
    for (const one of waiting) {
      if (one.for === 'write') one.write.answer('unknown');
      else one.fail();
    }
  }

  #proposed(node: SimulatedNode, write: Write, outcome: ProposeOutcome): void {
    switch (outcome.kind) {
      case 'refused':
        this.#options.committed.refused(write.transaction.id);
        write.answer('refused');
        return;
      case 'unknown':
        write.answer('unknown');
        return;
      case 'appended':
        this.#waitingAt(node).add({ for: 'write', ...outcome, write });
        // A follower may have applied the entry before the leader's answer came.
        this.#go(node, node.machine?.state.index ?? 0);
        return;
      default:
        outcome satisfies never;
    }
  }

  #go(node: SimulatedNode, applied: number): void {
    const waiting = this.#waitingAt(node);
    for (const one of waiting) {
      if (one.index > applied) continue;
      waiting.delete(one);
      if (one.for === 'read') one.go();
      else this.#settle(node, one);
    }
  }

  #settle(node: SimulatedNode, { index, term, ordinal, write }: Extract<Waiting, { for: 'write' }>): void {
    const place = this.#appliedAt(node).get(index);
    const { id } = write.transaction;
    if (place === undefined) return write.answer('unknown');
    if (place.term !== term) {
      // Another entry was committed where this one was appended.
      this.#options.committed.refused(id);
      return write.answer('refused');
    }
    const found = place.transactions[ordinal]?.id;
    insist(
      '20 a write is where its leader said',
      found === id,
      () => `${id} was said to be at ${index}/${ordinal}, there is ${found}`,
    );
    this.#seen = Math.max(this.#seen, index);
    write.answer('applied');
  }

  #confirmed(
    node: SimulatedNode,
    read: { readonly key: string; readonly floor: number; readonly answer: (result: ReadResult) => void },
    { index, timeMs }: Extract<ReadOutcome, { kind: 'confirmed' }>,
  ): void {
    const { committed } = this.#options;
    const { key, floor, answer } = read;
    insist(
      '19 a read misses nothing acknowledged before it',
      index >= floor,
      () => `a read on node ${node.id} was confirmed at ${index}, a client had seen ${floor}`,
    );
    insist(
      'a read is not earlier than what it reads',
      timeMs >= committed.timeAt(index),
      () => `a read at ${index} was given time ${timeMs}, the entry has ${committed.timeAt(index)}`,
    );
    const go = (): void => {
      const state = node.machine?.state;
      if (state === undefined) return answer('unknown');
      const expected = committed.valueAt(key, state.index);
      insist(
        '19 a read sees the last write',
        state.values.get(key) === expected,
        () => `${key} at ${state.index} on node ${node.id} is ${state.values.get(key)}, should be ${expected}`,
      );
      this.#seen = Math.max(this.#seen, state.index);
      answer('read');
    };
    if ((node.machine?.state.index ?? 0) >= index) go();
    else this.#waitingAt(node).add({ for: 'read', index, go, fail: () => answer('unknown') });
  }

  #once<Result>(answer: (result: Result) => void): (result: Result) => void {
    let isAnswered = false;
    return (result) => {
      if (isAnswered) return;
      isAnswered = true;
      answer(result);
    };
  }

  #waitingAt(node: SimulatedNode): Set<Waiting> {
    return entryOf(this.#waiting, node, () => new Set());
  }

  #appliedAt(node: SimulatedNode): Map<number, Place> {
    return entryOf(this.#applied, node, () => new Map());
  }
}

function entryOf<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
