import type { LogIndex } from '@lockstep/contract/ids';

interface Proposal {
  readonly lastIndex: LogIndex;
  readonly bytes: number;
}

/** The data of the leader's own entries that the state machine has not applied yet, held under a bound. */
export class UncommittedBytes {
  readonly #max: number;
  #waiting: Proposal[] = [];
  #head = 0;
  #bytes = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** A first proposal is let through whatever its size, or it never could be; an empty one always. */
  hasRoom(bytes: number): boolean {
    return this.#bytes === 0 || bytes === 0 || this.#bytes + bytes <= this.#max;
  }

  add(lastIndex: LogIndex, bytes: number): void {
    if (bytes === 0) return;
    this.#waiting.push({ lastIndex, bytes });
    this.#bytes += bytes;
  }

  appliedTo(index: LogIndex): void {
    let proposal = this.#waiting[this.#head];
    while (proposal !== undefined && proposal.lastIndex <= index) {
      this.#bytes -= proposal.bytes;
      this.#head += 1;
      proposal = this.#waiting[this.#head];
    }
    // Moving what waits costs as much as what was taken since the last time.
    if (this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
  }

  clear(): void {
    this.#waiting = [];
    this.#head = 0;
    this.#bytes = 0;
  }
}
