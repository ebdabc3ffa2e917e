import type { LogDatabase } from './log-recovery.ts';
import { EntryKey } from './log-records.ts';

/**
 * Gives the space of deleted records back. LevelDB by itself does so only when the level that holds them is full, and each is ten times the
 * one above it: on a busy machine a log of a hundred megabytes came to hold gigabytes of what it had deleted. What is deleted altogether is
 * read for it and not written again. Beside the log's calls, which go on meanwhile.
 */
export class GivenBack {
  readonly #database: LogDatabase;
  readonly #bytesMin: number;
  /** Not again before there is twice what stayed the last time. */
  #dueBytes: number;
  #running: Promise<void> | undefined;

  constructor(database: LogDatabase, bytesMin: number) {
    this.#database = database;
    this.#bytesMin = bytesMin;
    this.#dueBytes = bytesMin;
  }

  /** All records up to the one that starts at `last` are deleted. Rejects where LevelDB fails; resolves at once while it works already. */
  async deleted(last: number): Promise<void> {
    if (this.#running !== undefined) return;
    this.#running = this.#giveBack(last);
    try {
      await this.#running;
    } finally {
      this.#running = undefined;
    }
  }

  /** Resolves once nothing is under way. */
  async settled(): Promise<void> {
    await this.#running?.catch(() => undefined);
  }

  async #giveBack(last: number): Promise<void> {
    const database = this.#database;
    if (!isSized(database)) return;
    const [from, until] = [new EntryKey().of(0), new EntryKey().of(last)];
    if ((await database.approximateSize(from, until)) < this.#dueBytes) return;
    await database.compactRange(from, until);
    this.#dueBytes = Math.max(this.#bytesMin, 2 * (await database.approximateSize(from, until)));
  }
}

/** `level` is typed for browsers, too, whose databases have none of this. */
function isSized(database: LogDatabase): database is LogDatabase & Sized {
  return 'compactRange' in database && 'approximateSize' in database;
}

interface Sized {
  readonly approximateSize: (from: Uint8Array, until: Uint8Array) => Promise<number>;
  readonly compactRange: (from: Uint8Array, until: Uint8Array) => Promise<void>;
}
