import type { IncomingMessage } from 'node:http';
import { LockstepError } from '@lockstep/contract/errors';
import { bodyDrainBytesMax } from '../limits.ts';

const nothing = Buffer.alloc(0);

/** The whole body. Refuses with `too-large` as soon as that is known, and lets the sender finish (up to a bound) to read the answer. */
export function readBody(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
  if (!hasBody(request)) return Promise.resolve(nothing);
  const declared = request.headers['content-length'];
  if (declared !== undefined && Number(declared) > bytesMax) return Promise.reject(refusal(request, bytesMax));
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const take = (chunk: Buffer): void => {
      size += chunk.length;
      if (size <= bytesMax) chunks.push(chunk);
      else {
        request.off('data', take);
        reject(refusal(request, bytesMax));
      }
    };
    request.on('data', take);
    const endedEarly = (): void => {
      // Also told after a normal end.
      if (!request.readableEnded) reject(new LockstepError('invalid-input', 'request body ended early'));
    };
    request.once('end', () => {
      const [first] = chunks;
      resolve(chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks, size));
    });
    request.once('close', endedEarly);
    request.once('error', endedEarly);
  });
}

export function hasBody({ headers }: IncomingMessage): boolean {
  const declared = headers['content-length'];
  return declared === undefined ? headers['transfer-encoding'] !== undefined : declared !== '0';
}

function refusal(request: IncomingMessage, bytesMax: number): LockstepError {
  drain(request);
  return new LockstepError('too-large', `request body is larger than ${bytesMax} bytes`);
}

/** Reads and forgets. Closing at once would reset the connection, and the sender might never see why. */
export function drain(request: IncomingMessage): void {
  let left = bodyDrainBytesMax;
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) request.socket.destroy();
  });
  request.resume();
}
