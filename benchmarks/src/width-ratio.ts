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

export interface Ratio {
  readonly figure: string;
  readonly measured: number;
  readonly rounds: number;
  readonly rounds_from: number;
  readonly rounds_to: number;
}

/** The median of the rounds, with the extremes: a machine that is not alone changes its speed from second to second. */
export function ratioOf(figure: string, ratios: readonly number[]): Ratio {
  const sorted = ratios.toSorted((a, b) => a - b);
  const median = sorted[Math.floor((sorted.length - 1) / 2)];
  return {
    figure,
    measured: twoDecimals(median),
    rounds: ratios.length,
    rounds_from: twoDecimals(sorted[0]),
    rounds_to: twoDecimals(sorted.at(-1)),
  };
}

/** The same against the target. */
export function ratioReport(
  figure: string,
  ratios: readonly number[],
): Ratio & { readonly most: number; readonly is_met: boolean } {
  const ratio = ratioOf(figure, ratios);
  return { ...ratio, most: ratioMax, is_met: ratio.measured <= ratioMax };
}

function twoDecimals(value: number = Number.NaN): number {
  return Math.round(value * 100) / 100;
}
