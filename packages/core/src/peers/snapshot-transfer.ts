import { crc32 } from 'node:zlib';
import type { NodeId } from '@lockstep/contract/ids';
import { FrameReader } from './frame-reader.ts';
import { FrameWriter } from './frame-writer.ts';
import { frameSnapshotIdBytesMax, snapshotChunkBytesMax } from './limits.ts';

/*
 * What the snapshot call carries, in the terms of peer-codec.ts:
 *
 *   request := 0x50 id:str offset:u53
 *   chunk   := 0x43 offset:u53 total:u53 crc32:u32 bytes
 */

const requestFrame = 0x50;
const chunkFrame = 0x43;

/** Reads the snapshots that this node took; `undefined` when the named one is gone. `total` is its length in bytes. */
export interface SnapshotSource {
  readonly read: (
    id: string,
    offset: number,
    bytesMax: number,
    done: (chunk: { readonly data: Uint8Array; readonly total: number } | undefined) => void,
  ) => void;
}

/** What a pull tells its caller: chunks in order without gaps, then `onEnd` once. Nothing comes after `onEnd` or `cancel`. */
export interface PullHandlers {
  /** The chunk's checksum held. No further chunk comes before `next` is called. */
  readonly onChunk: (data: Uint8Array, offset: number, total: number, next: () => void) => void;
  /** Without an error: the snapshot's last byte has been handed over. */
  readonly onEnd: (error?: Error) => void;
}

/** Pulls the bytes of snapshot `id` from `offset` on, out of another node. */
export type PullSnapshot = (
  from: NodeId,
  id: string,
  offset: number,
  handlers: PullHandlers,
) => { readonly cancel: () => void };

export interface PullRequest {
  readonly id: string;
  readonly offset: number;
}

export interface SnapshotChunk {
  readonly offset: number;
  readonly total: number;
  readonly data: Uint8Array;
}

export function encodePullRequest(request: PullRequest): Uint8Array {
  const write = (writer: FrameWriter): void => {
    writer.u8(requestFrame);
    writer.text('snapshot id', request.id, frameSnapshotIdBytesMax);
    writer.u53('offset', request.offset);
  };
  return written(write);
}

export function decodePullRequest(frame: Uint8Array): PullRequest {
  const reader = new FrameReader(frame);
  if (reader.u8('kind') !== requestFrame) throw reader.refusal('is not a snapshot request');
  const request = { id: reader.text('snapshot id', frameSnapshotIdBytesMax), offset: reader.u53('offset') };
  reader.end();
  return request;
}

export function encodeChunk(chunk: SnapshotChunk): Uint8Array {
  const write = (writer: FrameWriter): void => {
    writer.u8(chunkFrame);
    writer.u53('offset', chunk.offset);
    writer.u53('total', chunk.total);
    writer.u32(crc32(chunk.data));
    writer.blob(chunk.data);
  };
  return written(write);
}

/** Refuses a chunk that is empty or too long, that ends past `total`, or whose checksum differs. */
export function decodeChunk(frame: Uint8Array): SnapshotChunk {
  const reader = new FrameReader(frame);
  if (reader.u8('kind') !== chunkFrame) throw reader.refusal('is not a snapshot chunk');
  const offset = reader.u53('offset');
  const total = reader.u53('total');
  const checksum = reader.u32('checksum');
  const data = reader.blob('chunk');
  reader.end();
  if (data.length > snapshotChunkBytesMax) {
    throw reader.refusal(`chunk is ${data.length} bytes, at most ${snapshotChunkBytesMax} are allowed`);
  }
  if (offset + data.length > total) throw reader.refusal(`chunk at ${offset} ends past the snapshot's ${total} bytes`);
  if (data.length === 0) throw reader.refusal(`chunk at ${offset} is empty`);
  if (crc32(data) !== checksum) throw reader.refusal(`chunk at ${offset} fails its checksum`);
  return { offset, total, data };
}

/** What a source's answer means to a pull at `offset`: the next bytes, that there are none left, or that it can't go on. */
export function chunkAt(
  offset: number,
  read: { readonly data: Uint8Array; readonly total: number } | undefined,
): SnapshotChunk | 'end' | 'gone' {
  if (read === undefined || offset > read.total) return 'gone';
  if (offset === read.total) return 'end';
  if (read.data.length === 0) return 'gone';
  return { offset, total: read.total, data: read.data };
}

function written(write: (writer: FrameWriter) => void): Uint8Array {
  const sizing = new FrameWriter(undefined);
  write(sizing);
  const writer = new FrameWriter(Buffer.allocUnsafeSlow(sizing.length));
  write(writer);
  return writer.bytes();
}
