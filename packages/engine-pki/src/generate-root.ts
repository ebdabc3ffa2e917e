import type { Call, Decision, Expect } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import {
  booleanField,
  durationField,
  type FieldSpec,
  integerField,
  listField,
  textField,
} from '@lockstep/contract/fields';
import { type Der, encode, explicit, integer, integerOfBytes, sequence, time } from './der.ts';
import {
  authorityConstraints,
  authorityKeyIdentifier,
  authorityUsage,
  permittedDomains,
  subjectAltName,
  subjectKeyIdentifier,
} from './extensions.ts';
import type { PkiFact } from './facts.ts';
import { nameCount } from './general-names.ts';
import { generateKey, type KeyPair, keySpec } from './generate-key.ts';
import { hostnameOf } from './hostnames.ts';
import { typeOf } from './issue-certificate.ts';
import {
  askedNames,
  type FormatValues,
  formatFields,
  type NameValues,
  nameFields,
  refuseNotBefore,
  type TimeValues,
  timeFields,
} from './issue-fields.ts';
import { issuerNameKey, issuerPrefix } from './keys.ts';
import { drawSerial } from './leaf.ts';
import { issuersMax, notBeforeSecondsDefault } from './limits.ts';
import { type CheckedNames, checkNames, nameRules } from './name-rules.ts';
import { checkName } from './names-in-paths.ts';
import { pem } from './pem.ts';
import { keyIdentifier } from './public-key.ts';
import { type AuthorityKey, role as roleRecord } from './records.ts';
import { colonSerial } from './reply-format.ts';
import { signatureAlgorithm, signatureBitsAllowed, signed, signingKey } from './sign-der.ts';
import { type Organisation, organisationAttributes, subjectName } from './subject.ts';
import { rootValidity, type Validity } from './validity.ts';

export interface RootValues extends NameValues, TimeValues, FormatValues, Organisation {
  readonly exported: string;
  readonly issuer_name: string;
  readonly key_name: string;
  readonly key_type: string;
  readonly key_bits: number;
  readonly signature_bits: number;
  readonly use_pss: boolean;
  readonly max_path_length: number;
  readonly permitted_dns_domains: readonly string[];
  readonly not_before_duration: number;
  readonly serial_number: string;
}

const list = (description: string): FieldSpec<readonly string[]> => listField({ default: [], description });
export const rootFields: { readonly [K in keyof RootValues]: FieldSpec<RootValues[K]> } = {
  ...nameFields,
  ...timeFields,
  ...formatFields,
  exported: textField({
    required: true,
    oneOf: ['internal', 'exported', 'existing', 'kms'],
    description: 'internal keeps the key; exported tells it once',
  }),
  issuer_name: textField({ default: '', max: 128, description: 'a name for the issuer' }),
  key_name: textField({ default: '', max: 128, description: 'a name for its key' }),
  key_type: textField({ default: 'ec', oneOf: ['ec', 'rsa', 'ed25519'], description: 'type of the key' }),
  key_bits: integerField({
    default: 0,
    max: 8192,
    description: 'size of the key (ec: 256, 384, 521; rsa: 2048, 3072, 4096); 0 is the smallest',
  }),
  signature_bits: integerField({ default: 0, max: 512, description: 'SHA-2 variant for RSA: 256, 384 or 512' }),
  use_pss: booleanField({ default: false, description: 'must be false: RSASSA-PSS signatures are not supported' }),
  max_path_length: integerField({
    default: -1,
    min: -1,
    max: 64,
    description: 'authorities allowed below this one; -1 sets no limit',
  }),
  permitted_dns_domains: list('the only domains that certificates below may name'),
  not_before_duration: durationField({
    default: notBeforeSecondsDefault,
    description: 'backdating, against clocks that differ',
  }),
  serial_number: textField({ default: '', max: 64, description: "the subject's serialNumber attribute" }),
  ou: list('organizational units of the subject'),
  organization: list('organizations of the subject'),
  country: list('countries of the subject, two letters each'),
  locality: list('localities of the subject'),
  province: list('provinces of the subject'),
  street_address: list('street addresses of the subject'),
  postal_code: list('postal codes of the subject'),
};

/**
 * Makes a self-signed certificate authority. The first one of a mount is its default issuer. The private key is stored (that is the
 * feature; state and log are sealed), and told only to who asked for `exported`.
 */
export async function generateRoot(call: Call, values: RootValues): Promise<Decision<PkiFact>> {
  await checkRequest(call, values);
  const names = checkNames(askedNames(values), anyName);
  const validity = rootValidity(call, values.not_before_duration, { ttl: values.ttl, notAfter: values.not_after });
  const spec = keySpec(typeOf(values.key_type), values.key_bits);
  const key = await generateKey(call, spec);
  const record: AuthorityKey = { name: values.key_name, type: spec.type, bits: spec.bits, pkcs8: key.pkcs8 };
  const serialBytes = drawSerial(call.random);
  const certificate = selfSigned({ values, names, validity, key, record, serialBytes });
  const issuerId = uuid(call.random);
  const keyId = uuid(call.random);
  const serial = serialBytes.toString('hex');
  const issuer = {
    name: values.issuer_name,
    keyId,
    certificate,
    chain: [],
    leafNotAfterBehavior: 'err',
    urls: undefined,
    mayIssue: true,
  };
  const notAfterSeconds = validity.notAfterMs / 1000;
  const expects: readonly Expect[] =
    values.issuer_name === '' ? [] : [{ kind: 'absent', key: issuerNameKey(values.issuer_name) }];
  const data = {
    ...certificateForms(certificate, key, values),
    expiration: notAfterSeconds,
    issuer_id: issuerId,
    issuer_name: values.issuer_name,
    key_id: keyId,
    key_name: values.key_name,
    serial_number: colonSerial(serial),
  };
  return {
    isSecret: values.exported !== 'internal',
    facts: [{ type: 'rootGenerated', issuerId, issuer, key: record, serial, notAfterSeconds }],
    expects,
    reply: validity.warnings.length === 0 ? { data } : { data, warnings: validity.warnings },
  };
}

/** A root may have any name: who may generate one is for policies to say. */
const anyName = nameRules({
  ...roleRecord.initial,
  allow_any_name: true,
  allow_wildcard_certificates: true,
  allow_ip_sans: true,
  allowed_uri_sans: ['*'],
  allowed_other_sans: ['*'],
  require_cn: true,
  cn_validations: ['disabled'],
});

async function checkRequest(call: Call, values: RootValues): Promise<void> {
  const refuse = (rule: string): never => {
    throw new LockstepError('invalid-input', rule);
  };
  if (values.exported !== 'internal' && values.exported !== 'exported')
    refuse(`root/generate/${values.exported} is not supported: use internal or exported`);
  if (values.use_pss) refuse('use_pss must be false: RSASSA-PSS signatures are not supported');
  if (!signatureBitsAllowed.includes(values.signature_bits)) refuse('signature_bits must be 0, 256, 384 or 512');
  refuseNotBefore(values);
  if (values.common_name === undefined || values.common_name === '') refuse('the common_name field is required');
  for (const domain of values.permitted_dns_domains) {
    if (hostnameOf(withoutDot(domain)) === undefined)
      refuse(`permitted_dns_domains holds "${domain}", which is not a domain`);
  }
  if (values.key_name !== '') checkName('key_name', values.key_name);
  const { issuer_name: name } = values;
  if (name !== '') {
    checkName('issuer_name', name);
    if (name === 'default') refuse('issuer_name must not be "default", which is a reference');
    if (call.state.get(issuerNameKey(name)) !== undefined) refuse(`issuer_name "${name}" is in use`);
  }
  const issuers = await call.state.keys({ prefix: issuerPrefix, limit: issuersMax });
  if (issuers.length >= issuersMax) refuse(`a mount has at most ${issuersMax} issuers`);
}

interface Root {
  readonly values: RootValues;
  readonly names: CheckedNames;
  readonly validity: Validity;
  readonly key: KeyPair;
  readonly record: AuthorityKey;
  readonly serialBytes: Buffer;
}

function selfSigned({ values, names, validity, key, record, serialBytes }: Root): Buffer {
  const algorithm = signatureAlgorithm(record, values.signature_bits);
  const subject = subjectName(organisationAttributes(values), {
    commonName: names.commonName,
    serialNumber: values.serial_number === '' ? undefined : values.serial_number,
    userIds: [],
  });
  const id = keyIdentifier(key.publicKey);
  const extensions: Der[] = [
    authorityUsage,
    authorityConstraints(values.max_path_length < 0 ? undefined : values.max_path_length),
    subjectKeyIdentifier(id),
    authorityKeyIdentifier(id),
  ];
  if (nameCount(names.alternatives) > 0) extensions.push(subjectAltName(names.alternatives, { isSubjectEmpty: false }));
  if (values.permitted_dns_domains.length > 0)
    extensions.push(permittedDomains(values.permitted_dns_domains.map(constraintOf)));
  const toBeSigned = sequence(
    explicit(0, integer(2)),
    integerOfBytes(serialBytes),
    algorithm.der,
    subject,
    sequence(time(validity.notBeforeMs), time(validity.notAfterMs)),
    subject,
    key.publicKey.spki,
    explicit(3, sequence(...extensions)),
  );
  return signed(encode(toBeSigned), signingKey(record), algorithm);
}

const withoutDot = (domain: string): string => domain.replace(/^\./, '');

/** A leading dot stays: it leaves the domain itself out, for verifiers that know it. */
function constraintOf(domain: string): string {
  return `${domain.startsWith('.') ? '.' : ''}${hostnameOf(withoutDot(domain)) ?? domain}`;
}

function certificateForms(certificate: Buffer, key: KeyPair, values: RootValues): { readonly [name: string]: string } {
  const form = values.private_key_format === 'pkcs8' ? { label: 'PRIVATE KEY', der: key.pkcs8 } : key.traditional;
  const isDer = values.format === 'der';
  const text = isDer ? certificate.toString('base64') : pem('CERTIFICATE', certificate);
  if (values.exported === 'internal') return { certificate: text, issuing_ca: text };
  const keyText = isDer ? form.der.toString('base64') : pem(form.label, form.der);
  return {
    certificate: values.format === 'pem_bundle' ? `${keyText}\n${text}` : text,
    issuing_ca: text,
    private_key: keyText,
    private_key_type: key.publicKey.type,
  };
}

/** A random UUID (RFC 9562 §5.4). */
function uuid(random: (size: number) => Buffer): string {
  const bytes = Buffer.from(random(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
