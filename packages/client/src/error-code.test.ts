import fc from 'fast-check';
import { expect, test } from 'vitest';
import { codeOf, fieldOf } from './error-code.ts';
import { statusDetails } from './test-replies.ts';

test('the reason of our domain is the code', () => {
  expect(codeOf(statusDetails('NO_LEADER'))).toBe('no-leader');
  expect(codeOf(statusDetails('X'.repeat(200)))).toBe('x'.repeat(200));
});

test("another domain's reason is not", () => {
  expect(codeOf(statusDetails('NO_LEADER', 'example.com'))).toBeUndefined();
});

test('the field that was wrong is told where there is one', () => {
  const details = statusDetails('INVALID_INPUT', 'lockstep', 'ttl');
  expect([codeOf(details), fieldOf(details)]).toEqual(['invalid-input', 'ttl']);
  expect(fieldOf(statusDetails('INVALID_INPUT'))).toBeUndefined();
});

test('bytes of any kind are read without harm', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => codeOf(Buffer.from(bytes)) !== 'denied'));
  const whole = statusDetails('DENIED');
  for (let end = 0; end < whole.length; end++) expect(codeOf(whole.subarray(0, end))).toBeUndefined();
});
