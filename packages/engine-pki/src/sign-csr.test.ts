import { createPublicKey } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { derTrue, octetString, sequence } from './der.ts';
import * as oids from './oids.ts';
import {
  csrPem,
  issue,
  parsed,
  type Raw,
  type TrialKey,
  type TrialPki,
  trialKey,
  trialPki,
  valuesOf,
  webRole,
} from './trial-pki.fixture.ts';

let mount: TrialPki;
let key: TrialKey;
let rsa: TrialKey;
beforeAll(async () => {
  mount = await trialPki();
  key = await trialKey({ type: 'ec', bits: 256 });
  rsa = await trialKey({ type: 'rsa', bits: 2048 });
});

async function refusal(role: Raw, fields: Raw): Promise<string> {
  await mount.request('write', 'roles/changed', webRole(role));
  return await mount.request('write', 'sign/changed', fields).then(
    () => 'allowed',
    (error: Error) => error.message,
  );
}
const ip = (...bytes: readonly number[]): Uint8Array => Uint8Array.from(bytes);

describe('a request is refused', () => {
  test('without a CSR', async () => {
    expect(await refusal({}, { common_name: 'a.example.com' })).toBe('csr is required');
    expect(await refusal({}, { csr: '' })).toBe('csr contains no data');
  });

  test('when it names what the role forbids, whatever the fields say', async () => {
    const csr = csrPem({ key, commonName: 'a.example.com', names: { dns: ['evil.com'] } });
    expect(await refusal({}, { csr, alt_names: 'b.example.com' })).toContain(
      'subject alternate name evil.com not allowed by this role',
    );
    const byName = csrPem({ key, commonName: 'evil.com' });
    expect(await refusal({}, { csr: byName, common_name: 'a.example.com' })).toContain(
      'common name evil.com not allowed by this role',
    );
  });

  test('when its address is outside the networks of the role', async () => {
    const csr = (...bytes: readonly number[]): string =>
      csrPem({ key, commonName: 'a.example.com', names: { ips: [ip(...bytes)] } });
    expect(await refusal({ allowed_ip_sans_cidr: '10.0.0.0/8' }, { csr: csr(11, 0, 0, 1) })).toContain(
      '"11.0.0.1" is not allowed in this role',
    );
    const mapped = csr(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 11, 0, 0, 1);
    expect(await refusal({ allowed_ip_sans_cidr: '10.0.0.0/8' }, { csr: mapped })).toContain(
      '"11.0.0.1" is not allowed',
    );
    expect(await refusal({ allowed_ip_sans_cidr: '10.0.0.0/8' }, { csr: csr(10, 0, 0, 1) })).toBe('allowed');
  });

  test('when its key is not what the role requires', async () => {
    const ec = csrPem({ key, commonName: 'a.example.com' });
    const large = csrPem({ key: rsa, commonName: 'a.example.com' });
    expect(await refusal({ key_type: 'rsa' }, { csr: ec })).toBe('role requires keys of type rsa');
    expect(await refusal({ key_type: 'ec' }, { csr: large })).toBe('role requires keys of type ec');
    expect(await refusal({ key_type: 'rsa', key_bits: 3072 }, { csr: large })).toBe(
      "role requires a minimum of a 3072-bit key, but CSR's key is 2048 bits",
    );
    expect(await refusal({ key_type: 'ec', key_bits: 384 }, { csr: ec })).toContain('minimum of a 384-bit key');
    expect(await refusal({ key_type: 'rsa' }, { csr: large })).toBe('allowed');
    expect(await refusal({}, { csr: ec })).toBe('allowed');
    expect(await refusal({}, { csr: large })).toBe('allowed');
  });

  test('when its text is longer than any request', async () => {
    expect(await refusal({}, { csr: 'x'.repeat(24_577) })).toBe('csr must be at most 24576 characters long');
  });
});

describe('a signed certificate', () => {
  test('is for the key of the request, with its names, as cert-manager asks for it', async () => {
    const csr = csrPem({
      key: rsa,
      commonName: 'a.example.com',
      names: { dns: ['a.example.com', 'b.example.com'], ips: [ip(10, 0, 0, 1)] },
    });
    const reply = await mount.request('write', 'sign/web', {
      csr,
      common_name: 'a.example.com',
      alt_names: 'a.example.com,b.example.com',
      ip_sans: '10.0.0.1',
      uri_sans: '',
      ttl: '2h0m0s',
      exclude_cn_from_sans: 'true',
    });
    const values = valuesOf(reply);
    const certificate = parsed(values);
    expect(reply.warnings).toBeUndefined();
    expect(certificate.subjectAltName).toBe('DNS:a.example.com, DNS:b.example.com, IP Address:10.0.0.1');
    expect(certificate.publicKey.equals(createPublicKey(rsa.key))).toBe(true);
    expect(certificate.verify(createPublicKey(String(mount.root['certificate'])))).toBe(true);
    expect(values['private_key']).toBeUndefined();
    expect(values['private_key_type']).toBeUndefined();
    expect(values['ca_chain']).toEqual([mount.root['certificate']]);
  });

  test('has nothing of the extensions that the request asks for but its names', async () => {
    const authority = sequence(oids.basicConstraints, derTrue, octetString(sequence(derTrue)));
    const certificate = parsed(
      await issue(mount, { csr: csrPem({ key, commonName: 'a.example.com', extensions: [authority] }) }, 'sign/web'),
    );
    expect(certificate.ca).toBe(false);
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
  });

  test('takes names from the fields where the role says so, and its warning where names were left out', async () => {
    const csr = csrPem({ key, commonName: 'c.example.com', names: { dns: ['d.example.com'] } });
    await mount.request('write', 'roles/fields', webRole({ use_csr_common_name: false, use_csr_sans: false }));
    const byFields = await issue(
      mount,
      { csr, common_name: 'a.example.com', alt_names: 'b.example.com' },
      'sign/fields',
    );
    expect(parsed(byFields).subject).toBe('CN=a.example.com');
    expect(parsed(byFields).subjectAltName).toBe('DNS:a.example.com, DNS:b.example.com');
    const byCsr = await mount.request('write', 'sign/web', {
      csr,
      common_name: 'a.example.com',
      alt_names: 'b.example.com',
    });
    expect(parsed(valuesOf(byCsr)).subjectAltName).toBe('DNS:c.example.com, DNS:d.example.com');
    expect(byCsr.warnings).toHaveLength(2);
  });

  test('is stored, and can be revoked', async () => {
    const made = await issue(mount, { csr: csrPem({ key, commonName: 'a.example.com' }) }, 'issuer/default/sign/web');
    const read = await mount.request('read', `cert/${String(made['serial_number'])}`);
    expect(read.data?.['certificate']).toBe(made['certificate']);
    expect((await mount.request('write', 'revoke', { serial_number: made['serial_number'] })).data?.['state']).toBe(
      'revoked',
    );
  });
});
