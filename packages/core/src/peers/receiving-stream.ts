import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js';
import type { NodeId } from '@lockstep/contract/ids';
import { requireSender } from './frames-of.ts';
import { helloFrame, type PeerIdentity } from './handshake.ts';
import { handshakeTimeoutMs, reconnectMsMax, reconnectMsMin } from './limits.ts';
import { decodeMessages } from './peer-codec.ts';
import type { PeerDialer } from './peer-dialer.ts';
import type { PeerLog } from './peer-log.ts';
import { asIs, receiveMethod, toBuffer } from './peer-method.ts';
import type { PeerAddress, PeerEvents } from './peers.ts';
import { standingOf } from './standing-refusal.ts';

export interface ReceivingStreamOptions {
  readonly self: PeerIdentity;
  readonly peer: PeerAddress;
  readonly dialer: PeerDialer;
  /** Checks the peer's hello; throws to refuse it. */
  readonly greet: (frame: Uint8Array) => void;
  readonly events: PeerEvents;
  readonly log: PeerLog;
  /** An integer in [0, below). */
  readonly random: (below: number) => number;
}

type State =
  | { readonly step: 'waiting'; readonly timer: NodeJS.Timeout }
  | { readonly step: 'greeting' | 'live'; readonly attempt: Attempt }
  | { readonly step: 'stopped' };

interface Attempt {
  readonly call: ClientDuplexStream<Buffer, Buffer>;
  readonly close: () => void;
  readonly helloTimer: NodeJS.Timeout;
}

/** One peer's messages to this node, on a stream that this node keeps open: opened again, with growing waits, whenever it breaks. */
export class ReceivingStream {
  readonly #options: ReceivingStreamOptions;
  #state: State = { step: 'stopped' };
  #attempts = 0;
  #lastReason: string | undefined;

  constructor(options: ReceivingStreamOptions) {
    this.#options = options;
    this.#open();
  }

  stop(): void {
    const before = this.#state;
    this.#state = { step: 'stopped' };
    if (before.step === 'waiting') clearTimeout(before.timer);
    if (before.step === 'greeting' || before.step === 'live') this.#end(before.attempt);
    if (before.step === 'live') this.#options.events.onDisconnected(this.#node);
  }

  get #node(): NodeId {
    return this.#options.peer.node;
  }

  #open(): void {
    const { self, peer, dialer } = this.#options;
    const client = dialer.dial(peer);
    const call = client.makeBidiStreamRequest(receiveMethod, asIs, asIs);
    const helloTimer = setTimeout(() => this.#broke(attempt, 'no hello in time'), handshakeTimeoutMs);
    const attempt: Attempt = { call, close: () => client.close(), helloTimer };
    this.#state = { step: 'greeting', attempt };
    call.on('data', (frame: Buffer) => this.#took(attempt, frame));
    call.on('error', (error: ServiceError) => this.#refused(attempt, error));
    call.on('end', () => this.#broke(attempt, 'the peer ended the stream'));
    call.write(toBuffer(helloFrame(self)));
  }

  #took(attempt: Attempt, frame: Buffer): void {
    const state = this.#state;
    if (state.step === 'stopped' || state.step === 'waiting' || state.attempt !== attempt) return;
    const { greet, events, log, self } = this.#options;
    let messages: ReturnType<typeof decodeMessages>;
    try {
      if (state.step === 'greeting') {
        greet(frame);
        clearTimeout(attempt.helloTimer);
        this.#state = { step: 'live', attempt };
        this.#attempts = 0;
        this.#lastReason = undefined;
        log({ kind: 'connected', node: this.#node, direction: 'receiving' });
        return;
      }
      messages = decodeMessages(frame);
      requireSender(messages, { from: this.#node, to: self.node });
    } catch (error) {
      // What such a peer sends next is not worth a quick look.
      this.#attempts = Number.MAX_SAFE_INTEGER;
      this.#broke(attempt, error instanceof Error ? error.message : String(error));
      return;
    }
    events.onMessages(this.#node, messages);
  }

  #refused(attempt: Attempt, error: ServiceError): void {
    const standing = standingOf(error.metadata);
    if (standing !== undefined) {
      // It will be refused again and again: no hurry.
      this.#attempts = Number.MAX_SAFE_INTEGER;
      this.#options.events.onRefused?.(this.#node, standing);
    }
    this.#broke(attempt, error.details || error.message);
  }

  #broke(attempt: Attempt, reason: string): void {
    const state = this.#state;
    if (state.step === 'stopped' || state.step === 'waiting' || state.attempt !== attempt) return;
    const { events, log } = this.#options;
    this.#end(attempt);
    this.#state = { step: 'waiting', timer: setTimeout(() => this.#open(), this.#waitMs()) };
    // A peer that is down for an hour is one line, not thousands.
    if (reason !== this.#lastReason) log({ kind: 'disconnected', node: this.#node, direction: 'receiving', reason });
    this.#lastReason = reason;
    if (state.step === 'live') events.onDisconnected(this.#node);
  }

  #end(attempt: Attempt): void {
    clearTimeout(attempt.helloTimer);
    attempt.call.cancel();
    attempt.close();
  }

  #waitMs(): number {
    const most = Math.min(reconnectMsMax, reconnectMsMin * 2 ** Math.min(this.#attempts, 20));
    this.#attempts++;
    return most - this.#options.random(Math.floor(most / 2));
  }
}
