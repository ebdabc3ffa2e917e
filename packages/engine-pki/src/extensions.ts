// X.509 extensions (RFC 5280 §4.2), each as the SEQUENCE that a certificate holds.
import { LockstepError } from '@lockstep/contract/errors';
import {
  type Der,
  derTrue,
  encode,
  explicit,
  implicit,
  integer,
  namedBits,
  octetString,
  oid,
  oidOf,
  sequence,
  wrap,
} from './der.ts';
import { type AlternativeNames, generalNames, uriName } from './general-names.ts';
import * as oids from './oids.ts';
import type { KeyType } from './public-key.ts';
import type { Urls } from './records.ts';

const extension = (id: Buffer, value: Der): Der => sequence(id, octetString(value));
const critical = (id: Buffer, value: Der): Der => sequence(id, derTrue, octetString(value));

export const subjectKeyIdentifier = (id: Uint8Array): Der => extension(oids.subjectKeyIdentifier, octetString(id));
export const authorityKeyIdentifier = (id: Uint8Array): Der =>
  extension(oids.authorityKeyIdentifier, sequence(implicit(0, id)));

/** Critical where the subject is empty (RFC 5280 §4.2.1.6). */
export function subjectAltName(names: AlternativeNames, { isSubjectEmpty }: { isSubjectEmpty: boolean }): Der {
  return (isSubjectEmpty ? critical : extension)(oids.subjectAltName, generalNames(names));
}

/** For a certificate authority. `maxPathLength` undefined sets no limit. */
export function authorityConstraints(maxPathLength: number | undefined): Der {
  return critical(
    oids.basicConstraints,
    maxPathLength === undefined ? sequence(derTrue) : sequence(derTrue, integer(maxPathLength)),
  );
}
/** For a leaf whose verifier wants to read that it is no authority. */
export const leafConstraints: Buffer = encode(critical(oids.basicConstraints, sequence()));

/** Names below these domains only. A leading dot stands for subdomains alone (RFC 5280 §4.2.1.10 knows only hosts and below). */
export function permittedDomains(domains: readonly string[]): Der {
  const subtrees = domains.map((domain) => sequence(implicit(2, Buffer.from(domain, 'latin1'))));
  return critical(oids.nameConstraints, sequence(wrap(0xa0, subtrees)));
}

export const crlNumber = (bytes: Der): Der => extension(oids.crlNumber, bytes);

/** Where to find the issuer, its CRL and its OCSP responder: none, one or two extensions. */
export function locations(urls: Urls): readonly Der[] {
  const descriptions = [
    ...urls.ocspServers.map((uri) => sequence(oids.accessOcsp, uriName(uri))),
    ...urls.issuingCertificates.map((uri) => sequence(oids.accessCaIssuers, uriName(uri))),
  ];
  const points = urls.crlDistributionPoints.map((uri) => sequence(explicit(0, wrap(0xa0, [uriName(uri)]))));
  return [
    ...(descriptions.length === 0 ? [] : [extension(oids.authorityInfoAccess, sequence(...descriptions))]),
    ...(points.length === 0 ? [] : [extension(oids.crlDistributionPoints, sequence(...points))]),
  ];
}

export function certificatePolicies(policies: readonly string[]): Der {
  return extension(
    oids.certificatePolicies,
    sequence(...policies.map((dotted) => sequence(requireOid('policy_identifiers', dotted)))),
  );
}

/** Go's names of the key usages, in the order of their bits. */
const usageNames = [
  'digitalsignature',
  'contentcommitment',
  'keyencipherment',
  'dataencipherment',
  'keyagreement',
  'certsign',
  'crlsign',
  'encipheronly',
  'decipheronly',
] as const;
type UsageBits = readonly number[];

const signingOnly: UsageBits = [0, 1, 5, 6];
/** What a key of each type can do: RFC 8813 §3 for EC, RFC 8410 §5 for Ed25519. */
const possible: { readonly [type in KeyType]: UsageBits } = {
  rsa: [0, 1, 2, 3, 5, 6],
  ec: [...signingOnly, 4, 7, 8],
  ed25519: signingOnly,
};

/** The bits that `key_usage` names. Refuses an unknown name, and those that only an authority has. */
export function leafUsageBits(names: readonly string[]): UsageBits {
  return names.map((name) => {
    const spelled = name.toLowerCase().replace(/^keyusage/, '');
    const bit = usageNames.findIndex((known) => known === spelled);
    if (bit < 0) throw new LockstepError('invalid-input', `key_usage "${name}" is not known`);
    if (bit === 5 || bit === 6)
      throw new LockstepError('invalid-input', `key_usage "${name}" is for certificate authorities only`);
    return bit;
  });
}

/** Those bits that a key of this type can have; undefined where none is left. RSA's default keeps KeyAgreement out, which RSA can't do. */
export function keyUsage(bits: UsageBits, type: KeyType): Der | undefined {
  const left = bits.filter((bit) => possible[type].includes(bit));
  return left.length === 0 ? undefined : critical(oids.keyUsage, namedBits(left));
}

export const authorityUsage: Buffer = encode(critical(oids.keyUsage, namedBits([5, 6])));

/** Go's names of the extended key usages. */
const purposes: ReadonlyMap<string, Buffer> = new Map([
  ['any', oid('2.5.29.37.0')],
  ['serverauth', oid('1.3.6.1.5.5.7.3.1')],
  ['clientauth', oid('1.3.6.1.5.5.7.3.2')],
  ['codesigning', oid('1.3.6.1.5.5.7.3.3')],
  ['emailprotection', oid('1.3.6.1.5.5.7.3.4')],
  ['ipsecendsystem', oid('1.3.6.1.5.5.7.3.5')],
  ['ipsectunnel', oid('1.3.6.1.5.5.7.3.6')],
  ['ipsecuser', oid('1.3.6.1.5.5.7.3.7')],
  ['timestamping', oid('1.3.6.1.5.5.7.3.8')],
  ['ocspsigning', oid('1.3.6.1.5.5.7.3.9')],
  ['microsoftservergatedcrypto', oid('1.3.6.1.4.1.311.10.3.3')],
  ['netscapeservergatedcrypto', oid('2.16.840.1.113730.4.1')],
  ['microsoftcommercialcodesigning', oid('1.3.6.1.4.1.311.2.1.22')],
  ['microsoftkernelcodesigning', oid('1.3.6.1.4.1.311.61.1.1')],
]);

export interface Purposes {
  readonly server_flag: boolean;
  readonly client_flag: boolean;
  readonly code_signing_flag: boolean;
  readonly email_protection_flag: boolean;
  readonly ext_key_usage: readonly string[];
  readonly ext_key_usage_oids: readonly string[];
}

/** What the flags and lists of a role add up to; undefined where that is nothing. Refuses an unknown name or a malformed OID. */
export function extendedKeyUsage(role: Purposes): Der | undefined {
  const names = [
    ...(role.server_flag ? ['serverauth'] : []),
    ...(role.client_flag ? ['clientauth'] : []),
    ...(role.code_signing_flag ? ['codesigning'] : []),
    ...(role.email_protection_flag ? ['emailprotection'] : []),
    ...role.ext_key_usage,
  ];
  const wanted = [
    ...names.map((name) => {
      const known = purposes.get(name.toLowerCase().replace(/^extkeyusage/, ''));
      if (known === undefined) throw new LockstepError('invalid-input', `ext_key_usage "${name}" is not known`);
      return known;
    }),
    ...role.ext_key_usage_oids.map((dotted) => requireOid('ext_key_usage_oids', dotted)),
  ];
  const distinct = wanted.filter((id, at) => wanted.findIndex((other) => other.equals(id)) === at);
  return distinct.length === 0 ? undefined : extension(oids.extendedKeyUsage, sequence(...distinct));
}

function requireOid(field: string, dotted: string): Buffer {
  const encoded = oidOf(dotted);
  if (encoded === undefined)
    throw new LockstepError('invalid-input', `${field} holds "${dotted}", which is not an object identifier`);
  return encoded;
}
