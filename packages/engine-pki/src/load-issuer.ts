// Finding the certificate authority that signs, parsed once for as long as its state is unchanged.
import { type Expect, unchanged } from '@lockstep/contract/engine';
import { assert, LockstepError } from '@lockstep/contract/errors';
import { memoise, type ReadableState } from '@lockstep/contract/state';
import { idOf } from './apply.ts';
import { encode } from './der.ts';
import { authorityKeyIdentifier, locations } from './extensions.ts';
import { authorityKeyKey, defaultIssuerKey, issuerKey, issuerNameKey, urlsKey } from './keys.ts';
import { type ParsedCertificate, parseCertificate } from './parse-certificate.ts';
import { pem } from './pem.ts';
import { authorityKey, type Issuer, issuer as issuerRecord, type Urls, urls as urlsRecord } from './records.ts';
import { type SigningKey, signingKey } from './sign-der.ts';

export interface ParsedIssuer {
  readonly record: Issuer;
  readonly certificate: ParsedCertificate;
  readonly pem: string;
  /** The issuer itself first, then up to its root. */
  readonly chain: readonly { readonly pem: string; readonly der: Uint8Array }[];
  /** The extension that its certificates name it by. */
  readonly authorityKeyId: Buffer;
  /** Its own locations, where it has any. */
  readonly locations: Buffer | undefined;
}

/** An issuer, and what a decision that uses it relies on. */
export interface FoundIssuer {
  readonly id: string;
  readonly issuer: ParsedIssuer;
  readonly expects: readonly Expect[];
}

const parseIssuer = memoise((bytes): ParsedIssuer => {
  const record = issuerRecord.decode(bytes);
  const certificate = parseCertificate(record.certificate, 'issuer');
  return {
    record,
    certificate,
    pem: pem('CERTIFICATE', record.certificate),
    chain: [record.certificate, ...record.chain].map((der) => ({ der, pem: pem('CERTIFICATE', der) })),
    authorityKeyId: encode(authorityKeyIdentifier(certificate.subjectKeyId)),
    locations: record.urls === undefined ? undefined : Buffer.concat(locations(record.urls).map(encode)),
  };
});
const parseKey = memoise((bytes): SigningKey => signingKey(authorityKey.decode(bytes)));
const parseUrls = memoise((bytes): { readonly record: Urls; readonly extensions: Buffer } => {
  const record = urlsRecord.decode(bytes);
  return { record, extensions: Buffer.concat(locations(record).map(encode)) };
});
const noExtensions = Buffer.alloc(0);

/** By `default`, id or name; undefined where there is none. */
export function findIssuer(state: ReadableState, ref: string): FoundIssuer | undefined {
  const indexKey = ref === 'default' ? defaultIssuerKey : issuerNameKey(ref);
  const isId = ref !== 'default' && state.get(issuerKey(ref)) !== undefined;
  const named = isId ? undefined : state.get(indexKey);
  const id = isId ? ref : named === undefined ? undefined : idOf(named);
  if (id === undefined) return undefined;
  const bytes = state.get(issuerKey(id));
  assert(bytes !== undefined, 'an issuer that is named exists');
  return {
    id,
    issuer: parseIssuer(bytes),
    expects: [unchanged(state, issuerKey(id)), ...(isId ? [] : [unchanged(state, indexKey)])],
  };
}

/** As `findIssuer`. Refuses where there is none, in Vault's words. */
export function requireIssuer(state: ReadableState, ref: string): FoundIssuer {
  const found = findIssuer(state, ref);
  if (found !== undefined) return found;
  const reason =
    ref === 'default' ? 'no default issuer currently configured' : `unable to find PKI issuer for reference: ${ref}`;
  throw new LockstepError('failed-precondition', `could not fetch the CA certificate (was one set?): ${reason}`);
}

export function issuerOfId(state: ReadableState, id: string): ParsedIssuer | undefined {
  const bytes = state.get(issuerKey(id));
  return bytes === undefined ? undefined : parseIssuer(bytes);
}

export function signingKeyOf(state: ReadableState, issuer: ParsedIssuer): SigningKey {
  const bytes = state.get(authorityKeyKey(issuer.record.keyId));
  assert(bytes !== undefined, 'an issuer has its key');
  return parseKey(bytes);
}

/** The extensions that say where issuer, CRL and OCSP are: the issuer's own, or else the mount's. */
export function locationsFor(state: ReadableState, issuer: ParsedIssuer): Buffer {
  if (issuer.locations !== undefined) return issuer.locations;
  const bytes = state.get(urlsKey);
  return bytes === undefined ? noExtensions : parseUrls(bytes).extensions;
}

export function mountUrls(state: ReadableState): Urls {
  const bytes = state.get(urlsKey);
  return bytes === undefined ? urlsRecord.initial : parseUrls(bytes).record;
}
