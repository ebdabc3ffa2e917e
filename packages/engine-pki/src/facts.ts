// Everything that can happen to a mount of this engine. protos/lockstep/facts/pki/v1 says the same.
import { bytes, type Codec, embed, facts, message, optionalBytes, text, uint } from '@lockstep/contract/wire';
import { type AuthorityKey, authorityKey, type Issuer, issuer, type Role, role, type Urls, urls } from './records.ts';

/** Serials are lower-case hex; times are seconds since 1970. An embedded record is undefined only in a fact that nobody wrote. */
export type PkiFact =
  | { readonly type: 'roleWritten'; readonly name: string; readonly role: Role | undefined }
  | { readonly type: 'roleDeleted'; readonly name: string }
  | RootGenerated
  | CertificateIssued
  | CertificateRevoked
  | { readonly type: 'defaultIssuerChosen'; readonly issuerId: string }
  | { readonly type: 'issuerUpdated'; readonly issuerId: string; readonly issuer: Issuer | undefined }
  | { readonly type: 'urlsConfigured'; readonly urls: Urls | undefined }
  | { readonly type: 'crlConfigured'; readonly expirySeconds: number }
  /** A new CRL was asked for although nothing had changed. */
  | { readonly type: 'crlRotated' };

export interface RootGenerated {
  readonly type: 'rootGenerated';
  readonly issuerId: string;
  readonly issuer: Issuer | undefined;
  readonly key: AuthorityKey | undefined;
  readonly serial: string;
  readonly notAfterSeconds: number;
}

/** A leaf's private key is in no fact. */
export interface CertificateIssued {
  readonly type: 'certificateIssued';
  readonly serial: string;
  readonly issuerId: string;
  readonly notAfterSeconds: number;
  readonly certificate: Uint8Array;
}

export interface CertificateRevoked {
  readonly type: 'certificateRevoked';
  readonly serial: string;
  readonly issuerId: string;
  readonly notAfterSeconds: number;
  /** Where it was not stored before. */
  readonly certificate: Uint8Array | undefined;
}

export const pkiFacts: Codec<PkiFact> = facts({
  roleWritten: [1, message({ name: text(1), role: embed(2, role) })],
  roleDeleted: [2, message({ name: text(1) })],
  rootGenerated: [
    3,
    message({
      issuerId: text(1),
      issuer: embed(2, issuer),
      key: embed(3, authorityKey),
      serial: text(4),
      notAfterSeconds: uint(5),
    }),
  ],
  certificateIssued: [
    4,
    message({ serial: text(1), issuerId: text(2), notAfterSeconds: uint(3), certificate: bytes(4) }),
  ],
  certificateRevoked: [
    5,
    message({ serial: text(1), issuerId: text(2), notAfterSeconds: uint(3), certificate: optionalBytes(4) }),
  ],
  defaultIssuerChosen: [6, message({ issuerId: text(1) })],
  issuerUpdated: [7, message({ issuerId: text(1), issuer: embed(2, issuer) })],
  urlsConfigured: [8, message({ urls: embed(1, urls) })],
  crlConfigured: [9, message({ expirySeconds: uint(1) })],
  crlRotated: [10, message({})],
});
