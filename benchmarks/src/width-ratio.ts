/** What a commit may cost the leader of a cluster of seven, by what it costs with three. */
const ratioMax = 1.5;

/** By how much a figure of the wide cluster was larger than the small one's in the same round, in each round where both have one. */
export function ratiosOf<T>(
  wide: readonly T[] = [],
  small: readonly T[] = [],
  figure: (of: T) => number,
): readonly number[] {
  return wide.flatMap((one, at) => {
    const other = small[at];
    const ratio = other === undefined ? Number.NaN : figure(one) / figure(other);
    return Number.isFinite(ratio) ? [ratio] : [];
  });
}

/** The median of the rounds against the target, with the extremes: a machine that is not alone changes its speed from second to second. */
export function ratioReport(figure: string, ratios: readonly number[]): object {
  const sorted = ratios.toSorted((a, b) => a - b);
  const median = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
  const [measured, least, largest] = [median, sorted[0], sorted.at(-1)].map(twoDecimals);
  return {
    figure,
    most: ratioMax,
    measured,
    rounds: ratios.length,
    rounds_from: least,
    rounds_to: largest,
    is_met: median <= ratioMax,
  };
}

function twoDecimals(value: number = Number.NaN): number {
  return Math.round(value * 100) / 100;
}
