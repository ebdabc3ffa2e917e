import { expect, test } from 'vitest';
import { benches } from './benches.ts';
import { Choices } from './choices.ts';

const refused: readonly (readonly [values: { readonly [name: string]: string }, message: string])[] = [
  [{ nodes: '0' }, '--nodes must be a whole number from 1 to 9'],
  [{ nodes: '10' }, '--nodes must be a whole number from 1 to 9'],
  [{ nodes: 'three' }, '--nodes must be a whole number from 1 to 9'],
  [{ seconds: '1.5' }, '--seconds must be a whole number from 1 to 3600'],
  [{ kills: '2', minutes: '3' }, '--kills and --minutes exclude each other'],
  [{ 'against-nodes': '3' }, '--against-nodes must differ from --nodes'],
];
test.each(refused)('raft with %j is refused: %s', (values, message) => {
  expect(() => benches['raft']?.run(new Choices(values), () => undefined)).toThrow(message);
});

test('a count at its bound is taken, one past it is not', () => {
  expect(new Choices({ nodes: '9' }).count('nodes', 3, 9)).toBe(9);
  expect(new Choices({}).count('nodes', 3, 9)).toBe(3);
  expect(() => new Choices({ nodes: '10' }).count('nodes', 3, 9)).toThrow('--nodes must be');
});

test('an option that must be one of some names is nothing else', () => {
  expect(new Choices({ door: 'http' }).oneOf('door', ['grpc', 'http'])).toBe('http');
  expect(new Choices({}).oneOf('door', ['grpc', 'http'])).toBe('grpc');
  expect(() => new Choices({ door: 'ftp' }).oneOf('door', ['grpc', 'http'])).toThrow('--door must be grpc or http');
});
