import type { LogIndex } from '@lockstep/contract/ids';

export interface InflightsMax {
  readonly messages: number;
  readonly bytes: number;
}

/**
 * The append messages with entries that one peer still owes an answer for, in the order they were sent: a ring that grows
 * up to its bound. `bytes` may be passed by the last message added, never by more than one.
 */
export class Inflights {
  readonly #max: InflightsMax;
  #lastIndexes: LogIndex[] = [];
  #sizes: number[] = [];
  #start = 0;
  #count = 0;
  #bytes = 0;

  constructor(max: InflightsMax) {
    this.#max = max;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get isFull(): boolean {
    return this.#count >= this.#max.messages || this.#bytes >= this.#max.bytes;
  }

  /** Records a message whose last entry is `lastIndex`. Indexes only go up; adding to a full ring is a fault of the caller. */
  add(lastIndex: LogIndex, bytes: number): void {
    if (this.isFull) throw new Error('inflights are full: no more entries may be sent to this peer');
    if (this.#count === this.#lastIndexes.length) this.#grow();
    const at = (this.#start + this.#count) % this.#lastIndexes.length;
    this.#lastIndexes[at] = lastIndex;
    this.#sizes[at] = bytes;
    this.#count += 1;
    this.#bytes += bytes;
  }

  /** Forgets every message whose last entry is at or before `index`. */
  freeUpTo(index: LogIndex): void {
    while (this.#count > 0) {
      const last = this.#lastIndexes[this.#start];
      if (last === undefined || last > index) return;
      this.#bytes -= this.#sizes[this.#start] ?? 0;
      this.#start = (this.#start + 1) % this.#lastIndexes.length;
      this.#count -= 1;
    }
  }

  clear(): void {
    this.#start = 0;
    this.#count = 0;
    this.#bytes = 0;
  }

  #grow(): void {
    const capacity = Math.min(Math.max(8, this.#lastIndexes.length * 2), this.#max.messages);
    const lastIndexes: LogIndex[] = [];
    const sizes: number[] = [];
    for (let offset = 0; offset < this.#count; offset += 1) {
      const at = (this.#start + offset) % this.#lastIndexes.length;
      const last = this.#lastIndexes[at];
      if (last === undefined) break;
      lastIndexes.push(last);
      sizes.push(this.#sizes[at] ?? 0);
    }
    lastIndexes.length = capacity;
    sizes.length = capacity;
    this.#lastIndexes = lastIndexes;
    this.#sizes = sizes;
    this.#start = 0;
  }
}
