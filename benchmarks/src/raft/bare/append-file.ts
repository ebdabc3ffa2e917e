import { fdatasync, openSync, write } from 'node:fs';

/** A file that is only appended to. One write and fdatasync under way; what comes meanwhile is the next. */
export class AppendFile {
  readonly #file: number;
  readonly #onDurable: (count: number) => void;
  #waiting: Uint8Array[] = [];
  #waitingCount = 0;
  #isWriting = false;
  syncs = 0;

  /** `onDurable` is told how many payloads were durable when they all are. */
  constructor(path: string, onDurable: (count: number) => void) {
    this.#file = openSync(path, 'a', 0o600);
    this.#onDurable = onDurable;
  }

  append(bytes: Uint8Array, count: number): void {
    this.#waiting.push(bytes);
    this.#waitingCount += count;
    if (!this.#isWriting) this.#next();
  }

  #next(): void {
    const bytes = this.#waiting.length === 1 ? this.#waiting[0] : Buffer.concat(this.#waiting);
    if (bytes === undefined) return;
    const count = this.#waitingCount;
    this.#waiting = [];
    this.#waitingCount = 0;
    this.#isWriting = true;
    write(this.#file, bytes, (writeError, written) => {
      if (writeError !== null) throw writeError;
      if (written !== bytes.length) throw new Error(`${written} of ${bytes.length} bytes were written`);
      fdatasync(this.#file, (syncError) => {
        if (syncError !== null) throw syncError;
        this.syncs++;
        this.#isWriting = false;
        this.#onDurable(count);
        if (this.#waiting.length > 0) this.#next();
      });
    });
  }
}
