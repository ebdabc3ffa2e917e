import type { Stats } from 'node:fs';
import { constants, type FileHandle, open } from 'node:fs/promises';
import type { AuditSink } from '@lockstep/contract/audit-sink';
import { LockstepError } from '@lockstep/contract/errors';
import { removalCheckMs, waitingCharsMax, writeCharsMax } from '../limits.ts';

export interface FileSinkOptions {
  /** Also fsync each group of lines before they count as held. */
  readonly sync?: boolean;
  /** Monotonic milliseconds. */
  readonly nowMs?: () => number;
}

/**
 * Appends lines to a file, mode 0600. Refuses with `invalid-input` a path in a directory that isn't there, a symbolic link,
 * what is neither a regular file nor a character device, and a file that others may read or write, or anyone run. A file that was
 * removed, and not merely renamed, takes lines that nobody will ever read: the next ones are refused, and it is made anew.
 */
export async function openFileSink(path: string, options: FileSinkOptions = {}): Promise<AuditSink> {
  return new FileSink(path, await openTarget(path), options);
}

interface Line {
  readonly text: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Lines that come in one turn of the loop, or while a write is under way, are written by one call. */
class FileSink implements AuditSink {
  readonly kind = 'file';
  readonly #path: string;
  readonly #sync: boolean;
  readonly #nowMs: () => number;
  #file: FileHandle;
  #waiting: Line[] = [];
  #waitingChars = 0;
  #isScheduled = false;
  /** What is under way: one write, reopen or close after the other. */
  #underWay: Promise<unknown> = Promise.resolve();
  /** After a write that failed half-way the file ends in part of a line: where it has to be cut. */
  #tornAt: number | undefined;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #isRemoved = false;

  constructor(path: string, file: FileHandle, options: FileSinkOptions) {
    this.#path = path;
    this.#file = file;
    this.#sync = options.sync ?? false;
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  write(line: string): Promise<void> {
    if (this.#waitingChars + line.length > waitingCharsMax)
      return Promise.reject(
        new LockstepError('unavailable', `more than ${waitingCharsMax} characters wait for audit file ${this.#path}`),
      );
    this.#waitingChars += line.length;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ text: line, resolve, reject });
      if (this.#isScheduled) return;
      this.#isScheduled = true;
      // At the end of this turn, so that its other lines come along.
      setImmediate(() => {
        this.#underWay = this.#underWay.then(() => this.#writeWaiting());
      });
    });
  }

  async reopen(): Promise<void> {
    await this.#exclusively(async () => await this.#openAnew());
  }

  async close(): Promise<void> {
    await this.#exclusively(async () => {
      await this.#writeWaiting();
      await this.#file.close();
    });
  }

  async #openAnew(): Promise<void> {
    const file = await openTarget(this.#path);
    const before = this.#file;
    this.#file = file;
    this.#tornAt = undefined;
    this.#isRemoved = false;
    await before.close();
  }

  /** Runs after everything under way, and before what comes later. */
  #exclusively(work: () => Promise<void>): Promise<void> {
    const done = this.#underWay.then(work);
    // A failure is the caller's to hear; the next in line goes on.
    this.#underWay = done.catch(() => undefined);
    return done;
  }

  async #writeWaiting(): Promise<void> {
    this.#isScheduled = false;
    while (this.#waiting.length > 0) {
      const group = takeGroup(this.#waiting);
      this.#waiting = this.#waiting.slice(group.length);
      this.#waitingChars -= group.reduce((chars, line) => chars + line.text.length, 0);
      try {
        await this.#append(Buffer.from(group.map((line) => line.text).join('')));
      } catch (cause) {
        const error = new LockstepError('unavailable', `audit file ${this.#path} can't be written`, { cause });
        for (const line of group) line.reject(error);
        continue;
      }
      for (const line of group) line.resolve();
    }
  }

  async #append(bytes: Buffer): Promise<void> {
    await this.#requireThere();
    // Where the last attempt to do so failed: until it succeeds, nothing is written.
    await this.#cutTorn();
    let written = 0;
    try {
      while (written < bytes.length) written += (await this.#file.write(bytes, written)).bytesWritten;
      if (this.#sync) await this.#file.datasync();
    } catch (error) {
      const stat = await this.#file.stat();
      // None of the group counts as held, so none of it stays: what began in the middle of a line would spoil the next.
      if (written > 0 && stat.isFile()) this.#tornAt = Math.max(0, stat.size - written);
      await this.#cutTorn();
      throw error;
    }
  }

  /** Looks now and then, since each look is a call to the system. */
  async #requireThere(): Promise<void> {
    if (this.#isRemoved) return await this.#openAnew();
    const nowMs = this.#nowMs();
    if (nowMs - this.#lookedMs < removalCheckMs) return;
    this.#lookedMs = nowMs;
    if ((await this.#file.stat()).nlink > 0) return;
    this.#isRemoved = true;
    throw new LockstepError('unavailable', 'the file was removed');
  }

  async #cutTorn(): Promise<void> {
    if (this.#tornAt === undefined) return;
    await this.#file.truncate(this.#tornAt);
    this.#tornAt = undefined;
  }
}

function takeGroup(waiting: readonly Line[]): readonly Line[] {
  let chars = 0;
  const end = waiting.findIndex((line, at) => {
    chars += line.text.length;
    return at > 0 && chars > writeCharsMax;
  });
  return end === -1 ? waiting : waiting.slice(0, end);
}

async function openTarget(path: string): Promise<FileHandle> {
  const { O_APPEND, O_CREAT, O_WRONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  let file: FileHandle;
  try {
    // Non-blocking only so that opening a FIFO fails instead of waiting for its reader.
    file = await open(path, O_APPEND | O_CREAT | O_WRONLY | O_NOFOLLOW | O_NONBLOCK, 0o600);
  } catch (cause) {
    throw new LockstepError('invalid-input', `audit file ${path}: ${whyNot(cause)}`, { cause });
  }
  const refusal = refusalOf(await file.stat());
  if (refusal === undefined) return file;
  await file.close();
  throw new LockstepError('invalid-input', `audit file ${path}: ${refusal}`);
}

function refusalOf(stat: Stats): string | undefined {
  if (stat.isCharacterDevice()) return undefined;
  if (!stat.isFile()) return 'is not a regular file';
  if ((stat.mode & 0o177) !== 0) return 'must be open to its owner only (chmod 600)';
  return undefined;
}

function whyNot(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  switch (code) {
    case 'ENOENT':
      return 'its directory does not exist';
    case 'ELOOP':
      return 'is a symbolic link';
    case 'EISDIR':
    case 'ENXIO':
      return 'is not a regular file';
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return 'this process may not write it';
    default:
      return `can't be opened (${String(code)})`;
  }
}
