import { Buffer } from 'node:buffer';
import { crc32 } from 'node:zlib';
import { LogIndex, TimeMs } from '@lockstep/contract/ids';
import type { CommittedEntry, EntryEncoder, StateMachine } from '@lockstep/core/port';
import type { SnapshotMeta } from '@lockstep/core/raft/types';
import { Positions } from '@lockstep/server/positions';
import { emptyState, type KeptState, StateFiles } from './state-files.ts';

const headBytes = 12;
/** More than one entry can hold. */
const applied = Array.from({ length: 4096 }, () => ({ kind: 'applied', results: [] }) as const);

/**
 * A state machine that counts: what is measured is consensus and not what it is for. It keeps a count and a checksum of all that
 * it applied, durably every second, as compaction needs it, and its snapshots are as large as one is told to make them.
 */
export class BenchMachine implements StateMachine {
  readonly positions: Positions;
  readonly #files: StateFiles;
  #state: KeptState;

  static async open(directory: string, snapshotBytes: number): Promise<BenchMachine> {
    const files = await StateFiles.open(directory, snapshotBytes);
    return new BenchMachine(files, (await files.load()) ?? emptyState);
  }

  private constructor(files: StateFiles, state: KeptState) {
    this.#files = files;
    this.#state = state;
    this.positions = new Positions(LogIndex(state.index));
  }

  get transactions(): number {
    return this.#state.transactions;
  }

  get digest(): number {
    return this.#state.digest;
  }

  /** Resolves with the index up to which the state is on disk. */
  async sync(): Promise<LogIndex> {
    const state = this.#state;
    await this.#files.save(state);
    return LogIndex(state.index);
  }

  encoder(): EntryEncoder {
    return encoder;
  }

  lastTimeMs(): number {
    return TimeMs(this.#state.timeMs);
  }

  apply(entries: readonly CommittedEntry[]): boolean {
    for (const { index, term, type, data } of entries) {
      const before = this.#state;
      const digest = crc32(data, before.digest);
      if (type === 'transactions') {
        const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
        const transactions = before.transactions + view.getUint32(8, true);
        this.#state = { ...before, index, digest, transactions, timeMs: view.getFloat64(0, true) };
      } else {
        this.#state = { ...before, index, digest };
      }
      this.positions.entryApplied(index, term, applied);
    }
    return true;
  }

  control(): void {}

  appliedIndex(): LogIndex {
    return LogIndex(this.#state.index);
  }

  takeSnapshot(done: (snapshot: { readonly id: string; readonly index: LogIndex } | undefined) => void): void {
    const state = this.#state;
    this.#files.writeSnapshot(state).then((id) => done({ id, index: LogIndex(state.index) }), stop);
  }

  readSnapshot(
    at: { readonly id: string; readonly offset: number; readonly bytesMax: number },
    done: (chunk: { readonly data: Uint8Array; readonly total: number } | undefined) => void,
  ): void {
    this.#files.readSnapshot(at).then(done, () => done(undefined));
  }

  receiveSnapshot(
    at: { readonly id: string; readonly offset: number; readonly data: Uint8Array },
    done: (ok: boolean) => void,
  ): void {
    this.#files.receive(at).then(() => done(true), stop);
  }

  receivedBytes(id: string): number {
    return this.#files.receivedBytes(id);
  }

  installSnapshot(meta: SnapshotMeta, done: (ok: boolean) => void): void {
    this.#files.install(meta).then((state) => {
      this.#state = state;
      this.positions.snapshotInstalled(meta.index);
      done(true);
    }, stop);
  }

  installedSnapshot(): SnapshotMeta | undefined {
    return this.#state.installed;
  }
}

const encoder: EntryEncoder = { encode: (_place, timeMs, transactions) => packed(timeMs, transactions) };

/** A benchmark whose files fail measures nothing. */
function stop(error: unknown): void {
  process.stderr.write(`bench machine: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
}

/** time:f64 count:u32 (length:u32 bytes)* */
function packed(timeMs: number, transactions: readonly Uint8Array[]): Uint8Array {
  let length = headBytes;
  for (const transaction of transactions) length += 4 + transaction.length;
  const bytes = Buffer.allocUnsafeSlow(length);
  bytes.writeDoubleLE(timeMs, 0);
  bytes.writeUInt32LE(transactions.length, 8);
  let at = headBytes;
  for (const transaction of transactions) {
    bytes.writeUInt32LE(transaction.length, at);
    bytes.set(transaction, at + 4);
    at += 4 + transaction.length;
  }
  return bytes;
}
