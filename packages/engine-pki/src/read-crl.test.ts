import './reflect.fixture.ts';
import { X509Certificate } from 'node:crypto';
import { counterValue } from '@lockstep/contract/counter';
import type { TriedEngine } from '@lockstep/contract/try-engine';
import * as x509 from '@peculiar/x509';
import { beforeEach, describe, expect, test } from 'vitest';
import { revocationsKey } from './keys.ts';
import { crlEntriesMax } from './limits.ts';
import { hasOpenssl, issue, openssl, type TrialPki, textOf, trialPki, valuesOf } from './trial-pki.fixture.ts';

let mount: TrialPki;
beforeEach(async () => {
  mount = await trialPki();
});

async function crlOf(engine: TriedEngine, path = 'crl'): Promise<x509.X509Crl> {
  const { raw } = await engine.request('read', path);
  if (raw === undefined) throw new Error('there is no CRL');
  return new x509.X509Crl(Buffer.from(raw.body));
}
const serials = (crl: x509.X509Crl): readonly string[] => crl.entries.map(({ serialNumber }) => serialNumber).sort();
const numberOf = (crl: x509.X509Crl): bigint => {
  const value = Buffer.from(crl.getExtension('2.5.29.20')?.value ?? new ArrayBuffer(0));
  return BigInt(`0x${value.subarray(2).toString('hex')}`);
};
async function revokedOne(engine: TriedEngine, ttl = '24h'): Promise<string> {
  const serial = textOf(await issue(engine, { common_name: 'a.example.com', ttl }), 'serial_number');
  await engine.request('write', 'revoke', { serial_number: serial });
  return serial.replaceAll(':', '');
}

describe('a CRL', () => {
  test('is an empty answer where there is no issuer, and none of an unknown one', async () => {
    const { tryEngine } = await import('@lockstep/contract/try-engine');
    const { pki } = await import('./engine.ts');
    const bare = tryEngine(pki, { random: (size) => Buffer.alloc(size) });
    for (const path of ['crl', 'crl/pem', 'ca', 'ca/pem', 'ca_chain'])
      expect(await bare.request('read', path)).toEqual({});
    for (const path of ['cert/crl', 'cert/ca', 'issuer/none/crl', 'issuer/none/crl/der'])
      await expect(bare.request('read', path)).rejects.toMatchObject({ code: 'not-found' });
  });

  test('has what was revoked before it was read, at once', async () => {
    expect(serials(await crlOf(mount))).toEqual([]);
    const first = await revokedOne(mount);
    expect(serials(await crlOf(mount))).toEqual([first]);
    const second = await revokedOne(mount);
    expect(serials(await crlOf(mount))).toEqual([first, second].sort());
  });

  test('is the same in every form', async () => {
    const one = await revokedOne(mount);
    const id = String(mount.root['issuer_id']);
    for (const path of ['crl', `issuer/${id}/crl/der`]) expect(serials(await crlOf(mount, path))).toEqual([one]);
    const pem = await mount.request('read', 'crl/pem');
    expect(pem.raw?.contentType).toBe('application/x-pem-file');
    const json = await mount.request('read', 'cert/crl');
    expect(json.data?.['certificate']).toBe(Buffer.from(pem.raw?.body ?? []).toString());
    expect((await mount.request('read', `issuer/${id}/crl`)).data?.['crl']).toBe(json.data?.['certificate']);
    expect((await mount.request('read', 'crl')).raw?.contentType).toBe('application/pkix-crl');
  });

  test.for(['ec', 'ed25519', 'rsa'])(
    'by a root with a key of type %s is what openssl goes by',
    async (key_type, { skip }) => {
      const own = await trialPki({ root: { key_type } });
      const good = await issue(own, { common_name: 'a.example.com' });
      const bad = await issue(own, { common_name: 'b.example.com' });
      await own.request('write', 'revoke', { serial_number: bad['serial_number'] });
      own.advance(1000);
      const crl = textOf(valuesOf(await own.request('read', 'cert/crl')), 'certificate');
      const root = textOf(own.root, 'certificate');
      expect(await new x509.X509Crl(crl).verify({ publicKey: new x509.X509Certificate(root) })).toBe(true);
      if (!hasOpenssl) skip('there is no openssl command');
      const files = {
        'r.pem': root,
        'c.pem': crl,
        'good.pem': textOf(good, 'certificate'),
        'bad.pem': textOf(bad, 'certificate'),
      };
      expect(openssl(['crl', '-in', 'c.pem', '-noout', '-CAfile', 'r.pem'], files).output).toContain('verify OK');
      const check = (name: string): string =>
        openssl(
          [
            'verify',
            '-x509_strict',
            '-crl_check',
            '-attime',
            String(own.nowMs() / 1000),
            '-CRLfile',
            'c.pem',
            '-CAfile',
            'r.pem',
            name,
          ],
          files,
        ).output;
      expect(check('good.pem')).toContain('good.pem: OK');
      expect(check('bad.pem')).toContain('certificate revoked');
    },
  );

  test('has a number that grows with each revocation, setting, rotation and minute', async () => {
    const numbers: bigint[] = [];
    const note = async (): Promise<void> => void numbers.push(numberOf(await crlOf(mount)));
    await note();
    await revokedOne(mount);
    await note();
    mount.advance(60_000);
    await note();
    await mount.request('write', 'config/crl', { expiry: '24h' });
    await note();
    await mount.request('read', 'crl/rotate');
    await note();
    await revokedOne(mount);
    await note();
    mount.advance(3 * 86_400_000);
    await note();
    expect(numbers).toEqual([...numbers].sort((a, b) => (a < b ? -1 : 1)));
    expect(new Set(numbers).size).toBe(numbers.length);
  });

  test('is not signed again while nothing has changed', async () => {
    await revokedOne(mount);
    const first = await mount.request('read', 'crl');
    mount.advance(5_000);
    expect((await mount.request('read', 'crl')).raw?.body).toBe(first.raw?.body);
    mount.advance(60_000);
    expect((await mount.request('read', 'crl')).raw?.body).not.toBe(first.raw?.body);
  });

  test('is never dated in the future, and ends when it is configured to', async () => {
    mount.advance(90_000);
    await revokedOne(mount);
    const crl = await crlOf(mount);
    expect(crl.thisUpdate.getTime()).toBe(mount.nowMs());
    expect(crl.nextUpdate?.getTime()).toBe(mount.nowMs() + 72 * 3_600_000);
    mount.advance(89_000);
    expect((await crlOf(mount)).thisUpdate.getTime()).toBeLessThanOrEqual(mount.nowMs());
    await mount.request('write', 'config/crl', { expiry: '5m' });
    const short = await crlOf(mount);
    expect((short.nextUpdate?.getTime() ?? 0) - short.thisUpdate.getTime()).toBe(300_000);
  });

  test('drops a certificate only after a list of a time past its end has had it', async () => {
    await mount.request('write', 'config/crl', { expiry: '1h' });
    const one = await revokedOne(mount, '2h');
    const later = await revokedOne(mount, '24h');
    mount.advance(2 * 3_600_000);
    expect(serials(await crlOf(mount))).toEqual([one, later].sort());
    mount.advance(3_600_000 + 60_000);
    expect(serials(await crlOf(mount))).toEqual([later]);
    expect((await mount.request('list', 'certs/revoked')).data?.['keys']).toHaveLength(2);
  });

  test('is of its own issuer only', async () => {
    await mount.request('write', 'root/generate/internal', { common_name: 'Other', issuer_name: 'other', ttl: '720h' });
    const one = await revokedOne(mount);
    expect(serials(await crlOf(mount, 'issuer/other/crl/der'))).toEqual([]);
    expect(serials(await crlOf(mount))).toEqual([one]);
  });

  test('read by many at once while others revoke misses nothing that was acknowledged', async () => {
    const acknowledged: string[] = [];
    const read = async (): Promise<void> => {
      const before = [...acknowledged];
      const listed = new Set(serials(await crlOf(mount)));
      expect(before.filter((serial) => !listed.has(serial))).toEqual([]);
    };
    for (let round = 0; round < 20; round++) {
      const revoking = revokedOne(mount).then((serial) => acknowledged.push(serial));
      await Promise.all([read(), read(), revoking, read()]);
    }
    expect(serials(await crlOf(mount))).toEqual(acknowledged.sort());
  });

  test('of a thousand revocations has them all, and costs a revocation no more', async () => {
    const all: string[] = [];
    for (let i = 0; i < 1000; i++) all.push(await revokedOne(mount));
    const start = performance.now();
    const body = (await mount.request('read', 'crl')).raw?.body;
    const first = performance.now() - start;
    expect(serials(new x509.X509Crl(Buffer.from(body ?? [])))).toEqual(all.sort());
    await revokedOne(mount);
    expect((await crlOf(mount)).entries).toHaveLength(1001);
    expect(first).toBeLessThan(2000);
  });

  test('refuses to be read where it could not hold every entry, at the bound not yet', async () => {
    const key = revocationsKey(String(mount.root['issuer_id']));
    mount.state.transact(99, (state) => state.put(key, counterValue(crlEntriesMax + 1)));
    await expect(mount.request('read', 'crl')).rejects.toThrow(`more than ${crlEntriesMax} revoked certificates`);
    mount.state.transact(100, (state) => state.put(key, counterValue(crlEntriesMax)));
    await expect(mount.request('read', 'crl')).rejects.toThrow('every counted revocation has its key');
  });

  test('of a state that was put back to an earlier one has that one’s entries', async () => {
    const id = String(mount.root['issuer_id']);
    const one = await revokedOne(mount);
    const two = await revokedOne(mount);
    expect(serials(await crlOf(mount))).toEqual([one, two].sort());
    mount.state.transact(99, (state) => state.put(revocationsKey(id), counterValue(1)));
    expect(serials(await crlOf(mount))).toEqual([one]);
  });
});

describe('the certificate of the authority', () => {
  test('is what everybody can read', async () => {
    const root = new X509Certificate(textOf(mount.root, 'certificate'));
    const body = async (path: string): Promise<Buffer> =>
      Buffer.from((await mount.request('read', path)).raw?.body ?? []);
    const id = String(mount.root['issuer_id']);
    for (const path of ['ca', `issuer/${id}/der`]) expect((await body(path)).equals(root.raw)).toBe(true);
    for (const path of ['ca/pem', 'ca_chain', `issuer/${id}/pem`])
      expect((await body(path)).toString()).toBe(mount.root['certificate']);
    for (const path of ['cert/ca', 'cert/ca_chain', `issuer/${id}/json`, `issuer/${id}`, 'issuer/default'])
      expect((await mount.request('read', path)).data?.['certificate']).toBe(mount.root['certificate']);
  });
});
