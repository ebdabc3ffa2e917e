import type { ClientReadableStream, ServerWritableStream, ServiceError } from '@grpc/grpc-js';
import { LockstepError } from '@lockstep/contract/errors';
import { snapshotChunkBytesMax } from './limits.ts';
import type { PeerDialer } from './peer-dialer.ts';
import { asIs, pullSnapshotMethod, toBuffer } from './peer-method.ts';
import { refuseCall } from './peer-server.ts';
import type { PeerAddress } from './peers.ts';
import {
  chunkAt,
  decodeChunk,
  decodePullRequest,
  encodeChunk,
  encodePullRequest,
  type PullHandlers,
  type PullRequest,
  type SnapshotSource,
} from './snapshot-transfer.ts';

/** Answers one pull: reads and sends one chunk after the other, no faster than they leave. Refuses what is no request. */
export function serveSnapshot(call: ServerWritableStream<Buffer, Buffer>, source: SnapshotSource): void {
  const { id, offset } = decodePullRequest(call.request);
  sendFrom({ call, source, id }, offset);
}

interface Serving {
  readonly call: ServerWritableStream<Buffer, Buffer>;
  readonly source: SnapshotSource;
  readonly id: string;
}

function sendFrom(serving: Serving, offset: number): void {
  const { call, source, id } = serving;
  source.read(id, offset, snapshotChunkBytesMax, (read) => {
    if (call.cancelled || call.destroyed) return;
    const chunk = chunkAt(offset, read);
    if (chunk === 'gone') {
      refuseCall(call, new LockstepError('not-found', `snapshot "${id}" has no bytes at ${offset} here`));
      return;
    }
    if (chunk === 'end') {
      call.end();
      return;
    }
    // The next one is read when this one has left: the pull goes as fast as the connection and holds one chunk.
    call.write(toBuffer(encodeChunk(chunk)), () => sendFrom(serving, offset + chunk.data.length));
  });
}

/** Asks a peer for a snapshot's bytes, on a connection of its own, so that heartbeats don't queue behind them. */
export function pullFrom(
  dialer: PeerDialer,
  peer: PeerAddress,
  request: PullRequest & { readonly handlers: PullHandlers },
): { readonly cancel: () => void } {
  const client = dialer.dial(peer);
  const frame = toBuffer(encodePullRequest({ id: request.id, offset: request.offset }));
  const call = client.makeServerStreamRequest(pullSnapshotMethod, asIs, asIs, frame);
  const close = (): void => {
    call.cancel();
    client.close();
  };
  const pull = new Pull(call, request, close);
  call.on('data', (data: Buffer) => pull.took(data));
  call.on('error', (error: ServiceError) => pull.failed(error.details || error.message));
  call.on('end', () => pull.ended());
  return { cancel: () => pull.cancel() };
}

class Pull {
  readonly #call: ClientReadableStream<Buffer>;
  readonly #handlers: PullHandlers;
  readonly #close: () => void;
  #offset: number;
  #total: number | undefined;
  #isOver = false;

  constructor(
    call: ClientReadableStream<Buffer>,
    request: { readonly offset: number; readonly handlers: PullHandlers },
    close: () => void,
  ) {
    this.#call = call;
    this.#handlers = request.handlers;
    this.#close = close;
    this.#offset = request.offset;
  }

  took(frame: Buffer): void {
    if (this.#isOver) return;
    let chunk: ReturnType<typeof decodeChunk>;
    try {
      chunk = decodeChunk(frame);
    } catch (error) {
      this.failed(error instanceof Error ? error.message : String(error));
      return;
    }
    if (chunk.offset !== this.#offset || (this.#total !== undefined && chunk.total !== this.#total)) {
      this.failed(
        `chunk ${chunk.offset} of ${chunk.total} bytes came where ${this.#offset} of ${this.#total ?? 'any'} was due`,
      );
      return;
    }
    this.#offset += chunk.data.length;
    this.#total = chunk.total;
    this.#call.pause();
    this.#handlers.onChunk(chunk.data, chunk.offset, chunk.total, () => {
      if (!this.#isOver) this.#call.resume();
    });
  }

  /** A stream that ends before the last byte is followed by its error. Without a chunk, all was received before. */
  ended(): void {
    if (this.#offset === (this.#total ?? this.#offset)) this.#end(undefined);
    else this.failed(`the peer ended the snapshot at ${this.#offset} of ${this.#total} bytes`);
  }

  failed(reason: string): void {
    this.#end(new LockstepError('unavailable', `snapshot pull failed: ${reason}`));
  }

  cancel(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#close();
  }

  #end(error: LockstepError | undefined): void {
    if (this.#isOver) return;
    this.cancel();
    if (error === undefined) this.#handlers.onEnd();
    else this.#handlers.onEnd(error);
  }
}
