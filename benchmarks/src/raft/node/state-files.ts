import { Buffer } from 'node:buffer';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { type FileHandle, open, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SnapshotMeta } from '@lockstep/core/raft/types';

/** All that the bench's state is. */
export interface KeptState {
  readonly index: number;
  readonly transactions: number;
  /** CRC-32 over the data of every entry that was applied. */
  readonly digest: number;
  readonly timeMs: number;
  readonly installed?: SnapshotMeta;
}

export const emptyState: KeptState = { index: 0, transactions: 0, digest: 0, timeMs: 0 };

/** A snapshot's first bytes hold the state as JSON, padded. */
const headBytes = 4096;
const fillBytes = 1024 * 1024;

/** The bench machine's files: the state, and one snapshot in each direction. */
export class StateFiles {
  readonly #directory: string;
  readonly #snapshotBytes: number;
  /** One write of the state at a time, in the order they were asked for. */
  #writing: Promise<void> = Promise.resolve();
  #receiving: { readonly id: string; readonly file: FileHandle; bytes: number } | undefined;

  static async open(directory: string, snapshotBytes: number): Promise<StateFiles> {
    return await Promise.resolve(new StateFiles(directory, Math.max(headBytes, snapshotBytes)));
  }

  private constructor(directory: string, snapshotBytes: number) {
    this.#directory = directory;
    this.#snapshotBytes = snapshotBytes;
  }

  async load(): Promise<KeptState | undefined> {
    const file = this.#path('state.json');
    return existsSync(file) ? await Promise.resolve(JSON.parse(readFileSync(file, 'utf8'))) : undefined;
  }

  async save(state: KeptState): Promise<void> {
    this.#writing = this.#writing.then(() => this.#replace('state.json', JSON.stringify(state)));
    await this.#writing;
  }

  async writeSnapshot(state: KeptState): Promise<string> {
    const id = `snapshot-${state.index}`;
    const file = await open(this.#path(id), 'w', 0o600);
    try {
      await file.write(Buffer.from(JSON.stringify(state).padEnd(headBytes)));
      const filler = Buffer.alloc(fillBytes, 0xa5);
      for (let left = this.#snapshotBytes - headBytes; left > 0; left -= fillBytes)
        await file.write(filler, 0, Math.min(left, fillBytes));
    } finally {
      await file.close();
    }
    return id;
  }

  async readSnapshot(at: {
    readonly id: string;
    readonly offset: number;
    readonly bytesMax: number;
  }): Promise<{ readonly data: Uint8Array; readonly total: number }> {
    const file = await open(this.#path(at.id), 'r');
    try {
      const { size } = await file.stat();
      const data = Buffer.alloc(Math.min(at.bytesMax, size - at.offset));
      await file.read(data, 0, data.length, at.offset);
      return { data, total: size };
    } finally {
      await file.close();
    }
  }

  async receive(at: { readonly id: string; readonly offset: number; readonly data: Uint8Array }): Promise<void> {
    if (this.#receiving?.id !== at.id) {
      await this.#receiving?.file.close();
      const name = this.#path(`received-${at.id}`);
      const bytes = existsSync(name) ? statSync(name).size : 0;
      this.#receiving = { id: at.id, file: await open(name, 'a+', 0o600), bytes };
    }
    await this.#receiving.file.write(at.data);
    this.#receiving.bytes += at.data.length;
  }

  receivedBytes(id: string): number {
    if (this.#receiving?.id === id) return this.#receiving.bytes;
    const name = this.#path(`received-${id}`);
    return existsSync(name) ? statSync(name).size : 0;
  }

  /** The snapshot's state, durable, with the snapshot's place in it. */
  async install(meta: SnapshotMeta): Promise<KeptState> {
    const name = this.#path(`received-${meta.id}`);
    const file = await open(name, 'r');
    const head = Buffer.alloc(headBytes);
    try {
      await file.read(head, 0, headBytes, 0);
    } finally {
      await file.close();
    }
    const { index, transactions, digest, timeMs }: KeptState = JSON.parse(head.toString());
    const state = { index, transactions, digest, timeMs, installed: meta };
    await this.save(state);
    await this.#receiving?.file.close();
    this.#receiving = undefined;
    await rm(name);
    return state;
  }

  async #replace(name: string, text: string): Promise<void> {
    await writeFile(this.#path(`${name}.new`), text, { mode: 0o600, flush: true });
    await rename(this.#path(`${name}.new`), this.#path(name));
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }
}
