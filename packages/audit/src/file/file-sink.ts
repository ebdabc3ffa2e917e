import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { AuditSink } from '@lockstep/contract/audit-sink';
import { LockstepError } from '@lockstep/contract/errors';
import { waitingBytesMax, writeBytesMax } from '../limits.ts';

interface WaitingLine {
  readonly line: string;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * Appends lines to a file that only its owner may read. Lines that come while a write is under way go out together in the next one.
 * A line counts as held once the system has it (as Vault's file device); it is not fsynced.
 */
export async function openFileSink(path: string): Promise<AuditSink> {
  return new FileSink(path, await openForAppend(path));
}

async function openForAppend(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT, 0o600);
  } catch (cause) {
    throw new LockstepError(
      'unavailable',
      `audit file ${path} can't be opened: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}

class FileSink implements AuditSink {
  readonly kind = 'file';
  readonly #path: string;
  #file: FileHandle;
  #waiting: WaitingLine[] = [];
  #waitingBytes = 0;
  #writing: Promise<void> | undefined;
  #isTorn = false;

  constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  readonly write = (line: string): Promise<void> => {
    if (this.#waitingBytes + line.length > waitingBytesMax) {
      return Promise.reject(
        new LockstepError('unavailable', `more than ${waitingBytesMax} bytes wait for audit file ${this.#path}`),
      );
    }
    this.#waitingBytes += line.length;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ line, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  };

  readonly reopen = async (): Promise<void> => {
    const next = await openForAppend(this.#path);
    await this.#writing;
    const before = this.#file;
    this.#file = next;
    await before.close();
  };

  readonly close = async (): Promise<void> => {
    await this.#writing;
    await this.#file.close();
  };

  async #writeAll(): Promise<void> {
    // What else arrives in this turn joins the first write.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) await this.#writeGroup(this.#takeGroup());
    this.#writing = undefined;
  }

  #takeGroup(): readonly WaitingLine[] {
    let bytes = 0;
    let count = 0;
    while (
      count < this.#waiting.length &&
      (count === 0 || bytes + (this.#waiting[count]?.line.length ?? 0) <= writeBytesMax)
    ) {
      bytes += this.#waiting[count]?.line.length ?? 0;
      count += 1;
    }
    this.#waitingBytes -= bytes;
    return this.#waiting.splice(0, count);
  }

  async #writeGroup(group: readonly WaitingLine[]): Promise<void> {
    // A write that failed halfway left a torn line: end it, so that the next one is whole.
    const bytes = Buffer.from(`${this.#isTorn ? '\n' : ''}${group.map(({ line }) => line).join('')}`);
    try {
      await this.#file.writeFile(bytes);
      this.#isTorn = false;
      for (const { resolve } of group) resolve();
    } catch (cause) {
      this.#isTorn = true;
      const error = new LockstepError('unavailable', `audit file ${this.#path} can't be written`, { cause });
      for (const { reject } of group) reject(error);
    }
  }
}
