import { describe, expect, test } from 'vitest';
import { type Attempt, Attempts, type Sending } from './attempts.ts';
import type { ClientOptions, Operation } from './client.ts';

const refused = (code: string): Attempt<string> => ({ kind: 'refused', code, message: code });
const lost: Attempt<string> = { kind: 'unknown', message: 'lost' };
const broken: Attempt<string> = { kind: 'unknown', code: 'internal', message: 'broken' };
const unreached: Attempt<string> = { kind: 'not-sent', message: 'unreached' };
const applied: Attempt<string> = { kind: 'applied', data: 'x', address: 'a' };

/** Runs one request against scripted attempts; tells the outcome and what was sent. */
async function run(operation: Operation, script: readonly Attempt<string>[], options: Partial<ClientOptions> = {}) {
  const sent: Sending[] = [];
  const attempts = new Attempts({ addresses: ['a', 'b', 'c'], attemptsMax: 7, ...options });
  const outcome = await attempts.run(operation, {}, async (sending) => {
    sent.push(sending);
    return script[sent.length - 1] ?? script.at(-1) ?? applied;
  });
  return { outcome, sent, addresses: sent.map(({ address }) => address).join('') };
}

describe('what is not tried again', () => {
  test.each(['invalid-input', 'denied', 'not-found', 'rate-limited', 'too-large', 'deadline-exceeded'])(
    '%s',
    async (code) => {
      const { outcome, addresses } = await run('write', [refused(code)]);
      expect(outcome).toEqual({ kind: 'refused', code, message: code });
      expect(addresses).toBe('0');
    },
  );

  test('a write without a key whose answer was lost', async () => {
    const { outcome, addresses } = await run('write', [lost], { idempotencyKeys: 'none' });
    expect(outcome).toEqual({ kind: 'unknown', message: 'lost' });
    expect(addresses).toBe('0');
  });

  test('a server that failed', async () => {
    expect((await run('write', [broken])).outcome).toEqual({ kind: 'unknown', message: 'broken' });
    expect((await run('read', [broken])).outcome).toEqual({ kind: 'refused', code: 'internal', message: 'broken' });
  });
});

describe('what is', () => {
  test.each(['no-leader', 'sealed', 'unavailable', 'contended'])('%s, at the next address', async (code) => {
    const { outcome, addresses } = await run('write', [refused(code), refused(code), applied], {
      idempotencyKeys: 'none',
    });
    expect(outcome).toMatchObject({ kind: 'applied', data: 'x' });
    expect(addresses).toBe('012');
  });

  test('an address that cannot be reached, even for a write without a key', async () => {
    expect((await run('write', [unreached, applied], { idempotencyKeys: 'none' })).addresses).toBe('01');
  });

  test('a write whose answer was lost, with the same key', async () => {
    const { outcome, sent } = await run('write', [lost, applied]);
    expect(outcome.kind).toBe('applied');
    expect(sent[0]?.idempotencyKey).toMatch(/^[0-9a-f-]{36}$/);
    expect(sent[1]?.idempotencyKey).toBe(sent[0]?.idempotencyKey);
  });

  test('a read whose answer was lost, without a key', async () => {
    const { outcome, sent } = await run('list', [lost, applied]);
    expect(outcome.kind).toBe('applied');
    expect(sent.map(({ idempotencyKey }) => idempotencyKey)).toEqual([undefined, undefined]);
  });
});

describe('how it ends', () => {
  test('a refusal after a lost answer leaves the write unknown', async () => {
    expect((await run('write', [lost, refused('denied')])).outcome).toEqual({ kind: 'unknown', message: 'lost' });
    expect((await run('write', [lost, unreached])).outcome).toEqual({ kind: 'unknown', message: 'lost' });
    expect((await run('read', [lost, refused('denied')])).outcome).toEqual({
      kind: 'refused',
      code: 'denied',
      message: 'denied',
    });
  });

  test('tries are counted', async () => {
    const { outcome, addresses } = await run('write', [unreached]);
    expect(outcome).toEqual({ kind: 'refused', code: 'unavailable', message: 'unreached' });
    expect(addresses).toBe('0120120');
  });

  test('the deadline ends all tries, pauses included', async () => {
    const start = performance.now();
    const { outcome } = await run('write', [refused('no-leader')], { deadlineMs: 120, attemptsMax: 1000 });
    expect(outcome).toMatchObject({ kind: 'refused', code: 'no-leader' });
    expect(performance.now() - start).toBeLessThan(1000);
    expect((await run('write', [applied], { deadlineMs: 0 })).outcome).toMatchObject({
      kind: 'refused',
      code: 'unavailable',
    });
  });

  test('the address that answered is asked first next time', async () => {
    const attempts = new Attempts({ addresses: ['a', 'b'] });
    const asked: number[] = [];
    const once = async (reply: (address: number) => Attempt<string>): Promise<unknown> =>
      await attempts.run('read', {}, async ({ address }) => {
        asked.push(address);
        return reply(address);
      });
    await once((address) => (address === 0 ? unreached : applied));
    await once(() => applied);
    expect(asked).toEqual([0, 1, 1]);
  });

  test('a node that hangs leaves time for the others', async () => {
    const { sent } = await run('write', [lost, lost, applied], { deadlineMs: 8000 });
    expect(sent[0]?.timeoutMs).toBeCloseTo(4000, -3);
    expect((await run('write', [applied], { deadlineMs: 8000, addresses: ['a'] })).sent[0]?.timeoutMs).toBeGreaterThan(
      7900,
    );
  });
});

test('a client needs an address', () => {
  expect(() => new Attempts({ addresses: [] })).toThrow('a client needs at least one address');
});
