// The certificate itself: pure, from checked parts. Everything here that could be encoded before has been.
import { type Der, encode, explicit, integer, integerOfBytes, sequence, time } from './der.ts';
import { subjectAltName, subjectKeyIdentifier } from './extensions.ts';
import { nameCount } from './general-names.ts';
import { serialBytes } from './limits.ts';
import type { ParsedIssuer } from './load-issuer.ts';
import type { CheckedNames } from './name-rules.ts';
import { keyIdentifier, type PublicKey } from './public-key.ts';
import type { RoleProfile } from './role-profile.ts';
import { type SigningKey, signatureAlgorithm, signed } from './sign-der.ts';
import { subjectName } from './subject.ts';

export interface Leaf {
  readonly issuer: ParsedIssuer;
  readonly signingKey: SigningKey;
  readonly profile: RoleProfile;
  /** Authority information access and distribution points, one after the other. */
  readonly locations: Buffer;
  readonly names: CheckedNames;
  readonly serialNumber: string | undefined;
  readonly userIds: readonly string[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly publicKey: PublicKey;
  readonly serial: Buffer;
}

const versionThree = encode(explicit(0, integer(2)));

/** Signs one leaf certificate (RFC 5280 §4) and returns its DER. */
export function issueLeaf(leaf: Leaf): Buffer {
  const { issuer, profile, names, publicKey, serial } = leaf;
  const algorithm = signatureAlgorithm(leaf.signingKey.record, profile.role.signature_bits);
  const subject = subjectName(profile.organisation, {
    commonName: names.commonName,
    serialNumber: leaf.serialNumber,
    userIds: leaf.userIds,
  });
  const extensions: Der[] = [
    profile.extensions[publicKey.type],
    subjectKeyIdentifier(keyIdentifier(publicKey)),
    issuer.authorityKeyId,
    leaf.locations,
  ];
  if (nameCount(names.alternatives) > 0)
    extensions.push(subjectAltName(names.alternatives, { isSubjectEmpty: subject.length === emptyNameLength }));
  const toBeSigned = sequence(
    versionThree,
    integerOfBytes(serial),
    algorithm.der,
    issuer.certificate.subject,
    sequence(time(leaf.notBeforeMs), time(leaf.notAfterMs)),
    subject,
    publicKey.spki,
    explicit(3, sequence(...extensions)),
  );
  return signed(toBeSigned, leaf.signingKey, algorithm);
}

const emptyNameLength = sequence().length;

/** Twenty bytes, positive and without a leading zero byte, of which 158 bits are random (RFC 5280 §4.1.2.2 asks for at most 20 bytes). */
export function drawSerial(random: (size: number) => Buffer): Buffer {
  const serial = Buffer.from(random(serialBytes));
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  return serial;
}
