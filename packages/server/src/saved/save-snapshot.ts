import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { assert, LockstepError } from '@lockstep/contract/errors';
import type { LogIndex } from '@lockstep/contract/ids';
import type { ConsensusNode } from '@lockstep/core/node';
import { encodeSealConfiguration } from '@lockstep/seal/seal-configuration';
import type { SealKeeper } from '../seal-keeper.ts';
import { recordsInTrailer, trailerBytes } from '../state/snapshot-file.ts';
import type { StateDb } from '../state/state-db.ts';
import { version } from '../version.ts';
import { savedChunkBytes, savesAtOnceMax, takeDeadlineMs, takeRetryMs } from './limits.ts';
import { chunkPlace, chunksOf, savedFileBytes, savedHead, type SavedSnapshot, sha256 } from './saved-file.ts';

export interface SavingParts {
  readonly state: StateDb;
  readonly keeper: SealKeeper;
  readonly consensus: ConsensusNode;
  readonly factVersion: () => number;
  readonly logTimeMs: () => number;
  readonly wallMs: () => number;
  readonly nodeName: string;
  readonly clusterId: string;
}

/** A snapshot on its way to an operator. */
export interface SavedStream {
  readonly saved: SavedSnapshot;
  /** How many bytes `chunks` come to. */
  readonly bytes: number;
  /** Throws where the node is sealed meanwhile. */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** A file is open until then. */
  readonly close: () => Promise<void>;
}

/** Saves snapshots of this node's state, a bounded number at once. */
export class SnapshotSaver {
  readonly #parts: SavingParts;
  #underWay = 0;

  constructor(parts: SavingParts) {
    this.#parts = parts;
  }

  /**
   * The state as of now, sealed, as a stream that holds one chunk in memory. The caller has confirmed that this node's state is as
   * new as it must be. Refuses with `sealed`, with `rate-limited` beyond `savesAtOnceMax`, and with `unavailable` when none can be
   * taken. It counts until it is closed.
   */
  async save(): Promise<SavedStream> {
    if (this.#underWay >= savesAtOnceMax)
      throw new LockstepError('rate-limited', `${savesAtOnceMax} snapshots are being saved from this node already`);
    this.#underWay++;
    let isOpen = true;
    const end = (): void => {
      if (isOpen) this.#underWay--;
      isOpen = false;
    };
    try {
      const stream = await openStream(this.#parts);
      return { ...stream, close: () => stream.close().finally(end) };
    } catch (error) {
      end();
      throw error;
    }
  }
}

async function openStream(parts: SavingParts): Promise<SavedStream> {
  const { id, index } = await taken(parts.state);
  const term = parts.consensus.termAt(index);
  const file = await parts.state.openSnapshot(id);
  try {
    if (file === undefined || term === undefined)
      throw new LockstepError('unavailable', 'the snapshot was overtaken while it was taken; try again');
    const { size: bytes } = await file.stat();
    const trailer = Buffer.alloc(trailerBytes);
    await file.read(trailer, 0, trailerBytes, bytes - trailerBytes);
    const saved = savedOf(parts, { snapshotId: id, index, term, bytes, records: recordsInTrailer(trailer) });
    const head = savedHead(saved);
    return {
      saved,
      bytes: savedFileBytes(head.length, bytes),
      chunks: sealedChunks({ file, head, bytes, keeper: parts.keeper }),
      close: () => file.close(),
    };
  } catch (error) {
    await file?.close();
    throw error;
  }
}

type Taken = Pick<SavedSnapshot, 'snapshotId' | 'index' | 'term' | 'bytes' | 'records'>;

function savedOf(parts: SavingParts, snapshot: Taken): SavedSnapshot {
  const barrier = parts.keeper.barrier.state;
  if (barrier.state === 'sealed') throw new LockstepError('sealed', 'Vault is sealed');
  return {
    ...snapshot,
    clusterId: parts.clusterId,
    logTimeMs: parts.logTimeMs(),
    savedMs: parts.wallMs(),
    factVersion: parts.factVersion(),
    program: version,
    node: parts.nodeName,
    seal: encodeSealConfiguration(barrier.configuration),
    versionOffset: parts.state.restored?.versionOffset ?? 0,
  };
}

/** One snapshot is taken at a time, and a follower may need one just now. */
async function taken(state: StateDb): Promise<{ readonly id: string; readonly index: LogIndex }> {
  const deadline = performance.now() + takeDeadlineMs;
  while (performance.now() < deadline) {
    const snapshot = await new Promise<{ readonly id: string; readonly index: LogIndex } | undefined>((resolve) =>
      state.takeSnapshot(resolve),
    );
    if (snapshot !== undefined) return snapshot;
    await new Promise((resolve) => setTimeout(resolve, takeRetryMs));
  }
  throw new LockstepError('unavailable', "no snapshot could be taken: the node's log tells why; try again");
}

async function* sealedChunks(of: {
  readonly file: FileHandle;
  readonly head: Buffer;
  readonly bytes: number;
  readonly keeper: SealKeeper;
}): AsyncGenerator<Uint8Array> {
  const { file, head, bytes, keeper } = of;
  const hash = createHash('sha256').update(head);
  const headHash = sha256(head);
  yield head;
  const count = chunksOf(bytes);
  for (let number = 0; number < count; number++) {
    const plain = await exactly(file, Math.min(savedChunkBytes, bytes - number * savedChunkBytes));
    // Asked for each time: the node may be sealed, or its keyring rotated.
    const sealer = keeper.barrier.snapshots();
    if (sealer === undefined) throw new LockstepError('sealed', 'Vault is sealed');
    const sealed = sealer.startBatch().seal(chunkPlace(headHash, number, number === count - 1), plain);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(sealed.length);
    hash.update(length).update(sealed);
    yield length;
    yield sealed;
  }
  const end = Buffer.alloc(4);
  yield end;
  yield hash.update(end).digest();
}

async function exactly(file: FileHandle, length: number): Promise<Buffer> {
  const target = Buffer.alloc(length);
  for (let at = 0; at < length; ) {
    const { bytesRead } = await file.read(target, at, length - at, null);
    assert(bytesRead > 0, 'a snapshot file keeps its length');
    at += bytesRead;
  }
  return target;
}
