import { expect, test } from 'vitest';
import { parseAddress } from './addresses.ts';

test.each([
  ['127.0.0.1:8202', { host: '127.0.0.1', port: 8202, isPlain: false, isIp: true }],
  ['https://vault.example', { host: 'vault.example', port: 8200, isPlain: false, isIp: false }],
  ['http://[::1]:9000/', { host: '::1', port: 9000, isPlain: true, isIp: true }],
])('%s', (spelled, expected) => {
  expect(parseAddress(spelled, 8200)).toEqual({ spelled, ...expected });
});

test.each(['', 'a:0', 'a:65536', 'ftp://a:1', 'https://user@a:1', 'https://a:1/path', 'a b', 'http://'])(
  '"%s" is none',
  (spelled) => {
    expect(() => parseAddress(spelled, 8200)).toThrow('address must be like');
  },
);
