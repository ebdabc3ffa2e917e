import { LogIndex, type Term } from '@lockstep/contract/ids';
import type { Level } from 'level';
import type { Entry, HardState } from '../raft/types.ts';
import { recoveryReadBytes, recoveryReadEntries, tailBytesMax } from './limits.ts';
import { damaged, decodeEntry, EntryKey, indexOfKey, type LogMeta } from './log-records.ts';
import type { StoredLog } from './log-store.ts';
import type { Mark } from './marker.ts';

export type LogDatabase = Level<Uint8Array, Uint8Array>;

/** What the store must know to go on writing where the log ends. */
export interface RecoveredLog {
  readonly stored: StoredLog;
  /** Checksum and term of the last entry, or of the one before the first. */
  readonly lastChecksum: number;
  readonly lastTerm: Term;
  /** Compacted entries that were not deleted yet when the process ended. */
  readonly leftover: { readonly from: number; readonly until: number } | undefined;
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
  await eachEntry(database, meta.snapshot.index + 1, (key, value) => scan.take(indexOfKey(key), value));
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
    leftover: await leftoverEntries(database, meta.snapshot.index),
  };
}

/** One pass over the log, from front to back. */
class LogScan {
  readonly termRuns: { firstIndex: LogIndex; term: Term }[] = [];
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

  take(index: LogIndex, value: Uint8Array): void {
    if (index !== this.lastIndex + 1) {
      throw damaged('log', `entry ${index} follows entry ${this.lastIndex}: those between are missing`);
    }
    const { entry, checksum, chain } = decodeEntry(index, value);
    if (entry.term < this.lastTerm) {
      throw damaged('log', `entry ${index} has term ${entry.term}, below its predecessor's ${this.lastTerm}`);
    }
    if (chain !== this.lastChecksum) throw damaged('log', `entry ${index} does not belong to the log before it`);
    if (this.termRuns.at(-1)?.term !== entry.term) this.termRuns.push({ firstIndex: index, term: entry.term });
    this.lastIndex = index;
    this.lastTerm = entry.term;
    this.lastChecksum = checksum;
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

async function eachEntry(
  database: LogDatabase,
  from: number,
  take: (key: Uint8Array, value: Uint8Array) => void,
): Promise<void> {
  const gte = Uint8Array.from(new EntryKey().of(from));
  const iterator = database.iterator({
    gte,
    lt: afterEntries,
    highWaterMarkBytes: recoveryReadBytes,
    fillCache: false,
  });
  try {
    for (;;) {
      const page = await iterator.nextv(recoveryReadEntries);
      if (page.length === 0) return;
      for (const [key, value] of page) take(key, value);
    }
  } finally {
    await iterator.close();
  }
}

/** Behind every entry's key: the next letter. */
const afterEntries: Uint8Array = Buffer.from('m');

async function leftoverEntries(database: LogDatabase, through: number): Promise<RecoveredLog['leftover']> {
  const gte = Uint8Array.from(new EntryKey().of(0));
  const lt = Uint8Array.from(new EntryKey().of(through + 1));
  const [firstKey] = await database.keys({ gte, lt, limit: 1 }).all();
  const [lastKey] = await database.keys({ gte, lt, limit: 1, reverse: true }).all();
  if (firstKey === undefined || lastKey === undefined) return undefined;
  return { from: indexOfKey(firstKey), until: indexOfKey(lastKey) + 1 };
}
