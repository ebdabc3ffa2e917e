import { LockstepError } from '@lockstep/contract/errors';
import type { LogIndex, Term } from '@lockstep/contract/ids';
import { type MessageCodec, message, repeatedBytes, uint, WireError } from '@lockstep/contract/wire';
import { transactionsPerEntryMax } from './limits.ts';
import type { RecordSealer } from './record-sealer.ts';

/** Where an entry stands in the log. It opens nowhere else. */
export interface EntryPlace {
  readonly index: LogIndex;
  readonly term: Term;
}

export interface EntryBody {
  /** The log's time, stamped by the leader. */
  readonly timeMs: number;
  readonly transactions: readonly Uint8Array[];
}

/** As in protos/lockstep/log/v1/log.proto. */
export const entryBodyWire: MessageCodec<EntryBody> = message({ timeMs: uint(1), transactions: repeatedBytes(2) });

/** One record for the whole entry, under a derived key of its own, bound to cluster, index and term. */
export function sealEntry(sealer: RecordSealer, entry: EntryPlace & EntryBody): Buffer {
  const { timeMs, transactions } = entry;
  if (transactions.length > transactionsPerEntryMax)
    throw new LockstepError('too-large', `an entry holds at most ${transactionsPerEntryMax} transactions`);
  return sealer.startBatch().seal(placeOf(entry), entryBodyWire.encode({ timeMs, transactions }));
}

/** Refuses with `internal` what was sealed for another place, cluster or key, and with `unavailable` an unknown key version. */
export function openEntry(sealer: RecordSealer, entry: EntryPlace & { readonly sealed: Uint8Array }): EntryBody {
  const plain = sealer.open(placeOf(entry), entry.sealed);
  try {
    return entryBodyWire.decode(plain);
  } catch (cause) {
    if (!(cause instanceof WireError)) throw cause;
    throw new LockstepError('internal', `the entry at index ${entry.index} opens to bytes that are not an entry`, {
      cause,
    });
  }
}

function placeOf({ index, term }: EntryPlace): Uint8Array {
  const place = Buffer.allocUnsafe(16);
  place.writeBigUInt64BE(BigInt(index));
  place.writeBigUInt64BE(BigInt(term), 8);
  return place;
}
