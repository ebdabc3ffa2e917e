import { assert } from '@lockstep/contract/errors';
import { LogIndex, type Term } from '@lockstep/contract/ids';
import type { Entry, SnapshotMeta } from '../raft/types.ts';
import { chainOf, decodeRecord, type EntryRecord, RecordEncoding } from './entry-records.ts';
import { readChunkBytes, readChunkRecords } from './limits.ts';
import type { LogDatabase, RecoveredLog } from './log-recovery.ts';
import { damaged, EntryKey, indexOfKey } from './log-records.ts';
import { RecordStarts } from './record-starts.ts';

export type WriteBatch = ReturnType<LogDatabase['batch']>;

/** How many entries one record may hold. */
export interface RecordSize {
  readonly entriesMax: number;
  readonly bytesMax: number;
}

/** What the log begins after. */
interface Begin {
  readonly index: LogIndex;
  readonly term: Term;
  /** What the first record names as its predecessor. */
  readonly chain: number;
}

/**
 * The entries in the database: what a write appends becomes as few records as their size allows. A record may begin before the
 * log, after a compaction in its middle. What is read here is read after the last write has ended.
 */
export class RecordLog {
  readonly #database: LogDatabase;
  readonly #size: RecordSize;
  readonly #starts: RecordStarts;
  readonly #key = new EntryKey();
  readonly #encoding = new RecordEncoding();
  #begin: Begin;
  #lastIndex: number;
  #lastTerm: Term;
  /** Of the last record. */
  #lastChecksum: number;
  /** Appended and not yet put. */
  #fresh: Entry[] = [];

  constructor(of: {
    readonly database: LogDatabase;
    readonly recovered: RecoveredLog;
    readonly chain: number;
    readonly size: RecordSize;
  }) {
    const { stored, starts, lastTerm, lastChecksum } = of.recovered;
    this.#database = of.database;
    this.#size = of.size;
    this.#starts = new RecordStarts(starts);
    this.#begin = { index: stored.snapshot.index, term: stored.snapshot.term, chain: of.chain };
    this.#lastIndex = stored.lastIndex;
    this.#lastTerm = lastTerm;
    this.#lastChecksum = lastChecksum;
  }

  get lastIndex(): number {
    return this.#lastIndex;
  }

  append(entry: Entry): void {
    const next = this.#lastIndex + 1;
    assert(entry.index === next, `entry ${entry.index} appended where the log expects ${next}`);
    assert(
      entry.term >= this.#lastTerm,
      `entry ${next} has term ${entry.term}, below its predecessor's ${this.#lastTerm}`,
    );
    this.#fresh.push(entry);
    this.#lastIndex = next;
    this.#lastTerm = entry.term;
  }

  truncate(operations: WriteBatch, from: LogIndex): void {
    assert(from > this.#begin.index, `the log can't be cut at ${from}: it begins after ${this.#begin.index}`);
    if (from > this.#lastIndex) return;
    const left = this.#fresh.filter((entry) => entry.index < from);
    const last = left.at(-1);
    this.#fresh = left;
    if (last === undefined) this.#cut(operations, from);
    else this.#lastTerm = last.term;
    this.#lastIndex = from - 1;
  }

  /** Forgets all entries; the log begins after the snapshot. Returns the records to be deleted in time: all before it. */
  beginAfter(operations: WriteBatch, { index, term }: SnapshotMeta): readonly number[] {
    const { index: begin } = this.#begin;
    assert(index >= begin, `snapshot ${index} is before the log, which begins after ${begin}`);
    // What lies behind the snapshot could be taken for its continuation after a crash; what lies before it can wait.
    const behind = index < this.#storedLast() ? this.#starts.holding(index + 1) : undefined;
    if (behind !== undefined) for (const start of this.#starts.cutFrom(behind)) operations.del(this.#key.of(start));
    this.#fresh = [];
    this.#begin = { index, term, chain: 0 };
    this.#endAt(this.#begin);
    this.#lastIndex = index;
    return this.#starts.dropBefore(Number.POSITIVE_INFINITY);
  }

  /** Puts what was appended. */
  flush(operations: WriteBatch): void {
    const fresh = this.#fresh;
    this.#fresh = [];
    for (let from = 0; from < fresh.length; ) {
      const entries = this.#firstRecord(fresh, from);
      this.#put(operations, entries, this.#lastChecksum);
      from += entries.length;
    }
  }

  /** The log begins after the entry at `index` from now on. `chain` is to be stored, and `dropped` are records to be deleted in time. */
  compact(index: LogIndex, term: Term): { readonly chain: number; readonly dropped: readonly number[] } {
    const found = this.#termAt(index);
    assert(found === term, `compaction to ${index} names term ${term}, not ${found}`);
    const next = index < this.#lastIndex ? this.#starts.holding(index + 1) : undefined;
    const chain = next === undefined ? this.#lastChecksum : chainOf(this.#value(next));
    this.#begin = { index, term, chain };
    return { chain, dropped: this.#starts.dropBefore(next ?? Number.POSITIVE_INFINITY) };
  }

  async read(range: {
    readonly from: LogIndex;
    readonly until: LogIndex;
    readonly bytesMax: number;
  }): Promise<readonly Entry[]> {
    const until = Math.min(range.until, this.#lastIndex + 1);
    const entries: Entry[] = [];
    let bytes = 0;
    const gte = Uint8Array.from(this.#key.of(this.#starts.holding(range.from) ?? range.from));
    const lt = Uint8Array.from(this.#key.of(until));
    const iterator = this.#database.iterator({ gte, lt, highWaterMarkBytes: readChunkBytes });
    try {
      while (range.from + entries.length < until) {
        const page = await iterator.nextv(readChunkRecords);
        if (page.length === 0) throw damaged('log', `entry ${range.from + entries.length} is missing`);
        for (const [key, value] of page) {
          for (const entry of decodeRecord(indexOfKey(key), value).entries) {
            if (entry.index < range.from || entry.index >= until) continue;
            if (entry.index !== range.from + entries.length)
              throw damaged('log', `an entry before ${entry.index} is missing`);
            bytes += entry.data.length;
            if (bytes > range.bytesMax && entries.length > 0) return entries;
            entries.push(entry);
          }
        }
      }
      return entries;
    } finally {
      await iterator.close();
    }
  }

  /** Cuts what is stored: whole records, and the one that holds `from` in its middle is put anew without its end. */
  #cut(operations: WriteBatch, from: LogIndex): void {
    const start = this.#starts.holding(from) ?? from;
    const cut = start < from ? this.#record(start) : undefined;
    for (const doomed of this.#starts.cutFrom(start)) operations.del(this.#key.of(doomed));
    if (from - 1 === this.#begin.index) {
      this.#endAt(this.#begin);
    } else if (cut === undefined) {
      const { entries, checksum } = this.#record(this.#starts.holding(from - 1) ?? 0);
      this.#endAt({ term: entries.at(-1)?.term ?? this.#begin.term, chain: checksum });
    } else {
      const left = cut.entries.slice(0, from - start);
      this.#put(operations, left, cut.chain);
      this.#lastTerm = left.at(-1)?.term ?? this.#begin.term;
    }
  }

  #put(operations: WriteBatch, entries: readonly Entry[], chain: number): void {
    const start = entries[0]?.index ?? 0;
    const { value, checksum } = this.#encoding.encode(entries, chain);
    // LevelDB copies key and value here and now, so that both buffers serve again.
    operations.put(this.#key.of(start), value);
    this.#starts.push(start);
    this.#lastChecksum = checksum;
  }

  #endAt(last: { readonly term: Term; readonly chain: number }): void {
    this.#lastTerm = last.term;
    this.#lastChecksum = last.chain;
  }

  #firstRecord(entries: readonly Entry[], from: number): readonly Entry[] {
    let bytes = entries[from]?.data.length ?? 0;
    let until = from + 1;
    while (until < entries.length && until - from < this.#size.entriesMax) {
      bytes += entries[until]?.data.length ?? 0;
      if (bytes > this.#size.bytesMax) break;
      until++;
    }
    return entries.slice(from, until);
  }

  /** The last index that LevelDB can show. */
  #storedLast(): number {
    return this.#lastIndex - this.#fresh.length;
  }

  #termAt(index: LogIndex): Term {
    if (index === this.#lastIndex) return this.#lastTerm;
    const start = this.#starts.holding(index);
    assert(start !== undefined && index < this.#lastIndex, `entry ${index} is not in the log`);
    const entry = this.#record(start).entries[index - start];
    if (entry === undefined) throw damaged('log', `entry ${index} is missing`);
    return entry.term;
  }

  #record(start: number): EntryRecord {
    return decodeRecord(LogIndex(start), this.#value(start));
  }

  #value(start: number): Uint8Array {
    const value = this.#database.getSync(this.#key.of(start));
    if (value === undefined) throw damaged('log', `entry ${start} is missing`);
    return value;
  }
}
