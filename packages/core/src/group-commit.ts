import { assert } from '@lockstep/contract/errors';
import { writeBytesMax } from './limits.ts';
import type { LogStore } from './log/log-store.ts';
import type { Message, PersistBatch } from './raft/types.ts';

interface Owed {
  readonly batch: PersistBatch;
  readonly messages: Message[];
}

/** What became durable, and what may be said now that it is. */
export interface Durable {
  readonly sequence: number;
  readonly messages: readonly Message[];
}

/**
 * At most one store write is under way; everything that comes meanwhile is the next one. A message that promises durability
 * leaves only after its batch and all before it are durable. A batch that only moves the commit index owes no fsync: it rides
 * with the next one that does, or goes when `flush` asks.
 */
export class GroupCommit {
  readonly #store: LogStore;
  readonly #whenDurable: (durable: Durable) => void;
  #waiting: Owed[] = [];
  #writing: readonly Owed[] = [];

  /** `whenDurable` is called from the store's callback. */
  constructor(store: LogStore, whenDurable: (durable: Durable) => void) {
    this.#store = store;
    this.#whenDurable = whenDurable;
  }

  /** Takes a batch and what may be sent only after it. The messages that wait for nothing come back, to be sent at once. */
  add(batch: PersistBatch | undefined, messages: readonly Message[]): readonly Message[] {
    if (batch !== undefined) {
      assert(batch.mustSync || owesNothing(batch), `batch ${batch.sequence} changes the log and asks for no fsync`);
      this.#waiting.push({ batch, messages: [] });
    }
    const owed = this.#waiting.findLast(mustSync) ?? this.#writing.findLast(mustSync);
    if (owed === undefined) return messages;
    owed.messages.push(...messages);
    return [];
  }

  /** Begins the next write if none is under way and something owes an fsync; with `flush` also for a mere commit index. */
  start(flush: boolean): void {
    if (this.#writing.length > 0 || this.#waiting.length === 0) return;
    if (!flush && !this.#waiting.some(mustSync)) return;
    const writing = this.#take();
    this.#writing = writing;
    this.#store.write(
      writing.map((owed) => owed.batch),
      () => {
        this.#writing = [];
        const sequence = writing.reduce((last, owed) => Math.max(last, owed.batch.sequence), 0);
        this.#whenDurable({ sequence, messages: writing.flatMap((owed) => owed.messages) });
      },
    );
  }

  #take(): Owed[] {
    let bytes = 0;
    let count = 0;
    for (const { batch } of this.#waiting) {
      for (const entry of batch.entries) bytes += entry.data.length;
      if (bytes > writeBytesMax && count > 0) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }
}

function mustSync(owed: Owed): boolean {
  return owed.batch.mustSync;
}

function owesNothing(batch: PersistBatch): boolean {
  return batch.entries.length === 0 && batch.truncateFrom === undefined && batch.snapshot === undefined;
}
