import { randomInt } from 'node:crypto';
import { LockstepError } from '@lockstep/contract/errors';
import type { NodeId } from '@lockstep/contract/ids';
import { Handshake, helloFrame, type PeerIdentity } from './handshake.ts';
import { goodbyeMs, handshakeTimeoutMs } from './limits.ts';
import { peerDialer, type PeerDialer } from './peer-dialer.ts';
import { type PeerLog, RefusalLog } from './peer-log.ts';
import { type FromNode, openPeerServer, type PeerServer, refuseCall } from './peer-server.ts';
import type { Buried, PeerAddress, PeerEvents, PeerMessage, Peers } from './peers.ts';
import type { PeerTls } from './pinned-credentials.ts';
import { ReceivingStream } from './receiving-stream.ts';
import { type FrameStream, SendingStream } from './sending-stream.ts';
import { pullFrom, serveSnapshot } from './snapshot-call.ts';
import type { PullHandlers, PullSnapshot, SnapshotSource } from './snapshot-transfer.ts';
import { StandingRefused } from './standing-refusal.ts';

export interface GrpcPeersOptions {
  readonly self: PeerIdentity;
  readonly listen: { readonly host: string; readonly port: number };
  readonly tls: PeerTls;
  readonly events: PeerEvents;
  readonly snapshot: SnapshotSource;
  readonly log: PeerLog;
  /** An integer in [0, below), for the waits between attempts. */
  readonly random?: (below: number) => number;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

export interface GrpcPeers {
  readonly peers: Peers;
  /** Where this node listens: useful after asking for port 0. */
  readonly port: number;
  readonly pullSnapshot: PullSnapshot;
}

/**
 * The streams between the nodes: gRPC over mutual TLS 1.3, one long-lived stream for each ordered pair. The *receiver* opens it
 * and says hello; messages flow from server to client, where HTTP/2's window can be set. Both sides must hold the key that is
 * pinned for them (`setPeers`), be of the same cluster and speak a common version; everything else is refused with an error and a log event.
 */
export async function openGrpcPeers(options: GrpcPeersOptions): Promise<GrpcPeers> {
  const links = new Links(options);
  const { listen, tls } = options;
  const server = await openPeerServer({
    listen,
    tls,
    pins: links.pins,
    refusals: links.refusals,
    onReceive: (from) => links.greeted(from),
    onPull: ({ node, call }) => {
      try {
        links.requireMember(node);
        serveSnapshot(call, options.snapshot);
      } catch (error) {
        links.refuse({ node, call }, error);
      }
    },
  });
  links.server = server;
  return {
    peers: {
      send: (to, messages) => links.send(to, messages),
      setPeers: (peers, buried) => links.setPeers(peers, buried),
      close: () => links.close(),
    },
    port: server.port,
    pullSnapshot: (from, id, offset, handlers) => links.pull(from, { id, offset, handlers }),
  };
}

/** All streams of one node, in both directions. */
class Links {
  readonly refusals: RefusalLog;
  server: PeerServer | undefined;
  /** Whose key is whose, of members and of nodes that were removed. Looked up anew for each connection and call. */
  readonly pins: Map<NodeId, string> = new Map();
  readonly #options: GrpcPeersOptions;
  readonly #handshake: Handshake;
  readonly #dialer: PeerDialer;
  readonly #members = new Map<NodeId, PeerAddress>();
  readonly #sending = new Map<NodeId, SendingStream>();
  readonly #receiving = new Map<NodeId, ReceivingStream>();
  readonly #unreachable = new Set<NodeId>();
  #buried: Buried = { epoch: 0, index: 0, removed: [] };
  #isClosed = false;

  constructor(options: GrpcPeersOptions) {
    this.#options = options;
    this.#handshake = new Handshake(options.self);
    this.#dialer = peerDialer(options.tls, this.pins);
    this.refusals = new RefusalLog(options.log, options.now ?? (() => performance.now()));
  }

  send(to: NodeId, messages: readonly PeerMessage[]): void {
    const stream = this.#sending.get(to);
    if (stream !== undefined) stream.send(messages);
    else if (messages.some(awaitsAnswer)) this.#reportUnreachable(to);
  }

  setPeers(peers: readonly PeerAddress[], buried: Buried = this.#buried): void {
    if (this.#isClosed) return;
    const { self } = this.#options;
    const wanted = new Map(peers.filter((peer) => peer.node !== self.node).map((peer) => [peer.node, peer]));
    this.#buried = buried;
    for (const node of this.#members.keys()) if (!wanted.has(node)) this.#forget(node);
    this.#setPins([...buried.removed, ...wanted.values()]);
    for (const peer of wanted.values()) {
      const before = this.#members.get(peer.node);
      this.#members.set(peer.node, peer);
      if (before !== undefined && isSamePlace(before, peer)) continue;
      this.#receiving.get(peer.node)?.stop();
      this.#receiving.set(peer.node, this.#receive(peer));
    }
  }

  requireMember(node: NodeId): PeerAddress {
    const peer = this.#members.get(node);
    if (peer !== undefined) return peer;
    if (!this.#buried.removed.some((removed) => removed.node === node))
      throw new LockstepError('denied', `node ${node} is not a member of this cluster`);
    const { epoch, index } = this.#buried;
    throw new StandingRefused(
      { kind: 'removed', epoch, index },
      `node ${node} was removed from this cluster: it must join under a new id`,
    );
  }

  /** Whose key has changed is cut off: the new one must be shown. */
  #setPins(known: readonly { readonly node: NodeId; readonly pin?: string }[]): void {
    const wanted = new Map(known.map(({ node, pin }) => [node, pin ?? '']));
    for (const [node, pin] of this.pins) {
      if (wanted.get(node) === pin) continue;
      this.pins.delete(node);
      this.server?.cut(node);
    }
    for (const [node, pin] of wanted) if (pin !== '') this.pins.set(node, pin);
  }

  /** A peer opened a stream on which it wants to receive: its hello must come first. */
  greeted(from: FromNode<FrameStream>): void {
    const { node, call } = from;
    const timer = setTimeout(
      () => this.refuse(from, new LockstepError('unavailable', `node ${node} said no hello in time`)),
      handshakeTimeoutMs,
    );
    let stream: SendingStream | undefined;
    call.on('data', (frame: Buffer) => {
      clearTimeout(timer);
      let version: number;
      try {
        if (stream !== undefined) throw new LockstepError('invalid-input', `node ${node} sent a frame after its hello`);
        const peer = this.requireMember(node);
        version = this.greet(frame, peer);
      } catch (error) {
        stream?.over('the peer sent a frame after its hello');
        this.refuse(from, error);
        return;
      }
      stream = this.#startSending(from, version);
    });
    call.on('end', () => stream?.over('the peer ended the stream'));
    call.on('cancelled', () => {
      clearTimeout(timer);
      stream?.over('the peer broke the stream');
    });
  }

  /** Checks a peer's hello, and tells the host of its disk. Returns the version that both speak. */
  greet(frame: Uint8Array, peer: PeerAddress): number {
    const { version, incarnation } = this.#handshake.check(frame, peer);
    this.#options.events.onIncarnation?.(peer.node, incarnation);
    return version;
  }

  refuse(from: FromNode<Parameters<typeof refuseCall>[0]>, error: unknown): void {
    const { node, call } = from;
    this.refusals.refused({
      node,
      remote: call.getPeer(),
      reason: error instanceof Error ? error.message : String(error),
    });
    refuseCall(call, error);
  }

  pull(from: NodeId, request: { id: string; offset: number; handlers: PullHandlers }): { readonly cancel: () => void } {
    const peer = this.#members.get(from);
    if (peer !== undefined) return pullFrom(this.#dialer, peer, request);
    const timer = setImmediate(() =>
      request.handlers.onEnd(new LockstepError('unavailable', `node ${from} is not a member`)),
    );
    return { cancel: () => clearImmediate(timer) };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const node of this.#members.keys()) this.#forget(node);
    await this.server?.close();
  }

  #receive(peer: PeerAddress): ReceivingStream {
    const { self, events, log, random = (below: number) => randomInt(below) } = this.#options;
    const greet = (frame: Uint8Array): void => void this.greet(frame, this.#members.get(peer.node) ?? peer);
    return new ReceivingStream({ self, peer, dialer: this.#dialer, greet, events, log, random });
  }

  #startSending(from: FromNode<FrameStream>, version: number): SendingStream {
    const { self, log, events } = this.#options;
    const { node, call } = from;
    this.#sending.get(node)?.over('the peer opened another stream');
    const onOver = (stream: SendingStream): void => {
      if (this.#sending.get(node) === stream) this.#sending.delete(node);
      events.onDisconnected(node);
    };
    const stream = new SendingStream({ node, call, version, log, onOver });
    this.#sending.set(node, stream);
    stream.hello(helloFrame(self));
    stream.send(events.greeting?.(node) ?? []);
    return stream;
  }

  #forget(node: NodeId): void {
    this.#members.delete(node);
    this.#receiving.get(node)?.stop();
    this.#receiving.delete(node);
    this.#sending.get(node)?.over('the node is no longer a member');
    setTimeout(() => {
      if (!this.#members.has(node)) this.server?.cut(node);
    }, goodbyeMs).unref();
  }

  /** Nothing was sent, but whoever asked must not wait for an answer until a deadline. */
  #reportUnreachable(node: NodeId): void {
    if (this.#unreachable.has(node) || this.#isClosed) return;
    this.#unreachable.add(node);
    setImmediate(() => {
      this.#unreachable.delete(node);
      if (!this.#isClosed) this.#options.events.onDisconnected(node);
    });
  }
}

function isSamePlace(a: PeerAddress, b: PeerAddress): boolean {
  return a.address === b.address && a.pin === b.pin;
}

function awaitsAnswer(message: PeerMessage): boolean {
  return message.kind === 'propose' || message.kind === 'read-index' || message.kind === 'ask';
}
