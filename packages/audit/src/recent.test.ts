import { expect, test } from 'vitest';
import { Recent } from './recent.ts';

test('the last keys are remembered, and never more than twice as many', () => {
  const recent = new Recent<number>(10);
  for (let at = 0; at < 100; at++) {
    recent.set(`k${at}`, at);
    const kept = Array.from({ length: at + 1 }, (_, key) => recent.get(`k${key}`)).filter(
      (value) => value !== undefined,
    );
    expect(recent.get(`k${at}`)).toBe(at);
    expect(kept.length).toBeLessThanOrEqual(20);
  }
});

test('with keys that are never read, at least the bound is kept', () => {
  const recent = new Recent<number>(10);
  for (let at = 0; at < 95; at++) recent.set(`k${at}`, at);
  for (let at = 94; at > 94 - 10; at--) expect(recent.get(`k${at}`)).toBe(at);
  expect(recent.get('k50')).toBeUndefined();
});

test('a key that is read goes on being remembered', () => {
  const recent = new Recent<number>(4);
  recent.set('read', 1);
  for (let at = 0; at < 100; at++) {
    recent.set(`k${at}`, at);
    expect(recent.get('read')).toBe(1);
  }
});

test('a key is deleted wherever it is', () => {
  const recent = new Recent<number>(3);
  recent.set('old', 1);
  for (const key of ['a', 'b', 'young']) recent.set(key, 1);
  expect(recent.delete('old')).toBe(true);
  expect(recent.delete('young')).toBe(true);
  expect(recent.delete('young')).toBe(false);
  expect([recent.get('old'), recent.get('young')]).toEqual([undefined, undefined]);
});
