import { createHash, createPrivateKey } from 'node:crypto';
import { csrPem, trialKey } from '@lockstep/engine-pki/trial-pki.fixture';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { plaintextOnDisk } from './plaintext-on-disk.fixture.ts';
import { openRealNode, type RealNode } from './real-node.fixture.ts';

// A private key that a reply tells is told once: an idempotency key keeps it neither in the log nor in the state.
let node: RealNode;

beforeAll(async () => {
  node = await openRealNode();
  await node.call('POST', 'sys/mounts/pki', { body: { type: 'pki' } });
  await node.call('POST', 'pki/root/generate/internal', { body: { common_name: 'Root', ttl: '100h' } });
  const role = { allow_any_name: true, ttl: '1h' };
  await node.call('POST', 'pki/roles/web', { body: role });
  await node.call('POST', 'pki/roles/fleeting', { body: { ...role, no_store: true } });
});
afterAll(() => node.close());

type Data = { readonly [name: string]: string };

async function once(key: string, path: string, body: object): Promise<{ status: number; data: Data; text: string }> {
  const answer = await node.call('POST', path, { body: { ...body }, headers: { 'Idempotency-Key': key } });
  return { status: answer.status, data: (answer.body['data'] ?? {}) as Data, text: answer.text };
}

/** Each form in which a private key could lie about: text, PKCS #8, and for a curve the bare number. */
function formsOf(pem: string): readonly (string | Buffer)[] {
  const key = createPrivateKey(pem);
  const { d } = key.export({ format: 'jwk' });
  if (d === undefined) throw new Error('a private key has its number');
  return [pem.trim(), d, Buffer.from(d, 'base64url'), key.export({ type: 'pkcs8', format: 'der' })];
}

test('a repeat of what is stored nowhere is no option, whoever made the key', async () => {
  const csr = csrPem({ key: await trialKey({ type: 'ec', bits: 256 }), commonName: 'a.example.com' });
  for (const [path, body] of [
    ['pki/issue/fleeting', {}],
    ['pki/sign/fleeting', { csr }],
  ] as const) {
    const refused = await once('leaf-1', path, { common_name: 'a.example.com', ...body });
    expect([path, refused.status, refused.text]).toEqual([path, 400, expect.stringContaining('leave the key out')]);
  }
});

test('nothing on the disk lets a body be guessed: its hash takes a secret of the cluster', async () => {
  const body = { data: { password: 'hunter2' } };
  await node.call('POST', 'sys/mounts/secret', { body: { type: 'kv', options: { version: '2' } } });
  expect((await once('known', 'secret/data/a', body)).status).toBe(200);
  const { body: self } = await node.call('GET', 'auth/token/lookup-self');
  expect(self['data']).toBeDefined();
  await node.stop();
  const { state } = await plaintextOnDisk(node.config);
  const tokenIds = [...state.toString('latin1').matchAll(/token token\/([\w-]{43})/g)].map(([, id = '']) => id);
  expect(tokenIds).not.toEqual([]);
  const guesses = tokenIds.map((id) => {
    const hash = createHash('sha256');
    for (const part of ['known', id, 'write secret/data/a', JSON.stringify(body)])
      hash.update(`${Buffer.byteLength(part)}:`).update(part);
    return hash.digest('base64url');
  });
  expect(state.includes('host once/')).toBe(true);
  for (const guess of guesses) expect(state.includes(guess)).toBe(false);
  await node.start();
});

test('no private key of a reply is in the log or the state, but an authority’s own, once, where it is kept to sign', async () => {
  const leaf = await once('leaf-2', 'pki/issue/web', { common_name: 'b.example.com' });
  const root = await once('root-1', 'pki/root/generate/exported', { common_name: 'Exported', ttl: '10h' });
  expect([leaf.status, root.status]).toEqual([200, 200]);
  const again = await once('leaf-2', 'pki/issue/web', { common_name: 'b.example.com' });
  expect(again.data['serial_number']).not.toBe(leaf.data['serial_number']);
  const refused = await once('root-1', 'pki/root/generate/exported', { common_name: 'Exported', ttl: '10h' });
  expect([refused.status, refused.text]).toEqual([400, expect.stringContaining('held a secret that is not kept')]);
  await node.stop();
  const disk = await plaintextOnDisk(node.config);
  expect(disk.state.includes('once/')).toBe(true);
  for (const { data } of [leaf, again])
    for (const form of formsOf(data['private_key'] ?? ''))
      expect([disk.state.includes(form), disk.log.includes(form)]).toEqual([false, false]);
  const [text = '', d = '', , pkcs8 = ''] = formsOf(root.data['private_key'] ?? '');
  for (const place of [disk.state, disk.log]) {
    expect([place.includes(text), place.includes(d)]).toEqual([false, false]);
    expect(timesIn(place, pkcs8)).toBe(1);
  }
});

function timesIn(place: Buffer, what: string | Buffer): number {
  let times = 0;
  for (let at = place.indexOf(what); at >= 0; at = place.indexOf(what, at + 1)) times++;
  return times;
}
