import { statSync } from 'node:fs';
import { type FileHandle, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LockstepError } from '@lockstep/contract/errors';
import { receivedBytesMax, snapshotsKept } from './limits.ts';
import { syncPath } from './state-directory.ts';
import { indexOfSnapshot, type SnapshotHeader, snapshotId, SnapshotWriter } from './snapshot-file.ts';

//   <id>.snap       complete, taken here or installed
//   <id>.part       on its way in
//   taking.new      being written; left over from a crash when nothing is

/** The snapshots on a node's disk. They hold ciphertext only, so all of this works while sealed. */
export class SnapshotFolder {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** Writes one: `fill` is given the writer. Keeps the newest two. Returns its id. */
  async write(header: SnapshotHeader, fill: (writer: SnapshotWriter) => Promise<void>): Promise<string> {
    const temporary = join(this.directory, 'taking.new');
    await rm(temporary, { force: true });
    const writer = await SnapshotWriter.create(temporary, header);
    try {
      await fill(writer);
      const id = snapshotId(header.applied, await writer.finish());
      await rename(temporary, this.#path(id, 'snap'));
      await syncPath(this.directory);
      await this.prune();
      return id;
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    } finally {
      await writer.close();
    }
  }

  /** Bytes of a complete snapshot; undefined when it isn't here (any more) or ends before `offset`. */
  async read(at: {
    readonly id: string;
    readonly offset: number;
    readonly bytesMax: number;
  }): Promise<{ readonly data: Uint8Array; readonly total: number } | undefined> {
    if (indexOfSnapshot(at.id) === undefined) return undefined;
    const file = await open(this.#path(at.id, 'snap'), 'r').catch(ifMissing);
    if (file === undefined) return undefined;
    try {
      const { size: total } = await file.stat();
      if (at.offset > total) return undefined;
      const data = Buffer.allocUnsafe(Math.min(at.bytesMax, total - at.offset));
      const { bytesRead } = await file.read(data, 0, data.length, at.offset);
      return { data: data.subarray(0, bytesRead), total };
    } finally {
      await file.close();
    }
  }

  /** A complete snapshot, to be read through to its end even when it is pruned meanwhile; undefined when it is gone. */
  async open(id: string): Promise<FileHandle | undefined> {
    return indexOfSnapshot(id) === undefined ? undefined : await open(this.#path(id, 'snap'), 'r').catch(ifMissing);
  }

  /** Appends to what has been received. Refuses with `invalid-input` an id that is none, and bytes that don't follow. */
  async receive(at: { readonly id: string; readonly offset: number; readonly data: Uint8Array }): Promise<void> {
    const { id, offset, data } = at;
    if (indexOfSnapshot(id) === undefined)
      throw new LockstepError('invalid-input', 'a snapshot id is an index and a hash');
    const received = this.receivedBytes(id);
    if (offset !== received)
      throw new LockstepError(
        'invalid-input',
        `snapshot bytes from ${offset} on do not follow the ${received} received`,
      );
    if (offset + data.length > receivedBytesMax)
      throw new LockstepError('too-large', `a snapshot has at most ${receivedBytesMax} bytes`);
    if (offset === 0) await this.#removeParts(id);
    const file = await open(this.#path(id, 'part'), 'a', 0o600);
    try {
      for (let done = 0; done < data.length; ) done += (await file.write(data, done)).bytesWritten;
    } finally {
      await file.close();
    }
  }

  receivedBytes(id: string): number {
    if (indexOfSnapshot(id) === undefined) return 0;
    return statSync(this.#path(id, 'part'), { throwIfNoEntry: false })?.size ?? 0;
  }

  receivedPath(id: string): string {
    return this.#path(id, 'part');
  }

  async discardReceived(id: string): Promise<void> {
    await rm(this.#path(id, 'part'), { force: true });
  }

  /** A received snapshot that was checked and installed becomes one that others can be given. */
  async keepReceived(id: string): Promise<void> {
    await rename(this.#path(id, 'part'), this.#path(id, 'snap'));
    await this.prune();
  }

  async prune(): Promise<void> {
    const ids = (await readdir(this.directory)).filter((name) => name.endsWith('.snap')).toSorted();
    for (const name of ids.slice(0, -snapshotsKept)) await rm(join(this.directory, name), { force: true });
  }

  /** One snapshot at a time is received: what is left of others goes. */
  async #removeParts(id: string): Promise<void> {
    for (const name of await readdir(this.directory)) {
      if (name.endsWith('.part') && name !== `${id}.part`) await rm(join(this.directory, name), { force: true });
    }
  }

  #path(id: string, kind: 'snap' | 'part'): string {
    return join(this.directory, `${id}.${kind}`);
  }
}

function ifMissing(cause: unknown): undefined {
  if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
  throw cause;
}
