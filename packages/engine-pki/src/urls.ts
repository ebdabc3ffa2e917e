// The URLs that certificates name: where the issuer, its CRL and an OCSP responder are.
import { LockstepError } from '@lockstep/contract/errors';
import { booleanField, type FieldSpec, listField } from '@lockstep/contract/fields';
import { uriLengthMax, urlsMax } from './limits.ts';
import type { Urls } from './records.ts';

export interface UrlValues {
  readonly issuing_certificates: readonly string[] | undefined;
  readonly crl_distribution_points: readonly string[] | undefined;
  readonly ocsp_servers: readonly string[] | undefined;
  readonly delta_crl_distribution_points: readonly string[] | undefined;
}
export const urlFields: { readonly [K in keyof UrlValues]: FieldSpec<UrlValues[K]> } = {
  issuing_certificates: listField({ description: "URLs of the issuer's certificate" }),
  crl_distribution_points: listField({ description: 'URLs of its CRL' }),
  ocsp_servers: listField({ description: 'URLs of an OCSP responder for it' }),
  delta_crl_distribution_points: listField({ description: 'must be empty: delta CRLs are not supported' }),
};
export const templatingField = (name: string): FieldSpec<boolean> =>
  booleanField({ default: false, description: `${name} must be false: templates in URLs are not supported` });

/** What the request names, over what was there. */
export function changedUrls(before: Urls, values: UrlValues): Urls {
  if ((values.delta_crl_distribution_points ?? []).length > 0)
    throw new LockstepError(
      'invalid-input',
      'delta_crl_distribution_points must be empty: delta CRLs are not supported',
    );
  return {
    issuingCertificates: checked('issuing_certificates', values.issuing_certificates) ?? before.issuingCertificates,
    crlDistributionPoints:
      checked('crl_distribution_points', values.crl_distribution_points) ?? before.crlDistributionPoints,
    ocspServers: checked('ocsp_servers', values.ocsp_servers) ?? before.ocspServers,
  };
}

function checked(field: string, urls: readonly string[] | undefined): readonly string[] | undefined {
  if (urls === undefined) return undefined;
  if (urls.length > urlsMax) throw new LockstepError('invalid-input', `${field} must have at most ${urlsMax} elements`);
  for (const url of urls) {
    if (url.length > uriLengthMax || !/^(https?|ldaps?):\/\/[\x21-\x7e]+$/i.test(url) || !URL.canParse(url))
      throw new LockstepError('invalid-input', `${field} must hold http, https or ldap URLs in ASCII`);
  }
  return urls;
}
