import { MountId } from '@lockstep/contract/ids';
import { expect, test } from 'vitest';
import { decodeTransaction, encodeTransaction, type Transaction } from './transaction.ts';

const mount = MountId('m1');
const whole: Transaction = {
  expects: [
    { kind: 'unchanged', mount, key: 'role/web', version: 2 ** 40 },
    { kind: 'absent', mount, key: 'cert/01' },
    { kind: 'below', mount, key: 'count', limit: 7 },
    { kind: 'token-alive', tokenId: 'abc' },
  ],
  facts: [{ mount, factVersion: 1, fact: Buffer.from([1, 2, 3]) }],
  remembered: { key: 'once/x', reply: '{"data":{}}', isFromResult: false, supersedesVersion: 9 },
  restoredIndex: 2 ** 41,
};

test('a transaction comes back whole', () => {
  const back = decodeTransaction(encodeTransaction(whole));
  expect({ ...back, facts: back.facts.map((fact) => ({ ...fact, fact: Buffer.from(fact.fact) })) }).toEqual(whole);
});

test('a transaction without an idempotency key remembers nothing', () => {
  expect(decodeTransaction(encodeTransaction({ ...whole, remembered: undefined })).remembered).toBeUndefined();
});

test('an expectation of an unknown kind refuses to decode, so that it is never taken to hold', () => {
  // expects = 1 (length-delimited) holding kind = 1 (varint) of 99.
  expect(() => decodeTransaction(Buffer.from([0x0a, 0x02, 0x08, 99]))).toThrow(/unknown expectation 99/);
});

test.each([[Buffer.from([0x0a])], [Buffer.from([0x0a, 0x05, 0x08])], [Buffer.from([0xff, 0xff, 0xff])]])(
  'cut or garbled bytes %s are refused',
  (bytes) => {
    expect(() => decodeTransaction(bytes)).toThrow();
  },
);
