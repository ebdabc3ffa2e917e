import { expect, test } from 'vitest';
import { scenarios } from './leases.ts';

test.each(Object.keys(scenarios))('%s', (name) => {
  expect(() => scenarios[name]?.()).not.toThrow();
});
