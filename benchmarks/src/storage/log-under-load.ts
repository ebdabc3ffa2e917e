import { randomBytes } from 'node:crypto';
import { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import type { LogStore } from '@lockstep/core/log/log-store';
import type { Entry, PersistBatch } from '@lockstep/core/raft/types';
import { Histogram } from '../histogram.ts';

/** As the driver compacts: every so many entries, leaving so many behind. */
const compactionEntries = 10_000;
const tailEntries = 5_000;

export interface WriteKind {
  readonly entries: number;
  readonly bytes: number;
}

export interface WriteCost {
  readonly entries: number;
  readonly writes: number;
  readonly elapsedMs: number;
  readonly cpuMicros: number;
  readonly histogram: Histogram;
}

/** One store that is written to as a leader's is: one write under way, each with its hard state and an fsync, and compacted behind. */
export class LogUnderLoad {
  readonly #store: LogStore;
  readonly #settleMs: number;
  readonly #membership = { voters: [NodeId(1)], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
  #last = 0;
  #compacted = 0;
  #sequence = 0;

  constructor(store: LogStore, settleMs: number) {
    this.#store = store;
    this.#settleMs = settleMs;
  }

  async writeFor(ms: number, kind: WriteKind): Promise<WriteCost> {
    // Ciphertext doesn't compress.
    const payload = randomBytes(kind.bytes);
    const histogram = new Histogram();
    const startedAt = this.#last;
    const cpuBefore = process.cpuUsage();
    const startMs = performance.now();
    let nowMs = startMs;
    while (nowMs - startMs < ms) {
      await this.#write(kind, payload);
      const endMs = performance.now();
      histogram.add(endMs - nowMs);
      nowMs = endMs;
      if (this.#last - this.#compacted >= compactionEntries + tailEntries) await this.#compact();
    }
    await this.#settle();
    const cpu = process.cpuUsage(cpuBefore);
    const entries = this.#last - startedAt;
    return {
      entries,
      writes: histogram.count,
      elapsedMs: nowMs - startMs,
      cpuMicros: cpu.user + cpu.system,
      histogram,
    };
  }

  /** Reads all that is there as a follower that catches up is served, and answers how much processor time an entry took. */
  async readAll(): Promise<{ readonly entries: number; readonly cpuMicros: number }> {
    const cpuBefore = process.cpuUsage();
    let entries = 0;
    for (let from = this.#compacted + 1; from <= this.#last; ) {
      const found = await this.#read(from);
      from += found.length;
      entries += found.length;
    }
    const cpu = process.cpuUsage(cpuBefore);
    return { entries, cpuMicros: cpu.user + cpu.system };
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  #write(kind: WriteKind, data: Uint8Array): Promise<void> {
    const entries: Entry[] = [];
    for (let count = 0; count < kind.entries; count++)
      entries.push({ index: LogIndex(++this.#last), term: Term(1), type: 'transactions', data });
    const hardState = { term: Term(1), vote: NodeId(1), commit: LogIndex(this.#last - kind.entries) };
    const rest = { truncateFrom: undefined, snapshot: undefined, mustSync: true };
    const batch: PersistBatch = { sequence: ++this.#sequence, hardState, entries, ...rest };
    return new Promise((resolve) => this.#store.write([batch], resolve));
  }

  #compact(): Promise<void> {
    this.#compacted = this.#last - tailEntries;
    const snapshot = { id: '', index: LogIndex(this.#compacted), term: Term(1), membership: this.#membership };
    return new Promise((resolve) => this.#store.compact(snapshot, resolve));
  }

  async #read(from: number): Promise<readonly Entry[]> {
    const range = { from: LogIndex(from), until: LogIndex(this.#last + 1), bytesMax: 1024 * 1024 };
    return await new Promise((resolve, reject) => {
      this.#store.read(range, (found) =>
        found === 'compacted' ? reject(new Error(`entry ${from} was compacted`)) : resolve(found),
      );
    });
  }

  /** What LevelDB still does in its own thread, and the deletes that a compaction left, belong to the writes that caused them. */
  async #settle(): Promise<void> {
    for (let before = -1; before !== this.#store.stats().writes; ) {
      before = this.#store.stats().writes;
      await new Promise((resolve) => setTimeout(resolve, this.#settleMs));
    }
  }
}
