import { createReadStream, statSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LockstepError } from '@lockstep/contract/errors';
import { SavedFileParser, type SavedSnapshot } from '../saved/saved-file.ts';
import { syncPath } from '../state/state-directory.ts';
import { restoreReserveBytes, savedBytesMax, spaceCheckBytes } from './limits.ts';

//   <id>.saved        whole and checked: its hash is its id
//   <id>.part         on its way in from another node
//   <id>.opened       the snapshot in it, as the state's database takes it
//   uploading         on its way in from an operator

/** The saved snapshots that a node holds to restore its state from, or so that others can. Works while sealed. */
export class RestoreFolder {
  readonly #path: string;
  readonly #freeBytes: (directory: string) => Promise<number>;

  private constructor(path: string, freeBytes: (directory: string) => Promise<number>) {
    this.#path = path;
    this.#freeBytes = freeBytes;
  }

  /** `freeBytes`: what this process may still write in a directory. */
  static async open(path: string, freeBytes: (directory: string) => Promise<number>): Promise<RestoreFolder> {
    await mkdir(path, { recursive: true, mode: 0o700 });
    return new RestoreFolder(path, freeBytes);
  }

  has(id: string): boolean {
    return sizeOf(this.savedPath(id)) !== undefined;
  }

  savedPath(id: string): string {
    return this.#file(id, 'saved');
  }

  openedPath(id: string): string {
    return this.#file(id, 'opened');
  }

  /**
   * Takes an operator's file as it comes, and checks all that can be checked without a key. `admit` sees its head first, and throws
   * to refuse the rest. Refuses with `invalid-input` what is no whole file, `too-large`, and `disk-full` before the disk is. Then
   * nothing of it stays.
   */
  async write(
    data: AsyncIterable<Uint8Array>,
    admit: (saved: SavedSnapshot) => void,
  ): Promise<{ readonly id: string; readonly saved: SavedSnapshot }> {
    const uploading = join(this.#path, 'uploading');
    await rm(uploading, { force: true });
    try {
      const found = await this.#take(data, { uploading, admit });
      await rename(uploading, this.savedPath(found.id));
      await syncPath(this.#path);
      return found;
    } catch (error) {
      await rm(uploading, { force: true });
      throw error;
    }
  }

  async #take(
    data: AsyncIterable<Uint8Array>,
    to: { readonly uploading: string; readonly admit: (saved: SavedSnapshot) => void },
  ): Promise<{ readonly id: string; readonly saved: SavedSnapshot }> {
    const parser = new SavedFileParser({ onHead: to.admit });
    const file = await open(to.uploading, 'wx', 0o600);
    try {
      let bytes = 0;
      let checked = 0;
      await this.requireSpace(0);
      for await (const piece of data) {
        parser.push(piece);
        bytes += piece.length;
        if (bytes > savedBytesMax)
          throw new LockstepError('too-large', `the file has more than ${savedBytesMax} bytes`);
        if (bytes - checked >= spaceCheckBytes) {
          checked = bytes;
          await this.requireSpace(0);
        }
        for (let at = 0; at < piece.length; ) at += (await file.write(piece, at)).bytesWritten;
      }
      const found = parser.finish();
      await file.sync();
      return found;
    } finally {
      await file.close();
    }
  }

  /** Refuses with `disk-full` where so many bytes more would leave too little. */
  async requireSpace(bytes: number): Promise<void> {
    const free = await this.#freeBytes(this.#path);
    if (free < bytes + restoreReserveBytes)
      throw new LockstepError(
        'disk-full',
        `the disk has ${free} bytes free, the restore needs ${bytes} and leaves ${restoreReserveBytes}; nothing was changed`,
      );
  }

  receivedBytes(id: string): number {
    return sizeOf(this.#file(id, 'part')) ?? 0;
  }

  /** Appends what another node gave. Refuses with `invalid-input` bytes that don't follow, and as `write` does. */
  async receive(at: { readonly id: string; readonly offset: number; readonly data: Uint8Array }): Promise<void> {
    const { id, offset, data } = at;
    if (offset !== this.receivedBytes(id))
      throw new LockstepError(
        'invalid-input',
        `bytes from ${offset} on do not follow the ${this.receivedBytes(id)} received`,
      );
    if (offset + data.length > savedBytesMax)
      throw new LockstepError('too-large', `the file has more than ${savedBytesMax} bytes`);
    if (offset % spaceCheckBytes < data.length) await this.requireSpace(0);
    const file = await open(this.#file(id, 'part'), 'a', 0o600);
    try {
      for (let done = 0; done < data.length; ) done += (await file.write(data, done)).bytesWritten;
    } finally {
      await file.close();
    }
  }

  /** All bytes were received: true once the file was checked and is durable, false where it was damaged, and is gone. */
  async complete(id: string): Promise<boolean> {
    const part = this.#file(id, 'part');
    if ((await this.#idOf(part)) !== id) {
      await rm(part, { force: true });
      return false;
    }
    await syncPath(part);
    await rename(part, this.savedPath(id));
    await syncPath(this.#path);
    return true;
  }

  /** Bytes of a file that is here; undefined when it isn't, or ends before `offset`. */
  async read(at: {
    readonly id: string;
    readonly offset: number;
    readonly bytesMax: number;
  }): Promise<{ readonly data: Uint8Array; readonly total: number } | undefined> {
    const total = sizeOf(this.savedPath(at.id));
    if (total === undefined || at.offset > total) return undefined;
    const file = await open(this.savedPath(at.id), 'r');
    try {
      const data = Buffer.allocUnsafe(Math.min(at.bytesMax, total - at.offset));
      const { bytesRead } = await file.read(data, 0, data.length, at.offset);
      return { data: data.subarray(0, bytesRead), total };
    } finally {
      await file.close();
    }
  }

  async remove(id: string): Promise<void> {
    for (const kind of ['saved', 'part', 'opened'] as const) await rm(this.#file(id, kind), { force: true });
  }

  async removeOpened(id: string): Promise<void> {
    await rm(this.openedPath(id), { force: true });
  }

  /** Removes everything but these. What is being uploaded stays. */
  async keepOnly(ids: ReadonlySet<string>): Promise<void> {
    for (const name of await readdir(this.#path)) {
      const id = /^([0-9a-f]{64})\./.exec(name)?.[1];
      if (id !== undefined && !ids.has(id)) await rm(join(this.#path, name), { force: true });
    }
  }

  async #idOf(path: string): Promise<string | undefined> {
    const parser = new SavedFileParser({ onHead: () => undefined });
    try {
      const file: AsyncIterable<Buffer> = createReadStream(path);
      for await (const data of file) parser.push(data);
      return parser.finish().id;
    } catch (error) {
      if (error instanceof LockstepError && error.code === 'invalid-input') return undefined;
      throw error;
    }
  }

  #file(id: string, kind: 'saved' | 'part' | 'opened'): string {
    if (!/^[0-9a-f]{64}$/.test(id))
      throw new LockstepError('invalid-input', 'the id of a saved snapshot is a hash in hexadecimal');
    return join(this.#path, `${id}.${kind}`);
  }
}

function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}
