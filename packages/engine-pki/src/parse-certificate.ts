import type { KeyObject } from 'node:crypto';
import { DerReader } from './der-reader.ts';
import * as oids from './oids.ts';
import { importPublicKey, keyIdentifier, type PublicKey, readPublicKey } from './public-key.ts';

/** What this engine reads of a certificate. */
export interface ParsedCertificate {
  readonly der: Uint8Array;
  /** What was signed. */
  readonly tbs: Uint8Array;
  /** Lower-case hex, without a sign byte. */
  readonly serial: string;
  /** Names in DER. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly publicKey: PublicKey;
  /** From its extension, or from the key. */
  readonly subjectKeyId: Uint8Array;
  /** The DNS names among its alternative names. */
  readonly dnsNames: readonly string[];
}

/** Reads an X.509 certificate (RFC 5280 §4.1) strictly. Does not verify its signature. */
export function parseCertificate(der: Uint8Array, what: string): ParsedCertificate {
  const outer = new DerReader(der, what);
  const certificate = outer.enter(0x30);
  outer.finish();
  const tbs = certificate.next(0x30);
  certificate.next(0x30);
  certificate.bitString();
  certificate.finish();
  const reader = certificate.inside(tbs);
  reader.enter(0xa0);
  const serial = reader.positiveInteger();
  reader.next(0x30);
  const issuer = reader.next(0x30).whole;
  const validity = reader.enter(0x30);
  const notBeforeMs = validity.time();
  const notAfterMs = validity.time();
  validity.finish();
  const subject = reader.next(0x30).whole;
  const publicKey = readPublicKey(reader, what);
  const extensions = readExtensions(reader);
  return {
    der,
    tbs: tbs.whole,
    serial: Buffer.from(serial).toString('hex'),
    issuer,
    subject,
    notBeforeMs,
    notAfterMs,
    publicKey,
    subjectKeyId: extensions.subjectKeyId ?? keyIdentifier(publicKey),
    dnsNames: extensions.dnsNames,
  };
}

interface Extensions {
  readonly subjectKeyId: Uint8Array | undefined;
  readonly dnsNames: readonly string[];
}

function readExtensions(reader: DerReader): Extensions {
  let subjectKeyId: Uint8Array | undefined;
  let dnsNames: readonly string[] = [];
  reader.optional(0x81);
  reader.optional(0x82);
  const extensions = reader.peek === 0xa3 ? reader.enter(0xa3).enter(0x30) : undefined;
  while (extensions !== undefined && !extensions.isAtEnd) {
    const extension = extensions.enter(0x30);
    const id = extension.next(0x06).whole;
    extension.optional(0x01);
    const value = extension.inside(extension.next(0x04));
    if (oids.subjectKeyIdentifier.equals(id)) subjectKeyId = value.next(0x04).content;
    if (oids.subjectAltName.equals(id)) dnsNames = readDnsNames(value.enter(0x30));
  }
  return { subjectKeyId, dnsNames };
}

function readDnsNames(names: DerReader): readonly string[] {
  const found: string[] = [];
  while (!names.isAtEnd) {
    const { tag, content } = names.any();
    if (tag === 0x82) found.push(Buffer.from(content).toString('latin1'));
  }
  return found;
}

export function publicKeyOf(certificate: ParsedCertificate, what: string): KeyObject {
  return importPublicKey(certificate.publicKey, what);
}
