// The fields of a role, as requests write them: Vault's names. Defaults are Vault's, but for `key_type` and `not_after_bound`.
import { LockstepError } from '@lockstep/contract/errors';
import {
  booleanField,
  durationField,
  type FieldSpec,
  type Fields,
  type FieldValues,
  integerField,
  listField,
  textField,
} from '@lockstep/contract/fields';
import { nameLengthMax, notBeforeSecondsDefault } from './limits.ts';
import type { Role } from './records.ts';

const list = (description: string): FieldSpec<readonly string[]> => listField({ default: [], description });
const no = (description: string): FieldSpec<boolean> => booleanField({ default: false, description });
const yes = (description: string): FieldSpec<boolean> => booleanField({ default: true, description });
const seconds = (description: string): FieldSpec<number> => durationField({ default: 0, description });

/** Every field of a role that works; `Role` has just these. */
export const roleFields: { readonly [K in keyof Role]: FieldSpec<Role[K]> } = {
  issuer_ref: textField({
    default: 'default',
    max: nameLengthMax,
    description: 'the issuer that signs: a name, an id, or "default"',
  }),
  ttl: seconds("a certificate's validity where the request names none; 0 is the mount's default"),
  max_ttl: seconds("the longest validity; 0 is the mount's longest, which always holds"),
  allow_localhost: yes('allows localhost and localdomain'),
  allowed_domains: list('domains that the other flags refer to'),
  allow_bare_domains: no('allows the domains themselves'),
  allow_subdomains: no('allows names below the domains, and wildcards there'),
  allow_glob_domains: no('a * in a domain stands for any text'),
  allow_wildcard_certificates: yes('allows names such as *.example.com, where the other rules do'),
  allow_any_name: no('allows every hostname'),
  enforce_hostnames: yes('a common name must be a hostname, a wildcard or a mailbox'),
  allow_ip_sans: yes('allows addresses'),
  allowed_ip_sans_cidr: list('networks that addresses must be in; empty allows all'),
  allowed_uri_sans: list('patterns of URIs, where * stands for any text; empty allows none'),
  allowed_other_sans: list('<oid>;UTF8:<pattern>, or * for all; empty allows none'),
  allowed_serial_numbers: list("patterns of the subject's serialNumber; empty allows none"),
  allowed_user_ids: list("patterns of the subject's userId; empty allows none"),
  server_flag: yes('extended key usage: TLS servers'),
  client_flag: yes('extended key usage: TLS clients'),
  code_signing_flag: no('extended key usage: code signing'),
  email_protection_flag: no('extended key usage: email'),
  key_type: textField({
    default: 'any',
    oneOf: ['any', 'rsa', 'ec', 'ed25519'],
    description:
      'type of the key; "any" takes every sound key of a CSR, and makes P-256 keys unless the request names a type',
  }),
  key_bits: integerField({
    default: 0,
    max: 8192,
    description:
      'size of the key (rsa: 2048, 3072, 4096; ec: 256, 384, 521); for CSRs with RSA keys the least; 0 is the smallest of the type',
  }),
  signature_bits: integerField({
    default: 0,
    max: 512,
    description: 'SHA-2 variant for RSA issuers: 256, 384 or 512; curves have their own',
  }),
  key_usage: listField({
    default: ['DigitalSignature', 'KeyAgreement', 'KeyEncipherment'],
    description: 'key usages; those that the type of key cannot have are left out (RFC 8813 §3, RFC 8410 §5)',
  }),
  ext_key_usage: list('extended key usages by name, such as ServerAuth'),
  ext_key_usage_oids: list('extended key usages by object identifier'),
  use_csr_common_name: yes("takes a CSR's common name, not the request's"),
  use_csr_sans: yes("takes a CSR's alternative names, not the request's"),
  ou: list('organizational units of the subject'),
  organization: list('organizations of the subject'),
  country: list('countries of the subject, two letters each'),
  locality: list('localities of the subject'),
  province: list('provinces of the subject'),
  street_address: list('street addresses of the subject'),
  postal_code: list('postal codes of the subject'),
  no_store: no('certificates are not stored: such a one can be revoked only by presenting it'),
  require_cn: yes('a certificate must have a common name'),
  cn_validations: listField({
    default: ['email', 'hostname'],
    description: 'forms of common names: email, hostname; or disabled',
  }),
  policy_identifiers: list('object identifiers of certificate policies'),
  basic_constraints_valid_for_non_ca: no('says in the certificate that it is no authority'),
  not_before_duration: durationField({
    default: notBeforeSecondsDefault,
    description: 'backdating, against clocks that differ',
  }),
  not_after: textField({ default: '', max: 64, description: 'a fixed end (RFC 3339) where the request names none' }),
  not_after_bound: textField({
    default: 'ttl-limited',
    max: 64,
    description:
      "a request's not_after: permit, ttl-limited (within the longest TTL), forbid, or the latest time (RFC 3339). Vault's is permit, by which max_ttl can be evaded",
  }),
};

/** Fields of Vault's that are not supported: each is taken at the one value that changes nothing, and refused at any other. */
const unsupportedFlags = {
  allowed_domains_template: 'templates of identities',
  allowed_uri_sans_template: 'templates of identities',
  allow_globs_in_identity_templates: 'templates of identities',
  allow_token_displayname: 'names from token display names',
  generate_lease: 'leases of certificates',
  use_pss: 'RSASSA-PSS signatures',
} as const;

const unsupportedTexts = { not_before: '', not_before_bound: 'permit' } as const;

export const unsupportedRoleFields: Fields = {
  ...Object.fromEntries(
    Object.entries(unsupportedFlags).map(([name, what]) => [
      name,
      booleanField({ default: false, description: `must be false: ${what} are not supported` }),
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(unsupportedTexts).map(([name, value]) => [
      name,
      textField({ default: value, max: 64, description: `must be "${value}": nothing else is supported` }),
    ]),
  ),
};

/** Refuses every unsupported field that asks for something. */
export function refuseUnsupported(values: FieldValues<Fields>): void {
  for (const [name, what] of Object.entries(unsupportedFlags)) {
    if (values[name] === true)
      throw new LockstepError('invalid-input', `${name} must be false: ${what} are not supported`);
  }
  for (const [name, value] of Object.entries(unsupportedTexts)) {
    const given = values[name];
    if (given !== undefined && given !== value)
      throw new LockstepError('invalid-input', `${name} must be "${value}": nothing else is supported`);
  }
}

type Optional<S extends Fields> = {
  readonly [K in keyof S]: S[K] extends FieldSpec<infer T> ? FieldSpec<T | undefined> : never;
};

/** The same fields without defaults: what a caller leaves out stays as it is. */
export function optional<S extends Fields>(fields: S): Optional<S> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, spec]) => [name, { ...spec, isRequired: false, initial: undefined }]),
  ) as Optional<S>;
}
