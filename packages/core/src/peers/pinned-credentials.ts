import type { Socket } from 'node:net';
import { connect, createSecureContext, type SecureContext } from 'node:tls';
import { CallCredentials, ChannelCredentials } from '@grpc/grpc-js';
import { pinOf } from './peer-pin.ts';

/** This node's key, and a certificate for it. Who signed it means nothing: the key is known. */
export interface PeerTls {
  readonly certPem: string;
  readonly keyPem: string;
}

/** Names the protocol in the TLS handshake. No certificate is checked against it: the pin says more than a name can. */
export const peerServerName = 'lockstep-peer';

export function peerContext(tls: PeerTls): SecureContext {
  return createSecureContext({ cert: tls.certPem, key: tls.keyPem, minVersion: 'TLSv1.3' });
}

/**
 * TLS 1.3 to exactly one node: the server must prove that it holds the key with this pin, before a byte is sent to it. grpc-js's own
 * credentials ask for a certificate authority first, and don't look at the pin of a certificate that no authority vouches for.
 */
export class PinnedCredentials extends ChannelCredentials {
  readonly #context: SecureContext;
  readonly #isKnown: (pin: string) => boolean;
  readonly #refusal: string;

  constructor(options: {
    readonly context: SecureContext;
    readonly isKnown: (pin: string) => boolean;
    /** What is said of a server with another key. */
    readonly refusal: string;
  }) {
    super();
    this.#context = options.context;
    this.#isKnown = options.isKnown;
    this.#refusal = options.refusal;
  }

  override _isSecure(): boolean {
    return true;
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  override _createSecureConnector(): ReturnType<ChannelCredentials['_createSecureConnector']> {
    return {
      connect: (socket) => this.#connect(socket),
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => CallCredentials.createEmpty(),
      destroy: () => undefined,
    };
  }

  #connect(socket: Socket): Promise<{ readonly socket: Socket; readonly secure: boolean }> {
    return new Promise((resolve, reject) => {
      const secured = connect({
        socket,
        secureContext: this.#context,
        servername: peerServerName,
        ALPNProtocols: ['h2'],
        rejectUnauthorized: false,
      });
      secured.once('secureConnect', () => {
        const { raw } = secured.getPeerCertificate();
        if (raw !== undefined && this.#isKnown(pinOf(raw))) return resolve({ socket: secured, secure: true });
        secured.destroy();
        return reject(new Error(this.#refusal));
      });
      secured.on('error', reject);
    });
  }
}
