import './reflect.fixture.ts';
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { Call } from '@lockstep/contract/engine';
import { parseFields } from '@lockstep/contract/fields';
import type { JsonObject } from '@lockstep/contract/json';
import { MountId, rootNamespace, TimeMs } from '@lockstep/contract/ids';
import type { TriedEngine } from '@lockstep/contract/try-engine';
import * as x509 from '@peculiar/x509';
import * as asn1js from 'asn1js';
import fc from 'fast-check';
import forge from 'node-forge';
import * as pkijs from 'pkijs';
import { beforeAll, describe, expect, test } from 'vitest';
import { pkiFacts } from './facts.ts';
import { hostnameOf } from './hostnames.ts';
import { issueCertificate } from './issue-certificate.ts';
import { issueFields } from './issue-fields.ts';
import { certificateKey } from './keys.ts';
import { commonNameLengthMax, namesMax } from './limits.ts';
import { drawSerial } from './leaf.ts';
import {
  hasOpenssl,
  issue,
  openssl,
  parsed,
  type Raw,
  type TrialPki,
  textOf,
  trialPki,
  webRole,
} from './trial-pki.fixture.ts';

let mount: TrialPki;
beforeAll(async () => {
  mount = await trialPki();
});

/** What asking for this under a role changed so is refused with. */
async function refusal(role: Raw, fields: Raw): Promise<string> {
  await mount.request('write', 'roles/changed', webRole(role));
  return await mount.request('write', 'issue/changed', fields).then(
    () => 'allowed',
    (error: Error) => error.message,
  );
}

describe('a certificate is refused', () => {
  test('under an unknown role', async () => {
    await expect(mount.request('write', 'issue/none', { common_name: 'a.example.com' })).rejects.toMatchObject({
      code: 'invalid-input',
      message: 'unknown role: none',
    });
  });

  test('where the mount has no issuer, in the words that clients know', async () => {
    const empty = await trialPki();
    await empty.request('write', 'roles/lost', webRole({ issuer_ref: 'nobody' }));
    await expect(empty.request('write', 'issue/lost', { common_name: 'a.example.com' })).rejects.toMatchObject({
      code: 'failed-precondition',
      message: 'could not fetch the CA certificate (was one set?): unable to find PKI issuer for reference: nobody',
    });
  });

  const long = `${'a'.repeat(commonNameLengthMax - '.example.com'.length + 1)}.example.com`;
  const refused: readonly (readonly [string, Raw, Raw, string])[] = [
    ['without a common name', {}, {}, 'the common_name field is required, or must be provided in a CSR'],
    ['for a name elsewhere', {}, { common_name: 'a.evil.com' }, 'common name a.evil.com not allowed by this role'],
    ['for a name that only ends alike', {}, { common_name: 'aexample.com' }, 'common name aexample.com not allowed'],
    ['for the domain itself', {}, { common_name: 'example.com' }, 'common name example.com not allowed by this role'],
    [
      'for a subdomain where only bare domains are allowed',
      { allow_subdomains: false, allow_bare_domains: true },
      { common_name: 'a.example.com' },
      'not allowed by this role',
    ],
    [
      'for a wildcard where only bare domains are allowed',
      { allow_subdomains: false, allow_bare_domains: true },
      { common_name: '*.example.com' },
      'not allowed by this role',
    ],
    [
      'for a wildcard that the role forbids, even with any name',
      { allow_any_name: true, allow_wildcard_certificates: false },
      { common_name: '*.example.com' },
      'wildcards are not allowed',
    ],
    ['for a partial wildcard', { allow_any_name: true }, { common_name: 'a*.example.com' }, 'it is not a hostname'],
    [
      'for what is no hostname',
      { allow_any_name: true },
      { common_name: 'My Service' },
      'common name My Service not allowed by this role: it is not a hostname',
    ],
    ['for a common name that is too long', {}, { common_name: long }, 'common_name must be at most 64 characters long'],
    [
      'for a common name with a newline',
      { allow_any_name: true, enforce_hostnames: false },
      { common_name: 'a\nb' },
      'common_name must not contain control characters',
    ],
    [
      'for a common name that hides its end',
      { allow_any_name: true, enforce_hostnames: false },
      { common_name: 'a\u202eb' },
      'common_name must not contain control characters',
    ],
    [
      'for localhost where it is not allowed',
      { allow_localhost: false },
      { common_name: 'localhost' },
      'not allowed by this role',
    ],
    [
      'for an alternative name elsewhere',
      {},
      { common_name: 'a.example.com', alt_names: 'b.example.com,evil.com' },
      'subject alternate name evil.com not allowed by this role',
    ],
    [
      'for an address among alternative names',
      { allow_any_name: true },
      { common_name: 'a.b', alt_names: '10.0.0.1' },
      'which belongs in ip_sans',
    ],
    [
      'for an email address elsewhere',
      {},
      { common_name: 'a.example.com', alt_names: 'me@evil.com' },
      'email address me@evil.com not allowed by this role',
    ],
    [
      'for an email address as common name where none is taken',
      { cn_validations: 'hostname', allow_any_name: true },
      { common_name: 'me@example.com' },
      'cn_validations do not include email',
    ],
    [
      'for what is no address',
      {},
      { common_name: 'a.example.com', ip_sans: '1.2.3' },
      'the value "1.2.3" is not a valid IP address',
    ],
    [
      'for an address where none is allowed',
      { allow_ip_sans: false },
      { common_name: 'a.example.com', ip_sans: '10.0.0.1' },
      'IP Subject Alternative Names are not allowed in this role',
    ],
    [
      'for an address outside the networks',
      { allowed_ip_sans_cidr: '10.0.0.0/8' },
      { common_name: 'a.example.com', ip_sans: '::ffff:11.0.0.1' },
      'the IP address "11.0.0.1" is not allowed in this role',
    ],
    [
      'for a URI where none is allowed',
      {},
      { common_name: 'a.example.com', uri_sans: 'spiffe://x/y' },
      'URI Subject Alternative Names are not allowed in this role',
    ],
    [
      'for a URI that the patterns leave out',
      { allowed_uri_sans: 'spiffe://x/*' },
      { common_name: 'a.example.com', uri_sans: 'spiffe://y/x' },
      'is not valid for this role',
    ],
    [
      'for what is no URI',
      { allowed_uri_sans: '*' },
      { common_name: 'a.example.com', uri_sans: 'not a uri' },
      'uri_sans must hold absolute URIs',
    ],
    [
      'for another name where none is allowed',
      {},
      { common_name: 'a.example.com', other_sans: '1.2.3;UTF8:x' },
      'other SAN OID 1.2.3 not allowed by this role',
    ],
    [
      'for another name of another form',
      { allowed_other_sans: '*' },
      { common_name: 'a.example.com', other_sans: '1.2.3;INT:1' },
      'other_sans must hold elements of the form',
    ],
    [
      'for a subject serial that is not allowed',
      {},
      { common_name: 'a.example.com', serial_number: '12' },
      'serial_number 12 not allowed by this role',
    ],
    [
      'for a user id that is not allowed',
      {},
      { common_name: 'a.example.com', user_ids: 'me' },
      'user_id me is not allowed by this role',
    ],
    [
      'with both ttl and not_after',
      {},
      { common_name: 'a.example.com', ttl: '1h', not_after: '2026-01-02T00:00:00Z' },
      'Either ttl or not_after should be provided',
    ],
    [
      'with not_after in the past',
      {},
      { common_name: 'a.example.com', not_after: '2000-01-01T00:00:00Z' },
      'not_after 2000-01-01T00:00:00Z is in the past',
    ],
    [
      'with not_after on a day that does not exist',
      {},
      { common_name: 'a.example.com', not_after: '2026-02-30T00:00:00Z' },
      'not_after must be a time such as',
    ],
    [
      'with not_after past the longest TTL',
      { max_ttl: '48h' },
      { common_name: 'a.example.com', not_after: '2026-01-03T00:00:01Z' },
      'not_after is later than this role allows: its longest TTL is 172800s',
    ],
    [
      'with not_after where the role forbids it',
      { not_after_bound: 'forbid' },
      { common_name: 'a.example.com', not_after: '2026-01-02T00:00:00Z' },
      'its not_after_bound is "forbid"',
    ],
    [
      'with not_after past the bound',
      { not_after_bound: '2026-01-02T00:00:00Z' },
      { common_name: 'a.example.com', not_after: '2026-01-02T00:00:01Z' },
      'its not_after_bound is 2026-01-02T00:00:00Z',
    ],
    [
      'with not_after in the last year that can be written',
      { not_after_bound: 'permit' },
      { common_name: 'a.example.com', not_after: '9999-12-31T23:59:59Z' },
      'beyond the expiration of the CA certificate',
    ],
    [
      'when it would outlive its issuer',
      {},
      { common_name: 'a.example.com', ttl: '721h' },
      'cannot satisfy request, as TTL would result in notAfter of 2026-01-31T01:00:00Z that is beyond the expiration of the CA certificate at 2026-01-31T00:00:00Z',
    ],
    [
      'with not_before',
      {},
      { common_name: 'a.example.com', not_before: '2026-01-01T00:00:00Z' },
      'not_before is not supported',
    ],
    [
      'with a key that nobody makes',
      { key_type: 'any' },
      { common_name: 'a.example.com', key_type: 'rsa', key_bits: 1024 },
      'key_bits must be one of 2048, 3072, 4096',
    ],
    [
      'with a curve that nobody uses',
      { key_type: 'any' },
      { common_name: 'a.example.com', key_type: 'ec', key_bits: 224 },
      'key_bits must be one of 256, 384, 521',
    ],
    [
      'with an unknown format',
      {},
      { common_name: 'a.example.com', format: 'jks' },
      'format must be one of pem, der, pem_bundle',
    ],
  ];
  test.each(refused)('%s', async (_, role, fields, message) => {
    expect(await refusal(role, fields)).toContain(message);
  });

  test('with one name more than it can have, and not with as many', async () => {
    const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `h${i}.example.com`);
    const { certificate } = await issue(mount, { common_name: 'h0.example.com', alt_names: names(namesMax) });
    expect(new X509Certificate(String(certificate)).subjectAltName?.split(', ')).toHaveLength(namesMax);
    expect(await refusal({}, { common_name: 'h0.example.com', alt_names: names(namesMax + 1) })).toContain(
      'at most 256 names',
    );
  });

  test('by an issuer that has expired, or may not issue', async () => {
    const aged = await trialPki({ root: { ttl: '1h' } });
    await aged.request('write', 'issuer/default', { usage: 'read-only,crl-signing' });
    await expect(issue(aged, { common_name: 'a.example.com', ttl: '1m' })).rejects.toThrow(
      'may not issue certificates',
    );
    await aged.request('write', 'issuer/default', {});
    aged.advance(3_600_000);
    await expect(issue(aged, { common_name: 'a.example.com', ttl: '1m' })).rejects.toThrow(
      'the CA certificate expired at',
    );
  });

  test('by another issuer than the role names, where the body and not the path asks for it', async () => {
    const two = await trialPki();
    await two.request('write', 'root/generate/internal', { common_name: 'Other', issuer_name: 'other', ttl: '720h' });
    const byBody = parsed(await issue(two, { common_name: 'a.example.com', issuer_ref: 'other' }));
    const byPath = parsed(await issue(two, { common_name: 'a.example.com' }, 'issuer/other/issue/web'));
    expect([byBody.issuer, byPath.issuer]).toEqual(['CN=Trial Root', 'CN=Other']);
  });

  test('with the name of the role in the refusal', async () => {
    expect(await refusal({}, { common_name: 'evil.com' })).toContain('(role "changed")');
  });
});

describe('which names are allowed', () => {
  /** Every name under every set of flags: the outcome that Vault's rules give. */
  const names = [
    'example.com',
    'EXAMPLE.com',
    'a.example.com',
    'a.b.example.com',
    '*.example.com',
    '*.a.example.com',
    'localhost',
    'a.localhost',
    'me@example.com',
    'me@a.example.com',
    'other.org',
    'g1.glob.org',
  ];
  const flags = [
    'allow_bare_domains',
    'allow_subdomains',
    'allow_glob_domains',
    'allow_any_name',
    'allow_localhost',
    'allow_wildcard_certificates',
  ] as const;

  function expected(name: string, on: (flag: (typeof flags)[number]) => boolean): boolean {
    const lower = name.toLowerCase();
    const isWildcard = lower.startsWith('*.');
    if (isWildcard && !on('allow_wildcard_certificates')) return false;
    if (on('allow_any_name')) return true;
    if (on('allow_localhost') && lower === 'localhost') return true;
    if (on('allow_localhost') && on('allow_subdomains') && lower === 'a.localhost') return true;
    const host = isWildcard ? lower.slice(2) : (lower.split('@').at(-1) ?? '');
    if (on('allow_bare_domains') && !isWildcard && host === 'example.com') return true;
    if (on('allow_subdomains') && (host.endsWith('.example.com') || (isWildcard && host === 'example.com')))
      return true;
    return on('allow_glob_domains') && lower === 'g1.glob.org';
  }

  test('is decided by the flags, all 64 sets of them', async () => {
    const wrong: string[] = [];
    for (let set = 0; set < 2 ** flags.length; set++) {
      const on = (flag: (typeof flags)[number]): boolean => (set & (1 << flags.indexOf(flag))) !== 0;
      const role = Object.fromEntries(flags.map((flag) => [flag, on(flag)]));
      await mount.request('write', 'roles/matrix', { ...role, allowed_domains: 'example.com,g*.glob.org', ttl: '1h' });
      for (const name of names) {
        const wanted = expected(name, on);
        const isAllowed = await mount.decide('write', 'issue/matrix', { common_name: name }).then(
          () => true,
          () => false,
        );
        if (isAllowed !== wanted) wrong.push(`${name} with ${JSON.stringify(role)}: ${isAllowed}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test('never makes an email address a wildcard, nor a glob a name of its own', async () => {
    expect(
      await refusal({ allow_any_name: true }, { common_name: 'a.example.com', alt_names: 'me@*.example.com' }),
    ).toContain('not a mailbox');
    expect(await refusal({ allowed_domains: '*', allow_glob_domains: false }, { common_name: 'a.b' })).toContain(
      'not allowed',
    );
  });
});

describe('an issued certificate', () => {
  test('is what independent parsers read', async () => {
    await mount.request('write', 'roles/full', {
      allowed_domains: 'example.com',
      allow_subdomains: true,
      allow_bare_domains: true,
      ttl: '24h',
      allowed_uri_sans: 'spiffe://*',
      allowed_other_sans: '*',
      allowed_serial_numbers: '*',
      allowed_user_ids: '*',
      organization: 'Acme (Berlin)',
      ou: 'Ops,Größen',
      country: 'DE',
      basic_constraints_valid_for_non_ca: true,
      policy_identifiers: '1.3.6.1.4.1.1.1',
      ext_key_usage_oids: '1.3.6.1.4.1.2.2',
    });
    const made = await issue(
      mount,
      {
        common_name: 'a.example.com',
        alt_names: 'b.example.com,*.c.example.com,me@example.com',
        ip_sans: '10.0.0.1,2001:db8::1',
        uri_sans: 'spiffe://x/y',
        other_sans: '1.3.6.1.4.1.311.20.2.3;UTF8:me@corp',
        serial_number: 'N-1',
        user_ids: 'me',
      },
      'issue/full',
    );
    const der = parsed(made).raw;
    const native = parsed(made);
    expect(native.subject.split('\n')).toEqual([
      'C=DE',
      'O=Acme (Berlin)',
      'OU=Ops',
      'OU=Größen',
      'CN=a.example.com',
      'serialNumber=N-1',
      'UID=me',
    ]);
    expect(native.ca).toBe(false);
    const theirs = new x509.X509Certificate(der);
    expect(theirs.extensions.map(({ type, critical }) => `${type}${critical ? ' critical' : ''}`)).toEqual([
      '2.5.29.15 critical',
      '2.5.29.37',
      '2.5.29.19 critical',
      '2.5.29.32',
      '2.5.29.14',
      '2.5.29.35',
      '2.5.29.17',
    ]);
    const names = theirs.getExtension(x509.SubjectAlternativeNameExtension)?.names.items ?? [];
    const plain = new Set(['dns', 'email', 'url', 'ip']);
    expect(names.filter(({ type }) => plain.has(type)).map(({ type, value }) => `${type}:${value}`)).toEqual([
      'email:me@example.com',
      'dns:a.example.com',
      'dns:b.example.com',
      'dns:*.c.example.com',
      'url:spiffe://x/y',
      'ip:10.0.0.1',
      'ip:2001:db8::1',
    ]);
    expect(names).toHaveLength(8);
    expect(theirs.getExtension(x509.KeyUsagesExtension)?.usages).toBe(
      x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyAgreement,
    );
    expect(theirs.getExtension(x509.ExtendedKeyUsageExtension)?.usages).toEqual([
      '1.3.6.1.5.5.7.3.1',
      '1.3.6.1.5.5.7.3.2',
      '1.3.6.1.4.1.2.2',
    ]);
    const other = new pkijs.Certificate({ schema: asn1js.fromBER(der).result });
    expect(other.extensions).toHaveLength(7);
    expect(Buffer.from(other.toSchema(false).toBER()).equals(der)).toBe(true);
    expect(native.subjectAltName).toContain('othername');
  });

  test.for(['ec', 'ed25519', 'rsa'])(
    'by a root with a key of type %s verifies, with its own key of each type',
    async (type, { skip }) => {
      const own = await trialPki({ root: { key_type: type } });
      const root = new X509Certificate(textOf(own.root, 'certificate'));
      const made: string[] = [];
      for (const [key_type, key_bits] of [
        ['ec', 0],
        ['ec', 384],
        ['ec', 521],
        ['ed25519', 0],
        ['rsa', 2048],
      ]) {
        const leaf = await issue(own, { common_name: 'a.example.com', key_type, key_bits });
        const certificate = parsed(leaf);
        expect(certificate.verify(root.publicKey)).toBe(true);
        expect(certificate.checkPrivateKey(createPrivateKey(textOf(leaf, 'private_key')))).toBe(true);
        expect(leaf['private_key_type']).toBe(key_type);
        made.push(textOf(leaf, 'certificate'));
      }
      if (!hasOpenssl) skip('there is no openssl command');
      const files = Object.fromEntries(made.map((text, at) => [`${at}.pem`, text]));
      const checked = openssl(
        ['verify', '-x509_strict', '-attime', String(own.nowMs() / 1000), '-CAfile', 'root.pem', ...Object.keys(files)],
        {
          ...files,
          'root.pem': textOf(own.root, 'certificate'),
        },
      );
      expect(checked.status, checked.output).toBe(0);
    },
  );

  test('under an RSA role is read by node-forge, and its hash is the one that the role of an RSA issuer asks for', async () => {
    const own = await trialPki({ root: { key_type: 'rsa' }, role: { signature_bits: 512, key_type: 'rsa' } });
    const leaf = await issue(own, { common_name: 'a.example.com', ip_sans: '10.0.0.1' });
    const theirs = forge.pki.certificateFromPem(textOf(leaf, 'certificate'));
    expect(forge.pki.certificateFromPem(textOf(own.root, 'certificate')).verify(theirs)).toBe(true);
    expect(theirs.siginfo.algorithmOid).toBe(forge.pki.oids['sha512WithRSAEncryption']);
    expect(textOf(leaf, 'private_key')).toContain('BEGIN RSA PRIVATE KEY');
    expect(new x509.X509Certificate(parsed(leaf).raw).getExtension(x509.KeyUsagesExtension)?.usages).toBe(
      x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment,
    );
  });

  test('holds every name that was asked for, whatever they are, and OpenSSL agrees about each', async () => {
    await mount.request('write', 'roles/any', {
      allow_any_name: true,
      allowed_uri_sans: '*',
      ttl: '1h',
      require_cn: false,
    });
    const asked = fc.record({
      dns: fc.uniqueArray(
        fc.domain().filter((name) => hostnameOf(name) !== undefined),
        { minLength: 1, maxLength: 5, selector: (name) => name.toLowerCase() },
      ),
      ips: fc.uniqueArray(
        fc.oneof(fc.ipV4(), fc.ipV6()).filter((ip) => isIP(ip) !== 0),
        { maxLength: 3 },
      ),
      uris: fc.uniqueArray(fc.webUrl(), { maxLength: 2 }),
    });
    await fc.assert(
      fc.asyncProperty(asked, async ({ dns, ips, uris }) => {
        const made = parsed(await issue(mount, { alt_names: dns, ip_sans: ips, uri_sans: uris }, 'issue/any'));
        for (const name of dns) expect(made.checkHost(name)).toBe(name);
        for (const ip of ips) expect(made.checkIP(ip)).toBe(ip);
        expect(made.checkHost('elsewhere.invalid')).toBeUndefined();
        expect(made.subject ?? '').toBe('');
        const san = new x509.X509Certificate(made.raw).getExtension(x509.SubjectAlternativeNameExtension);
        expect(san?.critical).toBe(true);
        expect(san?.names.items.filter(({ type }) => type === 'dns').map(({ value }) => value)).toEqual(
          dns.map((name) => name.toLowerCase()),
        );
      }),
      { numRuns: 25 },
    );
  });

  test('has the common name among its names, unless it is none or is kept out', async () => {
    const sanOf = async (fields: Raw, path?: string): Promise<string | undefined> =>
      parsed(await issue(mount, fields, path)).subjectAltName;
    expect(await sanOf({ common_name: 'A.Example.com' })).toBe('DNS:a.example.com');
    expect(await sanOf({ common_name: 'a.example.com', exclude_cn_from_sans: 'true' })).toBeUndefined();
    await mount.request('write', 'roles/loose', { allow_any_name: true, enforce_hostnames: false, ttl: '1h' });
    expect(await sanOf({ common_name: 'My Service' }, 'issue/loose')).toBeUndefined();
    expect(await sanOf({ common_name: 'me@example.com' }, 'issue/loose')).toBe('email:me@example.com');
    expect(await sanOf({ common_name: 'ä.example.com' }, 'issue/loose')).toBe('DNS:xn--4ca.example.com');
  });

  test('never names by its common name what the role forbids, even where common names go unchecked', async () => {
    await mount.request('write', 'roles/unchecked', webRole({ cn_validations: 'disabled' }));
    expect(parsed(await issue(mount, { common_name: 'evil.com' }, 'issue/unchecked')).subjectAltName).toBeUndefined();
    expect(parsed(await issue(mount, { common_name: 'a.example.com' }, 'issue/unchecked')).subjectAltName).toBe(
      'DNS:a.example.com',
    );
  });

  test('is good from 30 s before until the TTL after the time of the call', async () => {
    const start = Math.floor(mount.nowMs() / 1000);
    const made = await issue(mount, { common_name: 'a.example.com', ttl: '1h' });
    expect(made).toMatchObject({ not_before: start - 30, expiration: start + 3600 });
    expect(Date.parse(parsed(made).validFrom) / 1000).toBe(start - 30);
    expect(Date.parse(parsed(made).validTo) / 1000).toBe(start + 3600);
  });

  test('is cut to the longest TTL, and says so', async () => {
    await mount.request('write', 'roles/short', webRole({ ttl: '1h', max_ttl: '2h' }));
    const reply = await mount.request('write', 'issue/short', { common_name: 'a.example.com', ttl: '3h' });
    expect(reply.warnings).toEqual(['TTL "3h0m0s" is longer than permitted maxTTL "2h0m0s", so maxTTL is being used']);
    expect(reply.data?.['expiration']).toBe(Math.floor(mount.nowMs() / 1000) + 7200);
    const exact = await mount.request('write', 'issue/short', { common_name: 'a.example.com', ttl: '2h' });
    expect(exact.warnings).toBeUndefined();
  });

  test('is cut where the role has a longer TTL than the mount allows, and says so; the default of a mount is cut silently', async () => {
    const own = await trialPki({ role: { ttl: '1000h' } });
    await own.request('patch', 'issuer/default', { leaf_not_after_behavior: 'permit' });
    const reply = await own.request('write', 'issue/web', { common_name: 'a.example.com' });
    expect(reply.warnings?.[0]).toBe(
      'TTL "1000h0m0s" is longer than permitted maxTTL "768h0m0s", so maxTTL is being used',
    );
    await own.request('write', 'roles/default', webRole({ ttl: 0, max_ttl: '2h' }));
    expect((await own.request('write', 'issue/default', { common_name: 'a.example.com' })).warnings).toBeUndefined();
  });

  test('ends with its issuer where that says so, or where nobody chose a TTL', async () => {
    const own = await trialPki({ role: { ttl: 0 } });
    const end = Math.floor(own.nowMs() / 1000) + 720 * 3600;
    const unasked = await own.request('write', 'issue/web', { common_name: 'a.example.com' });
    expect(unasked.data?.['expiration']).toBe(end);
    expect(unasked.warnings).toEqual(['the certificate ends with its CA at 2026-01-31T00:00:00Z']);
    await own.request('patch', 'issuer/default', { leaf_not_after_behavior: 'truncate' });
    expect((await issue(own, { common_name: 'a.example.com', ttl: '721h' }))['expiration']).toBe(end);
    await own.request('patch', 'issuer/default', { leaf_not_after_behavior: 'permit' });
    expect((await issue(own, { common_name: 'a.example.com', ttl: '721h' }))['expiration']).toBe(end + 3600);
  });

  test('says where issuer, CRL and OCSP are: the mount says it, or the issuer in its place', async () => {
    const own = await trialPki();
    await own.request('write', 'config/urls', {
      issuing_certificates: 'http://a/ca',
      crl_distribution_points: 'http://a/crl,http://b/crl',
      ocsp_servers: 'http://a/ocsp',
    });
    const first = parsed(await issue(own, { common_name: 'a.example.com' }));
    expect(first.infoAccess?.trim().split('\n')).toEqual(['OCSP - URI:http://a/ocsp', 'CA Issuers - URI:http://a/ca']);
    const points = new x509.X509Certificate(first.raw).getExtension(x509.CRLDistributionPointsExtension);
    expect(
      points?.distributionPoints.map((point) => point.distributionPoint?.fullName?.[0]?.uniformResourceIdentifier),
    ).toEqual(['http://a/crl', 'http://b/crl']);
    await own.request('write', 'issuer/default', { issuing_certificates: 'http://own/ca' });
    const second = parsed(await issue(own, { common_name: 'a.example.com' }));
    expect(second.infoAccess?.trim()).toBe('CA Issuers - URI:http://own/ca');
    expect(new x509.X509Certificate(second.raw).getExtension('2.5.29.31')).toBeNull();
  });
});

describe('the reply', () => {
  test('in each format holds the same certificate and key', async () => {
    for (const format of ['pem', 'der', 'pem_bundle']) {
      for (const private_key_format of ['der', 'pkcs8']) {
        const made = await issue(mount, { common_name: 'a.example.com', format, private_key_format });
        const text = textOf(made, 'certificate');
        const certificate = new X509Certificate(
          format === 'der' ? Buffer.from(text, 'base64') : text.slice(text.indexOf('-----BEGIN CERTIFICATE')),
        );
        const keyText = textOf(made, 'private_key');
        const type = private_key_format === 'pkcs8' ? 'pkcs8' : 'sec1';
        const key =
          format === 'der'
            ? createPrivateKey({ key: Buffer.from(keyText, 'base64'), format: 'der', type })
            : createPrivateKey(keyText);
        expect(certificate.checkPrivateKey(key)).toBe(true);
        if (format !== 'der')
          expect(keyText).toContain(type === 'pkcs8' ? 'BEGIN PRIVATE KEY' : 'BEGIN EC PRIVATE KEY');
        if (format === 'pem_bundle') expect(text.match(/-----BEGIN [A-Z ]+-----/g)).toHaveLength(3);
        expect(certificate.serialNumber.toLowerCase()).toBe(textOf(made, 'serial_number').replaceAll(':', ''));
      }
    }
  });

  test('has the issuer and its chain, without the root where that is asked for', async () => {
    const whole = await issue(mount, { common_name: 'a.example.com' });
    expect(whole['issuing_ca']).toBe(mount.root['certificate']);
    expect(whole['ca_chain']).toEqual([mount.root['certificate']]);
    const cut = await issue(mount, { common_name: 'a.example.com', remove_roots_from_chain: true });
    expect(cut['ca_chain']).toBeUndefined();
  });

  test('is the only place that has the private key', async () => {
    const own = await trialPki();
    const made = await own.decide('write', 'issue/web', {
      common_name: 'a.example.com',
      format: 'der',
      private_key_format: 'pkcs8',
    });
    const reply = typeof made.reply === 'function' ? {} : made.reply;
    const key = createPrivateKey({
      key: Buffer.from(textOf(reply.data ?? {}, 'private_key'), 'base64'),
      format: 'der',
      type: 'pkcs8',
    });
    const scalar = Buffer.from(key.export({ format: 'jwk' }).d ?? '', 'base64url');
    expect(scalar).toHaveLength(32);
    for (const fact of made.facts ?? []) expect(Buffer.from(fact).includes(scalar)).toBe(false);
  });

  test('says that the role decides the key, where the request names another', async () => {
    await mount.request('write', 'roles/fixed', webRole({ key_type: 'ec', key_bits: 384 }));
    const reply = await mount.request('write', 'issue/fixed', { common_name: 'a.example.com', key_type: 'rsa' });
    expect(reply.warnings).toEqual(['parameters key_type and key_bits ignored as role had specific values']);
    expect(createPublicKey(textOf(reply.data ?? {}, 'certificate')).asymmetricKeyDetails?.namedCurve).toBe('secp384r1');
    expect(
      (await mount.request('write', 'issue/fixed', { common_name: 'a.example.com', key_type: 'ec', key_bits: 384 }))
        .warnings,
    ).toBeUndefined();
  });
});

describe('what a certificate leaves behind', () => {
  test('is one value and one index key; under no_store nothing', async () => {
    const own = await trialPki();
    const before = own.state.size;
    await issue(own, { common_name: 'a.example.com' });
    expect(own.state.size).toBe(before + 2);
    await own.request('write', 'roles/gone', webRole({ no_store: true }));
    const size = own.state.size;
    await issue(own, { common_name: 'a.example.com' }, 'issue/gone');
    expect(own.state.size).toBe(size);
  });

  test('is nothing where role, issuer or default issuer changed meanwhile', async () => {
    const changes: readonly (readonly ['write' | 'patch', string, Raw])[] = [
      ['write', 'roles/web', webRole({ ttl: '2h' })],
      ['patch', 'issuer/default', { issuer_name: 'renamed' }],
    ];
    for (const change of changes) {
      const own = await trialPki();
      const decision = await own.decide('write', 'issue/web', { common_name: 'a.example.com' });
      await own.request(...change);
      expect(own.record(decision).kind).toBe('conflict');
    }
    const two = await trialPki();
    const decision = await two.decide('write', 'issue/web', { common_name: 'a.example.com' });
    await two.request('write', 'root/generate/internal', { common_name: 'Other', issuer_name: 'other', ttl: '720h' });
    await two.request('write', 'config/issuers', { default: 'other' });
    expect(two.record(decision).kind).toBe('conflict');
  });

  test('conflicts with a certificate of the same serial', async () => {
    const own = await trialPki();
    const decision = await own.decide('write', 'issue/web', { common_name: 'a.example.com' });
    expect(own.record(decision).kind).toBe('applied');
    expect(own.record(decision).kind).toBe('conflict');
  });
});

describe('serials', () => {
  test('are positive and twenty bytes long, whatever is drawn', () => {
    for (const byte of [0x00, 0x7f, 0x80, 0xff]) {
      const serial = drawSerial((size) => Buffer.alloc(size, byte));
      expect(serial).toHaveLength(20);
      expect(serial[0]).toBeGreaterThanOrEqual(0x40);
      expect(serial[0]).toBeLessThan(0x80);
    }
  });
  test('never come twice', async () => {
    const own = await trialPki();
    const seen = new Set<unknown>();
    for (let i = 0; i < 500; i++) seen.add((await issue(own, { common_name: 'a.example.com' }))['serial_number']);
    expect(seen.size).toBe(500);
  });
});

describe('a repeat with the same idempotency key', () => {
  function callOf(engine: TriedEngine, supersedes: Call['supersedes']): Call {
    return {
      state: engine.state.readable,
      now: TimeMs(engine.nowMs()),
      random: (size) => Buffer.from(crypto.getRandomValues(new Uint8Array(size))),
      mount: {
        id: MountId('m'),
        namespace: rootNamespace,
        path: 'pki/',
        options: {},
        defaultLeaseTtlSeconds: 3600,
        maxLeaseTtlSeconds: 36_000,
      },
      caller: undefined,
      presentedToken: undefined,
      factVersion: 1,
      supersedes,
      offload: () => Promise.reject(new Error('no worker is needed')),
    };
  }
  async function issueAgain(
    engine: TriedEngine,
    supersedes: Call['supersedes'],
  ): Promise<{ serial: string; results: readonly (JsonObject | undefined)[] }> {
    const { values } = parseFields(issueFields, { role: 'web', common_name: 'a.example.com' });
    const decision = await issueCertificate(callOf(engine, supersedes), values);
    let results: readonly (JsonObject | undefined)[] = [];
    const recorded = engine.record({
      expects: decision.expects ?? [],
      facts: (decision.facts ?? []).map((fact) => pkiFacts.encode(fact)),
      reply: (applied) => {
        results = applied;
        return typeof decision.reply === 'function' ? {} : decision.reply;
      },
    });
    if (recorded.kind === 'conflict') throw new Error('conflict');
    return { serial: textOf(recorded.reply.data ?? {}, 'serial_number'), results };
  }

  test('revokes the first certificate in the transaction that issues the next, each time', async () => {
    const own = await trialPki();
    const first = await issueAgain(own, undefined);
    const second = await issueAgain(own, first.results);
    const third = await issueAgain(own, second.results);
    const isGood = async ({ serial }: { serial: string }): Promise<boolean> =>
      (await own.request('read', `cert/${serial}`)).data?.['revocation_time'] === 0;
    expect([await isGood(first), await isGood(second), await isGood(third)]).toEqual([false, false, true]);
    expect((await own.request('list', 'certs/revoked')).data?.['keys']).toEqual([first.serial, second.serial]);
  });

  test('does no harm where the first is gone or revoked already, or the results are of something else', async () => {
    const own = await trialPki();
    const first = await issueAgain(own, undefined);
    await own.request('write', 'revoke', { serial_number: first.serial });
    const second = await issueAgain(own, first.results);
    await issueAgain(own, [undefined, { issued: 'ab' }, { other: 1 }]);
    expect(own.state.readable.get(certificateKey(second.serial.replaceAll(':', '')))).toBeDefined();
    expect((await own.request('list', 'certs/revoked')).data?.['keys']).toEqual([first.serial]);
  });
});
