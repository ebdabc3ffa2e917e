import { beforeAll, describe, expect, test } from 'vitest';
import { type Raw, type TrialPki, trialPki } from './trial-pki.fixture.ts';

let mount: TrialPki;
beforeAll(async () => {
  mount = await trialPki();
});

describe('a role is refused', () => {
  const refused: readonly (readonly [string, Raw, string])[] = [
    ['with a TTL above its longest', { ttl: '2h', max_ttl: '1h' }, '"ttl" value must be less than "max_ttl" value'],
    ['with leases', { generate_lease: true }, 'generate_lease must be false: leases of certificates are not supported'],
    ['with PSS', { use_pss: 'true' }, 'use_pss must be false'],
    ['with templates', { allowed_domains_template: true }, 'allowed_domains_template must be false'],
    ['with URI templates', { allowed_uri_sans_template: true }, 'allowed_uri_sans_template must be false'],
    [
      'with globs in templates',
      { allow_globs_in_identity_templates: true },
      'allow_globs_in_identity_templates must be false',
    ],
    ['with a fixed beginning', { not_before: '2026-01-01T00:00:00Z' }, 'not_before must be ""'],
    ['with a bound on the beginning', { not_before_bound: 'forbid' }, 'not_before_bound must be "permit"'],
    ['with an unknown type of key', { key_type: 'dsa' }, 'key_type must be one of any, rsa, ec, ed25519'],
    [
      'with weak RSA',
      { key_type: 'rsa', key_bits: 1024 },
      'key_bits must be one of 2048, 3072, 4096 for keys of type rsa',
    ],
    ['with RSA that takes minutes', { key_type: 'rsa', key_bits: 8192 }, 'key_bits must be one of 2048, 3072, 4096'],
    ['with P-224', { key_type: 'ec', key_bits: 224 }, 'key_bits must be one of 256, 384, 521 for keys of type ec'],
    ['with a size for Ed25519', { key_type: 'ed25519', key_bits: 512 }, 'key_bits must be 0 for keys of type ed25519'],
    ['with a size and no type', { key_bits: 2048 }, 'key_bits must be 0 where key_type is "any"'],
    ['with another hash', { signature_bits: 224 }, 'signature_bits must be 0, 256, 384 or 512'],
    ['with an unknown usage', { key_usage: 'DigitalSignature,Sign' }, 'key_usage "Sign" is not known'],
    [
      'with an authority’s usage',
      { key_usage: 'CertSign' },
      'key_usage "CertSign" is for certificate authorities only',
    ],
    ['with an unknown purpose', { ext_key_usage: 'Servers' }, 'ext_key_usage "Servers" is not known'],
    ['with a purpose that is no OID', { ext_key_usage_oids: '1.2.x' }, 'ext_key_usage_oids holds "1.2.x"'],
    ['with a policy that is no OID', { policy_identifiers: '{"oid":"1.2.3"}' }, 'policy_identifiers holds'],
    ['with an unknown check of names', { cn_validations: 'dns' }, 'cn_validations "dns" is not one of'],
    ['with no check of names', { cn_validations: [] }, 'cn_validations must name a form'],
    ['with checks both on and off', { cn_validations: 'disabled,email' }, 'cn_validations must be "disabled" alone'],
    ['with a network that is none', { allowed_ip_sans_cidr: '10.0.0.1/8' }, 'allowed_ip_sans_cidr holds "10.0.0.1/8"'],
    ['with another name of another form', { allowed_other_sans: 'x' }, 'allowed_other_sans must hold'],
    ['with a country of three letters', { country: 'DEU' }, 'country must be at most 2 characters long'],
    ['with a country of one letter', { country: 'D' }, 'country must be a code of two letters'],
    [
      'with an organization of 65 characters',
      { organization: 'o'.repeat(65) },
      'organization must be at most 64 characters long',
    ],
    ['with a control character in its subject', { ou: 'a\u0007' }, 'ou must not contain control characters'],
    ['with a fixed end that is no time', { not_after: 'tomorrow' }, 'not_after must be a time such as'],
    ['with an unknown bound', { not_after_bound: 'maybe' }, 'not_after_bound must be a time such as'],
    ['with a reference that is no name', { issuer_ref: 'a/b' }, 'issuer_ref must be letters, digits and _'],
  ];
  test.each(refused)('%s', async (_, fields, message) => {
    await expect(mount.request('write', 'roles/bad', fields)).rejects.toThrow(message);
    await expect(mount.request('read', 'roles/bad')).rejects.toMatchObject({ code: 'not-found' });
  });

  test.each(['-a', 'a-', '.a', 'ä', 'a b', `${'a'.repeat(129)}`])('by the name "%s"', async (name) => {
    await expect(mount.request('write', `roles/${name}`, {})).rejects.toMatchObject({ code: 'invalid-input' });
  });
  test('by a name of 129 characters, not of 128', async () => {
    await expect(mount.request('write', `roles/${'a'.repeat(128)}`, {})).resolves.toBeDefined();
    await mount.request('delete', `roles/${'a'.repeat(128)}`);
  });
});

describe('a role', () => {
  test('has Vault’s defaults, but for its type of key and its bound on not_after', async () => {
    const { data } = await mount.request('write', 'roles/plain', {});
    expect(data).toMatchObject({
      issuer_ref: 'default',
      ttl: 0,
      max_ttl: 0,
      allow_localhost: true,
      allowed_domains: [],
      allow_bare_domains: false,
      allow_subdomains: false,
      allow_glob_domains: false,
      allow_wildcard_certificates: true,
      allow_any_name: false,
      enforce_hostnames: true,
      allow_ip_sans: true,
      allowed_uri_sans: [],
      server_flag: true,
      client_flag: true,
      code_signing_flag: false,
      email_protection_flag: false,
      key_type: 'any',
      key_bits: 0,
      key_usage: ['DigitalSignature', 'KeyAgreement', 'KeyEncipherment'],
      use_csr_common_name: true,
      use_csr_sans: true,
      no_store: false,
      require_cn: true,
      cn_validations: ['email', 'hostname'],
      not_before_duration: 30,
      generate_lease: false,
      not_after_bound: 'ttl-limited',
      basic_constraints_valid_for_non_ca: false,
      policy_identifiers: [],
    });
    expect((await mount.request('read', 'roles/plain')).data).toEqual(data);
  });

  test('is replaced by a write and merged by a patch', async () => {
    await mount.request('write', 'roles/merged', {
      allowed_domains: 'a.com,b.com',
      ttl: '1h',
      client_flag: false,
      key_type: 'ec',
    });
    const patched = await mount.request('patch', 'roles/merged', { ttl: '90m' });
    expect(patched.data).toMatchObject({
      allowed_domains: ['a.com', 'b.com'],
      ttl: 5400,
      client_flag: false,
      key_type: 'ec',
      key_bits: 256,
    });
    const replaced = await mount.request('write', 'roles/merged', { max_ttl: '2h' });
    expect(replaced.data).toMatchObject({
      allowed_domains: [],
      ttl: 0,
      max_ttl: 7200,
      client_flag: true,
      key_type: 'any',
    });
  });

  test('cannot be patched where there is none, nor by what a write refuses', async () => {
    await expect(mount.request('patch', 'roles/none', { ttl: '1h' })).rejects.toMatchObject({ code: 'not-found' });
    await mount.request('write', 'roles/held', { max_ttl: '1h' });
    await expect(mount.request('patch', 'roles/held', { ttl: '2h' })).rejects.toThrow('"ttl" value must be less');
    await expect(mount.request('patch', 'roles/held', { generate_lease: true })).rejects.toThrow(
      'generate_lease must be false',
    );
  });

  test('is patched only as it was read', async () => {
    await mount.request('write', 'roles/raced', { ttl: '1h' });
    const decision = await mount.decide('patch', 'roles/raced', { ttl: '2h' });
    await mount.request('write', 'roles/raced', { ttl: '3h' });
    expect(mount.record(decision).kind).toBe('conflict');
  });

  test('is listed until it is deleted, page by page', async () => {
    const own = await trialPki();
    for (const name of ['c', 'a', 'b']) await own.request('write', `roles/${name}`, {});
    expect((await own.request('list', 'roles')).data?.['keys']).toEqual(['a', 'b', 'c', 'web']);
    const page = await own.request('list', 'roles', { after: 'a', limit: 2 });
    expect(page.data?.['keys']).toEqual(['b', 'c']);
    expect(page.warnings).toEqual(['the list is cut after 2 keys; go on with after=c']);
    for (const name of ['a', 'b', 'c', 'web', 'web']) expect(await own.request('delete', `roles/${name}`)).toEqual({});
    await expect(own.request('list', 'roles')).rejects.toMatchObject({ code: 'not-found' });
  });
});
