import { closeSync, fdatasync, openSync, read, rmSync, write } from 'node:fs';
import { join } from 'node:path';
import { LogIndex } from '@lockstep/contract/ids';
import { decodeRecord, RecordEncoding } from '@lockstep/core/log/entry-records';
import { encodeHardState } from '@lockstep/core/log/log-records';
import type { LogStore, LogStoreStats } from '@lockstep/core/log/log-store';
import type { Entry, PersistBatch, SnapshotMeta } from '@lockstep/core/raft/types';

/** A file is closed when it is this long, and deleted when all in it is compacted. */
const segmentBytes = 64 * 1024 * 1024;
const headBytes = 8;

interface Segment {
  readonly path: string;
  readonly file: number;
  bytes: number;
  lastIndex: number;
}

interface Place {
  readonly start: number;
  readonly last: number;
  readonly segment: Segment;
  readonly offset: number;
  readonly length: number;
}

/**
 * What the log in LevelDB is compared with: files that are only appended to, with the same checksums, and one fdatasync for each
 * write. For measuring alone: it knows where its records are as long as it is open, and is never opened again.
 */
export class AppendLog implements LogStore {
  readonly #directory: string;
  readonly #encoding = new RecordEncoding();
  readonly #segments: Segment[] = [];
  #places: Place[] = [];
  #chain = 0;
  #queue: Promise<void> = Promise.resolve();
  #written = 0;
  #syncs = 0;

  constructor(directory: string) {
    this.#directory = directory;
    this.#newSegment();
  }

  readonly write: LogStore['write'] = (batches, done) => {
    this.#enqueue(async () => {
      const chunks: Uint8Array[] = [];
      for (const batch of batches) this.#add(batch, chunks);
      const segment = this.#lastSegment();
      await written(segment.file, Buffer.concat(chunks));
      this.#written++;
      if (batches.some(({ mustSync }) => mustSync)) {
        await synced(segment.file);
        this.#syncs++;
      }
      if (segment.bytes >= segmentBytes) this.#newSegment();
      done();
    });
  };

  readonly read: LogStore['read'] = ({ from, until, bytesMax }, done) => {
    this.#enqueue(async () => {
      const entries: Entry[] = [];
      let bytes = 0;
      for (const place of this.#places.filter(({ start, last }) => last >= from && start < until)) {
        for (const entry of decodeRecord(LogIndex(place.start), await bytesAt(place)).entries) {
          if (entry.index < from || entry.index >= until) continue;
          bytes += entry.data.length;
          if (bytes > bytesMax && entries.length > 0) return done(entries);
          entries.push(entry);
        }
      }
      done(entries);
    });
  };

  readonly compact: LogStore['compact'] = (snapshot: SnapshotMeta, done) => {
    this.#enqueue(async () => {
      this.#places = this.#places.filter(({ last }) => last > snapshot.index);
      while (
        this.#segments.length > 1 &&
        (this.#segments[0]?.lastIndex ?? Number.POSITIVE_INFINITY) <= snapshot.index
      ) {
        const oldest = this.#segments.shift();
        if (oldest === undefined) break;
        closeSync(oldest.file);
        rmSync(oldest.path);
      }
      await Promise.resolve(done());
    });
  };

  readonly saveMembership: LogStore['saveMembership'] = (_membership, _index, done) => {
    this.#enqueue(async () => await Promise.resolve(done()));
  };

  readonly stats = (): LogStoreStats => {
    return { lastSyncMs: 0, oldestPendingMs: 0, writes: this.#written, syncs: this.#syncs };
  };

  readonly close = async (): Promise<void> => {
    await this.#queue;
    for (const { file } of this.#segments) closeSync(file);
  };

  #enqueue(run: () => Promise<void>): void {
    this.#queue = this.#queue.then(run);
  }

  #add(batch: PersistBatch, chunks: Uint8Array[]): void {
    if (batch.hardState !== undefined) this.#chunk(chunks, encodeHardState(batch.hardState));
    const [first, last] = [batch.entries[0], batch.entries.at(-1)];
    if (first === undefined || last === undefined) return;
    const { value, checksum } = this.#encoding.encode(batch.entries, this.#chain);
    this.#chain = checksum;
    const segment = this.#lastSegment();
    segment.lastIndex = last.index;
    const offset = segment.bytes + headBytes;
    this.#places.push({ start: first.index, last: last.index, segment, offset, length: value.length });
    this.#chunk(chunks, value);
  }

  #chunk(chunks: Uint8Array[], value: Uint8Array): void {
    const chunk = Buffer.allocUnsafe(headBytes + value.length);
    chunk.writeUInt32LE(value.length, 0);
    chunk.writeUInt32LE(this.#segments.length, 4);
    chunk.set(value, headBytes);
    chunks.push(chunk);
    this.#lastSegment().bytes += chunk.length;
  }

  #lastSegment(): Segment {
    const segment = this.#segments.at(-1);
    if (segment === undefined) throw new Error('there is always a segment');
    return segment;
  }

  #newSegment(): void {
    const path = join(this.#directory, `segment-${this.#written}`);
    this.#segments.push({ path, file: openSync(path, 'ax+', 0o600), bytes: 0, lastIndex: 0 });
  }
}

function written(file: number, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    write(file, bytes, (error, count) => {
      if (error !== null) reject(error);
      else if (count === bytes.length) resolve();
      else reject(new Error(`${count} of ${bytes.length} bytes were written`));
    });
  });
}

function synced(file: number): Promise<void> {
  return new Promise((resolve, reject) => fdatasync(file, (error) => (error === null ? resolve() : reject(error))));
}

function bytesAt({ segment, offset, length }: Place): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    read(segment.file, Buffer.allocUnsafe(length), 0, length, offset, (error, _count, bytes) =>
      error === null ? resolve(bytes) : reject(error),
    );
  });
}
