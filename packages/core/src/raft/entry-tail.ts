import { LogIndex } from '@lockstep/contract/ids';
import { entryOverheadBytes } from './limits.ts';
import type { Entry } from './types.ts';

/** Evicted slots at the front of the array are given back once there are this many: moving the rest is then rare. */
const compactSlotsMin = 1024;

export interface Slice {
  readonly entries: readonly Entry[];
  readonly bytes: number;
}

/** The newest entries of the log, held in memory: everything from `firstIndex` to the log's last index. */
export class EntryTail {
  #entries: (Entry | undefined)[] = [];
  /** Slots before it are evicted, and empty. */
  #head = 0;
  #firstIndex: LogIndex;
  #bytes = 0;

  /** `nextIndex` is the index of the entry that will be pushed first. */
  constructor(nextIndex: LogIndex) {
    this.#firstIndex = nextIndex;
  }

  /** The first index held; one past the log's last index when none is. */
  get firstIndex(): LogIndex {
    return this.#firstIndex;
  }

  get nextIndex(): LogIndex {
    return LogIndex(this.#firstIndex + this.#entries.length - this.#head);
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(entry: Entry): void {
    if (entry.index !== this.nextIndex) {
      throw new Error(`entry ${entry.index} does not follow the log's last index ${this.nextIndex - 1}`);
    }
    this.#entries.push(entry);
    this.#bytes += sizeOf(entry);
  }

  at(index: LogIndex): Entry | undefined {
    return index < this.#firstIndex ? undefined : this.#entries[this.#head + index - this.#firstIndex];
  }

  /** Entries from `from` (held) to before `until`, cut at `bytesMax` but never fewer than one. */
  slice(range: { readonly from: LogIndex; readonly until: LogIndex; readonly bytesMax: number }): Slice {
    const entries: Entry[] = [];
    let bytes = 0;
    let slot = this.#head + range.from - this.#firstIndex;
    const stop = Math.min(this.#head + range.until - this.#firstIndex, this.#entries.length);
    for (; slot < stop; slot += 1) {
      const entry = this.#entries[slot];
      if (entry === undefined) break;
      const size = sizeOf(entry);
      if (entries.length > 0 && bytes + size > range.bytesMax) break;
      entries.push(entry);
      bytes += size;
    }
    return { entries, bytes };
  }

  truncateFrom(index: LogIndex): void {
    while (this.nextIndex > index && this.#entries.length > this.#head) {
      const entry = this.#entries.pop();
      if (entry !== undefined) this.#bytes -= sizeOf(entry);
    }
    // Everything held was after `index`: what comes next takes its place.
    if (this.nextIndex > index) this.reset(index);
  }

  /** Evicts the oldest entries up to `limit`, as long as more than `bytesMax` are held. */
  evict(limit: LogIndex, bytesMax: number): void {
    while (this.#bytes > bytesMax && this.#firstIndex <= limit && this.#head < this.#entries.length) this.#evictFirst();
    this.#giveBack();
  }

  /** Forgets everything up to and including `index`. */
  dropThrough(index: LogIndex): void {
    while (this.#firstIndex <= index && this.#head < this.#entries.length) this.#evictFirst();
    if (this.#firstIndex <= index) this.reset(LogIndex(index + 1));
    this.#giveBack();
  }

  reset(nextIndex: LogIndex): void {
    this.#entries = [];
    this.#head = 0;
    this.#firstIndex = nextIndex;
    this.#bytes = 0;
  }

  #evictFirst(): void {
    const entry = this.#entries[this.#head];
    if (entry !== undefined) this.#bytes -= sizeOf(entry);
    this.#entries[this.#head] = undefined;
    this.#head += 1;
    this.#firstIndex = LogIndex(this.#firstIndex + 1);
  }

  #giveBack(): void {
    if (this.#head < compactSlotsMin || this.#head * 2 < this.#entries.length) return;
    this.#entries = this.#entries.slice(this.#head);
    this.#head = 0;
  }
}

export function sizeOf(entry: Entry): number {
  return entry.data.length + entryOverheadBytes;
}

export function bytesOf(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += sizeOf(entry);
  return bytes;
}
