import type { Call, Decision } from '@lockstep/contract/engine';
import type { JsonObject } from '@lockstep/contract/json';
import { LockstepError } from '@lockstep/contract/errors';
import { type FieldSpec, integerField } from '@lockstep/contract/fields';
import type { PkiFact } from './facts.ts';
import { isoTime } from './iso-time.ts';
import { certificateKey, certificatePrefix } from './keys.ts';
import { detailedBytesMax, detailedDefault, detailedMax } from './limits.ts';
import { cutWarning, pageFields, type PageValues, pageOf } from './list-page.ts';
import { commonNameOf, nameText } from './name-text.ts';
import { parseCertificate } from './parse-certificate.ts';
import { pem } from './pem.ts';
import { type Certificate, certificate as certificateRecord } from './records.ts';
import { colonSerial } from './reply-format.ts';
import { parseSerial } from './serials.ts';

export const detailedFields: { readonly [K in keyof PageValues]: FieldSpec<PageValues[K]> } = {
  ...pageFields,
  limit: integerField({
    default: 0,
    max: detailedMax,
    description: `at most this many certificates; 0 is ${detailedDefault}`,
  }),
};

/**
 * Stored certificates in the order of their serials, each with what is in it, as OpenBao has it, and the certificate itself. A page ends
 * at `limit` certificates or at `detailedBytesMax` bytes of them, and says so when there are more.
 */
export async function listDetailed(call: Call, page: PageValues): Promise<Decision<PkiFact>> {
  const after = page.after === '' ? '' : parseSerial('after', page.after);
  const limit = page.limit === 0 ? detailedDefault : page.limit;
  const { names, isCut } = await pageOf(call.state, certificatePrefix, { after, limit });
  const found: (readonly [serial: string, details: JsonObject])[] = [];
  let bytes = 0;
  for (const name of names) {
    const stored = call.state.get(certificateKey(name));
    // Between the list of keys and this line it may have been removed.
    if (stored === undefined) continue;
    if (found.length > 0 && bytes + stored.length > detailedBytesMax) break;
    bytes += stored.length;
    found.push([colonSerial(name), detailsOf(certificateRecord.decode(stored))]);
  }
  const last = found.at(-1)?.[0];
  if (last === undefined) throw new LockstepError('not-found', '');
  const data = { keys: found.map(([serial]) => serial), key_info: Object.fromEntries(found) };
  const isWhole = !isCut && last === colonSerial(names.at(-1) ?? '');
  return { reply: isWhole ? { data } : { data, warnings: [cutWarning(found.length, last)] } };
}

function detailsOf({ certificate, issuerId, revokedAtMs }: Certificate): JsonObject {
  const what = 'certificate';
  const parsed = parseCertificate(certificate, what);
  return {
    common_name: commonNameOf(parsed.subject, what),
    issuer: nameText(parsed.issuer, what),
    issuer_id: issuerId,
    key_type: parsed.publicKey.type,
    key_bits: parsed.publicKey.bits,
    not_before: isoTime(parsed.notBeforeMs),
    not_after: isoTime(parsed.notAfterMs),
    dns_names: parsed.dnsNames,
    revocation_time: revokedAtMs === undefined ? 0 : Math.floor(revokedAtMs / 1000),
    certificate: pem('CERTIFICATE', certificate),
  };
}
