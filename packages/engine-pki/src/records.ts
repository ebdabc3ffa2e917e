// The values of this engine's state, which facts carry too. Numbers are for ever; fields are only added.
import {
  bool,
  bytes,
  embed,
  type MessageCodec,
  message,
  optionalUint,
  repeatedBytes,
  repeatedText,
  text,
  uint,
} from '@lockstep/contract/wire';

/** A role as its callers write it: the names are those of the API's fields. Durations are in seconds. */
export interface Role {
  readonly issuer_ref: string;
  readonly ttl: number;
  readonly max_ttl: number;
  readonly allow_localhost: boolean;
  readonly allowed_domains: readonly string[];
  readonly allow_bare_domains: boolean;
  readonly allow_subdomains: boolean;
  readonly allow_glob_domains: boolean;
  readonly allow_wildcard_certificates: boolean;
  readonly allow_any_name: boolean;
  readonly enforce_hostnames: boolean;
  readonly allow_ip_sans: boolean;
  readonly allowed_ip_sans_cidr: readonly string[];
  readonly allowed_uri_sans: readonly string[];
  readonly allowed_other_sans: readonly string[];
  readonly allowed_serial_numbers: readonly string[];
  readonly allowed_user_ids: readonly string[];
  readonly server_flag: boolean;
  readonly client_flag: boolean;
  readonly code_signing_flag: boolean;
  readonly email_protection_flag: boolean;
  readonly key_type: string;
  readonly key_bits: number;
  readonly signature_bits: number;
  readonly key_usage: readonly string[];
  readonly ext_key_usage: readonly string[];
  readonly ext_key_usage_oids: readonly string[];
  readonly use_csr_common_name: boolean;
  readonly use_csr_sans: boolean;
  readonly ou: readonly string[];
  readonly organization: readonly string[];
  readonly country: readonly string[];
  readonly locality: readonly string[];
  readonly province: readonly string[];
  readonly street_address: readonly string[];
  readonly postal_code: readonly string[];
  readonly no_store: boolean;
  readonly require_cn: boolean;
  readonly cn_validations: readonly string[];
  readonly policy_identifiers: readonly string[];
  readonly basic_constraints_valid_for_non_ca: boolean;
  readonly not_before_duration: number;
  readonly not_after: string;
  readonly not_after_bound: string;
}
export const role: MessageCodec<Role> = message({
  issuer_ref: text(1),
  ttl: uint(2),
  max_ttl: uint(3),
  allow_localhost: bool(4),
  allowed_domains: repeatedText(5),
  allow_bare_domains: bool(6),
  allow_subdomains: bool(7),
  allow_glob_domains: bool(8),
  allow_wildcard_certificates: bool(9),
  allow_any_name: bool(10),
  enforce_hostnames: bool(11),
  allow_ip_sans: bool(12),
  allowed_ip_sans_cidr: repeatedText(13),
  allowed_uri_sans: repeatedText(14),
  allowed_other_sans: repeatedText(15),
  allowed_serial_numbers: repeatedText(16),
  allowed_user_ids: repeatedText(17),
  server_flag: bool(18),
  client_flag: bool(19),
  code_signing_flag: bool(20),
  email_protection_flag: bool(21),
  key_type: text(22),
  key_bits: uint(23),
  signature_bits: uint(24),
  key_usage: repeatedText(25),
  ext_key_usage: repeatedText(26),
  ext_key_usage_oids: repeatedText(27),
  use_csr_common_name: bool(28),
  use_csr_sans: bool(29),
  ou: repeatedText(30),
  organization: repeatedText(31),
  country: repeatedText(32),
  locality: repeatedText(33),
  province: repeatedText(34),
  street_address: repeatedText(35),
  postal_code: repeatedText(36),
  no_store: bool(37),
  require_cn: bool(38),
  cn_validations: repeatedText(39),
  policy_identifiers: repeatedText(40),
  basic_constraints_valid_for_non_ca: bool(41),
  not_before_duration: uint(42),
  not_after: text(43),
  not_after_bound: text(44),
});

/** Where a certificate says that its issuer, CRL and OCSP responder are. */
export interface Urls {
  readonly issuingCertificates: readonly string[];
  readonly crlDistributionPoints: readonly string[];
  readonly ocspServers: readonly string[];
}
export const urls: MessageCodec<Urls> = message({
  issuingCertificates: repeatedText(1),
  crlDistributionPoints: repeatedText(2),
  ocspServers: repeatedText(3),
});

/** A certificate authority of this mount. */
export interface Issuer {
  readonly name: string;
  readonly keyId: string;
  /** DER. */
  readonly certificate: Uint8Array;
  /** DER, from this issuer's own issuer up; empty for a root. */
  readonly chain: readonly Uint8Array[];
  /** `err`, `truncate` or `permit`: what happens to a leaf that would outlive the issuer. */
  readonly leafNotAfterBehavior: string;
  /** In place of the mount's, where any is set. */
  readonly urls: Urls | undefined;
  /** May it sign certificates? CRLs it may always sign. */
  readonly mayIssue: boolean;
}
export const issuer: MessageCodec<Issuer> = message({
  name: text(1),
  keyId: text(2),
  certificate: bytes(3),
  chain: repeatedBytes(4),
  leafNotAfterBehavior: text(5),
  urls: embed(6, urls),
  mayIssue: bool(7),
});

/** An issuer's private key. */
export interface AuthorityKey {
  readonly name: string;
  readonly type: string;
  readonly bits: number;
  /** The private key. Storing it is the feature: state and log are sealed below apply. */
  readonly pkcs8: Uint8Array;
}
export const authorityKey: MessageCodec<AuthorityKey> = message({
  name: text(1),
  type: text(2),
  bits: uint(3),
  pkcs8: bytes(4),
});

/** A certificate that was issued here and is stored. */
export interface Certificate {
  /** DER. */
  readonly certificate: Uint8Array;
  readonly issuerId: string;
  readonly notAfterSeconds: number;
  /** By the log's clock; absent while it is good. */
  readonly revokedAtMs: number | undefined;
  /** Which of its issuer's revocations it was, from 1. */
  readonly revocation: number;
}
export const certificate: MessageCodec<Certificate> = message({
  certificate: bytes(1),
  issuerId: text(2),
  notAfterSeconds: uint(3),
  revokedAtMs: optionalUint(4),
  revocation: uint(5),
});

/** How the mount's CRLs are made. */
export interface CrlConfig {
  readonly expirySeconds: number;
  /** Counts what changed CRLs other than revocations, so that CRL numbers grow. */
  readonly generation: number;
  readonly changedAtMs: number;
}
export const crlConfig: MessageCodec<CrlConfig> = message({
  expirySeconds: uint(1),
  generation: uint(2),
  changedAtMs: uint(3),
});
