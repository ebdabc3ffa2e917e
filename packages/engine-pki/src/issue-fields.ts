// The fields that `issue`, `sign` and `root/generate` have in common, as Vault names them.
import { LockstepError } from '@lockstep/contract/errors';
import {
  booleanField,
  durationField,
  type FieldSpec,
  integerField,
  listField,
  textField,
} from '@lockstep/contract/fields';
import { csrTextMax, nameLengthMax } from './limits.ts';
import type { AskedNames } from './name-rules.ts';
import { parseIps, parseOtherName } from './name-rules.ts';

const list = (description: string): FieldSpec<readonly string[]> => listField({ default: [], description });
const text = (max: number, description: string): FieldSpec<string | undefined> => textField({ max, description });

export interface NameValues {
  readonly common_name: string | undefined;
  readonly alt_names: readonly string[];
  readonly ip_sans: readonly string[];
  readonly uri_sans: readonly string[];
  readonly other_sans: readonly string[];
  readonly exclude_cn_from_sans: boolean;
}
export const nameFields: { readonly [K in keyof NameValues]: FieldSpec<NameValues[K]> } = {
  common_name: text(512, "the subject's common name"),
  alt_names: list('hostnames, wildcards and email addresses'),
  ip_sans: list('IP addresses'),
  uri_sans: list('URIs'),
  other_sans: list('<oid>;UTF8:<text>'),
  exclude_cn_from_sans: booleanField({
    default: false,
    description: 'the common name does not become an alternative name',
  }),
};

export interface TimeValues {
  readonly ttl: number | undefined;
  readonly not_after: string | undefined;
  readonly not_before: string | undefined;
}
export const timeFields: { readonly [K in keyof TimeValues]: FieldSpec<TimeValues[K]> } = {
  ttl: durationField({ description: 'validity from now on' }),
  not_after: text(64, 'the end of validity (RFC 3339), in place of ttl'),
  not_before: text(64, 'not supported: refused unless empty'),
};

export interface FormatValues {
  readonly format: string;
  readonly private_key_format: string;
  readonly remove_roots_from_chain: boolean;
}
export const formatFields: { readonly [K in keyof FormatValues]: FieldSpec<FormatValues[K]> } = {
  format: textField({
    default: 'pem',
    oneOf: ['pem', 'der', 'pem_bundle'],
    description: 'pem; der (in base64); or pem_bundle: key, certificate and chain in one text',
  }),
  private_key_format: textField({
    default: 'der',
    oneOf: ['', 'der', 'pem', 'pkcs8'],
    description: 'pkcs8, or the older form of the type of key (der, pem)',
  }),
  remove_roots_from_chain: booleanField({
    default: false,
    description: 'leaves self-signed certificates out of ca_chain',
  }),
};

interface RoleName {
  readonly role: string;
}
const roleName: { readonly [K in keyof RoleName]: FieldSpec<RoleName[K]> } = {
  role: textField({ required: true, max: nameLengthMax, description: 'the role that rules the certificate' }),
};

/** Only where the path names an issuer: in a body it would get round the policies on paths. */
export interface IssuerInPath {
  readonly issuer_ref?: string;
}
export const issuerInPath: { readonly issuer_ref: FieldSpec<string> } = {
  issuer_ref: textField({ required: true, max: nameLengthMax, description: 'the issuer: a name, an id, or "default"' }),
};

interface SubjectValues {
  readonly serial_number: string | undefined;
  readonly user_ids: readonly string[];
}
const subjectFields: { readonly [K in keyof SubjectValues]: FieldSpec<SubjectValues[K]> } = {
  serial_number: text(64, "the subject's serialNumber attribute, not the certificate's serial"),
  user_ids: list("the subject's userId attributes"),
};

/** What a leaf's request says, without its key. */
type LeafFieldValues = NameValues & TimeValues & FormatValues & RoleName & SubjectValues;
export type LeafValues = LeafFieldValues & IssuerInPath;
const leafFields: { readonly [K in keyof LeafFieldValues]: FieldSpec<LeafFieldValues[K]> } = {
  ...nameFields,
  ...timeFields,
  ...formatFields,
  ...roleName,
  ...subjectFields,
};

interface IssueKeyValues {
  readonly key_type: string;
  readonly key_bits: number;
}
type IssueFieldValues = LeafFieldValues & IssueKeyValues;
export type IssueValues = IssueFieldValues & IssuerInPath;
export const issueFields: { readonly [K in keyof IssueFieldValues]: FieldSpec<IssueFieldValues[K]> } = {
  ...leafFields,
  key_type: textField({
    default: '',
    oneOf: ['', 'rsa', 'ec', 'ed25519'],
    description: 'type of the key, where the role leaves it open',
  }),
  key_bits: integerField({
    default: 0,
    max: 8192,
    description: 'size of the key, where the role leaves its type open',
  }),
};

type SignFieldValues = LeafFieldValues & { readonly csr: string };
export type SignValues = SignFieldValues & IssuerInPath;
export const signFields: { readonly [K in keyof SignFieldValues]: FieldSpec<SignFieldValues[K]> } = {
  ...leafFields,
  csr: textField({ required: true, max: csrTextMax, description: 'the certificate request (PKCS #10) in PEM' }),
};

/** Refuses what is not supported, whoever asks for it. */
export function refuseNotBefore({ not_before }: TimeValues): void {
  if (not_before !== undefined && not_before !== '')
    throw new LockstepError('invalid-input', "not_before is not supported: use the role's not_before_duration");
}

export function askedNames(values: NameValues): AskedNames {
  return {
    commonName: values.common_name,
    names: values.alt_names,
    ips: parseIps('ip_sans', values.ip_sans),
    uris: values.uri_sans,
    others: values.other_sans.map((text) => parseOtherName('other_sans', text)),
    excludesCommonName: values.exclude_cn_from_sans,
  };
}
