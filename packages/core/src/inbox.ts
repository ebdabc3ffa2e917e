import { inboxMessagesMax } from './limits.ts';
import type { PeerMessage } from './peers/peers.ts';

/** Bounds what peers' messages may wait for one turn. */
export class Inbox {
  #waiting = 0;
  /** Since the start. */
  dropped = 0;

  /** What of these is kept. As on a full network the rest is lost; streams' own flow control lets that happen only to a node that is stuck. */
  take(messages: readonly PeerMessage[]): readonly PeerMessage[] {
    const room = inboxMessagesMax - this.#waiting;
    const taken = messages.length > room ? messages.slice(0, room) : messages;
    this.dropped += messages.length - taken.length;
    this.#waiting += taken.length;
    return taken;
  }

  /** A turn takes all that waits. */
  empty(): void {
    this.#waiting = 0;
  }
}
