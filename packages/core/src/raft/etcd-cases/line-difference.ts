/** Where what is shown first differs from what the file says; undefined when it does not. */
export function lineDifference(shown: readonly string[], expected: readonly string[]): string | undefined {
  const length = Math.max(shown.length, expected.length);
  for (let at = 0; at < length; at += 1) {
    if (shown[at] !== expected[at])
      return `it shows ${shown[at] ?? 'nothing more'}, the file ${expected[at] ?? 'nothing more'}`;
  }
  return undefined;
}
