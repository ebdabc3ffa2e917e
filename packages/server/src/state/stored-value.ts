import { LockstepError } from '@lockstep/contract/errors';
import { emptyValue } from '@lockstep/contract/state';
import type { BatchSealer } from '@lockstep/seal/aead';
import type { RecordSealer } from '@lockstep/seal/record-sealer';

// stored := sealed(version:u64 value)   for a value
//         | version:u64                 for an empty one, as index keys have: sealing it would add 65 bytes and 5 µs to hide nothing.
// So whoever can write a node's disk can blank a value there, as he can delete it; he can't forge one, nor move one to another key.

export interface StoredCell {
  readonly value: Uint8Array;
  /** Of the last write: its log index, and what was added to it when the state was restored. */
  readonly version: number;
}

const versionBytes = 8;

export function sealCell(batch: BatchSealer, fullKey: string, cell: StoredCell): Uint8Array {
  const plain = Buffer.allocUnsafe(versionBytes + cell.value.length);
  plain.writeUInt32BE(Math.floor(cell.version / 2 ** 32));
  plain.writeUInt32BE(cell.version % 2 ** 32, 4);
  if (cell.value.length === 0) return plain;
  plain.set(cell.value, versionBytes);
  const sealed = batch.seal(fullKey, plain);
  plain.fill(0);
  return sealed;
}

/** Refuses with `internal` a value that was changed, or moved from another key. */
export function openCell(sealer: RecordSealer, fullKey: string, stored: Uint8Array): StoredCell {
  if (stored.length === versionBytes) return { value: emptyValue, version: versionOf(stored) };
  const plain = sealer.open(fullKey, stored);
  if (plain.length <= versionBytes) throw new LockstepError('internal', 'a sealed value opens to no version and value');
  return { value: plain.subarray(versionBytes), version: versionOf(plain) };
}

function versionOf(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, versionBytes);
  return view.getUint32(0) * 2 ** 32 + view.getUint32(4);
}
