import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openRealNode, type RealNode, until } from './real-node.fixture.ts';

// A repeat under an idempotency key takes the place of what was issued before. It must not do so for a try that its client has
// given up: the client holds what a later try was given.
let node: RealNode;

beforeAll(async () => {
  node = await openRealNode();
  await node.call('POST', 'sys/mounts/pki', { body: { type: 'pki' } });
  await node.call('POST', 'pki/root/generate/internal', { body: { common_name: 'Root', ttl: '100h' } });
  await node.call('POST', 'pki/roles/web', { body: { allow_any_name: true, ttl: '1h' } });
});
afterAll(() => node.close());

const body = { common_name: 'a.example.com' };

async function issue(
  key: string,
): Promise<{ readonly status: number; readonly serial: string; readonly text: string }> {
  const {
    status,
    body: answer,
    text,
  } = await node.call('POST', 'pki/issue/web', {
    body,
    headers: { 'Idempotency-Key': key },
  });
  const { serial_number: serial } = (answer['data'] ?? {}) as { readonly [name: string]: string };
  return { status, serial: serial ?? '', text };
}

async function isLive(serial: string): Promise<boolean> {
  const { data } = (await node.call('GET', `pki/cert/${serial}`)).body as { data: { revocation_time: number } };
  return data.revocation_time === 0;
}

test('a repeat that comes after the answer takes the place of what came before', async () => {
  const [first, second] = [await issue('after'), await issue('after')];
  expect([first.status, second.status]).toEqual([200, 200]);
  expect([await isLive(first.serial), await isLive(second.serial)]).toEqual([false, true]);
});

test('of two at once one is done, and the other is told to come again: nobody knows which of them was given up', async () => {
  let contended = 0;
  for (let pair = 0; contended === 0 && pair < 100; pair++) {
    const key = `at-once-${pair}`;
    const both = await Promise.all([issue(key), issue(key)]);
    const done = both.filter(({ status }) => status === 200);
    const refused = both.filter(({ status }) => status !== 200);
    // Whoever happens to come after the other is done repeats it.
    expect(done.length).toBeGreaterThan(0);
    for (const { status, text } of refused)
      expect([status, text]).toEqual([503, expect.stringContaining('was applied while this one was under way')]);
    const live = await Promise.all(done.map(({ serial }) => isLive(serial)));
    expect(live.filter((one) => one).length).toBe(1);
    contended += refused.length;
  }
  expect(contended).toBeGreaterThan(0);
});

test('a repeat whose caller has gone changes nothing', async () => {
  const { serial } = await issue('gone');
  const before = refusals();
  await leave('gone');
  await until(() => Promise.resolve(refusals() > before));
  expect(await isLive(serial)).toBe(true);
});

function refusals(): number {
  return node.audited.split('the caller has gone').length - 1;
}

/** Sends such a request and goes, without waiting for an answer. */
function leave(key: string): Promise<void> {
  const [, host = '', port = ''] = /\/\/([\d.]+):(\d+)/.exec(node.files.http) ?? [];
  const text = JSON.stringify(body);
  const head = [
    'POST /v1/pki/issue/web HTTP/1.1',
    `Host: ${host}`,
    `X-Vault-Token: ${node.rootToken}`,
    `Idempotency-Key: ${key}`,
    `Content-Length: ${text.length}`,
  ];
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), host);
    socket.on('error', reject);
    socket.write(`${head.join('\r\n')}\r\n\r\n${text}`, () => {
      socket.destroy();
      resolve();
    });
  });
}
