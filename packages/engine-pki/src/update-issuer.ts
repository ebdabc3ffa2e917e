import { type Call, type Decision, type Expect, unchanged } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import { type FieldSpec, listField, textField } from '@lockstep/contract/fields';
import type { PkiFact } from './facts.ts';
import type { IssuerInPath } from './issue-fields.ts';
import { issuerKey, issuerNameKey } from './keys.ts';
import { checkName } from './names-in-paths.ts';
import { existingIssuer, issuerReply } from './read-issuers.ts';
import { type Issuer, urls as urlsRecord } from './records.ts';
import { changedUrls, templatingField, type UrlValues, urlFields } from './urls.ts';

export interface IssuerUpdate extends UrlValues {
  readonly issuer_name: string | undefined;
  readonly leaf_not_after_behavior: string | undefined;
  readonly usage: readonly string[] | undefined;
  readonly manual_chain: readonly string[] | undefined;
  readonly revocation_signature_algorithm: string | undefined;
  readonly enable_aia_url_templating: boolean;
}
export const issuerUpdateFields: { readonly [K in keyof IssuerUpdate]: FieldSpec<IssuerUpdate[K]> } = {
  ...urlFields,
  issuer_name: textField({ max: 128, description: 'a name for the issuer' }),
  leaf_not_after_behavior: textField({
    oneOf: ['err', 'truncate', 'permit'],
    description: 'what happens to a certificate that would outlive the issuer',
  }),
  usage: listField({
    description: 'read-only, issuing-certificates, crl-signing; without issuing-certificates it signs CRLs only',
  }),
  manual_chain: listField({ description: 'must be empty: chains are made by the engine' }),
  revocation_signature_algorithm: textField({ max: 64, description: 'must be empty: it follows the key' }),
  enable_aia_url_templating: templatingField('enable_aia_url_templating'),
};

const usages: readonly string[] = ['read-only', 'issuing-certificates', 'crl-signing', 'ocsp-signing'];
const noUrls = urlsRecord.initial;

/** Sets an issuer's fields; those that the request leaves out go back to their defaults, as in Vault. */
export function updateIssuer(call: Call, values: IssuerUpdate & Required<IssuerInPath>): Decision<PkiFact> {
  return changed(call, values, { name: '', leafNotAfterBehavior: 'err', mayIssue: true, urls: undefined });
}

/** Changes the fields that the request names. */
export function patchIssuer(call: Call, values: IssuerUpdate & Required<IssuerInPath>): Decision<PkiFact> {
  const { record } = existingIssuer(call, values.issuer_ref).issuer;
  return changed(call, values, record);
}

type Settings = Pick<Issuer, 'name' | 'leafNotAfterBehavior' | 'mayIssue' | 'urls'>;

function changed(call: Call, values: IssuerUpdate & Required<IssuerInPath>, before: Settings): Decision<PkiFact> {
  refuseUnsupported(values);
  const { id, issuer } = existingIssuer(call, values.issuer_ref);
  const name = values.issuer_name ?? before.name;
  const urls = changedUrls(before.urls ?? noUrls, values);
  const isAny = urls.issuingCertificates.length + urls.crlDistributionPoints.length + urls.ocspServers.length > 0;
  const record: Issuer = {
    ...issuer.record,
    name,
    leafNotAfterBehavior: values.leaf_not_after_behavior ?? before.leafNotAfterBehavior,
    mayIssue: values.usage?.includes('issuing-certificates') ?? before.mayIssue,
    urls: isAny ? urls : undefined,
  };
  const expects: Expect[] = [unchanged(call.state, issuerKey(id))];
  if (name !== '' && name !== issuer.record.name) expects.push(freeName(call, name));
  return {
    facts: [{ type: 'issuerUpdated', issuerId: id, issuer: record }],
    expects,
    reply: { data: issuerReply({ id, issuer: { ...issuer, record } }) },
  };
}

function refuseUnsupported(values: IssuerUpdate): void {
  const refuse = (rule: string): never => {
    throw new LockstepError('invalid-input', rule);
  };
  for (const usage of values.usage ?? [])
    if (!usages.includes(usage)) refuse(`usage "${usage}" is not one of ${usages.join(', ')}`);
  if (values.usage?.includes('crl-signing') === false)
    refuse('usage must have crl-signing: revocations have to be told');
  if (values.usage?.includes('ocsp-signing') === true) refuse('usage ocsp-signing is not supported');
  if ((values.manual_chain ?? []).length > 0) refuse('manual_chain must be empty: chains are made by the engine');
  if ((values.revocation_signature_algorithm ?? '') !== '')
    refuse('revocation_signature_algorithm must be empty: it follows the key');
  if (values.enable_aia_url_templating)
    refuse('enable_aia_url_templating must be false: templates in URLs are not supported');
}

function freeName(call: Call, name: string): Expect {
  checkName('issuer_name', name);
  if (name === 'default')
    throw new LockstepError('invalid-input', 'issuer_name must not be "default", which is a reference');
  const key = issuerNameKey(name);
  if (call.state.get(key) !== undefined) throw new LockstepError('invalid-input', `issuer_name "${name}" is in use`);
  return { kind: 'absent', key };
}
