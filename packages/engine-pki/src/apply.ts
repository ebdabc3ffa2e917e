import { counterValue, readCounter } from '@lockstep/contract/counter';
import type { AppliedAt } from '@lockstep/contract/engine';
import { assert } from '@lockstep/contract/errors';
import type { JsonObject } from '@lockstep/contract/json';
import { emptyValue, type WritableState } from '@lockstep/contract/state';
import type { CertificateRevoked, PkiFact, RootGenerated } from './facts.ts';
import { isoTime } from './iso-time.ts';
import {
  authorityKeyKey,
  certificateKey,
  crlConfigKey,
  defaultIssuerKey,
  dueKey,
  issuerKey,
  issuerNameKey,
  revocationsKey,
  revokedKey,
  roleKey,
  urlsKey,
} from './keys.ts';
import { crlExpirySecondsDefault } from './limits.ts';
import * as record from './records.ts';

const idText = new TextDecoder();
const idBytes = new TextEncoder();

/** Folds one fact into a mount's state. What it returns reaches the decision's reply. */
export function applyPki(state: WritableState, happened: PkiFact, at: AppliedAt): JsonObject | undefined {
  switch (happened.type) {
    case 'roleWritten':
      assert(happened.role !== undefined, 'a written role has its fields');
      state.put(roleKey(happened.name), record.role.encode(happened.role));
      return undefined;
    case 'roleDeleted':
      state.delete(roleKey(happened.name));
      return undefined;
    case 'rootGenerated':
      return applyRoot(state, happened);
    case 'certificateIssued':
      putCertificate(state, happened.serial, { ...happened, revokedAtMs: undefined, revocation: 0 });
      // By this a repeat of the request finds the certificate that it supersedes.
      return { issued: happened.serial };
    case 'certificateRevoked':
      return applyRevocation(state, happened, at);
    case 'defaultIssuerChosen':
      state.put(defaultIssuerKey, idBytes.encode(happened.issuerId));
      return undefined;
    case 'issuerUpdated':
      return applyIssuerUpdate(state, happened);
    case 'urlsConfigured':
      assert(happened.urls !== undefined, 'configured urls have their lists');
      state.put(urlsKey, record.urls.encode(happened.urls));
      return undefined;
    case 'crlConfigured':
      return changeCrls(state, at, happened.expirySeconds);
    case 'crlRotated':
      return changeCrls(state, at, undefined);
    default:
      happened satisfies never;
      return undefined;
  }
}

function applyRoot(state: WritableState, happened: RootGenerated): undefined {
  const { issuerId, issuer, key, serial, notAfterSeconds } = happened;
  assert(issuer !== undefined && key !== undefined, 'a generated root has its issuer and its key');
  state.put(issuerKey(issuerId), record.issuer.encode(issuer));
  state.put(authorityKeyKey(issuer.keyId), record.authorityKey.encode(key));
  if (issuer.name !== '') state.put(issuerNameKey(issuer.name), idBytes.encode(issuerId));
  if (state.get(defaultIssuerKey) === undefined) state.put(defaultIssuerKey, idBytes.encode(issuerId));
  const stored = { certificate: issuer.certificate, issuerId, notAfterSeconds, revokedAtMs: undefined, revocation: 0 };
  putCertificate(state, serial, stored);
  return undefined;
}

function putCertificate(state: WritableState, serial: string, certificate: record.Certificate): void {
  state.put(certificateKey(serial), record.certificate.encode(certificate));
  state.put(dueKey(certificate.notAfterSeconds, serial), emptyValue);
}

/** A certificate is revoked once: a second time changes nothing and answers the first time. */
function applyRevocation(state: WritableState, happened: CertificateRevoked, at: AppliedAt): JsonObject {
  const { serial, issuerId, notAfterSeconds } = happened;
  const before = state.get(certificateKey(serial));
  const known = before === undefined ? undefined : record.certificate.decode(before);
  if (known?.revokedAtMs !== undefined) return revoked(known.revokedAtMs);
  const ordinal = readCounter(state.get(revocationsKey(issuerId))) + 1;
  state.put(revocationsKey(issuerId), counterValue(ordinal));
  const revokedAtSeconds = Math.floor(at.timeMs / 1000);
  state.put(revokedKey({ issuerId, ordinal, serial, revokedAtSeconds, notAfterSeconds }), emptyValue);
  putCertificate(state, serial, {
    certificate: known?.certificate ?? happened.certificate ?? emptyValue,
    issuerId,
    notAfterSeconds,
    revokedAtMs: at.timeMs,
    revocation: ordinal,
  });
  return revoked(at.timeMs);
}

/** The reply to `revoke`, as Vault words it; a repeat with the same idempotency key gets it from here. */
function revoked(ms: number): JsonObject {
  return { revocation_time: Math.floor(ms / 1000), revocation_time_rfc3339: isoTime(ms), state: 'revoked' };
}

function applyIssuerUpdate(state: WritableState, happened: Extract<PkiFact, { type: 'issuerUpdated' }>): undefined {
  const { issuerId, issuer } = happened;
  assert(issuer !== undefined, 'an updated issuer has its fields');
  const before = state.get(issuerKey(issuerId));
  const oldName = before === undefined ? '' : record.issuer.decode(before).name;
  if (oldName !== '' && oldName !== issuer.name) state.delete(issuerNameKey(oldName));
  if (issuer.name !== '') state.put(issuerNameKey(issuer.name), idBytes.encode(issuerId));
  state.put(issuerKey(issuerId), record.issuer.encode(issuer));
  return undefined;
}

function changeCrls(state: WritableState, at: AppliedAt, expirySeconds: number | undefined): undefined {
  const before = crlConfigOf(state.get(crlConfigKey));
  const after = {
    expirySeconds: expirySeconds ?? before.expirySeconds,
    generation: before.generation + 1,
    changedAtMs: at.timeMs,
  };
  state.put(crlConfigKey, record.crlConfig.encode(after));
  return undefined;
}

export function crlConfigOf(value: Uint8Array | undefined): record.CrlConfig {
  if (value === undefined) return { expirySeconds: crlExpirySecondsDefault, generation: 0, changedAtMs: 0 };
  return record.crlConfig.decode(value);
}

/** The id that an index key's value holds. */
export const idOf = (value: Uint8Array): string => idText.decode(value);
