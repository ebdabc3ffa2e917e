import { status, type ServerDuplexStream } from '@grpc/grpc-js';
import type { NodeId } from '@lockstep/contract/ids';
import { type Frame, framesOf } from './frames-of.ts';
import { appendQueueBytesMax, peerQueueBytesMax } from './limits.ts';
import type { PeerLog } from './peer-log.ts';
import type { PeerMessage } from './peers.ts';
import { spokenIn } from './spoken-in.ts';

/** What leaves on a stream: a frame that is still to be encoded, or the hello. */
export type Outgoing = Frame | Uint8Array;
export type FrameStream = ServerDuplexStream<Buffer, Outgoing>;

/** This node's messages to one peer, on the stream that the peer opened and said hello on. */
export class SendingStream {
  readonly node: NodeId;
  readonly #call: FrameStream;
  readonly #version: number;
  readonly #log: PeerLog;
  readonly #onOver: (stream: SendingStream) => void;
  #queuedBytes = 0;
  #isDropping = false;
  #isOver = false;

  constructor(options: {
    readonly node: NodeId;
    readonly call: FrameStream;
    /** The protocol that both ends speak. */
    readonly version: number;
    readonly log: PeerLog;
    readonly onOver: (stream: SendingStream) => void;
  }) {
    this.node = options.node;
    this.#call = options.call;
    this.#version = options.version;
    this.#log = options.log;
    this.#onOver = options.onOver;
    this.#log({ kind: 'connected', node: this.node, direction: 'sending' });
  }

  /** One frame, unless the messages need several. While too much is queued, entries are dropped; far beyond that the stream breaks. */
  send(messages: readonly PeerMessage[]): void {
    const kept = this.#queuedBytes > appendQueueBytesMax ? this.#withoutEntries(messages) : messages;
    const tooLarge = (message: PeerMessage, bytes: number): void => {
      this.#log({
        kind: 'dropping',
        node: this.node,
        reason: `a ${message.kind} message of ${bytes} bytes fits no frame`,
      });
    };
    for (const frame of framesOf(spokenIn(this.#version, kept), tooLarge)) this.#write(frame, frame.bytes);
  }

  /** The first frame. */
  hello(frame: Uint8Array): void {
    this.#write(frame, frame.length);
  }

  over(reason: string, code: status = status.UNAVAILABLE): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#log({ kind: 'disconnected', node: this.node, direction: 'sending', reason });
    this.#call.emit('error', { code, details: reason });
    this.#onOver(this);
  }

  #write(frame: Outgoing, bytes: number): void {
    if (this.#isOver) return;
    if (this.#queuedBytes + bytes > peerQueueBytesMax) {
      this.over(`stalled with ${this.#queuedBytes} bytes queued`);
      return;
    }
    this.#queuedBytes += bytes;
    this.#call.write(frame, () => {
      this.#queuedBytes -= bytes;
      if (this.#queuedBytes <= appendQueueBytesMax) this.#isDropping = false;
    });
  }

  #withoutEntries(messages: readonly PeerMessage[]): readonly PeerMessage[] {
    if (!this.#isDropping) {
      const reason = `${this.#queuedBytes} bytes are queued: no new entries until they are sent`;
      this.#log({ kind: 'dropping', node: this.node, reason });
    }
    this.#isDropping = true;
    return messages.filter((message) => !carriesEntries(message));
  }
}

function carriesEntries(message: PeerMessage): boolean {
  return message.kind === 'raft' && message.message.type === 'append' && message.message.entries.length > 0;
}
