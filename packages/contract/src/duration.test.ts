import { describe, expect, it } from 'vitest';
import { durationSecondsMax, goDuration, parseDuration } from './duration.ts';

const accepted: readonly (readonly [unknown, number])[] = [
  [0, 0],
  [3600, 3600],
  [1.9, 1],
  ['', 0],
  [' ', 0],
  ['0', 0],
  ['3600', 3600],
  ['  3600 ', 3600],
  ['90s', 90],
  ['15m', 900],
  ['1h', 3600],
  ['1h30m', 5400],
  ['1h30m10s', 5410],
  ['1.5h', 5400],
  ['.5m', 30],
  ['1.h', 3600],
  ['30d', 30 * 86_400],
  ['1d12h', 129_600],
  ['+5s', 5],
  ['1500ms', 1],
  ['999ms', 0],
  ['1000000us', 1],
  ['1000000µs', 1],
  ['2000000000ns', 2],
  ['0.1s', 0],
  [durationSecondsMax, durationSecondsMax],
  [String(durationSecondsMax), durationSecondsMax],
];

const malformed: readonly unknown[] = [
  'h',
  '1.9',
  '1h 30m',
  '1h30',
  '30 m',
  '1w',
  '1y',
  '1H',
  '1e3s',
  '0x10',
  '1.2.3s',
  '--5s',
  's5',
  'forever',
  '-',
  '+',
  '.',
  '٣h',
  Number.NaN,
  Number.POSITIVE_INFINITY,
  true,
  [],
  {},
  null,
];

describe('a duration', () => {
  it.each(accepted)('%j is %d s', (raw, seconds) => {
    expect(parseDuration('ttl', raw)).toBe(seconds);
  });

  it.each(malformed)('%j is refused, naming the field and the rule', (raw) => {
    expect(() => parseDuration('ttl', raw)).toThrow('ttl must be a duration such as 3600, "90s" or "1h30m"');
  });

  it.each([-1, '-1', '-5s', '-0.5h', -0.1])('%j is refused, being negative', (raw) => {
    expect(() => parseDuration('ttl', raw)).toThrow('ttl must not be negative');
  });

  it.each([durationSecondsMax + 1, `${durationSecondsMax + 1}`, '36601d', '9'.repeat(40)])(
    '%j is refused, being longer than 100 years',
    (raw) => {
      expect(() => parseDuration('ttl', raw)).toThrow('ttl is longer than 100 years');
    },
  );

  it('is refused with the code of wrong input', () => {
    expect(() => parseDuration('ttl', 'x')).toThrow(expect.objectContaining({ code: 'invalid-input' }));
  });

  it('of many parts is read in one pass', () => {
    const hostile = `${'1s'.repeat(200_000)}x`;
    expect(() => parseDuration('ttl', hostile)).toThrow('ttl must be a duration');
  });
});

it.each([
  [0, '0s'],
  [0.0004, '0s'],
  [0.02, '20ms'],
  [1, '1s'],
  [2.5, '2.5s'],
  [60, '1m0s'],
  [3_600, '1h0m0s'],
  [3_725.25, '1h2m5.25s'],
  [2_764_800, '768h0m0s'],
])('%s seconds are printed as Go does: %s', (seconds, text) => {
  expect(goDuration(seconds)).toBe(text);
  expect(parseDuration('ttl', goDuration(Math.floor(seconds)))).toBe(Math.floor(seconds));
});
