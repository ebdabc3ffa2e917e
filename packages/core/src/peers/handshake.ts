import { LockstepError } from '@lockstep/contract/errors';
import type { NodeId } from '@lockstep/contract/ids';
import { protocolVersionMax, protocolVersionMin } from './limits.ts';
import { decodeHello, encodeHello } from './hello.ts';
import type { PeerAddress } from './peers.ts';
import { StandingRefused } from './standing-refusal.ts';

/** Who this node is to the others. */
export interface PeerIdentity {
  readonly node: NodeId;
  readonly clusterId: string;
  /** Drawn when the node's disk was formatted. */
  readonly incarnation: number;
}

export function helloFrame(self: PeerIdentity): Uint8Array {
  const { node, clusterId, incarnation } = self;
  return encodeHello({ node, clusterId, incarnation, versionMin: protocolVersionMin, versionMax: protocolVersionMax });
}

/**
 * Checks the other side's hello against its certificate and against what is known of its disk: from the membership, or, as long as
 * that does not tell, from the first hello to this process.
 */
export class Handshake {
  readonly #self: PeerIdentity;
  readonly #incarnations = new Map<NodeId, number>();

  constructor(self: PeerIdentity) {
    this.#self = self;
  }

  /**
   * `node` is whose key the certificate holds. Refuses with `denied` or, for another protocol, with `failed-precondition`.
   * Returns its incarnation, and the version that both speak.
   */
  check(
    frame: Uint8Array,
    { node, incarnation }: Pick<PeerAddress, 'node' | 'incarnation'>,
  ): { readonly version: number; readonly incarnation: number } {
    const hello = decodeHello(frame);
    if (hello.clusterId !== this.#self.clusterId) {
      throw new LockstepError(
        'denied',
        `node ${node} belongs to cluster "${hello.clusterId}", not to "${this.#self.clusterId}"`,
      );
    }
    if (hello.node !== node) {
      throw new LockstepError('denied', `the certificate is node ${node}'s, but the hello says node ${hello.node}`);
    }
    if (hello.versionMin > protocolVersionMax || hello.versionMax < protocolVersionMin) {
      throw new LockstepError(
        'failed-precondition',
        `node ${node} speaks peer protocol ${hello.versionMin} to ${hello.versionMax}, this one ${protocolVersionMin} to ${protocolVersionMax}`,
      );
    }
    const known = incarnation ?? this.#incarnations.get(node);
    if (known !== undefined && known !== hello.incarnation) {
      throw new StandingRefused(
        { kind: 'other-disk' },
        `node ${node} came back with another disk: it must join under a new id`,
      );
    }
    this.#incarnations.set(node, hello.incarnation);
    return { version: Math.min(hello.versionMax, protocolVersionMax), incarnation: hello.incarnation };
  }
}
