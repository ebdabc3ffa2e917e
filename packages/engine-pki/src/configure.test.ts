import { beforeEach, describe, expect, test } from 'vitest';
import { pki } from './engine.ts';
import { urlsMax } from './limits.ts';
import { issue, parsed, type Raw, type TrialPki, textOf, trialPki, valuesOf } from './trial-pki.fixture.ts';

let mount: TrialPki;
beforeEach(async () => {
  mount = await trialPki({ root: { issuer_name: 'first' } });
});

describe('a setting is refused', () => {
  const refused: readonly (readonly [string, string, Raw, string])[] = [
    [
      'an unknown default issuer',
      'config/issuers',
      { default: 'nobody' },
      'unable to find PKI issuer for reference: nobody',
    ],
    ['no default issuer', 'config/issuers', {}, 'default is required'],
    [
      'a default that moves by itself',
      'config/issuers',
      { default: 'first', default_follows_latest_issuer: true },
      'default_follows_latest_issuer must be false',
    ],
    [
      'a URL that is none',
      'config/urls',
      { ocsp_servers: 'ocsp.example.com' },
      'ocsp_servers must hold http, https or ldap URLs',
    ],
    [
      'a URL of another kind',
      'config/urls',
      { issuing_certificates: 'file:///etc/passwd' },
      'issuing_certificates must hold http',
    ],
    [
      'a URL with a space',
      'config/urls',
      { crl_distribution_points: 'http://a/ b' },
      'crl_distribution_points must hold http',
    ],
    [
      'one URL too many',
      'config/urls',
      { ocsp_servers: Array.from({ length: urlsMax + 1 }, () => 'http://a/') },
      `ocsp_servers must have at most ${urlsMax} elements`,
    ],
    ['templates in URLs', 'config/urls', { enable_templating: true }, 'enable_templating must be false'],
    [
      'delta CRLs',
      'config/urls',
      { delta_crl_distribution_points: 'http://a/' },
      'delta_crl_distribution_points must be empty',
    ],
    ['no CRLs', 'config/crl', { disable: true }, 'disable must be false: CRLs cannot be turned off'],
    ['delta CRLs again', 'config/crl', { enable_delta: true }, 'enable_delta must be false'],
    ['a CRL that is stale when made', 'config/crl', { expiry: '299s' }, 'expiry must be at least 300s'],
    [
      'an unknown behaviour',
      'issuer/first',
      { leaf_not_after_behavior: 'ignore' },
      'leaf_not_after_behavior must be one of err, truncate, permit',
    ],
    ['an unknown usage', 'issuer/first', { usage: 'everything' }, 'usage "everything" is not one of'],
    ['an issuer without CRLs', 'issuer/first', { usage: 'issuing-certificates' }, 'usage must have crl-signing'],
    ['OCSP', 'issuer/first', { usage: 'crl-signing,ocsp-signing' }, 'usage ocsp-signing is not supported'],
    ['a chain by hand', 'issuer/first', { manual_chain: 'self' }, 'manual_chain must be empty'],
    [
      'an algorithm for CRLs',
      'issuer/first',
      { revocation_signature_algorithm: 'SHA256WithRSA' },
      'revocation_signature_algorithm must be empty',
    ],
    [
      'templates of an issuer',
      'issuer/first',
      { enable_aia_url_templating: true },
      'enable_aia_url_templating must be false',
    ],
    ['the name of the reference', 'issuer/first', { issuer_name: 'default' }, 'issuer_name must not be "default"'],
  ];
  test.each(refused)('%s', async (_, path, fields, message) => {
    await expect(mount.request('write', path, fields)).rejects.toThrow(message);
  });

  test('of an issuer that is not there', async () => {
    await expect(mount.request('write', 'issuer/nobody', {})).rejects.toMatchObject({ code: 'not-found' });
    await expect(mount.request('read', 'issuer/nobody')).rejects.toMatchObject({ code: 'not-found' });
  });
});

describe('settings', () => {
  test('of URLs change one list at a time', async () => {
    expect((await mount.request('read', 'config/urls')).data?.['ocsp_servers']).toEqual([]);
    await mount.request('write', 'config/urls', {
      ocsp_servers: 'http://a/ocsp',
      issuing_certificates: ['http://a/ca'],
    });
    await mount.request('write', 'config/urls', { issuing_certificates: 'http://b/ca' });
    expect((await mount.request('read', 'config/urls')).data).toMatchObject({
      ocsp_servers: ['http://a/ocsp'],
      issuing_certificates: ['http://b/ca'],
    });
  });

  test('of CRLs are read as they were written, and auto_rebuild has nothing to change', async () => {
    expect((await mount.request('read', 'config/crl')).data?.['expiry']).toBe('259200s');
    const reply = await mount.request('write', 'config/crl', { expiry: '300s', auto_rebuild: true });
    expect(reply.warnings).toHaveLength(1);
    expect((await mount.request('read', 'config/crl')).data).toMatchObject({ expiry: '300s', auto_rebuild: false });
  });

  test('choose the default issuer by name', async () => {
    const second = await mount.request('write', 'root/generate/internal', {
      common_name: 'Second',
      issuer_name: 'second',
      ttl: '720h',
    });
    await mount.request('write', 'config/issuers', { default: 'second' });
    expect((await mount.request('read', 'config/issuers')).data?.['default']).toBe(second.data?.['issuer_id']);
    expect(parsed(await issue(mount, { common_name: 'a.example.com' })).issuer).toBe('CN=Second');
    const listed = await mount.request('list', 'issuers');
    expect(listed.data?.['keys']).toHaveLength(2);
    expect(listed.data?.['key_info']).toMatchObject({
      [textOf(valuesOf(second), 'issuer_id')]: { issuer_name: 'second', is_default: true },
    });
  });

  test('rename an issuer, and free its old name', async () => {
    await mount.request('write', 'issuer/first', { issuer_name: 'renamed', leaf_not_after_behavior: 'truncate' });
    await expect(mount.request('read', 'issuer/first')).rejects.toMatchObject({ code: 'not-found' });
    expect((await mount.request('read', 'issuer/renamed')).data).toMatchObject({
      issuer_name: 'renamed',
      leaf_not_after_behavior: 'truncate',
    });
    await mount.request('patch', 'issuer/renamed', { ocsp_servers: 'http://a/' });
    expect((await mount.request('read', 'issuer/renamed')).data).toMatchObject({
      leaf_not_after_behavior: 'truncate',
      ocsp_servers: ['http://a/'],
    });
    await mount.request('write', 'root/generate/internal', { common_name: 'Second', issuer_name: 'first' });
    await expect(mount.request('write', 'issuer/renamed', { issuer_name: 'first' })).rejects.toThrow(
      'issuer_name "first" is in use',
    );
  });
});

describe('without a token', () => {
  test('certificates, chains and CRLs are read, and nothing else is done', () => {
    const open = pki.routes.filter(({ isPublic }) => isPublic).map(({ operation, path }) => `${operation} ${path}`);
    expect(open.sort()).toEqual([
      'list issuers',
      'read ca',
      'read ca/pem',
      'read ca_chain',
      'read cert/:serial',
      'read cert/:serial/raw',
      'read cert/:serial/raw/pem',
      'read cert/ca',
      'read cert/ca_chain',
      'read cert/crl',
      'read crl',
      'read crl/pem',
      'read issuer/:issuer_ref/crl',
      'read issuer/:issuer_ref/crl/der',
      'read issuer/:issuer_ref/crl/pem',
      'read issuer/:issuer_ref/der',
      'read issuer/:issuer_ref/json',
      'read issuer/:issuer_ref/pem',
    ]);
  });
});
