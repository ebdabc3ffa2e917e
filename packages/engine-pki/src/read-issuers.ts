import type { Call, Decision } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import type { JsonObject } from '@lockstep/contract/json';
import type { PkiFact } from './facts.ts';
import { idOf } from './apply.ts';
import type { IssuerInPath } from './issue-fields.ts';
import { defaultIssuerKey, issuerPrefix } from './keys.ts';
import { issuersMax } from './limits.ts';
import { type FoundIssuer, findIssuer, issuerOfId } from './load-issuer.ts';
import { derReply, pemReply } from './read-certificates.ts';
import { colonSerial } from './reply-format.ts';

/** The default issuer's certificate; an empty answer where there is none yet. */
export function readCaDer(call: Call): Decision<PkiFact> {
  const found = findIssuer(call.state, 'default');
  return { reply: found === undefined ? {} : derReply(found.issuer.record.certificate) };
}

export function readCaPem(call: Call): Decision<PkiFact> {
  const found = findIssuer(call.state, 'default');
  return { reply: found === undefined ? {} : pemReply([found.issuer.record.certificate]) };
}

export function readCaChain(call: Call): Decision<PkiFact> {
  const found = findIssuer(call.state, 'default');
  return { reply: found === undefined ? {} : pemReply(found.issuer.chain.map(({ der }) => der)) };
}

/** As `cert/ca` and `cert/ca_chain` have it: within the envelope. */
export function readCaJson(call: Call): Decision<PkiFact> {
  const found = findIssuer(call.state, 'default');
  if (found === undefined) throw new LockstepError('not-found', '');
  const { issuer, id } = found;
  return {
    reply: {
      data: {
        certificate: issuer.pem,
        ca_chain: issuer.chain.map((link) => link.pem).join('\n'),
        revocation_time: 0,
        revocation_time_rfc3339: '',
        issuer_id: id,
      },
    },
  };
}

export async function listIssuers(call: Call): Promise<Decision<PkiFact>> {
  const keys = await call.state.keys({ prefix: issuerPrefix, limit: issuersMax });
  if (keys.length === 0) throw new LockstepError('not-found', '');
  const chosen = call.state.get(defaultIssuerKey);
  const defaultId = chosen === undefined ? '' : idOf(chosen);
  const ids = keys.map((key) => key.slice(issuerPrefix.length));
  const info = ids.map((id): readonly [string, JsonObject] => {
    const issuer = issuerOfId(call.state, id);
    return [
      id,
      {
        issuer_name: issuer?.record.name ?? '',
        is_default: id === defaultId,
        key_id: issuer?.record.keyId ?? '',
        serial_number: colonSerial(issuer?.certificate.serial ?? ''),
      },
    ];
  });
  return { reply: { data: { keys: ids, key_info: Object.fromEntries(info) } } };
}

export function readIssuer(call: Call, { issuer_ref }: Required<IssuerInPath>): Decision<PkiFact> {
  return { reply: { data: issuerReply(existingIssuer(call, issuer_ref)) } };
}

/** The public part, for who has no token. */
export function readIssuerJson(call: Call, { issuer_ref }: Required<IssuerInPath>): Decision<PkiFact> {
  const { id, issuer } = existingIssuer(call, issuer_ref);
  return {
    reply: {
      data: {
        certificate: issuer.pem,
        ca_chain: issuer.chain.map((link) => link.pem),
        issuer_id: id,
        issuer_name: issuer.record.name,
      },
    },
  };
}

export function readIssuerDer(call: Call, { issuer_ref }: Required<IssuerInPath>): Decision<PkiFact> {
  return { reply: derReply(existingIssuer(call, issuer_ref).issuer.record.certificate) };
}

export function readIssuerPem(call: Call, { issuer_ref }: Required<IssuerInPath>): Decision<PkiFact> {
  return { reply: pemReply([existingIssuer(call, issuer_ref).issuer.record.certificate]) };
}

export function existingIssuer(call: Call, ref: string): FoundIssuer {
  const found = findIssuer(call.state, ref);
  if (found === undefined) throw new LockstepError('not-found', '');
  return found;
}

export function issuerReply({ id, issuer }: Pick<FoundIssuer, 'id' | 'issuer'>): JsonObject {
  const { record } = issuer;
  return {
    issuer_id: id,
    issuer_name: record.name,
    key_id: record.keyId,
    certificate: issuer.pem,
    ca_chain: issuer.chain.map((link) => link.pem),
    manual_chain: null,
    leaf_not_after_behavior: record.leafNotAfterBehavior,
    usage: record.mayIssue ? 'crl-signing,issuing-certificates,read-only' : 'crl-signing,read-only',
    revocation_signature_algorithm: '',
    revoked: false,
    issuing_certificates: record.urls?.issuingCertificates ?? [],
    crl_distribution_points: record.urls?.crlDistributionPoints ?? [],
    ocsp_servers: record.urls?.ocspServers ?? [],
  };
}
