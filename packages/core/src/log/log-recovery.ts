import { LogIndex, type Term } from '@lockstep/contract/ids';
import type { Level } from 'level';
import type { Entry, HardState } from '../raft/types.ts';
import { recoveryReadBytes, recoveryReadRecords, tailBytesMax } from './limits.ts';
import { decodeRecord } from './entry-records.ts';
import { damaged, EntryKey, indexOfKey, type LogMeta } from './log-records.ts';
import type { StoredLog } from './log-store.ts';
import type { Mark } from './marker.ts';

export type LogDatabase = Level<Uint8Array, Uint8Array>;

/** What the store must know to go on writing where the log ends. */
export interface RecoveredLog {
  readonly stored: StoredLog;
  /** The checksum of the last record and the term of the last entry, or of what the log begins after. */
  readonly lastChecksum: number;
  readonly lastTerm: Term;
  /** Where the log's records begin, in order; the first may begin before the log. */
  readonly starts: readonly number[];
  /** Compacted records that were not deleted yet when the process ended. */
  readonly leftovers: readonly number[];
}

/**
 * Reads the whole log and refuses it unless indexes are contiguous, terms never fall, every checksum and the chain hold,
 * and it reaches as far as `mark` and the commit index say. Never truncates: what is missing may have been acknowledged.
 */
export async function recoverLog(
  database: LogDatabase,
  found: { readonly meta: LogMeta; readonly hardState: HardState; readonly mark: Mark },
): Promise<RecoveredLog> {
  const { meta, hardState, mark } = found;
  const scan = new LogScan(meta);
  const from = await firstStart(database, meta.snapshot.index);
  await eachRecord(database, from, (key, value) => scan.take(indexOfKey(key), value));
  if (hardState.commit > scan.lastIndex) {
    throw damaged('log', `it ends at ${scan.lastIndex}, but entries up to ${hardState.commit} were committed`);
  }
  requireMark(scan.lastIndex, hardState, mark);
  const commit = LogIndex(Math.max(hardState.commit, meta.snapshot.index));
  return {
    stored: {
      hardState: { ...hardState, commit },
      snapshot: meta.snapshot,
      membership: meta.membership,
      appliedMembershipIndex: meta.appliedMembershipIndex,
      firstIndex: LogIndex(meta.snapshot.index + 1),
      lastIndex: LogIndex(scan.lastIndex),
      termRuns: scan.termRuns,
      tail: scan.tail(),
    },
    lastChecksum: scan.lastChecksum,
    lastTerm: scan.lastTerm,
    starts: scan.starts,
    leftovers: await startsBefore(database, from),
  };
}

/** All entries after `through`, in order, of a log that was checked. What is taken holds until the next one. */
export async function readEntries(
  database: LogDatabase,
  through: LogIndex,
  take: (entry: Entry) => void,
): Promise<void> {
  await eachRecord(database, await firstStart(database, through), (key, value) => {
    for (const entry of decodeRecord(indexOfKey(key), value).entries) if (entry.index > through) take(entry);
  });
}

/** One pass over the log, from front to back. */
class LogScan {
  readonly termRuns: { firstIndex: LogIndex; term: Term }[] = [];
  readonly starts: number[] = [];
  lastIndex: number;
  lastTerm: Term;
  lastChecksum: number;
  #tail: Entry[] = [];
  #tailStart = 0;
  #tailBytes = 0;

  constructor(meta: LogMeta) {
    this.lastIndex = meta.snapshot.index;
    this.lastTerm = meta.snapshot.term;
    this.lastChecksum = meta.chain;
  }

  take(first: LogIndex, value: Uint8Array): void {
    const isFirst = this.starts.length === 0;
    if (isFirst ? first > this.lastIndex + 1 : first !== this.lastIndex + 1) {
      throw damaged('log', `entry ${first} follows entry ${this.lastIndex}: those between are missing`);
    }
    const { entries, checksum, chain } = decodeRecord(first, value);
    if (chain !== this.lastChecksum) throw damaged('log', `entry ${first} does not belong to the log before it`);
    this.starts.push(first);
    this.lastChecksum = checksum;
    for (const entry of entries) if (entry.index > this.lastIndex) this.#append(entry);
  }

  #append(entry: Entry): void {
    const { index, term } = entry;
    if (term < this.lastTerm) {
      throw damaged('log', `entry ${index} has term ${term}, below its predecessor's ${this.lastTerm}`);
    }
    if (this.termRuns.at(-1)?.term !== term) this.termRuns.push({ firstIndex: index, term });
    this.lastIndex = index;
    this.lastTerm = term;
    this.#remember(entry);
  }

  tail(): readonly Entry[] {
    return this.#tail.slice(this.#tailStart);
  }

  #remember(entry: Entry): void {
    this.#tail.push(entry);
    this.#tailBytes += entry.data.length;
    while (this.#tailBytes > tailBytesMax) {
      this.#tailBytes -= this.#tail[this.#tailStart]?.data.length ?? 0;
      this.#tailStart++;
    }
    if (this.#tailStart < this.#tail.length / 2) return;
    this.#tail = this.#tail.slice(this.#tailStart);
    this.#tailStart = 0;
  }
}

function requireMark(lastIndex: number, hardState: HardState, mark: Mark): void {
  if (lastIndex < mark.lastIndex) {
    throw damaged(
      'log',
      `it ends at ${lastIndex}, but entries up to ${mark.lastIndex} were durable: a synced tail is lost`,
    );
  }
  if (hardState.term < mark.term) {
    throw damaged('hard state', `its term is ${hardState.term}, but ${mark.term} was durable`);
  }
  if (hardState.term === mark.term && mark.vote !== 0 && hardState.vote !== mark.vote) {
    throw damaged('hard state', `it lost a vote for node ${mark.vote} in term ${mark.term}`);
  }
}

async function eachRecord(
  database: LogDatabase,
  from: number,
  take: (key: Uint8Array, value: Uint8Array) => void,
): Promise<void> {
  const gte = keyOf(from);
  const iterator = database.iterator({
    gte,
    lt: afterEntries,
    highWaterMarkBytes: recoveryReadBytes,
    fillCache: false,
  });
  try {
    for (;;) {
      const page = await iterator.nextv(recoveryReadRecords);
      if (page.length === 0) return;
      for (const [key, value] of page) take(key, value);
    }
  } finally {
    await iterator.close();
  }
}

/** Behind every entry's key: the next letter. */
const afterEntries: Uint8Array = Buffer.from('m');

/** Where the record begins that holds the entry after `through`: a compaction may have ended in its middle. */
async function firstStart(database: LogDatabase, through: number): Promise<number> {
  const next = through + 1;
  const [found] = await database
    .iterator({ gte: keyOf(0), lte: keyOf(next), reverse: true, limit: 1, fillCache: false })
    .all();
  if (found === undefined) return next;
  const start = indexOfKey(found[0]);
  return start + decodeRecord(start, found[1]).entries.length > next ? start : next;
}

async function startsBefore(database: LogDatabase, start: number): Promise<readonly number[]> {
  const keys = await database.keys({ gte: keyOf(0), lt: keyOf(start) }).all();
  return keys.map(indexOfKey);
}

function keyOf(index: number): Uint8Array {
  return Uint8Array.from(new EntryKey().of(index));
}
