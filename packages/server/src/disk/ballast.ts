import { randomBytes } from 'node:crypto';
import { open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { DiskSpace } from '@lockstep/core/free-space';
import { syncDirectory } from '@lockstep/core/log/sync-directory';
import type { Log } from '../log.ts';
import { ballastChunkBytes, ballastRoom } from './limits.ts';

export const ballastName = 'ballast';

/**
 * A file of nothing, to be deleted by an operator whose disk is full: then there is room for what frees more. Made where much is
 * free, and made again when that is so again.
 */
export class Ballast {
  readonly #directory: string;
  readonly #bytes: number;
  readonly #log: Log;
  #making: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: { readonly directory: string; readonly bytes: number; readonly log: Log }) {
    this.#directory = options.directory;
    this.#bytes = options.bytes;
    this.#log = options.log;
  }

  /** At each measurement: makes it, in the background, where it is missing and there is room. */
  maybeMake({ level, freeBytes, warnBytes }: DiskSpace): void {
    if (this.#bytes === 0 || this.#isClosed || this.#making !== undefined) return;
    if (level !== 'ok' || freeBytes < warnBytes + ballastRoom * this.#bytes) return;
    this.#making = this.#make()
      // It is a help and no more: the node goes on without it.
      .catch((cause: unknown) => this.#log.error('ballast-failed', { error: String(cause) }))
      .finally(() => (this.#making = undefined));
  }

  /** Resolves when nothing is being written. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#making;
  }

  async #make(): Promise<void> {
    const path = join(this.#directory, ballastName);
    if (await isThere(path)) return;
    const unfinished = `${path}.new`;
    const file = await open(unfinished, 'w', 0o600);
    try {
      for (let written = 0; written < this.#bytes && !this.#isClosed; ) {
        const length = Math.min(ballastChunkBytes, this.#bytes - written);
        // Of random bytes: a file system may keep zeros in no room at all.
        written += (await file.write(randomBytes(length))).bytesWritten;
        await file.datasync();
      }
    } finally {
      await file.close();
    }
    if (this.#isClosed) return await rm(unfinished, { force: true });
    await rename(unfinished, path);
    await syncDirectory(this.#directory);
    this.#log.info('ballast-made', { file: path, bytes: this.#bytes });
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return false;
    throw cause;
  }
}
