import type { NodeId } from '@lockstep/contract/ids';
import type { Append, PeerMessage, Peers } from './peers/peers.ts';
import { QuietCommits } from './quiet-commits.ts';
import { QuietHeartbeats } from './quiet-heartbeats.ts';
import type { Message } from './raft/types.ts';

type AppendReply = Extract<Message, { type: 'append-reply' }>;

/**
 * What leaves for each peer at the end of a turn, as one frame. A frame costs both ends far more than what is in it, so a message
 * that the next one makes superfluous is left out, as are heartbeats to a busy peer; one that only repeats an acknowledgement, or tells
 * a commit index that nobody there waits for, waits for company, for a tick at most. Raft takes any message's loss and delay, so
 * that this changes nothing but what is sent.
 */
export class Outbox {
  readonly #waiting = new Map<NodeId, PeerMessage[]>();
  /** What was acknowledged to each peer last. */
  readonly #acknowledged = new Map<NodeId, AppendReply>();
  /** What waits for company. */
  readonly #repeated = new Map<NodeId, PeerMessage>();
  readonly #commits = new Map<NodeId, { readonly kind: 'raft'; readonly message: Append }>();
  readonly #quietCommits = new QuietCommits();
  readonly #heartbeats = new QuietHeartbeats();

  add(to: NodeId, message: PeerMessage): void {
    if (message.kind === 'raft' && !this.#heartbeats.isWanted(to, message.message)) return;
    this.#quietCommits.answered(to, message);
    if (message.kind === 'raft' && message.message.type === 'append-reply') this.#addReply(to, message.message);
    else if (message.kind === 'raft' && message.message.type === 'append') this.#addAppend(to, message.message);
    else this.#push(to, message);
  }

  /** Once for each turn, and with `all` once for each tick. */
  flush(peers: Peers, what: 'news' | 'all'): void {
    for (const [to, message] of this.#commits) if (what === 'all' || this.#waiting.has(to)) this.#push(to, message);
    for (const [to, message] of this.#repeated) if (what === 'all' || this.#waiting.has(to)) this.#push(to, message);
    for (const [to, messages] of this.#waiting) peers.send(to, messages);
    this.#waiting.clear();
  }

  clear(): void {
    this.#waiting.clear();
    this.#repeated.clear();
    this.#commits.clear();
  }

  /** The stream to that peer broke: what was acknowledged may not have arrived. */
  disconnected(from: NodeId): void {
    this.#acknowledged.delete(from);
    this.#heartbeats.disconnected(from);
    this.#quietCommits.disconnected(from);
    this.#commits.delete(from);
  }

  /** A peer's message, before anything is made of it. */
  heard(from: NodeId, message: Message): void {
    this.#heartbeats.heard(from, message);
  }

  #addAppend(to: NodeId, append: Append): void {
    const message = { kind: 'raft', message: append } as const;
    const mayWait = this.#quietCommits.mayWait(to, append);
    this.#quietCommits.sent(to, append);
    if (mayWait) this.#commits.set(to, message);
    else this.#push(to, message);
  }

  #addReply(to: NodeId, reply: AppendReply): void {
    const before = this.#acknowledged.get(to);
    if (reply.rejected) {
      this.#acknowledged.delete(to);
      this.#push(to, { kind: 'raft', message: reply });
    } else if (before?.term === reply.term && before.index === reply.index) {
      this.#repeated.set(to, { kind: 'raft', message: reply });
    } else {
      this.#acknowledged.set(to, reply);
      this.#push(to, { kind: 'raft', message: reply });
    }
  }

  #push(to: NodeId, message: PeerMessage): void {
    if (message.kind === 'raft' && message.message.type === 'append-reply') this.#repeated.delete(to);
    // Whatever append follows tells a commit index at least as high.
    if (message.kind === 'raft' && message.message.type === 'append') this.#commits.delete(to);
    const waiting = this.#waiting.get(to);
    const last = waiting?.at(-1);
    if (waiting === undefined) this.#waiting.set(to, [message]);
    else if (last !== undefined && isSuperfluous(last, message)) waiting[waiting.length - 1] = message;
    else waiting.push(message);
  }
}

/** Whether a peer that gets `next` learns all that `message`, sent right before it, would tell it. */
function isSuperfluous(message: PeerMessage, next: PeerMessage): boolean {
  if (message.kind !== 'raft' || next.kind !== 'raft' || message.message.term !== next.message.term) return false;
  const [before, after] = [message.message, next.message];
  if (before.type === 'append' && after.type === 'append') {
    // The commit index alone, and then entries at the same place.
    return before.entries.length === 0 && before.prevIndex === after.prevIndex && before.commit <= after.commit;
  }
  if (before.type === 'append-reply' && after.type === 'append-reply') {
    return !before.rejected && !after.rejected && before.index <= after.index;
  }
  return false;
}
