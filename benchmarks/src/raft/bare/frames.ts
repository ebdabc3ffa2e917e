import type { Socket } from 'node:net';

/*
 * What the bare pipeline sends: length:u32 count:u32 bytes, where bytes are `count` payloads; and back length:u32 count:u32.
 */
export const frameHeadBytes = 8;

export function frameOf(payloads: readonly Uint8Array[]): Buffer {
  let length = frameHeadBytes;
  for (const payload of payloads) length += payload.length;
  const frame = Buffer.allocUnsafe(length);
  frame.writeUInt32LE(length, 0);
  frame.writeUInt32LE(payloads.length, 4);
  let at = frameHeadBytes;
  for (const payload of payloads) {
    frame.set(payload, at);
    at += payload.length;
  }
  return frame;
}

export function acknowledgement(count: number): Buffer {
  const frame = Buffer.allocUnsafe(frameHeadBytes);
  frame.writeUInt32LE(frameHeadBytes, 0);
  frame.writeUInt32LE(count, 4);
  return frame;
}

/** Cuts a socket's bytes into frames. */
export function eachFrame(socket: Socket, take: (frame: Buffer, count: number) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= frameHeadBytes) {
      const length = rest.readUInt32LE(0);
      if (rest.length < length) return;
      take(rest.subarray(0, length), rest.readUInt32LE(4));
      rest = rest.subarray(length);
    }
  });
}
