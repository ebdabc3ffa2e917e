import { X509Certificate } from 'node:crypto';
import type { TriedEngine } from '@lockstep/contract/try-engine';
import { beforeEach, describe, expect, test } from 'vitest';
import { issue, type Raw, type TrialPki, textOf, trialPki, webRole } from './trial-pki.fixture.ts';

let mount: TrialPki;
beforeEach(async () => {
  mount = await trialPki();
});

const serialOf = (values: Raw): string => textOf(values, 'serial_number');
async function revocation(engine: TriedEngine, serial: string): Promise<unknown> {
  return (await engine.request('read', `cert/${serial}`)).data?.['revocation_time'];
}

describe('a revocation is refused', () => {
  test.each([
    ['of nothing', {}, 'The serial number or certificate to revoke must be provided.'],
    [
      'of an empty serial',
      { serial_number: '', certificate: '' },
      'The serial number or certificate to revoke must be provided.',
    ],
    ['of a serial and a certificate', { serial_number: 'aa', certificate: 'x' }, 'not both'],
    ['of a serial that nobody has', { serial_number: 'aa:bb' }, 'certificate with serial aa:bb not found.'],
    ['of what is no serial', { serial_number: 'xyz' }, 'serial_number must be hexadecimal bytes'],
    ['of half a byte', { serial_number: 'abc' }, 'serial_number must be hexadecimal bytes'],
    [
      'of a serial of 129 characters',
      { serial_number: 'a'.repeat(129) },
      'serial_number must be at most 128 characters long',
    ],
    ['of what is no certificate', { certificate: 'x' }, 'certificate must be a PEM block'],
  ])('%s', async (_, fields, message) => {
    await expect(mount.request('write', 'revoke', fields)).rejects.toMatchObject({
      code: 'invalid-input',
      message: expect.stringContaining(message),
    });
  });

  test('of the issuer itself', async () => {
    await expect(mount.request('write', 'revoke', { serial_number: serialOf(mount.root) })).rejects.toThrow(
      /^adding issuer \(id: .*\) to its own CRL is not allowed$/,
    );
  });

  test('of a certificate by somebody else, whatever its names say', async () => {
    const twin = await trialPki();
    const { certificate } = await issue(twin, { common_name: 'a.example.com' });
    await expect(mount.request('write', 'revoke', { certificate })).rejects.toThrow(
      'no issuer of this mount has signed it',
    );
  });

  test('of an expired certificate with a warning and no more', async () => {
    const made = await issue(mount, { common_name: 'a.example.com', ttl: '1h' });
    mount.advance(2 * 3_600_000);
    const reply = await mount.request('write', 'revoke', { serial_number: made['serial_number'] });
    expect(reply.data).toBeUndefined();
    expect(reply.warnings?.[0]).toContain('already expired; refusing to add to CRL');
  });
});

describe('a revocation', () => {
  test('holds from its log time on, and a second one answers the first', async () => {
    const made = await issue(mount, { common_name: 'a.example.com' });
    expect(await revocation(mount, serialOf(made))).toBe(0);
    mount.advance(90_500);
    const seconds = Math.floor(mount.nowMs() / 1000);
    const first = await mount.request('write', 'revoke', { serial_number: serialOf(made) });
    expect(first.data).toEqual({
      revocation_time: seconds,
      revocation_time_rfc3339: '2026-01-01T00:01:30Z',
      state: 'revoked',
    });
    mount.advance(60_000);
    expect(await mount.request('write', 'revoke', { serial_number: serialOf(made) })).toEqual(first);
    expect(await revocation(mount, serialOf(made))).toBe(seconds);
    expect((await mount.request('list', 'certs/revoked')).data?.['keys']).toEqual([serialOf(made)]);
  });

  test.each([
    ['hyphens', (serial: string) => serial.replaceAll(':', '-')],
    ['upper case', (serial: string) => serial.toUpperCase()],
    ['nothing between its bytes', (serial: string) => serial.replaceAll(':', '')],
  ])('takes a serial with %s', async (_, form) => {
    const made = await issue(mount, { common_name: 'a.example.com' });
    await mount.request('write', 'revoke', { serial_number: form(serialOf(made)) });
    expect(await revocation(mount, form(serialOf(made)))).not.toBe(0);
  });

  test('takes the certificate in place of its serial', async () => {
    const made = await issue(mount, { common_name: 'a.example.com' });
    await mount.request('write', 'revoke', { certificate: made['certificate'] });
    expect(await revocation(mount, serialOf(made))).not.toBe(0);
  });

  test.each(['ec', 'ed25519', 'rsa'])(
    'takes a certificate that was never stored, by an issuer of type %s, and stores it',
    async (key_type) => {
      const own = await trialPki({ root: { key_type }, role: webRole({ no_store: true }) });
      const made = await issue(own, { common_name: 'a.example.com' });
      await expect(own.request('read', `cert/${serialOf(made)}`)).rejects.toMatchObject({ code: 'not-found' });
      await own.request('write', 'revoke', { certificate: made['certificate'] });
      expect((await own.request('read', `cert/${serialOf(made)}`)).data?.['certificate']).toBe(made['certificate']);
      expect(await revocation(own, serialOf(made))).not.toBe(0);
    },
  );
});

describe('certificates are read', () => {
  test('as JSON, DER and PEM', async () => {
    const made = await issue(mount, { common_name: 'a.example.com' });
    const serial = serialOf(made).replaceAll(':', '-');
    const der = await mount.request('read', `cert/${serial}/raw`);
    const pem = await mount.request('read', `cert/${serial}/raw/pem`);
    expect(der.raw?.contentType).toBe('application/pkix-cert');
    expect(pem.raw?.contentType).toBe('application/pem-certificate-chain');
    expect(Buffer.from(pem.raw?.body ?? []).toString()).toBe(made['certificate']);
    expect(new X509Certificate(der.raw?.body ?? '').toString().trim()).toBe(made['certificate']);
    expect((await mount.request('read', `cert/${serial}`)).data).toMatchObject({
      certificate: made['certificate'],
      issuer_id: mount.root['issuer_id'],
    });
  });

  test('by no serial that is none or unknown', async () => {
    await expect(mount.request('read', 'cert/aa:bb')).rejects.toMatchObject({ code: 'not-found' });
    await expect(mount.request('read', 'cert/zz')).rejects.toMatchObject({ code: 'invalid-input' });
  });

  test('in a list, by pages', async () => {
    const serials = [serialOf(mount.root)];
    for (let i = 0; i < 4; i++) serials.push(serialOf(await issue(mount, { common_name: 'a.example.com' })));
    serials.sort();
    expect((await mount.request('list', 'certs')).data?.['keys']).toEqual(serials);
    const first = await mount.request('list', 'certs', { limit: 2 });
    expect(first.data?.['keys']).toEqual(serials.slice(0, 2));
    expect(first.warnings).toHaveLength(1);
    const rest = await mount.request('list', 'certs', { after: serials[1], limit: 3 });
    expect(rest.data?.['keys']).toEqual(serials.slice(2));
    expect(rest.warnings).toBeUndefined();
    await expect(mount.request('list', 'certs', { limit: 100_001 })).rejects.toThrow('limit must be from 0 to 100000');
    await expect(mount.request('list', 'certs/revoked', { after: 'aa' })).rejects.toThrow('after is not supported');
  });
});
