// Certificate revocation lists (RFC 5280 §5), made when they are read.
//
// A revocation is one small fact whatever the list's length; the list is a function of the state and the log's time, so every node
// makes the same one, and a reader on any node sees each revocation that was acknowledged before. A list in the log would cost its
// whole length for each revocation, and be a value without bound. What a read costs: the keys that are new since the last one, one
// copy of the entries and one signature for each change or minute; else nothing.
import type { Call, Decision } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import { memoise, type ReadableState } from '@lockstep/contract/state';
import { crlConfigOf } from './apply.ts';
import { type Der, encode, explicit, integer, integerOfBytes, sequence, time } from './der.ts';
import { crlNumber } from './extensions.ts';
import type { PkiFact } from './facts.ts';
import type { IssuerInPath } from './issue-fields.ts';
import { crlConfigKey, issuerKey } from './keys.ts';
import { crlEntriesMax, crlEpochSeconds } from './limits.ts';
import { type FoundIssuer, findIssuer, signingKeyOf } from './load-issuer.ts';
import { pem } from './pem.ts';
import type { CrlConfig } from './records.ts';
import { RevokedEntries, revocationCount } from './revoked-entries.ts';
import { signatureAlgorithm, signed } from './sign-der.ts';

export async function readCrlDer(call: Call, { issuer_ref }: IssuerInPath): Promise<Decision<PkiFact>> {
  const crl = await currentCrl(call, issuer_ref ?? 'default');
  return { reply: crl === undefined ? {} : { raw: { contentType: 'application/pkix-crl', body: crl } } };
}

export async function readCrlPem(call: Call, { issuer_ref }: IssuerInPath): Promise<Decision<PkiFact>> {
  const crl = await currentCrl(call, issuer_ref ?? 'default');
  if (crl === undefined) return { reply: {} };
  return { reply: { raw: { contentType: 'application/x-pem-file', body: Buffer.from(pem('X509 CRL', crl)) } } };
}

/** As `cert/crl` has it: within the envelope. */
export async function readCrlJson(call: Call): Promise<Decision<PkiFact>> {
  const crl = await currentCrl(call, 'default');
  if (crl === undefined) throw new LockstepError('not-found', '');
  return {
    reply: {
      data: { certificate: pem('X509 CRL', crl), revocation_time: 0, revocation_time_rfc3339: '', issuer_id: '' },
    },
  };
}

/** As `issuer/:issuer_ref/crl` has it. */
export async function readIssuerCrl(call: Call, { issuer_ref }: Required<IssuerInPath>): Promise<Decision<PkiFact>> {
  const crl = await currentCrl(call, issuer_ref);
  const found = findIssuer(call.state, issuer_ref);
  if (crl === undefined || found === undefined) throw new LockstepError('not-found', '');
  const { id, issuer } = found;
  return { reply: { data: { crl: pem('X509 CRL', crl), issuer_id: id, issuer_name: issuer.record.name } } };
}

/** What a node keeps of an issuer's list between reads, for as long as the issuer's state is unchanged. */
interface Kept {
  readonly entries: RevokedEntries;
  last: { readonly edition: string; readonly crl: Buffer } | undefined;
}
const keptOf = memoise((): Kept => ({ entries: new RevokedEntries(), last: undefined }));

async function currentCrl(call: Call, ref: string): Promise<Buffer | undefined> {
  const { state } = call;
  const found = findIssuer(state, ref);
  if (found === undefined && ref === 'default') return undefined;
  const bytes = found === undefined ? undefined : state.get(issuerKey(found.id));
  if (found === undefined || bytes === undefined) throw new LockstepError('not-found', '');
  const count = revocationCount(state, found.id);
  if (count > crlEntriesMax)
    throw new LockstepError(
      'failed-precondition',
      `issuer ${found.id} has more than ${crlEntriesMax} revoked certificates, too many for one CRL`,
    );
  const kept = keptOf(bytes);
  // A state that was put back to an earlier one can have fewer: it starts again.
  if (kept.entries.count > count) return await makeCrl(call, found, { entries: new RevokedEntries(), last: undefined });
  return await makeCrl(call, found, kept);
}

async function makeCrl(call: Call, found: FoundIssuer, kept: Kept): Promise<Buffer> {
  const { state } = call;
  const config = crlConfigOf(state.get(crlConfigKey));
  const epoch = Math.floor(call.now / 1000 / crlEpochSeconds);
  const count = revocationCount(state, found.id);
  const edition = `${count + config.generation}/${epoch}`;
  if (kept.last?.edition === edition) return kept.last.crl;
  await kept.entries.catchUp(state, found.id, count);
  const crl = signList(state, found, { entries: kept.entries, config, epoch });
  kept.last = { edition, crl };
  return crl;
}

interface List {
  readonly entries: RevokedEntries;
  readonly config: CrlConfig;
  readonly epoch: number;
}

/**
 * The number grows with every revocation and every epoch, and lists of one number are the same but for the randomness in their
 * signature (RFC 5280 §5.2.3). An entry leaves only after a list of a later time than its certificate's end has had it (§3.3).
 */
function signList(state: ReadableState, { issuer }: FoundIssuer, { entries, config, epoch }: List): Buffer {
  const key = signingKeyOf(state, issuer);
  const algorithm = signatureAlgorithm(key.record, 0);
  const epochStart = epoch * crlEpochSeconds;
  const thisUpdate = Math.max(
    epochStart,
    entries.lastRevokedAtSeconds,
    Math.floor(config.changedAtMs / 1000),
    issuer.certificate.notBeforeMs / 1000,
  );
  const listed = entries.endingFrom(epochStart - config.expirySeconds);
  const toBeSigned: Der[] = [
    integer(1),
    algorithm.der,
    issuer.certificate.subject,
    time(thisUpdate * 1000),
    time((thisUpdate + config.expirySeconds) * 1000),
    ...(listed.length === 0 ? [] : [sequence(listed)]),
    explicit(0, sequence(issuer.authorityKeyId, crlNumber(editionNumber(entries.count + config.generation, epoch)))),
  ];
  return signed(encode(sequence(...toBeSigned)), key, algorithm);
}

function editionNumber(changes: number, epoch: number): Der {
  const bytes = Buffer.alloc(12);
  bytes.writeBigUInt64BE(BigInt(changes), 0);
  bytes.writeUInt32BE(epoch, 8);
  return integerOfBytes(bytes);
}
