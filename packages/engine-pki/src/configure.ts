// The mount's settings: default issuer, URLs, CRLs.
import { type Call, type Decision, unchanged } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import { booleanField, durationField, type FieldSpec, textField } from '@lockstep/contract/fields';
import type { JsonObject } from '@lockstep/contract/json';
import { crlConfigOf, idOf } from './apply.ts';
import type { PkiFact } from './facts.ts';
import { crlConfigKey, defaultIssuerKey, urlsKey } from './keys.ts';
import { crlExpirySecondsMin, nameLengthMax } from './limits.ts';
import { mountUrls, requireIssuer } from './load-issuer.ts';
import type { Urls } from './records.ts';
import { changedUrls, templatingField, type UrlValues, urlFields } from './urls.ts';

export interface IssuersConfig {
  readonly default: string;
  readonly default_follows_latest_issuer: boolean;
}
export const issuersConfigFields: { readonly [K in keyof IssuersConfig]: FieldSpec<IssuersConfig[K]> } = {
  default: textField({ required: true, max: nameLengthMax, description: 'the default issuer: a name or an id' }),
  default_follows_latest_issuer: booleanField({
    default: false,
    description: 'must be false: the default changes only when it is told to',
  }),
};

export function readIssuersConfig(call: Call): Decision<PkiFact> {
  const chosen = call.state.get(defaultIssuerKey);
  return {
    reply: { data: { default: chosen === undefined ? '' : idOf(chosen), default_follows_latest_issuer: false } },
  };
}

export function writeIssuersConfig(call: Call, values: IssuersConfig): Decision<PkiFact> {
  if (values.default_follows_latest_issuer)
    throw new LockstepError(
      'invalid-input',
      'default_follows_latest_issuer must be false: the default changes only when it is told to',
    );
  const { id, expects } = requireIssuer(call.state, values.default);
  const data = { default: id, default_follows_latest_issuer: false };
  return { facts: [{ type: 'defaultIssuerChosen', issuerId: id }], expects, reply: { data } };
}

export interface UrlsConfig extends UrlValues {
  readonly enable_templating: boolean;
}
export const urlsConfigFields: { readonly [K in keyof UrlsConfig]: FieldSpec<UrlsConfig[K]> } = {
  ...urlFields,
  enable_templating: templatingField('enable_templating'),
};

export function readUrlsConfig(call: Call): Decision<PkiFact> {
  return { reply: { data: urlsReply(mountUrls(call.state)) } };
}

/** Changes the lists that the request names, for certificates from now on. */
export function writeUrlsConfig(call: Call, values: UrlsConfig): Decision<PkiFact> {
  if (values.enable_templating)
    throw new LockstepError('invalid-input', 'enable_templating must be false: templates in URLs are not supported');
  const urls = changedUrls(mountUrls(call.state), values);
  return {
    facts: [{ type: 'urlsConfigured', urls }],
    expects: [unchanged(call.state, urlsKey)],
    reply: { data: urlsReply(urls) },
  };
}

function urlsReply(urls: Urls): JsonObject {
  return {
    issuing_certificates: urls.issuingCertificates,
    crl_distribution_points: urls.crlDistributionPoints,
    ocsp_servers: urls.ocspServers,
    delta_crl_distribution_points: [],
    enable_templating: false,
  };
}

export interface CrlConfigValues {
  readonly expiry: number | undefined;
  readonly disable: boolean;
  readonly enable_delta: boolean;
  readonly auto_rebuild: boolean;
  readonly allow_expired_cert_revocation: boolean;
}
export const crlConfigFields: { readonly [K in keyof CrlConfigValues]: FieldSpec<CrlConfigValues[K]> } = {
  expiry: durationField({ description: 'how long a CRL is good for' }),
  disable: booleanField({ default: false, description: 'must be false: CRLs cannot be turned off' }),
  enable_delta: booleanField({ default: false, description: 'must be false: delta CRLs are not supported' }),
  auto_rebuild: booleanField({
    default: false,
    description: 'CRLs are made when they are read and never stale, whatever this says',
  }),
  allow_expired_cert_revocation: booleanField({
    default: false,
    description: 'must be false: an expired certificate needs no revocation',
  }),
};

export function readCrlConfig(call: Call): Decision<PkiFact> {
  return { reply: { data: crlReply(crlConfigOf(call.state.get(crlConfigKey)).expirySeconds) } };
}

export function writeCrlConfig(call: Call, values: CrlConfigValues): Decision<PkiFact> {
  for (const name of ['disable', 'enable_delta', 'allow_expired_cert_revocation'] as const) {
    if (values[name]) throw new LockstepError('invalid-input', `${name} ${crlConfigFields[name].description}`);
  }
  const expirySeconds = values.expiry ?? crlConfigOf(call.state.get(crlConfigKey)).expirySeconds;
  if (expirySeconds < crlExpirySecondsMin)
    throw new LockstepError('invalid-input', `expiry must be at least ${crlExpirySecondsMin}s`);
  const data = crlReply(expirySeconds);
  const warnings = ['auto_rebuild changes nothing: CRLs are made when they are read'];
  return {
    facts: [{ type: 'crlConfigured', expirySeconds }],
    expects: [unchanged(call.state, crlConfigKey)],
    reply: values.auto_rebuild ? { data, warnings } : { data },
  };
}

/** Vault writes this duration as text. */
function crlReply(expirySeconds: number): JsonObject {
  return {
    expiry: `${expirySeconds}s`,
    disable: false,
    enable_delta: false,
    auto_rebuild: false,
    allow_expired_cert_revocation: false,
  };
}

/** A new CRL with a higher number, although nothing has changed. */
export function rotateCrl(_call: Call): Decision<PkiFact> {
  return { facts: [{ type: 'crlRotated' }], reply: { data: { success: true } } };
}
