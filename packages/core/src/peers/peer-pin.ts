import { createHash, X509Certificate } from 'node:crypto';

/**
 * The pin of a certificate (PEM or DER): SHA-256 over its SubjectPublicKeyInfo (as in RFC 7469 §2.4), in lower-case hex. It
 * names the key and not the certificate, so that renewing the certificate for the same key changes nothing.
 */
export function pinOf(certificate: string | Uint8Array): string {
  const der = new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(der).digest('hex');
}
