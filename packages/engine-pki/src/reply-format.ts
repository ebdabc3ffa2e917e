// A new certificate as the caller wants it: PEM, DER in base64, or one bundle.
import type { JsonObject } from '@lockstep/contract/json';
import type { KeyPair } from './generate-key.ts';
import type { FormatValues } from './issue-fields.ts';
import type { ParsedIssuer } from './load-issuer.ts';
import { pem } from './pem.ts';

export interface Issuance {
  readonly certificate: Buffer;
  /** Lower-case hex. */
  readonly serial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly issuer: ParsedIssuer;
  /** Where it was made here: the only place that it is ever told. */
  readonly key: KeyPair | undefined;
}

export function issuanceReply(issuance: Issuance, asked: FormatValues): JsonObject {
  const { issuer, certificate } = issuance;
  const links = asked.remove_roots_from_chain ? issuer.chain.filter(({ der }) => !isRoot(der, issuer)) : issuer.chain;
  const key = issuance.key === undefined ? undefined : keyForm(issuance.key, asked);
  const common = {
    serial_number: colonSerial(issuance.serial),
    not_before: issuance.notBeforeMs / 1000,
    expiration: issuance.notAfterMs / 1000,
    ...(issuance.key === undefined ? {} : { private_key_type: issuance.key.publicKey.type }),
  };
  if (asked.format === 'der')
    return {
      ...common,
      certificate: certificate.toString('base64'),
      issuing_ca: base64(issuer.record.certificate),
      ...(links.length === 0 ? {} : { ca_chain: links.map(({ der }) => base64(der)) }),
      ...(key === undefined ? {} : { private_key: key.der.toString('base64') }),
    };
  const text = pem('CERTIFICATE', certificate);
  const keyText = key === undefined ? undefined : pem(key.label, key.der);
  const bundle = [...(keyText === undefined ? [] : [keyText]), text, ...links.map((link) => link.pem)];
  return {
    ...common,
    certificate: asked.format === 'pem_bundle' ? bundle.join('\n') : text,
    issuing_ca: issuer.pem,
    ...(links.length === 0 ? {} : { ca_chain: links.map((link) => link.pem) }),
    ...(keyText === undefined ? {} : { private_key: keyText }),
  };
}

function keyForm(key: KeyPair, asked: FormatValues): { readonly label: string; readonly der: Buffer } {
  return asked.private_key_format === 'pkcs8' ? { label: 'PRIVATE KEY', der: key.pkcs8 } : key.traditional;
}

/** The last link of a chain is its root; an issuer without a chain is one itself where it issued itself. */
function isRoot(der: Uint8Array, issuer: ParsedIssuer): boolean {
  const isSelf = Buffer.compare(issuer.certificate.issuer, issuer.certificate.subject) === 0;
  return der === issuer.record.certificate ? isSelf : der === issuer.record.chain.at(-1);
}

const base64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');

/** `01:ab:…`, as replies have serials. */
export function colonSerial(hex: string): string {
  return hex.replace(/..(?=.)/g, '$&:');
}
