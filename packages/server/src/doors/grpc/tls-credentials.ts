import { ServerCredentials } from '@grpc/grpc-js';
import { tlsHandshakeTimeoutMs } from '../limits.ts';

/** grpc-js's own TLS credentials allow TLS 1.2 and take no other options; so these extend their base, for 1.3 and a handshake that ends. */
export class Tls13Credentials extends ServerCredentials {
  constructor({ key, cert }: { readonly key: string | Buffer; readonly cert: string | Buffer }) {
    super({ requestCert: false, handshakeTimeout: tlsHandshakeTimeoutMs }, { key, cert, minVersion: 'TLSv1.3' });
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}
