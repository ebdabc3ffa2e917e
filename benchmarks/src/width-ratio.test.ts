import { expect, test } from 'vitest';
import { ratioReport, ratiosOf } from './width-ratio.ts';

test('a ratio is of two figures of the same round, and the median counts', () => {
  const wide = [{ cpu: 30 }, { cpu: 12 }, { cpu: 16 }];
  const small = [{ cpu: 10 }, { cpu: 10 }, { cpu: 10 }];
  const ratios = ratiosOf(wide, small, ({ cpu }) => cpu);
  expect(ratios).toEqual([3, 1.2, 1.6]);
  expect(ratioReport('cpu', ratios)).toEqual({
    figure: 'cpu',
    most: 1.5,
    measured: 1.6,
    rounds: 3,
    rounds_from: 1.2,
    rounds_to: 3,
    is_met: false,
  });
  expect(ratioReport('cpu', [1.5])).toMatchObject({ measured: 1.5, is_met: true });
});

test('a round in which not both have the figure says nothing, and no round meets nothing', () => {
  expect(ratiosOf([{ cpu: 2 }, { cpu: 3 }], [{ cpu: Number.NaN }, { cpu: 1 }], ({ cpu }) => cpu)).toEqual([3]);
  expect(ratiosOf([{ cpu: 2 }, { cpu: 3 }], [{ cpu: 1 }], ({ cpu }) => cpu)).toEqual([2]);
  expect(ratioReport('cpu', [])).toMatchObject({ is_met: false });
});
