import { assert, LockstepError } from '@lockstep/contract/errors';
import type { NodeId } from '@lockstep/contract/ids';
import { framesOf, requireSender } from './frames-of.ts';
import { snapshotChunkBytesMax } from './limits.ts';
import { decodeMessages, encodeMessages } from './peer-codec.ts';
import type { Buried, PeerAddress, PeerEvents, PeerMessage, Peers, StandingRefusal } from './peers.ts';
import {
  chunkAt,
  decodeChunk,
  decodePullRequest,
  encodeChunk,
  encodePullRequest,
  type PullHandlers,
  type PullSnapshot,
  type SnapshotSource,
} from './snapshot-transfer.ts';

/** One frame on its way. */
export interface MemoryDelivery {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly kind: 'messages' | 'snapshot-request' | 'snapshot-chunk' | 'refusal';
  readonly bytes: number;
  /** Hands the frame to its target, if that is still the one it was sent to. Never called: lost. Called twice: duplicated. */
  readonly arrive: () => void;
}

export interface MemoryEndpoint {
  readonly peers: Peers;
  readonly pullSnapshot: PullSnapshot;
}

interface Member {
  readonly node: NodeId;
  /** Counts the runs on this network. */
  readonly run: number;
  readonly events: PeerEvents;
  readonly snapshots: SnapshotSource;
  /** Of its disk; undefined where it shows none. */
  readonly incarnation: number | undefined;
  readonly pulls: Set<Pull>;
  peers: ReadonlyMap<NodeId, PeerAddress>;
  buried: Buried;
  /** Those that have been sent what they hear first. */
  readonly greeted: WeakSet<Member>;
  /** Those whose incarnation it has seen. */
  readonly seen: WeakSet<Member>;
  /** The newest run of each node that it has heard. */
  readonly heard: Map<NodeId, number>;
}

interface Pull {
  readonly from: NodeId;
  readonly handlers: PullHandlers;
  /** Where the next chunk must begin: a duplicated or late one is ignored, as on a stream. */
  offset: number;
  isWaiting: boolean;
}

const nobodyBuried: Buried = { epoch: 0, index: 0, removed: [] };

function isOtherDisk(known: PeerAddress, member: Member): boolean {
  return (
    known.incarnation !== undefined && member.incarnation !== undefined && known.incarnation !== member.incarnation
  );
}

/** As on a real stream, which a node opens to a peer's next run only when the last one's is closed: then nothing of that one arrives. */
function isOver(sender: Member, target: Member): boolean {
  return sender.run < (target.heard.get(sender.node) ?? 0);
}

/**
 * A network of nodes in one process, on which the caller decides when, whether and how often each frame arrives. Frames are
 * encoded and decoded as on a real stream.
 */
export class MemoryNetwork {
  readonly #deliver: (delivery: MemoryDelivery) => void;
  readonly #members = new Map<NodeId, Member>();
  #runs = 0;

  /** `deliver` may call `arrive` at once, later or never, but must not do so within `send` if the nodes' loops are not reentrant. */
  constructor(deliver: (delivery: MemoryDelivery) => void) {
    this.#deliver = deliver;
  }

  /** A node starts, and shows the incarnation of its disk. What was sent to an earlier run of it never reaches this one. */
  join(node: NodeId, events: PeerEvents, snapshots: SnapshotSource, incarnation?: number): MemoryEndpoint {
    assert(!this.#members.has(node), `node ${node} is already on the network`);
    const nothing = { pulls: new Set<Pull>(), peers: new Map(), buried: nobodyBuried };
    const met = { greeted: new WeakSet<Member>(), seen: new WeakSet<Member>(), heard: new Map<NodeId, number>() };
    const member: Member = { node, run: ++this.#runs, events, snapshots, incarnation, ...nothing, ...met };
    this.#members.set(node, member);
    const peers: Peers = {
      send: (to, messages) => this.#send(member, to, messages),
      setPeers: (addresses: readonly PeerAddress[], buried: Buried = member.buried) => {
        member.peers = new Map(addresses.map((address) => [address.node, address]));
        member.buried = buried;
      },
      close: () => {
        if (this.#members.get(node) === member) this.leave(node);
        return Promise.resolve();
      },
    };
    return { peers, pullSnapshot: (from, id, offset, handlers) => this.#pull(member, { from, id, offset, handlers }) };
  }

  /** A node stops or crashes: the others see their streams to it break. */
  leave(node: NodeId): void {
    const gone = this.#members.get(node);
    if (gone === undefined) return;
    this.#members.delete(node);
    gone.pulls.clear();
    for (const other of this.#members.values()) this.#breakStream(other, node);
  }

  /** The connection between two nodes breaks and is made again; what is on its way may still arrive. */
  disconnect(a: NodeId, b: NodeId): void {
    const [memberA, memberB] = [this.#members.get(a), this.#members.get(b)];
    if (memberA !== undefined) this.#breakStream(memberA, b);
    if (memberB !== undefined) this.#breakStream(memberB, a);
  }

  #breakStream(member: Member, to: NodeId): void {
    if (!member.peers.has(to)) return;
    for (const pull of member.pulls) {
      if (pull.from === to)
        this.#endPull(member, pull, new LockstepError('unavailable', `the stream to node ${to} broke`));
    }
    member.events.onDisconnected(to);
  }

  #send(sender: Member, to: NodeId, messages: readonly PeerMessage[]): void {
    const target = this.#target(sender, to);
    if (target === undefined) return;
    const first = sender.greeted.has(target) ? [] : (sender.events.greeting?.(to) ?? []);
    sender.greeted.add(target);
    // A message too large for a frame is dropped, as on a real stream: Raft's and the driver's own limits lie far below.
    const frames = framesOf([...first, ...messages], () => undefined);
    for (const { messages: together } of frames) {
      const frame = encodeMessages(together);
      this.#deliverTo(target, { from: sender.node, kind: 'messages', frame }, () => {
        if (isOver(sender, target) || !this.#isAdmitted(sender, target)) return;
        target.heard.set(sender.node, sender.run);
        const decoded = decodeMessages(frame);
        requireSender(decoded, { from: sender.node, to });
        target.events.onMessages(sender.node, decoded);
      });
    }
  }

  /** As in the handshake of a real stream: both ends know each other, and each other's disks. */
  #isAdmitted(sender: Member, target: Member): boolean {
    if (target.buried.removed.some((removed) => removed.node === sender.node)) {
      const { epoch, index } = target.buried;
      this.#refuse(sender, target, { kind: 'removed', epoch, index });
      return false;
    }
    const known = target.peers.get(sender.node);
    if (known === undefined) return false;
    if (isOtherDisk(known, sender)) {
      this.#refuse(sender, target, { kind: 'other-disk' });
      return false;
    }
    const self = sender.peers.get(target.node);
    if (self !== undefined && isOtherDisk(self, target)) {
      this.#refuse(target, sender, { kind: 'other-disk' });
      return false;
    }
    if (sender.incarnation !== undefined && !target.seen.has(sender)) {
      target.seen.add(sender);
      target.events.onIncarnation?.(sender.node, sender.incarnation);
    }
    return true;
  }

  #refuse(refused: Member, by: Member, refusal: StandingRefusal): void {
    const told = { from: by.node, kind: 'refusal' as const, frame: '' };
    this.#deliverTo(refused, told, () => refused.events.onRefused?.(by.node, refusal));
  }

  #target(sender: Member, to: NodeId): Member | undefined {
    if (this.#members.get(sender.node) !== sender || !sender.peers.has(to)) return undefined;
    return this.#members.get(to);
  }

  #deliverTo(
    target: Member,
    sent: { from: NodeId; kind: MemoryDelivery['kind']; frame: Uint8Array | string },
    take: () => void,
  ): void {
    const arrive = (): void => {
      if (this.#members.get(target.node) === target) take();
    };
    this.#deliver({ from: sent.from, to: target.node, kind: sent.kind, bytes: sent.frame.length, arrive });
  }

  #pull(
    member: Member,
    call: { from: NodeId; id: string; offset: number; handlers: PullHandlers },
  ): { cancel: () => void } {
    const pull: Pull = { from: call.from, handlers: call.handlers, offset: call.offset, isWaiting: true };
    member.pulls.add(pull);
    const source = this.#target(member, call.from);
    if (source !== undefined) this.#requestChunk(member, source, { pull, id: call.id });
    // An unknown source is a lost request: the caller's own deadline ends it, as with a node that does not answer.
    return { cancel: () => void member.pulls.delete(pull) };
  }

  #requestChunk(member: Member, source: Member, call: { pull: Pull; id: string }): void {
    const frame = encodePullRequest({ id: call.id, offset: call.pull.offset });
    this.#deliverTo(source, { from: member.node, kind: 'snapshot-request', frame }, () => {
      const { id, offset } = decodePullRequest(frame);
      source.snapshots.read(id, offset, snapshotChunkBytesMax, (read) => {
        if (this.#members.get(source.node) !== source) return;
        const chunk = chunkAt(offset, read);
        const reply = typeof chunk === 'string' ? chunk : encodeChunk(chunk);
        this.#deliverTo(member, { from: source.node, kind: 'snapshot-chunk', frame: reply }, () => {
          this.#takeChunk(member, source, { ...call, offset, reply });
        });
      });
    });
  }

  #takeChunk(
    member: Member,
    source: Member,
    call: { pull: Pull; id: string; offset: number; reply: Uint8Array | 'end' | 'gone' },
  ): void {
    const { pull, id, reply } = call;
    if (!member.pulls.has(pull) || !pull.isWaiting || pull.offset !== call.offset) return;
    if (typeof reply === 'string') {
      const gone = new LockstepError(
        'not-found',
        `node ${source.node} has no bytes of snapshot "${id}" at ${call.offset}`,
      );
      this.#endPull(member, pull, reply === 'end' ? undefined : gone);
      return;
    }
    const chunk = decodeChunk(reply);
    pull.offset += chunk.data.length;
    pull.isWaiting = false;
    pull.handlers.onChunk(chunk.data, chunk.offset, chunk.total, () => {
      if (!member.pulls.has(pull) || pull.isWaiting) return;
      pull.isWaiting = true;
      this.#requestChunk(member, source, { pull, id });
    });
  }

  #endPull(member: Member, pull: Pull, error: Error | undefined): void {
    if (!member.pulls.delete(pull)) return;
    if (error === undefined) pull.handlers.onEnd();
    else pull.handlers.onEnd(error);
  }
}
