import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { LockstepError } from '@lockstep/contract/errors';
import { type DoorReply, streamedWrites } from '../door.ts';
import { uploadAnswerMs } from '../limits.ts';
import { pathOfTarget } from '../request-path.ts';

/** Whether a request's body is handed on as it comes. */
export function isUpload(request: IncomingMessage): boolean {
  if (request.method !== 'POST' && request.method !== 'PUT') return false;
  const path = pathOfTarget(request.url ?? '');
  return path !== undefined && streamedWrites.has(path);
}

/** The uploads under way at one door. They may take as long as they move: the socket's idle time still ends those that don't. */
export class Uploads {
  readonly #sockets = new WeakSet<object>();

  /** The body, once somebody reads it; then a client that waits for "100 Continue" gets it. */
  async *read(request: IncomingMessage, response: ServerResponse): AsyncGenerator<Uint8Array> {
    const { socket } = request;
    this.#sockets.add(socket);
    try {
      if (request.headers.expect !== undefined) response.writeContinue();
      // Not destroyed when the reader stops early: the refusal must still get through.
      yield* request.iterator({ destroyOnReturn: false });
    } catch (cause) {
      throw new LockstepError('invalid-input', 'request body ended early', { cause });
    } finally {
      this.#sockets.delete(socket);
      // What is done with it takes its time, and nothing moves meanwhile. Node sets the socket's own time again for the next request.
      socket.setTimeout(uploadAnswerMs);
    }
  }

  /** Node reports a request that isn't whole in time, once for each. */
  mayTakeLonger(fault: Error, socket: object): boolean {
    return 'code' in fault && fault.code === 'ERR_HTTP_REQUEST_TIMEOUT' && this.#sockets.has(socket);
  }
}

/**
 * Sends a reply as it is made, no faster than it is taken. Where that fails in the middle the connection is cut, so that nobody
 * takes the part for the whole.
 */
export async function sendStream(
  response: ServerResponse,
  reply: Extract<DoorReply, { kind: 'stream' }>,
  onFault: (fault: unknown) => void,
): Promise<void> {
  if (response.destroyed || response.req.method === 'HEAD') {
    await reply.close();
    response.end();
    return;
  }
  response.writeHead(200, {
    'Cache-Control': 'no-store',
    'Content-Type': reply.contentType,
    'Content-Length': reply.bytes,
    'Content-Disposition': `attachment; filename="${reply.fileName}"`,
  });
  try {
    await pipeline(reply.chunks, response);
  } catch (fault) {
    // A caller that went away is no fault of ours.
    if (!isPrematureClose(fault)) onFault(fault);
    response.destroy();
  } finally {
    await reply.close();
  }
}

function isPrematureClose(fault: unknown): boolean {
  return fault instanceof Error && 'code' in fault && fault.code === 'ERR_STREAM_PREMATURE_CLOSE';
}
