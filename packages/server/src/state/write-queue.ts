import { assert } from '@lockstep/contract/errors';
import { LogIndex } from '@lockstep/contract/ids';
import { pendingBytesMax } from './limits.ts';
import { type StateDatabase, syncLogFiles } from './state-directory.ts';
import { appliedKey, controlKey, digestKey } from './state-key.ts';
import { appliedRecord, type ControlRecord, controlRecord, digestRecord } from './state-records.ts';

/** A stored value; undefined is a deletion. */
export type StoredWrites = ReadonlyMap<string, Uint8Array | undefined>;

interface Batch {
  readonly writes: Map<string, Uint8Array | undefined>;
  bytes: number;
  /** The applied index that the batch brings the database to. */
  applied: LogIndex;
  control: ControlRecord | undefined;
  /** Of the state at `applied`; undefined where it is not known. */
  digest: Uint8Array | undefined;
  mustSync: boolean;
  /** Called once the batch is written, and synced if any of them asked for it. */
  readonly done: (() => void)[];
}

export interface WriteQueueOptions {
  readonly database: StateDatabase;
  readonly path: string;
  readonly applied: LogIndex;
  /** Called once, at the first write that fails. Nothing is written after it, and nobody waiting is told that it was. */
  readonly onFatal: (error: unknown) => void;
  /** The queue was full and is half empty again. */
  readonly onCaughtUp: () => void;
}

/**
 * Brings what was applied into LevelDB, in order: one batch under way, and all that comes meanwhile is the next. Each batch
 * holds its applied index, so that the database is at every moment the state after one entry.
 */
export class WriteQueue {
  readonly #options: WriteQueueOptions;
  #database: StateDatabase;
  #path: string;
  #applied: LogIndex;
  /** Everything up to here is durable. */
  #synced: LogIndex;
  #next: Batch | undefined;
  #underWay: Batch | undefined;
  #isFull = false;
  #failure: unknown;

  constructor(options: WriteQueueOptions) {
    this.#options = options;
    this.#database = options.database;
    this.#path = options.path;
    this.#applied = options.applied;
    this.#synced = LogIndex(0);
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  get pendingBytes(): number {
    return (this.#next?.bytes ?? 0) + (this.#underWay?.bytes ?? 0);
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  /** Everything added is in LevelDB. */
  get isIdle(): boolean {
    return this.#next === undefined && this.#underWay === undefined;
  }

  /** The state can't be trusted any more: nothing is written after this. */
  fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#options.onFatal(error);
  }

  /** What an entry comes to, and the digest of the state after it, where that is known. */
  add(applied: LogIndex, writes: StoredWrites, digest: Uint8Array | undefined): void {
    this.#applied = applied;
    const batch = this.#nextBatch();
    batch.digest = digest;
    for (const [fullKey, stored] of writes) {
      const before = batch.writes.get(fullKey);
      batch.bytes += fullKey.length + (stored?.length ?? 0) - (before?.length ?? 0);
      batch.writes.set(fullKey, stored);
    }
    if (this.pendingBytes > pendingBytesMax) this.#isFull = true;
    this.#start();
  }

  /** Stores the control record, synced. */
  addControl(control: ControlRecord): void {
    const batch = this.#nextBatch();
    batch.control = control;
    batch.mustSync = true;
    this.#start();
  }

  /** A write that LevelDB does not have yet. */
  pending(fullKey: string): { readonly stored: Uint8Array | undefined } | undefined {
    for (const batch of [this.#next, this.#underWay]) {
      if (batch?.writes.has(fullKey)) return { stored: batch.writes.get(fullKey) };
    }
    return undefined;
  }

  /** All such writes under a prefix: true where the key is put, false where it is deleted. */
  pendingUnder(prefix: string): ReadonlyMap<string, boolean> {
    const found = new Map<string, boolean>();
    for (const batch of [this.#underWay, this.#next]) {
      if (batch === undefined) continue;
      for (const [fullKey, stored] of batch.writes) {
        if (fullKey.startsWith(prefix)) found.set(fullKey, stored !== undefined);
      }
    }
    return found;
  }

  /** Resolves once LevelDB has everything that was added before the call. */
  flush(): Promise<void> {
    const last = this.#next ?? this.#underWay;
    if (last === undefined) return Promise.resolve();
    return new Promise((resolve) => last.done.push(resolve));
  }

  /** Resolves with the applied index once everything up to it is durable. */
  sync(): Promise<LogIndex> {
    const index = this.#applied;
    if (index === this.#synced) return Promise.resolve(index);
    return new Promise((resolve) => {
      const batch = this.#nextBatch();
      batch.mustSync = true;
      batch.done.push(() => resolve(index));
      this.#start();
    });
  }

  /** Goes on with another database, which holds the state at `applied`. Only when nothing is pending. */
  replace(next: { readonly database: StateDatabase; readonly path: string; readonly applied: LogIndex }): void {
    assert(this.isIdle, 'a database is replaced when nothing is pending');
    this.#database = next.database;
    this.#path = next.path;
    this.#applied = next.applied;
    this.#synced = next.applied;
  }

  #nextBatch(): Batch {
    this.#next ??= {
      writes: new Map(),
      bytes: 0,
      applied: this.#applied,
      control: undefined,
      digest: undefined,
      mustSync: false,
      done: [],
    };
    this.#next.applied = this.#applied;
    return this.#next;
  }

  #start(): void {
    if (this.#underWay !== undefined || this.#failure !== undefined || this.#next === undefined) return;
    const batch = this.#next;
    this.#next = undefined;
    this.#underWay = batch;
    this.#write(batch).then(
      () => this.#finish(batch),
      // LevelDB goes on acknowledging after a failed write and loses what it acknowledged: never write again.
      (error: unknown) => this.fail(error),
    );
  }

  async #write(batch: Batch): Promise<void> {
    const chain = this.#database.batch();
    for (const [fullKey, stored] of batch.writes) {
      if (stored === undefined) chain.del(fullKey);
      else chain.put(fullKey, stored);
    }
    if (batch.control !== undefined) chain.put(controlKey, controlRecord.encode(batch.control));
    if (batch.digest !== undefined)
      chain.put(digestKey, digestRecord.encode({ digest: batch.digest, index: batch.applied }));
    chain.put(appliedKey, appliedRecord.encode(batch.applied));
    await chain.write({ sync: batch.mustSync });
    if (batch.mustSync) await syncLogFiles(this.#path);
  }

  #finish(batch: Batch): void {
    this.#underWay = undefined;
    if (batch.mustSync) this.#synced = batch.applied;
    this.#start();
    for (const done of batch.done) done();
    if (this.#isFull && this.pendingBytes <= pendingBytesMax / 2) {
      this.#isFull = false;
      this.#options.onCaughtUp();
    }
  }
}
