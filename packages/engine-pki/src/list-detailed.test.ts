import { X509Certificate } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Reply } from '@lockstep/contract/engine';
import { detailedBytesMax, detailedMax, namesMax } from './limits.ts';
import { issue, textOf, type TrialPki, trialPki, valuesOf } from './trial-pki.fixture.ts';

const list = (pki: TrialPki, fields: object = {}): Promise<Reply> =>
  pki.request('list', 'certs/detailed', { ...fields });
const keysOf = (reply: Reply): readonly string[] => valuesOf(reply)['keys'] as readonly string[];
const infoOf = (reply: Reply) =>
  valuesOf(reply)['key_info'] as { readonly [serial: string]: { readonly [name: string]: unknown } };

describe('refusals', () => {
  test('an empty mount has nothing to list', async () => {
    const { tryEngine } = await import('@lockstep/contract/try-engine');
    const { pki } = await import('./engine.ts');
    const empty = tryEngine(pki, { random: (size) => Buffer.alloc(size, 1), mountPath: 'pki/' });
    await expect(empty.request('list', 'certs/detailed', {})).rejects.toMatchObject({ code: 'not-found' });
  });

  test('a page has at most so many, and `after` is a serial', async () => {
    const pki = await trialPki();
    await expect(list(pki, { limit: detailedMax + 1 })).rejects.toMatchObject({ code: 'invalid-input' });
    await expect(list(pki, { after: 'x' })).rejects.toMatchObject({ code: 'invalid-input' });
    expect(keysOf(await list(pki, { limit: detailedMax })).length).toBe(1);
  });
});

describe('stored certificates with their details', () => {
  test('are what was issued, root and revoked ones included', async () => {
    const pki = await trialPki();
    const leaf = await issue(pki, { common_name: 'a.example.com', alt_names: 'b.example.com', ip_sans: '' });
    const serial = textOf(leaf, 'serial_number');
    await pki.request('write', 'revoke', { serial_number: serial });
    const reply = await list(pki);
    const x509 = new X509Certificate(textOf(leaf, 'certificate'));
    expect(keysOf(reply).toSorted()).toEqual([serial, textOf(pki.root, 'serial_number')].toSorted());
    expect(infoOf(reply)[serial]).toEqual({
      common_name: 'a.example.com',
      issuer: 'CN=Trial Root',
      issuer_id: pki.root['issuer_id'],
      key_type: 'ec',
      key_bits: 256,
      not_before: x509.validFromDate.toISOString().replace('.000', ''),
      not_after: x509.validToDate.toISOString().replace('.000', ''),
      dns_names: ['a.example.com', 'b.example.com'],
      revocation_time: expect.any(Number),
      certificate: leaf['certificate'],
    });
    expect(infoOf(reply)[serial]?.['revocation_time']).toBeGreaterThan(0);
    expect(infoOf(reply)[textOf(pki.root, 'serial_number')]).toMatchObject({
      common_name: 'Trial Root',
      revocation_time: 0,
    });
    expect(reply.warnings).toBeUndefined();
  });

  test('come in pages, each of which says where the next begins', async () => {
    const pki = await trialPki();
    for (let at = 0; at < 4; at++) await issue(pki, { common_name: `n${at}.example.com` });
    const seen: string[] = [];
    for (let after = '', pages = 0; pages < 3; pages++) {
      const reply = await list(pki, { limit: 2, after });
      const keys = keysOf(reply);
      seen.push(...keys);
      after = keys.at(-1) ?? '';
      expect(reply.warnings).toEqual(
        pages === 2 ? undefined : [`the list is cut after 2 keys; go on with after=${after}`],
      );
    }
    expect(seen).toEqual(keysOf(await list(pki)));
    expect(seen.length).toBe(5);
  });

  test('a page ends before its certificates have too many bytes', async () => {
    const pki = await trialPki({ role: { allow_any_name: true, enforce_hostnames: false } });
    const label = 'x'.repeat(60);
    const names = Array.from({ length: namesMax - 1 }, (_, at) => `${label}.${label}.${label}.${at}.example.com`);
    const large = await issue(pki, { common_name: 'large.example.com', alt_names: names.join(',') });
    const bytes = new X509Certificate(textOf(large, 'certificate')).raw.length;
    const wanted = Math.ceil(detailedBytesMax / bytes) + 1;
    for (let at = 1; at < wanted; at++)
      await issue(pki, { common_name: 'large.example.com', alt_names: names.join(',') });
    const first = await list(pki);
    const rest = await list(pki, { after: keysOf(first).at(-1) });
    const listed = Object.values(infoOf(first)).map(
      ({ certificate }) => new X509Certificate(String(certificate)).raw.length,
    );
    expect(listed.reduce((sum, one) => sum + one)).toBeLessThanOrEqual(detailedBytesMax);
    expect(first.warnings?.[0]).toContain(`go on with after=${keysOf(first).at(-1)}`);
    expect(keysOf(first).length + keysOf(rest).length).toBe(wanted + 1);
    expect(rest.warnings).toBeUndefined();
  });
});
