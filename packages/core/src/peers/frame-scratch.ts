import { frameScratchBytesMax } from './limits.ts';
import type { Frame } from './frames-of.ts';
import { encodeMessages, writeFrame } from './peer-codec.ts';
import { toBuffer } from './peer-method.ts';

/**
 * Encodes frames one after the other into the same memory. gRPC copies a message as it takes it, behind a head of its own: with a
 * buffer for each frame besides, a busy leader would allocate twice what it sends, and collect garbage for much of its time.
 */
export class FrameScratch {
  #buffer: Buffer = Buffer.alloc(0);

  /** The frame's bytes, which hold until the next call. */
  encode(frame: Frame): Buffer {
    if (frame.bytes > frameScratchBytesMax) return toBuffer(encodeMessages(frame.messages));
    if (frame.bytes > this.#buffer.length)
      this.#buffer = Buffer.allocUnsafeSlow(Math.min(frameScratchBytesMax, 2 * frame.bytes));
    const bytes = this.#buffer.subarray(0, frame.bytes);
    writeFrame(bytes, frame.messages);
    return bytes;
  }
}
