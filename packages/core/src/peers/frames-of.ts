import { LockstepError } from '@lockstep/contract/errors';
import type { NodeId } from '@lockstep/contract/ids';
import { encodedBytes, frameHeadBytes } from './peer-codec.ts';
import { frameBytesMax, frameMessagesMax } from './limits.ts';
import type { PeerMessage } from './peers.ts';

/** What goes into one frame; it is encoded when it leaves. */
export interface Frame {
  readonly messages: readonly PeerMessage[];
  /** Once encoded. */
  readonly bytes: number;
}

/** Packs messages into as few frames as their bounds allow, in order. A message too large for any frame goes to `onTooLarge`. */
export function framesOf(
  messages: readonly PeerMessage[],
  onTooLarge: (message: PeerMessage, bytes: number) => void,
): readonly Frame[] {
  const frames: Frame[] = [];
  let batch: PeerMessage[] = [];
  let bytes = frameHeadBytes;
  for (const message of messages) {
    const size = encodedBytes(message);
    if (size > frameBytesMax - frameHeadBytes) {
      onTooLarge(message, size);
      continue;
    }
    if (bytes + size > frameBytesMax || batch.length === frameMessagesMax) {
      frames.push({ messages: batch, bytes });
      batch = [];
      bytes = frameHeadBytes;
    }
    batch.push(message);
    bytes += size;
  }
  if (batch.length > 0) frames.push({ messages: batch, bytes });
  return frames;
}

/** Refuses with `denied` a frame in which a node speaks for another, or to another. */
export function requireSender(
  messages: readonly PeerMessage[],
  link: { readonly from: NodeId; readonly to: NodeId },
): void {
  for (const message of messages) {
    const claimed = claimedSender(message);
    if (claimed !== undefined && claimed !== link.from) {
      throw new LockstepError('denied', `node ${link.from} sent a message in the name of node ${claimed}`);
    }
    if (message.kind === 'raft' && message.message.to !== link.to) {
      throw new LockstepError(
        'denied',
        `node ${link.from} sent a message for node ${message.message.to} to node ${link.to}`,
      );
    }
  }
}

function claimedSender(message: PeerMessage): NodeId | undefined {
  switch (message.kind) {
    case 'raft':
      return message.message.from;
    case 'propose':
    case 'read-index':
    case 'clock-ask':
    case 'clock':
    case 'report':
    case 'rolled-back':
    case 'roster':
    case 'ask':
    case 'state-ask':
    case 'state-offer':
      return message.from;
    case 'answer':
    case 'proposed':
    case 'read-index-reply':
      return undefined;
    default:
      return message satisfies never;
  }
}
