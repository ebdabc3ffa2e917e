import { verify } from 'node:crypto';
import type { Call, Decision } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import type { FieldSpec } from '@lockstep/contract/fields';
import { textField } from '@lockstep/contract/fields';
import type { ReadableState } from '@lockstep/contract/state';
import { DerReader } from './der-reader.ts';
import type { CertificateRevoked, PkiFact } from './facts.ts';
import { certificateKey, issuerPrefix } from './keys.ts';
import { certificateBytesMax, certificateTextMax, issuersMax, serialTextMax } from './limits.ts';
import { issuerOfId, type ParsedIssuer } from './load-issuer.ts';
import { type ParsedCertificate, parseCertificate, publicKeyOf } from './parse-certificate.ts';
import { derFromPem } from './pem.ts';
import { certificate as certificateRecord } from './records.ts';
import { colonSerial } from './reply-format.ts';
import { parseSerial } from './serials.ts';
import { algorithmOf } from './sign-der.ts';

export interface RevokeValues {
  readonly serial_number: string | undefined;
  readonly certificate: string | undefined;
}
export const revokeFields: { readonly [K in keyof RevokeValues]: FieldSpec<RevokeValues[K]> } = {
  serial_number: textField({
    max: serialTextMax,
    description: 'the serial of the certificate, with colons or hyphens',
  }),
  certificate: textField({
    max: certificateTextMax,
    description: 'the certificate in PEM, which need not be stored here',
  }),
};

/** Revokes for ever; a second time answers the time of the first. It is in the CRL that any node serves after this was acknowledged. */
export async function revokeCertificate(call: Call, values: RevokeValues): Promise<Decision<PkiFact>> {
  const revoked = await revokedBy(call, values);
  const { state } = call;
  const authority = issuerOfId(state, revoked.issuerId);
  if (authority?.certificate.serial === revoked.serial)
    throw new LockstepError('invalid-input', `adding issuer (id: ${revoked.issuerId}) to its own CRL is not allowed`);
  if (revoked.notAfterSeconds * 1000 < call.now)
    return {
      reply: {
        warnings: [`certificate with serial ${colonSerial(revoked.serial)} already expired; refusing to add to CRL`],
      },
    };
  return { facts: [revoked], reply: ([data]) => (data === undefined ? {} : { data }) };
}

/** A stored certificate's revocation, whether it is the first or not; undefined where none is stored. */
export function revocationFact(state: ReadableState, serial: string): CertificateRevoked | undefined {
  const stored = state.get(certificateKey(serial));
  if (stored === undefined) return undefined;
  const { issuerId, notAfterSeconds } = certificateRecord.decode(stored);
  return { type: 'certificateRevoked', serial, issuerId, notAfterSeconds, certificate: undefined };
}

async function revokedBy(call: Call, values: RevokeValues): Promise<CertificateRevoked> {
  const { serial_number, certificate } = values;
  const given = (text: string | undefined): text is string => text !== undefined && text !== '';
  if (given(serial_number) && given(certificate))
    throw new LockstepError('invalid-input', 'Must provide either the certificate or the serial to revoke; not both.');
  if (given(certificate)) return await presented(call, certificate);
  if (!given(serial_number))
    throw new LockstepError('invalid-input', 'The serial number or certificate to revoke must be provided.');
  const serial = parseSerial('serial_number', serial_number);
  const known = revocationFact(call.state, serial);
  if (known === undefined)
    throw new LockstepError('invalid-input', `certificate with serial ${serial_number} not found.`);
  return known;
}

/** A certificate that is shown: known by its serial, or else signed by an issuer of this mount. */
async function presented(call: Call, text: string): Promise<CertificateRevoked> {
  const der = derFromPem(text, { field: 'certificate', labels: ['CERTIFICATE'], bytesMax: certificateBytesMax });
  const shown = parseCertificate(der, 'certificate');
  const stored = call.state.get(certificateKey(shown.serial));
  const known = revocationFact(call.state, shown.serial);
  if (stored !== undefined && known !== undefined) {
    if (Buffer.compare(certificateRecord.decode(stored).certificate, der) === 0) return known;
    throw new LockstepError(
      'invalid-input',
      `certificate: another one with serial ${colonSerial(shown.serial)} is stored`,
    );
  }
  const issuerId = await issuerThatSigned(call.state, shown);
  if (issuerId === undefined)
    throw new LockstepError('invalid-input', 'certificate: no issuer of this mount has signed it');
  return {
    type: 'certificateRevoked',
    serial: shown.serial,
    issuerId,
    notAfterSeconds: shown.notAfterMs / 1000,
    certificate: der,
  };
}

async function issuerThatSigned(state: ReadableState, shown: ParsedCertificate): Promise<string | undefined> {
  const keys = await state.keys({ prefix: issuerPrefix, limit: issuersMax });
  for (const key of keys) {
    const id = key.slice(issuerPrefix.length);
    const issuer = issuerOfId(state, id);
    if (issuer !== undefined && hasSigned(issuer, shown)) return id;
  }
  return undefined;
}

function hasSigned(issuer: ParsedIssuer, shown: ParsedCertificate): boolean {
  if (Buffer.compare(issuer.certificate.subject, shown.issuer) !== 0) return false;
  const reader = new DerReader(shown.der, 'certificate').enter(0x30);
  const tbs = reader.next(0x30).whole;
  const algorithm = reader.next(0x30).whole;
  const known = algorithmOf(algorithm);
  return known !== undefined && verify(known.hash, tbs, publicKeyOf(issuer.certificate, 'issuer'), reader.bitString());
}
