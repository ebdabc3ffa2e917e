import { expect, test } from 'vitest';
import { Histogram } from './histogram.ts';

test('a quantile is within 1 % of the duration that this share does not exceed', () => {
  const histogram = new Histogram();
  for (let ms = 1; ms <= 1_000; ms++) histogram.add(ms);
  for (const share of [0.01, 0.5, 0.99, 1])
    expect(Math.abs(histogram.quantile(share) / (1_000 * share) - 1), `${share}`).toBeLessThanOrEqual(0.0101);
});

test('without durations there is no quantile', () => {
  expect(new Histogram().quantile(0.5)).toBeNaN();
});

test('the counts of several processes add up', () => {
  const [fast, slow, all] = [new Histogram(), new Histogram(), new Histogram()];
  for (let count = 0; count < 99; count++) fast.add(1);
  slow.add(100);
  for (const { counts } of [fast, slow]) all.addAll(counts);
  expect(all.count).toBe(100);
  expect(all.quantile(0.99)).toBeLessThan(1.02);
  expect(all.quantile(1)).toBeGreaterThan(98);
});

test('what is shorter than the least bucket is in it', () => {
  const histogram = new Histogram();
  histogram.add(0);
  expect(histogram.quantile(1)).toBe(0.001);
});
