import { expect, test } from 'vitest';
import { parametersMax } from './limits.ts';
import { parseQuery } from './query.ts';

test.each([
  ['a=%zz', 'query has an invalid percent-encoding'],
  ['a=%ff', 'query has an invalid percent-encoding'],
  ['__proto__=1', 'query has the forbidden parameter'],
  ['a&'.repeat(parametersMax) + 'b', `query has more than ${parametersMax} parameters`],
])('%s: %s', (query, message) => {
  expect(() => parseQuery(query)).toThrow(message);
});

test('a form is decoded, and a name given several times becomes a list', () => {
  expect(parseQuery('a=1&b=x+y%26&a=2&c&&a=3&constructor=z')).toEqual({
    a: ['1', '2', '3'],
    b: 'x y&',
    c: '',
    constructor: 'z',
  });
});

test(`${parametersMax} parameters are allowed`, () => {
  expect(parseQuery(Array.from({ length: parametersMax }, (_, at) => `k${at}=1`).join('&'))).toHaveProperty('k0', '1');
});
