import type { NodeId } from '@lockstep/contract/ids';
import { refusalsLoggedPerSecondMax } from './limits.ts';

/** What the transport tells its host. `refused` is somebody at the door, with `node` where the certificate says who. */
export type PeerLogEvent =
  | { readonly kind: 'connected'; readonly node: NodeId; readonly direction: 'sending' | 'receiving' }
  | {
      readonly kind: 'disconnected';
      readonly node: NodeId;
      readonly direction: 'sending' | 'receiving';
      readonly reason: string;
    }
  | {
      readonly kind: 'refused';
      readonly node: NodeId | undefined;
      readonly remote: string;
      readonly reason: string;
      /** Refusals since the last one that was logged, dropped because there were too many. */
      readonly unlogged: number;
    }
  | { readonly kind: 'dropping'; readonly node: NodeId; readonly reason: string };

export type PeerLog = (event: PeerLogEvent) => void;

/** Logs refusals, at most so many a second. */
export class RefusalLog {
  readonly #log: PeerLog;
  readonly #now: () => number;
  #windowStartMs = Number.NEGATIVE_INFINITY;
  #loggedInWindow = 0;
  #unlogged = 0;

  constructor(log: PeerLog, now: () => number) {
    this.#log = log;
    this.#now = now;
  }

  refused(refusal: { readonly node?: NodeId | undefined; readonly remote: string; readonly reason: string }): void {
    const nowMs = this.#now();
    if (nowMs - this.#windowStartMs >= 1000) {
      this.#windowStartMs = nowMs;
      this.#loggedInWindow = 0;
    }
    if (this.#loggedInWindow >= refusalsLoggedPerSecondMax) {
      this.#unlogged++;
      return;
    }
    this.#loggedInWindow++;
    const { node, remote, reason } = refusal;
    this.#log({ kind: 'refused', node, remote, reason, unlogged: this.#unlogged });
    this.#unlogged = 0;
  }
}
