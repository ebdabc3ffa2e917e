// Distinguished names (RFC 5280 §4.1.2.4), one attribute to each RelativeDistinguishedName.
import { LockstepError } from '@lockstep/contract/errors';
import { type Der, isPrintable, oid, printableString, sequence, setOfOne, utf8String } from './der.ts';

interface AttributeKind {
  readonly field: string;
  readonly oid: Buffer;
  /** The upper bound of RFC 5280 appendix A.1, in characters. */
  readonly max: number;
  /** PrintableString only, where the RFC allows nothing else. */
  readonly mustBePrintable: boolean;
}

const kind = (field: string, dotted: string, max: number, mustBePrintable = false): AttributeKind => ({
  field,
  oid: oid(dotted),
  max,
  mustBePrintable,
});

/** In the order that they have in a subject, which is the one that Go's and so Vault's certificates have. */
const kinds = {
  country: kind('country', '2.5.4.6', 2, true),
  organization: kind('organization', '2.5.4.10', 64),
  ou: kind('ou', '2.5.4.11', 64),
  locality: kind('locality', '2.5.4.7', 128),
  province: kind('province', '2.5.4.8', 128),
  street_address: kind('street_address', '2.5.4.9', 128),
  postal_code: kind('postal_code', '2.5.4.17', 40),
  common_name: kind('common_name', '2.5.4.3', 64),
  serial_number: kind('serial_number', '2.5.4.5', 64, true),
  user_ids: kind('user_ids', '0.9.2342.19200300.100.1.1', 256),
} as const;

/** What a role or an issuer's request says of every subject. */
export interface Organisation {
  readonly country: readonly string[];
  readonly organization: readonly string[];
  readonly ou: readonly string[];
  readonly locality: readonly string[];
  readonly province: readonly string[];
  readonly street_address: readonly string[];
  readonly postal_code: readonly string[];
}

/** What one certificate says of its own. */
export interface Person {
  readonly commonName: string | undefined;
  readonly serialNumber: string | undefined;
  readonly userIds: readonly string[];
}

const organisationFields = [
  'country',
  'organization',
  'ou',
  'locality',
  'province',
  'street_address',
  'postal_code',
] as const;

/** The attributes that come before the common name. Refuses a value that is too long or can't be written, naming its field. */
export function organisationAttributes(organisation: Organisation): readonly Der[] {
  return organisationFields.flatMap((field) => organisation[field].map((value) => attribute(kinds[field], value)));
}

/** The whole subject. Refuses a value that is too long or can't be written, naming its field. */
export function subjectName(organisation: readonly Der[], person: Person): Der {
  const own: Der[] = [];
  if (person.commonName !== undefined) own.push(attribute(kinds.common_name, person.commonName));
  if (person.serialNumber !== undefined) own.push(attribute(kinds.serial_number, person.serialNumber));
  for (const id of person.userIds) own.push(attribute(kinds.user_ids, id));
  return sequence(...organisation, ...own);
}

function attribute({ field, oid, max, mustBePrintable }: AttributeKind, value: string): Der {
  if (value.length > max * 2 || Array.from(value).length > max)
    throw new LockstepError('invalid-input', `${field} must be at most ${max} characters long in a certificate`);
  if (hasControlCharacter(value))
    throw new LockstepError('invalid-input', `${field} must not contain control characters`);
  const printable = isPrintable(value);
  if (mustBePrintable && !printable)
    throw new LockstepError('invalid-input', `${field} must be made of PrintableString's characters (X.680)`);
  if (field === 'country' && value.length !== 2)
    throw new LockstepError('invalid-input', 'country must be a code of two letters (ISO 3166)');
  return setOfOne(sequence(oid, printable ? printableString(value) : utf8String(value)));
}

/** C0, DEL, C1, and the separators that hide what follows. */
export function hasControlCharacter(text: string): boolean {
  // oxlint-disable-next-line no-control-regex -- control characters are what it looks for.
  return /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/.test(text);
}
