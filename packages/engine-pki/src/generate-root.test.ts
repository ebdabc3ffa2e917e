import './reflect.fixture.ts';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { beforeAll, describe, expect, test } from 'vitest';
import { certificate as certificateRecord } from './records.ts';
import { certificateKey } from './keys.ts';
import { hasOpenssl, openssl, type Raw, type TrialPki, textOf, trialPki, valuesOf } from './trial-pki.fixture.ts';

let mount: TrialPki;
beforeAll(async () => {
  mount = await trialPki();
});

describe('a root is refused', () => {
  const refused: readonly (readonly [string, string, Raw, string])[] = [
    ['without a common name', 'internal', {}, 'the common_name field is required'],
    ['with a key from elsewhere', 'existing', { common_name: 'x' }, 'root/generate/existing is not supported'],
    ['with a key in a KMS', 'kms', { common_name: 'x' }, 'root/generate/kms is not supported'],
    ['of an unknown kind', 'external', { common_name: 'x' }, 'exported must be one of internal, exported'],
    ['with PSS', 'internal', { common_name: 'x', use_pss: true }, 'use_pss must be false'],
    [
      'with weak RSA',
      'internal',
      { common_name: 'x', key_type: 'rsa', key_bits: 1024 },
      'key_bits must be one of 2048',
    ],
    [
      'with a common name of 65 characters',
      'internal',
      { common_name: 'x'.repeat(65) },
      'common_name must be at most 64 characters',
    ],
    [
      'named like the reference to the default',
      'internal',
      { common_name: 'x', issuer_name: 'default' },
      'issuer_name must not be "default"',
    ],
    ['with a name that is none', 'internal', { common_name: 'x', issuer_name: 'a/b' }, 'issuer_name must be letters'],
    [
      'with a path length below -1',
      'internal',
      { common_name: 'x', max_path_length: -2 },
      'max_path_length must be from -1 to 64',
    ],
    [
      'with a permitted domain that is none',
      'internal',
      { common_name: 'x', permitted_dns_domains: 'a_b' },
      'permitted_dns_domains holds "a_b"',
    ],
    [
      'with a fixed beginning',
      'internal',
      { common_name: 'x', not_before: '2026-01-01T00:00:00Z' },
      'not_before is not supported',
    ],
    ['with an end in the past', 'internal', { common_name: 'x', not_after: '2020-01-01T00:00:00Z' }, 'is in the past'],
  ];
  test.each(refused)('%s', async (_, kind, fields, message) => {
    await expect(mount.request('write', `root/generate/${kind}`, fields)).rejects.toThrow(message);
  });

  test('with the name of another', async () => {
    await mount.request('write', 'root/generate/internal', { common_name: 'One', issuer_name: 'one' });
    await expect(
      mount.request('write', 'root/generate/internal', { common_name: 'Two', issuer_name: 'one' }),
    ).rejects.toThrow('issuer_name "one" is in use');
  });

  test('where two take one name at once', async () => {
    const first = await mount.decide('write', 'root/generate/internal', { common_name: 'One', issuer_name: 'same' });
    const second = await mount.decide('write', 'root/generate/internal', { common_name: 'Two', issuer_name: 'same' });
    expect([mount.record(first).kind, mount.record(second).kind]).toEqual(['applied', 'conflict']);
  });
});

describe('a root', () => {
  test.for([
    ['ec', 0, 'prime256v1'],
    ['ec', 384, 'secp384r1'],
    ['ed25519', 0, undefined],
    ['rsa', 2048, undefined],
  ])(
    'of type %s %d signs itself, is an authority, and keeps its key',
    async ([key_type, key_bits, curve], { skip }) => {
      const made = valuesOf(
        await mount.request('write', 'root/generate/internal', {
          common_name: 'Acme Root',
          organization: 'Acme',
          country: 'DE',
          key_type,
          key_bits,
          max_path_length: 1,
          permitted_dns_domains: 'example.com,.example.org',
          ttl: '100h',
        }),
      );
      const root = new X509Certificate(textOf(made, 'certificate'));
      expect(root.ca).toBe(true);
      expect(root.verify(root.publicKey)).toBe(true);
      expect(root.checkIssued(root)).toBe(true);
      expect(root.subject).toBe('C=DE\nO=Acme\nCN=Acme Root');
      expect(root.publicKey.asymmetricKeyDetails?.namedCurve).toBe(curve);
      expect(made['private_key']).toBeUndefined();
      const theirs = new x509.X509Certificate(root.raw);
      expect(theirs.getExtension(x509.BasicConstraintsExtension)).toMatchObject({
        ca: true,
        pathLength: 1,
        critical: true,
      });
      expect(theirs.getExtension(x509.KeyUsagesExtension)).toMatchObject({
        usages: x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        critical: true,
      });
      expect(theirs.getExtension('2.5.29.30')?.critical).toBe(true);
      expect(theirs.getExtension(x509.AuthorityKeyIdentifierExtension)?.keyId).toBe(
        theirs.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId,
      );
      if (!hasOpenssl) skip('there is no openssl command');
      const checked = openssl(
        [
          'verify',
          '-x509_strict',
          '-check_ss_sig',
          '-attime',
          String(mount.nowMs() / 1000),
          '-CAfile',
          'r.pem',
          'r.pem',
        ],
        { 'r.pem': root.toString() },
      );
      expect(checked.status, checked.output).toBe(0);
    },
  );

  test('that is exported tells its key, which is the one that it keeps', async () => {
    const made = valuesOf(
      await mount.request('write', 'root/generate/exported', {
        common_name: 'Told',
        format: 'pem_bundle',
        private_key_format: 'pkcs8',
      }),
    );
    const key = createPrivateKey(textOf(made, 'private_key'));
    const root = new X509Certificate(textOf(made, 'issuing_ca'));
    expect(root.checkPrivateKey(key)).toBe(true);
    expect(made['private_key_type']).toBe('ec');
    expect(textOf(made, 'certificate')).toContain('BEGIN PRIVATE KEY');
  });

  test('limits the names of what is below it, as openssl sees it', async ({ skip }) => {
    if (!hasOpenssl) skip('there is no openssl command');
    const own = await trialPki({ root: { permitted_dns_domains: 'example.org' } });
    const leaf = valuesOf(await own.request('write', 'issue/web', { common_name: 'a.example.com' }));
    const checked = openssl(['verify', '-attime', String(own.nowMs() / 1000), '-CAfile', 'r.pem', 'l.pem'], {
      'r.pem': textOf(own.root, 'certificate'),
      'l.pem': textOf(leaf, 'certificate'),
    });
    expect(checked.output).toContain('permitted subtree violation');
  });

  test('is the default only where it is the first, and is stored like every certificate', async () => {
    const own = await trialPki({ root: { issuer_name: 'first' } });
    const second = valuesOf(
      await own.request('write', 'issuers/generate/root/internal', { common_name: 'Second', issuer_name: 'second' }),
    );
    const configured = await own.request('read', 'config/issuers');
    expect(configured.data?.['default']).toBe(own.root['issuer_id']);
    const serial = textOf(second, 'serial_number').replaceAll(':', '');
    const stored = own.state.readable.get(certificateKey(serial));
    expect(stored === undefined ? undefined : certificateRecord.decode(stored).issuerId).toBe(second['issuer_id']);
  });

  test('is cut to the longest TTL of the mount, and says so', async () => {
    const reply = await mount.request('write', 'root/generate/internal', { common_name: 'Long', ttl: '87600h' });
    expect(reply.data?.['expiration']).toBe(mount.nowMs() / 1000 + 768 * 3600);
    expect(reply.warnings?.[0]).toContain('so maxTTL is being used');
  });

  test('may end when it says, past 2049 too', async () => {
    const made = valuesOf(
      await mount.request('write', 'root/generate/internal', { common_name: 'Far', not_after: '9999-12-31T23:59:59Z' }),
    );
    expect(new X509Certificate(textOf(made, 'certificate')).validTo).toBe('Dec 31 23:59:59 9999 GMT');
  });
});
