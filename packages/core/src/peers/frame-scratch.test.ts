import { NodeId } from '@lockstep/contract/ids';
import { expect, test } from 'vitest';
import { FrameScratch } from './frame-scratch.ts';
import { type Frame, framesOf } from './frames-of.ts';
import { frameScratchBytesMax } from './limits.ts';
import { encodeMessages, frameHeadBytes } from './peer-codec.ts';

/** One proposal that makes the frame as long as that. */
function frameOf(bytes: number): Frame {
  const proposal = (length: number): Frame => {
    const transactions = [new Uint8Array(length).fill(length % 251)];
    const [frame] = framesOf([{ kind: 'propose', from: NodeId(1), id: 7, transactions }], () => undefined);
    if (frame === undefined) throw new Error('no frame');
    return frame;
  };
  return proposal(bytes - proposal(0).bytes);
}

test.each([
  ['a small frame', frameOf(100)],
  ['one at the bound of the scratch', frameOf(frameScratchBytesMax)],
  ['one past it', frameOf(frameScratchBytesMax + 1)],
])('%s is encoded as it is without a scratch', (_what, frame) => {
  const scratch = new FrameScratch();
  scratch.encode(frameOf(5_000));
  const bytes = scratch.encode(frame);
  expect(bytes.length).toBe(frame.bytes);
  expect(Buffer.compare(bytes, encodeMessages(frame.messages))).toBe(0);
});

test('the memory of one frame serves for the next', () => {
  const scratch = new FrameScratch();
  const { buffer } = scratch.encode(frameOf(10_000));
  expect(scratch.encode(frameOf(9_000)).buffer).toBe(buffer);
  expect(scratch.encode(frameOf(frameScratchBytesMax + 1)).buffer).not.toBe(buffer);
  expect(scratch.encode(frameOf(frameHeadBytes + 100)).buffer).toBe(buffer);
});
