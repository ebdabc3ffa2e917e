// Certificate requests (PKCS #10, RFC 2986): read strictly, proof of possession checked before anything is believed.
import { type KeyObject, verify } from 'node:crypto';
import { LockstepError } from '@lockstep/contract/errors';
import { DerReader } from './der-reader.ts';
import { oidTextOf } from './der.ts';
import { type OtherName, shortestIp } from './general-names.ts';
import { csrBytesMax, namesMax, subjectAttributesMax } from './limits.ts';
import * as oids from './oids.ts';
import { derFromPem } from './pem.ts';
import { importPublicKey, type PublicKey, readPublicKey } from './public-key.ts';

const what = 'csr';

/** A request whose signature was made by the key that it asks a certificate for. */
export interface VerifiedCsr {
  readonly publicKey: PublicKey;
  readonly commonName: string | undefined;
  /** Hosts and mailboxes, as text. */
  readonly names: readonly string[];
  readonly ips: readonly Uint8Array[];
  readonly uris: readonly string[];
  readonly others: readonly OtherName[];
}

/** Reads and verifies a request in PEM. Of its extensions only alternative names are read; nothing else is ever copied. */
export function verifyCsr(text: string): VerifiedCsr {
  const der = derFromPem(text, {
    field: what,
    labels: ['CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST'],
    bytesMax: csrBytesMax,
  });
  return verifyCsrDer(der);
}

/** As `verifyCsr`, of the DER itself. */
export function verifyCsrDer(der: Uint8Array): VerifiedCsr {
  const outer = new DerReader(der, what);
  const request = outer.enter(0x30);
  outer.finish();
  const info = request.next(0x30);
  const algorithm = request.next(0x30).whole;
  const signature = request.bitString();
  request.finish();
  const reader = request.inside(info);
  const version = reader.positiveInteger();
  if (version.length !== 1 || version[0] !== 0) reader.refuse('the version must be 0');
  const subject = readSubject(reader.enter(0x30));
  const publicKey = readPublicKey(reader, what);
  const requested = readAttributes(reader.enter(0xa0));
  reader.finish();
  const key = importPublicKey(publicKey, what);
  checkSignature({ signed: info.whole, algorithm, signature, key, publicKey });
  return { publicKey, ...subject, ...requested };
}

interface SignedInfo {
  readonly signed: Uint8Array;
  readonly algorithm: Uint8Array;
  readonly signature: Uint8Array;
  readonly key: KeyObject;
  readonly publicKey: PublicKey;
}

const hashes: readonly { readonly oid: Buffer; readonly type: PublicKey['type']; readonly hash: string | null }[] = [
  { oid: oids.ecdsaSha256, type: 'ec', hash: 'sha256' },
  { oid: oids.ecdsaSha384, type: 'ec', hash: 'sha384' },
  { oid: oids.ecdsaSha512, type: 'ec', hash: 'sha512' },
  { oid: oids.rsaSha256, type: 'rsa', hash: 'sha256' },
  { oid: oids.rsaSha384, type: 'rsa', hash: 'sha384' },
  { oid: oids.rsaSha512, type: 'rsa', hash: 'sha512' },
  { oid: oids.ed25519, type: 'ed25519', hash: null },
];

function checkSignature({ signed, algorithm, signature, key, publicKey }: SignedInfo): void {
  const reader = new DerReader(algorithm, what).enter(0x30);
  const id = reader.next(0x06).whole;
  const isNull = reader.optional(0x05)?.content.length === 0;
  if (!reader.isAtEnd) reader.refuse('the signature algorithm has parameters');
  const known = hashes.find(({ oid, type }) => oid.equals(id) && type === publicKey.type);
  // RFC 4055 §5 has NULL with RSA; RFC 5758 §3.2 and RFC 8410 §3 have nothing.
  if (known === undefined || (isNull && known.type !== 'rsa'))
    throw new LockstepError(
      'invalid-input',
      `${what}: the signature algorithm is not one of SHA-2 with the key's type`,
    );
  if (!verify(known.hash, signed, key, signature))
    throw new LockstepError('invalid-input', `${what}: the signature is not by the key in the request`);
}

/** Of the subject only the common name is used: the rest of a certificate's subject is its role's. */
function readSubject(rdns: DerReader): Pick<VerifiedCsr, 'commonName'> {
  const commonNames: string[] = [];
  let count = 0;
  while (!rdns.isAtEnd) {
    const set = rdns.enter(0x31);
    do {
      if (++count > subjectAttributesMax) set.refuse(`the subject has more than ${subjectAttributesMax} attributes`);
      const attribute = set.enter(0x30);
      const id = attribute.next(0x06).whole;
      if (oids.commonName.equals(id)) commonNames.push(readText(attribute));
      else attribute.any();
      attribute.finish();
    } while (!set.isAtEnd);
  }
  if (commonNames.length > 1)
    throw new LockstepError('invalid-input', `${what}: the subject has more than one common name`);
  return { commonName: commonNames[0] };
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** UTF8String, PrintableString or IA5String. BMPString and T61String have more than one reading. */
function readText(from: DerReader): string {
  const { tag, content } = from.any();
  if (tag === 0x0c) return utf8(from, content);
  if (tag === 0x13 || tag === 0x16) return ascii(from, content);
  return from.refuse('a text must be a UTF8String, a PrintableString or an IA5String');
}

function utf8(from: DerReader, content: Uint8Array): string {
  try {
    return strictUtf8.decode(content);
  } catch {
    return from.refuse('a text is not UTF-8');
  }
}

function ascii(from: DerReader, content: Uint8Array): string {
  if (content.some((byte) => byte >= 0x80)) from.refuse('a text is not ASCII');
  return Buffer.from(content).toString('latin1');
}

type RequestedNames = Pick<VerifiedCsr, 'names' | 'ips' | 'uris' | 'others'>;
const nothing: RequestedNames = { names: [], ips: [], uris: [], others: [] };

function readAttributes(attributes: DerReader): RequestedNames {
  let requested: RequestedNames | undefined;
  while (!attributes.isAtEnd) {
    const attribute = attributes.enter(0x30);
    const id = attribute.next(0x06).whole;
    const values = attribute.enter(0x31);
    attribute.finish();
    if (!oids.extensionRequest.equals(id)) continue;
    if (requested !== undefined) attributes.refuse('there are two extension requests');
    requested = readExtensions(values.enter(0x30));
    values.finish();
  }
  return requested ?? nothing;
}

function readExtensions(extensions: DerReader): RequestedNames {
  let requested: RequestedNames | undefined;
  while (!extensions.isAtEnd) {
    const extension = extensions.enter(0x30);
    const id = extension.next(0x06).whole;
    if (extension.peek === 0x01) extension.boolean();
    const value = extension.next(0x04);
    extension.finish();
    if (!oids.subjectAltName.equals(id)) continue;
    if (requested !== undefined) extensions.refuse('there are two subjectAltName extensions');
    const inner = extension.inside(value);
    requested = readGeneralNames(inner.enter(0x30));
    inner.finish();
  }
  return requested ?? nothing;
}

function readGeneralNames(from: DerReader): RequestedNames {
  const names: string[] = [];
  const ips: Uint8Array[] = [];
  const uris: string[] = [];
  const others: OtherName[] = [];
  while (!from.isAtEnd) {
    const element = from.any();
    if (element.tag === 0x81 || element.tag === 0x82) names.push(hostOrMailbox(from, element.tag, element.content));
    else if (element.tag === 0x86) uris.push(ascii(from, element.content));
    else if (element.tag === 0x87) ips.push(address(from, element.content));
    else if (element.tag === 0xa0) others.push(readOtherName(from.inside(element)));
    else from.refuse('an alternative name must be a DNS name, email address, URI, IP address or otherName');
    if (names.length + ips.length + uris.length + others.length > namesMax)
      throw new LockstepError('invalid-input', `${what}: a certificate must have at most ${namesMax} names`);
  }
  return { names, ips, uris, others };
}

/** A name of one kind must not pass for one of the other. */
function hostOrMailbox(from: DerReader, tag: number, content: Uint8Array): string {
  const text = ascii(from, content);
  if (text.includes('@') !== (tag === 0x81)) from.refuse('a DNS name has an @, or an email address has none');
  return text;
}

function address(from: DerReader, content: Uint8Array): Uint8Array {
  if (content.length !== 4 && content.length !== 16) from.refuse('an IP address must be 4 or 16 bytes');
  return shortestIp(content);
}

function readOtherName(from: DerReader): OtherName {
  const oidDer = from.next(0x06).whole;
  const wrapper = from.enter(0xa0);
  from.finish();
  const value = readText(wrapper);
  wrapper.finish();
  const oid = oidTextOf(oidDer);
  return oid === undefined ? from.refuse('an object identifier is malformed') : { oid, oidDer, value };
}
