import type { Call, Decision, Reply } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import type { ReadableState } from '@lockstep/contract/state';
import type { PkiFact } from './facts.ts';
import { isoTime } from './iso-time.ts';
import { certificateKey, certificatePrefix, revocationOf, revokedPrefix } from './keys.ts';
import { listReply, type PageValues, pageOf } from './list-page.ts';
import { pem } from './pem.ts';
import { type Certificate, certificate as certificateRecord } from './records.ts';
import { colonSerial } from './reply-format.ts';
import { parseSerial } from './serials.ts';

interface SerialValues {
  readonly serial: string;
}

export function readCertificate(call: Call, { serial }: SerialValues): Decision<PkiFact> {
  const { certificate, issuerId, revokedAtMs } = storedCertificate(call.state, serial);
  return {
    reply: {
      data: {
        certificate: pem('CERTIFICATE', certificate),
        revocation_time: revokedAtMs === undefined ? 0 : Math.floor(revokedAtMs / 1000),
        revocation_time_rfc3339: revokedAtMs === undefined ? '' : isoTime(revokedAtMs),
        issuer_id: issuerId,
      },
    },
  };
}

export function readCertificateDer(call: Call, { serial }: SerialValues): Decision<PkiFact> {
  return { reply: derReply(storedCertificate(call.state, serial).certificate) };
}

export function readCertificatePem(call: Call, { serial }: SerialValues): Decision<PkiFact> {
  return { reply: pemReply([storedCertificate(call.state, serial).certificate]) };
}

export const derReply = (der: Uint8Array): Reply => ({ raw: { contentType: 'application/pkix-cert', body: der } });

export function pemReply(ders: readonly Uint8Array[]): Reply {
  const body = Buffer.from(ders.map((der) => pem('CERTIFICATE', der)).join('\n'));
  return { raw: { contentType: 'application/pem-certificate-chain', body } };
}

function storedCertificate(state: ReadableState, text: string): Certificate {
  const stored = state.get(certificateKey(parseSerial('serial', text)));
  if (stored === undefined) throw new LockstepError('not-found', '');
  return certificateRecord.decode(stored);
}

/** Serials of all stored certificates, in their own order. */
export async function listCertificates(call: Call, page: PageValues): Promise<Decision<PkiFact>> {
  const after = page.after === '' ? '' : parseSerial('after', page.after);
  return listReply(await pageOf(call.state, certificatePrefix, { ...page, after }), colonSerial);
}

/** Serials of revoked certificates: by issuer, and in the order in which they were revoked. */
export async function listRevoked(call: Call, page: PageValues): Promise<Decision<PkiFact>> {
  if (page.after !== '') throw new LockstepError('invalid-input', 'after is not supported for revoked certificates');
  return listReply(await pageOf(call.state, revokedPrefix, page), (rest) =>
    colonSerial(revocationOf(`${revokedPrefix}${rest}`).serial),
  );
}
